"""No hostile text becomes anything but words and plain links, alone or put among honest Markdown."""

from html.parser import HTMLParser
from urllib.parse import urlsplit

from hypothesis import given, settings
from hypothesis import strategies as st

from registry.core.markdown import ATTRIBUTES, LINK_SCHEMES, TAGS, render_untrusted
from tests.payloads import PAYLOADS

SURROUNDINGS = [
    "{}",
    "# {}",
    "- a\n- {}\n",
    "| a |\n|---|\n| {} |",
    "> {}",
    "[{}](https://example.org)",
    "**{}**",
]


class Faults(HTMLParser):
    """What stands in the HTML and may not."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, ...]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS:
            self.found.append((tag,))
        for name, value in attrs:
            if name not in ATTRIBUTES.get(tag, set()) | {"rel"}:
                self.found.append((tag, name))
            # As a browser reads an address: without control characters and gaps around it.
            scheme = urlsplit("".join(c for c in value or "" if c > " ")).scheme.lower()
            if name == "href" and scheme and scheme not in LINK_SCHEMES:
                self.found.append((tag, value or ""))


def test_there_are_enough_hostile_texts() -> None:
    assert len(PAYLOADS) == len(set(PAYLOADS)) >= 300


def test_no_hostile_text_becomes_markup() -> None:
    for text in PAYLOADS:
        assert Faults(render_untrusted(text)).found == [], text


@settings(max_examples=40, deadline=None)
@given(
    around=st.sampled_from(SURROUNDINGS), parts=st.lists(st.sampled_from(PAYLOADS), min_size=2, max_size=4)
)
def test_no_mixture_of_them_becomes_markup(around: str, parts: list[str]) -> None:
    html = render_untrusted(around.replace("{}", " ".join(parts)))
    assert Faults(html).found == [], html
