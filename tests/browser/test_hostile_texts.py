"""Every field that people fill in, full of texts that would run a script, and every page that shows them."""

import json
import re
from collections.abc import Iterator
from itertools import cycle
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page

from registry.accounts.organisations import organisation_create
from registry.accounts.services import token_create
from registry.catalog.lifecycle import vector_deprecate, version_yank
from registry.catalog.vectors import vector_update
from registry.presets.drafts import MemberWish, PresetWish, preset_create
from registry.presets.publishing import preset_publish
from registry.webhooks.services import NewWebhook, webhook_create
from steering_core.formats.manifest import is_visible_text
from tests.factories import make_dataset_version, make_vector_version
from tests.payloads import PAYLOADS

N_PAIRS = 20
# Where an address of a page takes what somebody typed.
REFLECTED = ["/", "/docs/", "/presets/", "/datasets/"]

# Elements with a handler, which no template writes, or with an address that is a script.
CAN_RUN = """() => [...document.querySelectorAll("*")].filter(element =>
  [...element.attributes].some(({name, value}) => name.startsWith("on") ||
    ["href", "src", "action", "formaction"].includes(name) && /^\\s*(java|vb)script:/i.test(value))
).map(element => element.outerHTML.slice(0, 200))"""


class Spread:
    """Hands the payloads out one after the other, as many at a time as a field takes."""

    def __init__(self) -> None:
        # Without the control characters that data files refuse.
        self.texts: Iterator[str] = cycle(
            re.sub(r"[\x00-\x08\x0b-\x1f\u2028-\u202e\u2066-\u2069\ufeff]", "", p) for p in PAYLOADS
        )
        self.given = 0

    def __call__(self, limit: int) -> str:
        """Whole payloads up to a length; what is too long for the field by itself is cut."""
        parts = [next(self.texts)]
        self.given += 1
        while sum(map(len, parts)) + 80 < limit and len(parts) < 40:
            parts.append(next(self.texts))
            self.given += 1
        return " ".join(parts)[:limit].strip() or "x"


def seen(text: str) -> str:
    """Without what the file of a preset refuses: characters that cannot be seen."""
    return "".join(one for one in text if is_visible_text(one)).strip()


@pytest.fixture
def attacked(acme: Any) -> list[str]:
    """Pages of things whose every text is hostile."""
    spread = Spread()
    pairs = [
        {
            **{name: f"{i} {spread(900)}" for name in ("prompt", "positive", "negative")},
            "group": f"{i} {spread(60)}"[:60],
            "domain": spread(60),
        }
        for i in range(N_PAIRS)
    ]
    data = "\n".join(json.dumps(pair, ensure_ascii=False) for pair in pairs).encode()
    make_dataset_version(owner=acme, name="hostile", data=data)
    make_vector_version(owner=acme)
    make_vector_version(owner=acme, name="brief", seed=2)
    gone = make_vector_version(owner=acme, name="gone", seed=3)
    for name in ("formality", "brief", "gone"):
        texts = {"title": spread(120), "description": spread(4000), "trait": spread(64)}
        vector_update(actor=acme, name=name, **texts)
    members = [
        MemberWish(f"acme/{name}", 0.1, f"{name} {spread(30)}"[:40], spread(40), spread(40))
        for name in ("formality", "brief")
    ]
    mix = preset_create(
        actor=acme, wish=PresetWish("mix", members, title=seen(spread(120)), description=seen(spread(4000)))
    )
    preset_publish(actor=acme, owner="acme", name="mix", version="1.0.0", visibility="public")
    version_yank(actor=acme, name="gone", version="1.0.0", reason=spread(400))
    vector_deprecate(actor=acme, name="brief", reason=spread(400))
    organisation_create(actor=acme, slug="initech", title=spread(120), description=spread(500))
    token_create(user=acme, name=spread(60), scopes=["read"])
    address = "https://127.0.0.1/?" + urlencode({"q": spread(200)})
    webhook_create(actor=acme, wanted=NewWebhook(address, ["*"], description=spread(200)))
    assert spread.given > len(PAYLOADS), "not every payload found a place"
    words = [urlencode({"q": text}) for text in PAYLOADS[:: len(PAYLOADS) // 3]]
    return [
        *(f"{path}?{query}" for path, query in zip(cycle(REFLECTED), words * 2, strict=False)),
        "/accounts/login/?next=javascript:alert(1)",
        "/",
        "/?mine=1",
        "/acme/formality",
        "/acme/brief",
        "/acme/gone/versions/1.0.0",
        f"/runs/{gone.run.pk}",
        "/runs/",
        "/presets/",
        "/presets/acme/mix",
        f"/presets/acme/mix/drafts/{mix.pk}",
        "/presets/new?vector=acme/formality",
        "/mixer?v=acme/formality@1.0.0:0.1&v=<script>alert(1)</script>",
        "/mixer?preset=acme/mix@1.0.0",
        "/datasets/",
        "/datasets/acme/hostile",
        "/datasets/acme/hostile/versions/1/extract",
        "/notifications/",
        "/settings/tokens/",
        "/acme",
        "/initech",
    ]


def test_no_text_of_a_user_runs_or_fetches_anything(
    signed_in: Page, attacked: list[str], live_server: Any
) -> None:
    dialogs: list[str] = []
    foreign: list[str] = []
    signed_in.on("dialog", lambda dialog: (dialogs.append(signed_in.url), dialog.dismiss()))
    signed_in.on("request", lambda request: foreign.append(request.url))
    for address in attacked:
        signed_in.goto(address)
        # Elements that pages never have of their own, and handlers that no template writes.
        assert signed_in.locator("main :is(script, iframe, object, embed, marquee, style)").count() == 0, (
            address
        )
        assert signed_in.evaluate(CAN_RUN) == [], address
    assert dialogs == []
    # What broke the content security policy is in the console, and so ends the test in its fixture.
    assert [url for url in foreign if not url.startswith((live_server.url, "data:", "blob:"))] == []
