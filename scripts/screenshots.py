"""Pictures of every page of the web app, in both widths and in light and dark, for its documentation.

python scripts/screenshots.py FOLDER [--project NAME] [--to docs/images/app] [--pages overview train ...]

FOLDER is what ``vitruve launch`` would be given: projects with runs and predictions, such as ``make demo`` leaves.
"""

from __future__ import annotations

import argparse
import io
import shutil
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

from PIL import Image
from playwright.sync_api import Error, sync_playwright

from vitruve.app.pages import PAGES

WIDTHS = {1280: 800, 1920: 1080}
_SECONDS = 120
_BUSY = "[data-testid=stSkeleton], [data-testid=stSpinner], [data-test-script-state=running]"


def main() -> None:
    """Take them; the exit code is 1 when a page said that it failed, or loaded something from elsewhere."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--project", help="folder of the project, relative to FOLDER; by default the only one")
    parser.add_argument("--to", type=Path, default=Path("docs", "images", "app"))
    parser.add_argument("--pages", nargs="*", help="by default all")
    parser.add_argument("--dark", action="store_true", help="the dark ones as well")
    given = parser.parse_args()
    given.to.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "vitruve.cli.main", "launch", str(given.folder), "--no-browser", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        faults = _walk(_address(process.stdout), given)
    finally:
        process.terminate()
        process.wait()
    for fault in faults:
        print(fault)
    sys.exit(bool(faults))


def _address(said: IO[str] | None) -> str:
    for line in said or ():
        if line.startswith("app: "):
            return line.removeprefix("app: ").strip()
    raise SystemExit("the app did not start")


def _walk(address: str, given: argparse.Namespace) -> list[str]:
    faults: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for scheme in ("light", "dark") if given.dark else ("light",):
            page = browser.new_page(color_scheme=scheme)
            page.on("request", lambda request: _watch(request.url, address, faults))
            for listed in PAGES:
                name = listed.name
                if given.pages and name not in given.pages:
                    continue
                query = f"?project={given.project}" if given.project else ""
                try:
                    page.goto(f"{address}{name}{query}")
                    page.get_by_role("heading", name=listed.title, exact=True).first.wait_for(timeout=_SECONDS * 1000)
                except Error as error:
                    faults.append(f"{name}: {str(error).splitlines()[0]}")
                    continue
                for width, height in WIDTHS.items():
                    page.set_viewport_size({"width": width, "height": height})
                    _settle(page)
                    _save(page, given.to / f"{name}_{width}{'_dark' if scheme == 'dark' else ''}.png")
                if page.get_by_text("This page failed").count():
                    faults.append(f"{name}: failed")
            page.close()
        browser.close()
    return faults


def _watch(url: str, address: str, faults: list[str]) -> None:
    if not url.startswith((address, address.replace("http", "ws", 1), "data:", "blob:")):
        faults.append(f"asked for {url}")


def _settle(page: Any) -> None:
    """Wait until nothing is computed and nothing changes; live pages never rest, and are taken as they are."""
    before, still = "", 0
    for _ in range(_SECONDS):
        page.wait_for_timeout(1000)
        now = page.locator("body").inner_text()
        still = still + 1 if now == before and not page.locator(_BUSY).count() else 0
        before = now
        if still == 3:
            return


def _save(page: Any, path: Path) -> None:
    """What is seen, in few colours, which is a quarter of the size."""
    page.screenshot(path=str(path))
    with Image.open(io.BytesIO(path.read_bytes())) as picture:
        picture.convert("RGB").quantize(192, dither=Image.Dither.NONE).save(path, optimize=True)
    print(path, flush=True)


if __name__ == "__main__":
    main()
