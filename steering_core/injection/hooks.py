"""Forward hooks that steer a model, for as long as a `with` block lasts.

`steer` takes vectors and strengths; `steer_rows` takes one addition per row, which is how `generate` and the
evaluation run many strengths in one batch.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from steering_core.errors import InjectionError
from steering_core.injection.operators import add, add_to_last, check_strength, check_vector
from steering_core.models.load import LanguageModel
from steering_core.models.sites import Sites, find_sites, read_site, write_site
from steering_core.spec import Place, parse_site_key
from steering_core.vector import SteeringVector

Positions = Literal["all", "last"]


@contextmanager
def steer(
    model: LanguageModel | nn.Module,
    vectors: Sequence[tuple[SteeringVector, float]],
    *,
    positions: Positions = "all",
) -> Iterator[None]:
    """Run a model with steering vectors added, each at its own strength.

    Vectors at the same site add up, as do nested `steer` blocks. The hooks are gone when the block is left,
    also by an exception. A strength of 0 leaves the model untouched, bit for bit. Rows of a model whose
    `Sites.right_padding_only` is set must not be padded on the left, steered or not.

    Args:
        model: a `LanguageModel`, or any transformers causal language model with known decoder blocks, also
            one that is spread over devices or quantised.
        vectors: (vector, strength); the strength is a share of the residual norm stored with the vector, that
            of the residual stream after the block whatever the site (`models.sites` says what each site is).
        positions: `all` adds at every position of prompt and reply, which is how reports are measured; `last`
            adds at the last position of each forward pass, so from the end of the prompt on when generating
            (rows must then not be padded on the right).

    Raises:
        ModelMismatchError: a vector is for another model.
        ModelError: the model has no such site, or not known blocks.
        InjectionError: a strength is not finite or beyond ±2.
    """
    sites = _sites_of(model)
    identity = model.identity if isinstance(model, LanguageModel) else None
    for vector, strength in vectors:
        check_vector(vector, len(sites.blocks), sites.d_model, identity)
        check_strength(vector, strength)
    operator = add if positions == "all" else add_to_last
    with ExitStack() as hooks:
        total = _sum_additions(vectors)
        for place in total:
            hook = _adding(place[0], operator, partial(total.__getitem__, place))
            hooks.callback(sites.module(*place).register_forward_hook(hook).remove)
        yield


class RowAdditions:
    """One addition per row of a batch, at one or more sites; rows that are finished can be dropped."""

    def __init__(self, additions: Mapping[Place, Tensor]) -> None:
        self._additions = dict(additions)

    def __getitem__(self, place: Place) -> Tensor:
        return self._additions[place]

    def __iter__(self) -> Iterator[Place]:
        return iter(self._additions)

    def take(self, rows: Tensor) -> "RowAdditions":
        """The additions of some rows, in a new object."""
        return RowAdditions(
            {place: a.index_select(0, rows.to(a.device)) for place, a in self._additions.items()}
        )

    def keep(self, rows: Tensor) -> None:
        """Drop all rows but these, in place; running hooks follow."""
        self._additions = self.take(rows)._additions


@contextmanager
def steer_rows(
    model: LanguageModel | nn.Module, additions: Mapping[Place, Tensor] | RowAdditions
) -> Iterator[RowAdditions]:
    """Add a tensor of its own to each row of a batch, at every position.

    Args:
        additions: (site, block) -> (batch, d_model).

    Raises:
        InjectionError: an addition is not two-dimensional.
        ModelError: the model has no such site.
    """
    sites = _sites_of(model)
    rows = additions if isinstance(additions, RowAdditions) else RowAdditions(additions)
    with ExitStack() as hooks:
        for place in list(rows):
            if rows[place].dim() != 2:
                raise InjectionError(
                    f"the addition at {place[0]}.{place[1]} has shape {tuple(rows[place].shape)}; "
                    "expected (batch, d_model)"
                )
            hook = _adding(place[0], add, partial(rows.__getitem__, place))
            hooks.callback(sites.module(*place).register_forward_hook(hook).remove)
        yield rows


def _sites_of(model: LanguageModel | nn.Module) -> Sites:
    return model.sites if isinstance(model, LanguageModel) else find_sites(model)


def _sum_additions(vectors: Sequence[tuple[SteeringVector, float]]) -> dict[Place, Tensor]:
    total: dict[Place, Tensor] = {}
    for vector, strength in vectors:
        if strength == 0:
            continue
        for key in vector.directions:
            place = parse_site_key(key)
            addition = torch.from_numpy(vector.addition(strength, key).copy())
            total[place] = total[place] + addition if place in total else addition
    return total


def _adding(
    site: str, operator: Callable[[Tensor, Tensor], Tensor], addition: Callable[[], Tensor]
) -> Callable[..., Any]:
    def hook(module: nn.Module, inputs: Any, output: Any) -> Any:
        return write_site(site, output, operator(read_site(site, output), addition()))

    return hook
