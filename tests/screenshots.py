"""`make screenshots`: pictures of every page in docs/screenshots/, from a service with a vector of its own.

Walks the demo's way (account, pairs, extraction, publication), has the starter presets made (some
minutes), then looks at each page on a phone and on a desk, light and dark. Chromium itself writes the WebP
files. `--data FOLDER` keeps the service's data for another time, `--only WORD` takes the pages whose name has
the word.
"""

import argparse
import base64
import json
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright
from rich.console import Console

from registry.embedded import demo
from registry.embedded.stack import Stack, running_stack, stoppable
from tests.chromium import ARGUMENTS, find_chromium

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "screenshots"
MAX_BYTES = 60_000
SIZES = {"desk": (1280, 900), "phone": (390, 844)}
SCHEMES = ("light", "dark")
ORGANISATION = "front-desk"
# Draws a PNG on a canvas and gives it back as WebP.
TO_WEBP = """async ([png, quality]) => {
  const picture = await createImageBitmap(await (await fetch("data:image/png;base64," + png)).blob());
  const canvas = new OffscreenCanvas(picture.width, picture.height);
  canvas.getContext("2d").drawImage(picture, 0, 0);
  const made = await canvas.convertToBlob({type: "image/webp", quality});
  const bytes = new Uint8Array(await made.arrayBuffer());
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}"""


@dataclass(frozen=True, slots=True)
class Place:
    """Who walked the demo, and where the service is."""

    url: str
    owner: str
    password: str
    run: str
    draft: str


def pages(place: Place) -> dict[str, str]:
    """The name of each picture, and the address that it shows."""
    owner = place.owner
    return {
        "catalog": "/",
        "vector": f"/{owner}/formality",
        "vector-report": f"/{owner}/formality#report",
        "collections": "/collections/",
        "collection": "/collections/tone",
        "works-with": "/works-with?model=bearing/demo",
        "presets": "/presets/",
        "preset": f"/presets/{owner}/warm-and-formal",
        "preset-new": "/presets/new",
        "mixer": f"/mixer?v={owner}/formality@1.0.0:0.2&v={owner}/warmth@1.0.0:0.1",
        "datasets": "/datasets/",
        "dataset": f"/datasets/{owner}/formality-pairs",
        "dataset-rows": f"/datasets/{owner}/formality-pairs/versions/1/rows",
        "dataset-new": "/datasets/new",
        "dataset-draft": place.draft,
        "extract": f"/datasets/{owner}/formality-pairs/versions/1/extract",
        "runs": "/runs/",
        "run": f"/runs/{place.run}",
        "notifications": "/notifications/",
        "settings": "/settings/",
        "tokens": "/settings/tokens/",
        "webhooks": "/settings/webhooks/",
        "log": "/settings/log",
        "organisations": "/organisations/",
        "organisation": f"/{ORGANISATION}",
        "organisation-members": f"/organisations/{ORGANISATION}/members",
        "profile": f"/{owner}",
        "docs": "/docs/",
        "docs-concepts": "/docs/concepts",
        "docs-report": "/docs/report",
        "docs-api": "/docs/api/runs",
        "nothing": "/no/such/page",
        "sign-up": "/accounts/signup/",
        "sign-in": "/accounts/login/",
    }


def main() -> int:
    options = parse()
    chromium = find_chromium()
    if chromium is None:
        print("no Chromium; python tests/chromium.py installs one", file=sys.stderr)
        return 1
    FOLDER.mkdir(exist_ok=True)
    console = Console(highlight=False)
    with (
        stoppable(),
        tempfile.TemporaryDirectory(prefix="bearing-screenshots-") as cache,
        running_stack(options.data or Path(cache) / "data", port=None, say=console.print) as stack,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=str(chromium), args=list(ARGUMENTS))
        place = settle(stack, browser, Path(cache), console)
        for device in SIZES:
            for scheme in SCHEMES:
                look(browser, place, device, scheme, options.only)
        browser.close()
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="keep the service's data here")
    parser.add_argument("--only", default="", help="pages whose name has this word")
    return parser.parse_args()


def settle(stack: Stack, browser: Browser, cache: Path, console: Console) -> Place:
    """What the pages show: made now, or kept from an earlier time."""
    kept = stack.data / "screenshots.json"
    if kept.exists():
        return Place(url=stack.url, **json.loads(kept.read_text()))
    walk = demo.Demo(stack.url, cache, console, time.time())
    for step in (demo.make_account, demo.push_pairs, demo.extract_vector, demo.publish_vector):
        step(walk)
    console.print("the starter presets are made and measured")
    stack.start_starters(walk.owner)
    if status := stack.beside[-1].wait():
        raise SystemExit(f"starter_presets ended with {status}; see {stack.log('starters')}")
    made = {"owner": walk.owner, "password": walk.result["password"], "run": walk.result["run"]}
    place = Place(url=stack.url, draft="", **made)
    page = browser.new_page(base_url=stack.url)
    sign_in(page, place)
    page.goto("/organisations/new")
    page.fill("input[name=slug]", ORGANISATION)
    page.fill("input[name=title]", "The front desk")
    page.press("input[name=slug]", "Enter")
    page.wait_for_url(f"**/{ORGANISATION}**")
    page.goto("/datasets/new")
    page.set_input_files("#id_file", demo.PAIRS)
    page.get_by_role("button", name="Check the rows").click()
    page.wait_for_selector("#commit-form")
    place = replace(place, draft=page.url.removeprefix(stack.url))
    page.close()
    kept.write_text(json.dumps({**made, "draft": place.draft}))
    return place


def look(browser: Browser, place: Place, device: str, scheme: str, only: str) -> None:
    """Every page once, on one device, in one scheme."""
    width, height = SIZES[device]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
        base_url=place.url,
    )
    context.set_default_timeout(120_000)
    page = context.new_page()
    blank = context.new_page()
    sign_in(page, place)
    for name, address in pages(place).items():
        if only not in name:
            continue
        if name == "sign-up":
            context.clear_cookies()
        page.goto(address)
        if name == "mixer":
            page.wait_for_selector("#timing:not(:empty)")
        file = FOLDER / f"{name}-{device}-{scheme}.webp"
        file.write_bytes(small(blank, page.screenshot()))
        print(f"{file.name}  {file.stat().st_size // 1000} kB", flush=True)
    context.close()


def sign_in(page: Page, place: Place) -> None:
    page.goto("/accounts/login/")
    page.fill("input[name=login]", place.owner)
    page.fill("input[name=password]", place.password)
    page.press("input[name=password]", "Enter")
    page.wait_for_url(f"{place.url}/")


def small(blank: Page, png: bytes) -> bytes:
    """A picture as WebP, as fine as its limit of bytes allows."""
    for quality in (0.85, 0.7, 0.5, 0.3):
        webp = base64.b64decode(blank.evaluate(TO_WEBP, [base64.b64encode(png).decode(), quality]))
        if len(webp) <= MAX_BYTES:
            break
    return webp


if __name__ == "__main__":
    sys.exit(main())
