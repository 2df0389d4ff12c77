"""Duplicates in a real browser: choices that stay, the list, and two pictures over each other."""

import shutil
from collections.abc import Iterator

import pytest
from PIL import Image

pytest.importorskip("playwright", reason="playwright is not installed: pip install -e '.[services]'")
pytest.importorskip("axe_playwright_python", reason="axe is not installed: pip install -e '.[services]'")
from playwright.sync_api import Page, expect

from clipsearch import Catalog
from tests.web.conftest import SAMPLES, serving
from tests.web.test_browser import browser, check_accessible, pytestmark, watched  # noqa: F401


@pytest.fixture
def page(browser, tmp_path) -> Iterator[Page]:  # noqa: F811
    photos = tmp_path / "photos"
    photos.mkdir()
    shutil.copy(SAMPLES / "animals" / "cat.jpg", photos)
    shutil.copy(SAMPLES / "animals" / "cat.jpg", photos / "same.jpg")
    with Image.open(SAMPLES / "animals" / "cat.jpg") as original:
        original.reduce(2).save(photos / "small.jpg")
    with Catalog.open(tmp_path / "catalog", model="starter", create=True) as catalog:
        catalog.index(photos)
    with serving(tmp_path / "catalog") as server:
        context = browser.new_context(viewport={"width": 390, "height": 800})
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        opened = watched(context.new_page())
        opened.goto(f"{server.address}duplicates")
        yield opened
        wrong = opened.wrong  # type: ignore[attr-defined]
        context.close()
    assert wrong == []


def test_duplicates_are_chosen_listed_and_compared(page):
    # Identical files may be shown before the copies are found.
    copy = page.get_by_role("checkbox", name="Keep small.jpg")
    link = page.get_by_role("link", name="Show all")
    expect(copy.or_(link)).to_be_visible()
    if link.is_visible():
        link.click()
    expect(page.locator("#marked")).to_contain_text("2 files in the list")
    copy.check()
    expect(page.locator("#marked")).to_contain_text("1 file in the list")
    page.get_by_role("checkbox", name="Keep same.jpg").check()
    page.get_by_role("checkbox", name="Keep cat.jpg").uncheck()
    page.reload()
    expect(copy).to_be_checked()
    expect(page.locator("#marked")).to_contain_text("1 file in the list")
    page.get_by_text("Take the list", exact=True).click()
    page.get_by_role("button", name="Copy paths").click()
    expect(page.locator("#taken")).to_have_text("Copied.")
    assert page.evaluate("navigator.clipboard.readText()").endswith("photos/cat.jpg\n")
    copy.uncheck()
    page.get_by_role("checkbox", name="Keep same.jpg").uncheck()
    expect(page.locator("#marked-problem")).to_contain_text("keep one of them")
    page.get_by_role("button", name="Back to what is suggested").click()
    expect(page.locator("#marked")).to_contain_text("2 files in the list")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    check_accessible(page)

    page.get_by_role("link", name="Compare small.jpg").focus()
    page.keyboard.press("Enter")
    split = page.get_by_role("slider", name="How much of")
    expect(split).to_have_attribute("aria-valuetext", "50 %")
    split.focus()
    page.keyboard.press("ArrowRight")
    expect(split).to_have_attribute("aria-valuetext", "51 %")
    check_accessible(page)
    page.get_by_role("radio", name="Swap").check()
    on_top = page.locator(".on-top")
    before = on_top.text_content()
    page.locator(".pane").focus()
    page.keyboard.press("Space")
    expect(on_top).not_to_have_text(before)
    page.keyboard.press("Escape")
    expect(page.locator("#comparing")).to_be_hidden()
    expect(page.get_by_role("link", name="Compare small.jpg")).to_be_focused()
