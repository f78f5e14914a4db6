"""Every page at two widths and in both colour schemes: nothing overflows, axe finds nothing, nothing comes
from elsewhere, and nothing breaks the content security policy.
"""

from typing import Any

import pytest
from django.db import transaction
from playwright.sync_api import Browser, Page

from registry.catalog.gating import access_set
from registry.catalog.lifecycle import version_yank
from registry.datasets.services import dataset_read, upload_stage
from registry.presets.drafts import MemberWish, PresetWish, preset_create, preset_draft
from registry.presets.measuring import composition_attach
from registry.presets.publishing import preset_publish
from steering_core.evaluation.composition.record import write_composition
from tests.browser.conftest import is_complaint
from tests.factories import (
    make_dataset_version,
    make_organisation,
    make_pairs_file,
    make_run,
    make_token,
    make_vector_version,
)
from tests.steering_core.evaluation.composition.test_verdict import composition

WIDTHS = [360, 1280]
# What of axe's rules a colour scheme can change.
COLOUR_RULES = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}


@pytest.fixture
def addresses(acme: Any) -> list[str]:
    """A page of each kind, with rows behind it."""
    published = make_vector_version(owner=acme)
    make_token(acme)
    make_organisation(owner=acme)
    make_dataset_version(owner=acme, name="a-name-that-is-as-long-as-a-name-may-be-and-longer-than-a-phone")
    draft = make_vector_version(owner=acme, name="draft", state="extracted", seed=1)
    make_dataset_version(owner=acme, data=make_pairs_file(12))
    hostile = b"fine <script>alert(1)</script> \xe2\x80\x8b" + b"x" * 2000 + " | שלום".encode()
    rough = upload_stage(owner=acme, checked=dataset_read(data=hostile))
    waiting = make_run(owner=acme, vector="waiting")
    mix = measured_preset(acme)
    make_vector_version(owner=acme, name="withdrawn", seed=3)
    version_yank(actor=acme, name="withdrawn", version="1.0.0", reason="wrong sign")
    make_vector_version(owner=acme, name="on-request", seed=4)
    access_set(actor=acme, owner="acme", name="on-request", access="gated")
    return [
        "/",
        "/?mine=1",
        "/?q=nothing",
        "/?verdict=pass&domain=tone",
        "/collections/",
        "/collections/tone",
        "/works-with?model=bearing/demo",
        "/acme/formality",
        "/acme/formality/diff",
        f"/acme/draft/drafts/{draft.pk}",
        "/acme/withdrawn/versions/1.0.0",
        "/acme/on-request",
        "/presets/",
        "/presets/new?vector=acme/formality",
        "/presets/acme/mix",
        f"/presets/acme/mix/drafts/{mix.pk}",
        "/datasets/",
        "/datasets/new",
        f"/datasets/new/{rough.pk}",
        f"/datasets/new/{rough.pk}/rows/1",
        "/datasets/acme/tone-pairs/versions/2/rows",
        "/datasets/acme/tone-pairs/versions/2/changes",
        "/datasets/acme/tone-pairs",
        "/datasets/acme/tone-pairs/versions/1/extract",
        "/notifications/",
        "/notifications/settings",
        "/runs/",
        f"/runs/{waiting.pk}",
        f"/runs/{published.run.pk}",
        "/mixer",
        "/mixer?v=acme/formality@1.0.0:0.5&v=acme/brief@1.0.0:-0.1:mute&b=acme/brief@1.0.0:0.1",
        "/mixer?v=acme/nothing@1.0.0:x",
        "/settings/tokens/",
        "/settings/",
        "/settings/close",
        "/settings/transfer",
        "/import",
        "/settings/log",
        "/settings/access",
        "/settings/webhooks/",
        "/organisations/",
        "/organisations/new",
        "/organisations/initech/members",
        "/organisations/initech/teams",
        "/organisations/initech/settings",
        "/acme",
        "/initech?tab=members",
        "/acme/formality/access",
        "/report/vectors/acme/formality",
        "/docs/",
        "/docs/?q=window",
        "/docs/concepts",
        "/docs/report",
        "/docs/engines",
        "/docs/api",
        "/docs/api/runs",
        "/styleguide",
        "/accounts/password/change/",
        "/accounts/email/",
        "/accounts/second-factor/",
        "/accounts/sessions/",
        "/no/such/page",
    ]


