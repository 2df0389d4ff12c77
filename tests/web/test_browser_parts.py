"""Films and documents on the page, in a real browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from clipsearch import Catalog
from tests.support.films import Shot, make_film
from tests.support.motion_photos import motion_photo_of
from tests.web.conftest import SAMPLES, ServerProcess, serving
from tests.web.test_browser import browser, check_accessible, expect, pytestmark, watched  # noqa: F401 (fixture, marks)

pytest.importorskip("av", reason="PyAV is not installed: pip install -e '.[video]'")
pytest.importorskip("pypdfium2", reason="pypdfium2 is not installed: pip install -e '.[pdf]'")

_SHOWN = ("animals/cat.jpg", "travel/bus.jpg", "people/astronaut.jpg")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    place = tmp_path_factory.mktemp("parts")
    (place / "p").mkdir()
    images = [Image.open(SAMPLES / name).convert("RGB").resize((320, 240)) for name in _SHOWN]
    shots = [Shot(image, 4, 0.1) for image in images]
    for name, codec in (("holiday.webm", "vp9"), ("old.avi", "mpeg4")):
        film = make_film(shots, codec=codec, container=name.rpartition(".")[2])
        (place / "p" / name).write_bytes(film)
    film = make_film([Shot(images[1], 1)], codec="vp9")
    (place / "p" / "motion.jpg").write_bytes(motion_photo_of(images[2].convert("L").convert("RGB"), film))
    silent = make_film([Shot(images[1], 1)], codec="mpeg4")
    (place / "p" / "unplayable.jpg").write_bytes(motion_photo_of(images[1].convert("L").convert("RGB"), silent))
    images[0].save(place / "p" / "scan.pdf", save_all=True, append_images=images[1:])
    with Catalog.open(place / "c", model="starter", create=True) as catalog:
        catalog.index(place / "p")
    with serving(place / "c") as made:
        yield made


@pytest.fixture
def page(browser, server):  # noqa: F811
    context = browser.new_context(viewport={"width": 1200, "height": 800})
    opened = watched(context.new_page())
    opened.goto(f"{server.address}?q=a+bus")
    yield opened
    wrong = opened.wrong
    context.close()
    assert wrong == []


def wait_until(page, condition):
    """Wait until an expression holds; `wait_for_function` evaluates text, which the page's policy forbids."""
    for _ in range(200):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(100)
    raise AssertionError(condition)


def open_tile(page, name):
    page.locator(f".tile .picture[aria-label^='{name}']").click()
    expect(page.locator("#detail h2")).to_contain_text(name)


def test_a_film_opens_at_its_scene_and_the_strip_seeks(page):
    answers = []
    page.on("response", lambda answer: "/films/" in answer.url and answers.append(answer.status))
    expect(page.locator(".tile .name", has_text="holiday.webm")).to_contain_text("· 0:04")
    open_tile(page, "holiday.webm")
    wait_until(page, "document.querySelector('#detail video').readyState >= 2")
    assert page.evaluate("document.querySelector('#detail video').currentTime") == pytest.approx(4, abs=0.5)
    assert set(answers) == {206}
    expect(page.locator(".parts a")).to_have_count(3)
    expect(page.locator(".parts [aria-current]")).to_have_accessible_name("0:04")
    page.locator(".parts [aria-current]").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator(".parts [aria-current]")).to_have_accessible_name("0:08")
    wait_until(page, "Math.abs(document.querySelector('#detail video').currentTime - 8) < 0.5")
    expect(page.locator("#detail h2")).to_contain_text("holiday.webm · 0:08")
    check_accessible(page)
    page.locator(".heat-switch").click()
    expect(page.locator(".heat")).to_be_visible()
    page.evaluate("document.querySelector('#detail video').play()")
    expect(page.locator(".heat")).to_be_hidden()


def test_a_film_that_is_not_played_shows_its_scenes(page):
    open_tile(page, "old.avi")
    expect(page.locator(".unplayable")).to_contain_text("does not play the film (AVI)")
    expect(page.locator("#detail video")).to_be_hidden()
    poster = page.locator(".poster")
    expect(poster).to_be_visible()
    before = poster.get_attribute("src")
    page.locator(".parts a").last.click()
    expect(page.locator(".parts [aria-current]")).to_have_accessible_name("0:08")
    assert poster.get_attribute("src") != before
    assert "part=t%3D8" in poster.get_attribute("src")


def test_pages_of_a_document(page):
    open_tile(page, "scan.pdf")
    expect(page.locator(".parts [aria-current]")).to_have_accessible_name("page 2")
    page.locator(".parts a").last.click()
    expect(page.locator(".parts [aria-current]")).to_have_accessible_name("page 3")
    expect(page.locator(".parts [aria-current]")).to_be_focused()
    assert "part=page%3D3" in page.locator(".zoom .shown").get_attribute("src")
    page.keyboard.press("Home")
    expect(page.locator(".parts a").first).to_be_focused()
    expect(page.locator("#picture")).to_be_visible()


def test_a_film_on_a_page_of_its_own(page):
    address = page.locator(".tile .picture[aria-label^='holiday.webm']").get_attribute("href")
    page.goto(page.url.split("?")[0].rstrip("/") + address)
    wait_until(page, "document.querySelector('#detail video').readyState >= 2")
    page.locator(".parts a").first.click()
    wait_until(page, "document.querySelector('#detail video').currentTime < 2")
    assert Path(address).parts[1] == "pictures"


def test_the_film_of_a_photograph_plays_in_its_place(page):
    open_tile(page, "motion.jpg")
    button = page.locator("#detail .motion")
    expect(button).to_have_text("Play its film")
    check_accessible(page)
    button.click()
    expect(page.locator("#detail .player video")).to_be_visible()
    expect(page.locator("#detail .zoom")).to_be_hidden()
    wait_until(page, "document.querySelector('#detail .motion').textContent === 'Play its film'")  # it is over
    expect(page.locator("#detail .zoom")).to_be_visible()
    expect(page.locator("#detail .player")).to_have_count(0)
    expect(page.locator("#detail .motion-note")).to_be_empty()
    button.click()
    expect(button).to_have_text("Show the photograph")
    button.click()
    expect(page.locator("#detail .zoom")).to_be_visible()


def test_a_film_that_cannot_be_played_leaves_the_photograph(page):
    open_tile(page, "unplayable.jpg")
    page.locator("#detail .motion").click()
    expect(page.locator("#detail .motion-note")).to_have_text("This browser does not play its film.")
    expect(page.locator("#detail .zoom")).to_be_visible()
