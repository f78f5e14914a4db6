"""Our own Markdown keeps its anchors and links; what users write becomes no script, style or picture."""

import pytest

from registry.core.markdown import MAX_UNTRUSTED_CHARS, render_trusted, render_untrusted

HOSTILE = [
    "<script>window.__xss=1</script>",
    "<img src=x onerror=window.__xss=1>",
    "[words](javascript:window.__xss=1)",
    "[words](JaVaScRiPt&colon;alert(1))",
    "[words](data:text/html;base64,PHNjcmlwdD4=)",
    "<a href='vbscript:x'>words</a>",
    '![a](x "onerror=alert(1)")',
    '```"><script>\nx\n```',
    "<style>*{display:none}</style><svg/onload=alert(1)>",
    "[x]: javascript:alert(1)\n\n[words][x]",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_markup_of_a_user_reaches_the_page(text: str) -> None:
    html = render_untrusted(text).lower()
    for part in (
        "<script",
        "<img",
        "<svg",
        "<style",
        'href="javascript',
        'href="data',
        'href="vb',
        "<iframe",
    ):
        assert part not in html


def test_what_users_write_fits_below_a_section() -> None:
    html = render_untrusted("# Use\n\n#### Deep\n\n## Next\n\n![plot](https://example.org/p.png)")
    assert "<h3>Use</h3>" in html
    assert "<h4>Deep</h4>" in html
    assert "<h4>Next</h4>" in html
    assert '<a href="https://example.org/p.png" rel="nofollow ugc noopener noreferrer">plot</a>' in html


def test_a_long_text_is_cut() -> None:
    assert len(render_untrusted("a" * (MAX_UNTRUSTED_CHARS + 5))) == MAX_UNTRUSTED_CHARS + len("<p></p>\n")


def test_tables_align_without_a_style() -> None:
    html = render_untrusted("| a | b |\n|---|--:|\n| 1 | 2 |")
    assert 'class="right"' in html
    assert "style" not in html
    assert '<div class="scroll" tabindex="0"><table>' in html


def test_our_own_pages_have_anchors_and_the_links_of_the_site() -> None:
    page = render_trusted(
        "# The `ratio`\n\n## The ratio\n\n[format](format.md#names), [code](../manage.py) ![](images/a.svg)",
        link=lambda address: "" if address.startswith("..") else f"/docs/{address}",
    )
    assert [(heading.level, heading.anchor) for heading in page.headings] == [
        (1, "the-ratio"),
        (2, "the-ratio-2"),
    ]
    assert '<a href="/docs/format.md#names">format</a>, code' in page.html
    assert 'src="/docs/images/a.svg"' in page.html