def measured_preset(acme: Any) -> Any:
    """The draft of a preset that was measured and published."""
    make_vector_version(owner=acme, name="brief", seed=2)
    wishes = [
        MemberWish("acme/formality", 0.2, "warm", "as cold as a letter of a bank", "warm"),
        MemberWish("acme/brief", -0.1, "brief"),
    ]
    row = preset_create(actor=acme, wish=PresetWish("mix", wishes, title="Warm", mode="equal_dose"))
    with transaction.atomic():
        data = write_composition(composition())
        composition_attach(version_id=row.pk, composition=data, verdict="warn", reasons=("warm keeps 0.4.",))
    preset_publish(actor=acme, owner="acme", name="mix", version="1.0.0", visibility="public")
    return preset_draft(actor=acme, owner="acme", name="mix", members=wishes)


@pytest.mark.parametrize("width", WIDTHS)
def test_page_never_scrolls_sideways_and_keeps_to_itself(
    signed_in: Page, addresses: list[str], width: int, live_server: Any
) -> None:
    signed_in.set_viewport_size({"width": width, "height": 780})
    asked: list[str] = []
    signed_in.on("request", lambda request: asked.append(request.url))
    signed_in.add_init_script(
        "window.broken = []; document.addEventListener('securitypolicyviolation',"
        " event => window.broken.push(`${event.violatedDirective} ${event.blockedURI}`));"
    )
    for address in addresses:
        signed_in.goto(address)
        too_wide = signed_in.evaluate(
            "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert too_wide <= 0, address
        assert signed_in.evaluate("() => window.broken") == [], address
    assert [url for url in asked if not url.startswith((live_server.url, "data:", "blob:"))] == []


def test_page_has_no_accessibility_fault(signed_in: Page, addresses: list[str], axe_source: str) -> None:
    for address in addresses:
        # Without motion, so that no colour is read half way between two.
        signed_in.emulate_media(color_scheme="light", reduced_motion="reduce")
        signed_in.goto(address)
        signed_in.evaluate(axe_source)
        assert accessibility_faults(signed_in, {}) == [], address
        signed_in.emulate_media(color_scheme="dark", reduced_motion="reduce")
        assert accessibility_faults(signed_in, COLOUR_RULES) == [], f"{address}, dark"


def accessibility_faults(page: Page, rules: dict[str, Any]) -> list[Any]:
    found = page.evaluate("rules => axe.run({resultTypes: ['violations'], preload: false, ...rules})", rules)
    return [(fault["id"], [node["target"] for node in fault["nodes"]][:3]) for fault in found["violations"]]


def test_phone_menu_opens_without_a_script(
    browser: Browser, live_server: Any, transactional_db: None
) -> None:
    context = browser.new_context(
        viewport={"width": 360, "height": 780}, java_script_enabled=False, base_url=live_server.url
    )
    page = context.new_page()
    page.goto("/")
    page.get_by_text("Menu", exact=True).click()
    page.locator(".menu").get_by_role("link", name="Datasets").click()
    assert page.url.endswith("/datasets/")
    context.close()


def test_page_does_not_move_while_it_loads(page: Page, acme: Any) -> None:
    make_vector_version(owner=acme)
    page.add_init_script(
        "window.moved = 0; const add = entry => { window.moved += entry.value; };"
        "new PerformanceObserver(list => list.getEntries().forEach(add))"
        ".observe({type: 'layout-shift', buffered: true});"
    )
    for address in ("/", "/presets/", "/acme/formality"):
        page.goto(address)
        page.wait_for_load_state("networkidle")
        assert page.evaluate("() => window.moved") < 0.02, address


def test_complaints_are_errors_and_warnings_of_the_page_itself() -> None:
    assert is_complaint("Refused to apply inline style", "error")
    assert not is_complaint("Failed to load resource: 404", "error")
