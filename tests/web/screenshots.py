"""The pictures of the page that the README and docs/ show: python -m tests.web.screenshots

Written to tests/web/*.png, small and with few colours. Chromium is needed.
"""

import io
import shutil
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from clipsearch import Catalog
from clipsearch.paths import sample_data_folder
from tests.web.conftest import serving

HERE = Path(__file__).parent


def save(page: Page, name: str, width: int) -> None:
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(400)
    with Image.open(io.BytesIO(page.screenshot())) as shot:
        small = shot.convert("RGB")
        small.thumbnail((width, 4 * width), Image.Resampling.LANCZOS)
        small.quantize(256).save(HERE / name, optimize=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        shutil.copytree(sample_data_folder(), Path(place) / "photos")
        with Catalog.open(Path(place) / "catalog", model="starter", create=True) as catalog:
            catalog.index(Path(place) / "photos")
        with serving(Path(place) / "catalog") as server, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1200, "height": 760})
            page.goto(f"{server.address}?q=an+animal+-+0.5%3Agrey")
            save(page, "page-search.png", 900)
            page.goto(f"{server.address}?q=a+camera")
            page.locator(".tile .picture").first.click()
            page.locator(".heat-switch").click()
            page.wait_for_selector(".heat:not([hidden])")
            # The folder is a temporary one, and of no interest.
            page.evaluate("for (const part of document.querySelectorAll('dd bdi')) part.textContent = 'photos/people'")
            save(page, "page-picture.png", 900)
            phone = browser.new_page(
                viewport={"width": 390, "height": 760}, color_scheme="dark", is_mobile=True, has_touch=True
            )
            phone.goto(f"{server.address}?q=a+vehicle")
            save(phone, "page-phone.png", 300)
            browser.close()


if __name__ == "__main__":
    main()
