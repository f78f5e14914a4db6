"""A Chromium for the browser tests: an installed one, else Playwright's, else Debian's.

`make test` runs this file, which makes sure that there is one; `find_chromium` only looks.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# What a headless Chromium needs in a container, and what keeps it from calling home.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)


def find_chromium() -> Path | None:
    """The executable, or None: `BEARING_CHROMIUM`, an installed browser, Playwright's download."""
    named = os.environ.get("BEARING_CHROMIUM")
    installed = named or next(filter(None, map(shutil.which, NAMES)), None)
    found = Path(installed or playwright_chromium())
    return found if found.exists() else None


def playwright_chromium() -> str:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        return playwright.chromium.executable_path


def install_chromium() -> None:
    """Playwright's own download; as root on Debian the distribution's package when that is blocked."""
    print("set-up: Chromium for the browser tests", flush=True)
    if succeeds(sys.executable, "-m", "playwright", "install", "chromium"):
        return
    if os.geteuid() == 0 and shutil.which("apt-get") is not None:
        succeeds("apt-get", "update", "-qq")
        succeeds("apt-get", "install", "-y", "-qq", "chromium")


def succeeds(*command: str) -> bool:
    """Whether a command ends well within ten minutes; a blocked download may hang instead of failing."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        return subprocess.run(command, check=False, timeout=600, env=environment).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def main() -> int:
    if find_chromium() is None:
        install_chromium()
    if find_chromium() is None:
        print(
            "no Chromium for the browser tests; install one, or name it in BEARING_CHROMIUM", file=sys.stderr
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
