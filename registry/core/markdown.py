"""Markdown to HTML: `render_trusted` for our own documentation, `render_untrusted` for what users write.

Both are CommonMark with tables, by markdown-it-py, and keep to the pages' content security policy: no inline
style, no picture from elsewhere. Raw HTML in the text is shown as text, never as markup. What users write is
cleaned once more by nh3, so that a fault of the one library does not become a script on a page.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import nh3
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

# A card may be long; beyond this, rendering it costs more than reading it helps.
MAX_UNTRUSTED_CHARS = 200_000
LINK_SCHEMES = {"http", "https", "mailto"}
# What the renderer can make of a user's text, and nothing besides.
TAGS = {
    *("p", "br", "hr", "em", "strong", "s", "code", "pre", "blockquote", "ul", "ol", "li", "a", "div"),
    *("h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td"),
}
ATTRIBUTES = {
    "a": {"href", "title"},
    "ol": {"start"},
    "td": {"class"},
    "th": {"class"},
    "div": {"class", "tabindex"},
    "pre": {"tabindex"},
}
CLASSES = {"right", "center", "scroll"}


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of a page: its level, the anchor that leads to it and its words."""

    level: int
    anchor: str
    text: str


@dataclass(frozen=True, slots=True)
class Page:
    """A rendered text with its headings in order, for a list of contents."""

    html: SafeString
    headings: tuple[Heading, ...]


def render_trusted(text: str, *, link: Callable[[str], str] = str) -> Page:
    """A text of our own as HTML, with an anchor at every heading.

    Args:
        text: Markdown.
        link: gives the address on the site for each address in the text, of links and pictures alike. An
            empty answer leaves the words and drops the link.
    """
    tokens = _parser().parse(text)
    headings = tuple(_anchor(tokens))
    for token in _inline(tokens):
        _relink(token.children or [], link)
    return Page(_render(tokens), headings)


def render_untrusted(text: str) -> SafeString:
    """What a user wrote as HTML that may stand on any page: no script, style, picture or frame.

    Headings start at the third level and never skip one, so that they fit below a section's own heading.
    Pictures become links to them. Links carry `rel="nofollow ugc noopener noreferrer"`.
    """
    tokens = _parser().parse(text[:MAX_UNTRUSTED_CHARS])
    _demote(tokens)
    for token in _inline(tokens):
        token.children = list(_pictures_as_links(token.children or []))
    clean = nh3.clean(
        str(_render(tokens)),
        tags=TAGS,
        attributes=ATTRIBUTES,
        url_schemes=LINK_SCHEMES,
        link_rel="nofollow ugc noopener noreferrer",
        attribute_filter=_keep_attribute,
    )
    return mark_safe(clean)  # noqa: S308 - nh3 let through only the tags and attributes above


def slug(text: str) -> str:
    """A heading's anchor, as code hosts make it: "What is `ratio`?" -> "what-is-ratio"."""
    return re.sub(r"[^\w -]", "", text.lower()).strip().replace(" ", "-") or "section"


@cache
def _parser() -> MarkdownIt:
    # Lone addresses are not made links: that needs another package, and `<https://…>` is plain enough.
    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


class _Renderer(RendererHTML):
    """markdown-it's own, but wide parts scroll in a frame that the keyboard reaches."""

    def table_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return '<div class="scroll" tabindex="0"><table>\n'

    def table_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return "</table></div>\n"

    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return f'<pre tabindex="0"><code>{escape(tokens[idx].content)}</code></pre>\n'

    code_block = fence


def _render(tokens: list[Token]) -> SafeString:
    """HTML in which columns align by class: a style would break the policy."""
    for token in tokens:
        style = str(token.attrs.pop("style", ""))
        if "right" in style or "center" in style:
            token.attrs["class"] = "right" if "right" in style else "center"
    html = _Renderer(_parser()).render(tokens, _parser().options, {})
    return mark_safe(html)  # noqa: S308 - the renderer escapes, and raw HTML is off


def _inline(tokens: list[Token]) -> list[Token]:
    return [token for token in tokens if token.type == "inline"]


def _words(token: Token) -> str:
    return "".join(child.content for child in token.children or [] if child.type in ("text", "code_inline"))


def _anchor(tokens: list[Token]) -> list[Heading]:
    """Gives each heading an id of its own, and says which."""
    found: list[Heading] = []
    taken: dict[str, int] = {}
    for opening, inside in pairwise(tokens):
        if opening.type != "heading_open":
            continue
        text, name = _named(inside)
        taken[name] = taken.get(name, 0) + 1
        anchor = name if taken[name] == 1 else f"{name}-{taken[name]}"
        opening.attrs["id"] = anchor
        found.append(Heading(int(opening.tag[1]), anchor, text))
    return found


def _named(inside: Token) -> tuple[str, str]:
    """A heading's words and anchor; `{#name}` at its end gives it one that stays when the words change."""
    last = (inside.children or [Token("text", "", 0)])[-1]
    given = re.search(r"\s*\{#([a-z0-9-]+)\}$", last.content)
    if given:
        last.content = last.content[: given.start()]
    text = _words(inside)
    return text, given[1] if given else slug(text)


def _demote(tokens: list[Token]) -> None:
    """Headings of a user's text, below a heading of the second level and without gaps."""
    last = 2
    top = min((int(token.tag[1]) for token in tokens if token.type == "heading_open"), default=1)
    for token in tokens:
        if token.type == "heading_open":
            last = min(int(token.tag[1]) - top + 3, last + 1, 6)
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{last}"


def _relink(children: list[Token], link: Callable[[str], str]) -> None:
    """Puts the site's address at each link and picture; a link without one is taken out around its words."""
    dropped: list[bool] = []
    for child in children:
        if child.type == "image":
            child.attrs["src"] = link(str(child.attrs["src"]))
        elif child.type == "link_open":
            address = link(str(child.attrs["href"]))
            dropped.append(not address)
            child.attrs["href"] = address
            child.hidden = not address
        elif child.type == "link_close":
            child.hidden = dropped.pop()
    for child in children:
        if child.hidden:
            child.type, child.tag, child.content = "text", "", ""


def _pictures_as_links(children: list[Token]) -> list[Token]:
    """A picture from elsewhere would tell its server who reads the page; a link asks the reader first."""
    made: list[Token] = []
    for child in children:
        if child.type != "image":
            made.append(child)
            continue
        words = Token("text", "", 0, content=_words(child) or "picture")
        is_inside_link = _depth(made) > 0
        if is_inside_link:
            made.append(words)
        else:
            opening = Token("link_open", "a", 1, attrs={"href": str(child.attrs["src"])})
            made += [opening, words, Token("link_close", "a", -1)]
    return made


def _depth(tokens: list[Token]) -> int:
    return sum(token.nesting for token in tokens if token.type in ("link_open", "link_close"))


def _keep_attribute(tag: str, attribute: str, value: str) -> str | None:
    if attribute == "class" and value not in CLASSES:
        return None
    return value
