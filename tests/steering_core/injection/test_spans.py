import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from steering_core.errors import InjectionError
from steering_core.injection import Span
from steering_core.injection.spans import SpanReader

markers = st.lists(st.integers(0, 2), min_size=1, max_size=3).map(tuple)
spans = st.builds(Span, markers, markers)


def inside_of(span, tokens):
    """The same rule in its plainest form: token by token, over everything read so far."""
    marks, is_open, free = [], False, 0
    for i in range(len(tokens)):
        marker = tuple(span.close_ids if is_open else span.open_ids)
        begin = i - len(marker) + 1
        if begin >= free and tuple(tokens[begin : i + 1]) == marker:
            is_open, free = not is_open, i + 1
        marks.append(is_open)
    return marks


def read(reader, ids, real=None):
    found = reader.read(ids, real)
    return found if isinstance(found, torch.Tensor) else torch.full(ids.shape, found)


@given(
    given_spans=st.lists(spans, min_size=1, max_size=3),
    rows=st.integers(1, 3),
    length=st.integers(1, 24),
    cuts=st.sets(st.integers(1, 23)),
    seed=st.integers(0, 10**6),
)
@settings(deadline=None, max_examples=300)
def test_read_in_any_pieces_equals_the_rule_token_by_token(given_spans, rows, length, cuts, seed):
    ids = torch.randint(0, 3, (rows, length), generator=torch.Generator().manual_seed(seed))
    ends = sorted({c for c in cuts if c < length} | {length})
    reader = SpanReader(given_spans, rows)

    pieces = [ids[:, start:end] for start, end in zip([0, *ends], ends, strict=False)]
    found = torch.cat([read(reader, piece) for piece in pieces], dim=1)

    expected = [
        [not any(marks) for marks in zip(*(inside_of(s, row) for s in given_spans), strict=True)]
        for row in ids.tolist()
    ]
    assert found.tolist() == expected


def test_read_markers_that_never_occur_change_nothing():
    assert SpanReader([Span([7], [8])], 2).read(torch.zeros(2, 5, dtype=torch.long), None) is True


def test_read_last_token_of_the_opening_marker_is_inside_and_of_the_closing_one_outside():
    ids = torch.tensor([[5, 1, 2, 6, 6, 3, 4, 5]])

    assert read(SpanReader([Span([1, 2], [3, 4])], 1), ids).tolist() == [
        [True, True, False, False, False, False, True, True]
    ]


def test_read_padding_is_part_of_no_marker():
    ids, real = torch.tensor([[1, 1, 2, 6]]), torch.tensor([[False, True, True, True]])

    assert read(SpanReader([Span([1, 1], [2])], 1), ids, real).all()


def test_take_rows_keep_what_they_are_inside_of():
    reader = SpanReader([Span([1], [2])], 3)
    read(reader, torch.tensor([[1, 5], [5, 5], [5, 1]]))
    reader.take(torch.tensor([1, 2]))

    assert read(reader, torch.tensor([[6, 1], [6, 2]])).tolist() == [[True, False], [False, True]]


@pytest.mark.parametrize("empty", [((), (1,)), ((1,), ())])
def test_span_without_a_marker_is_refused(empty):
    with pytest.raises(InjectionError, match="empty marker"):
        Span(*empty)
