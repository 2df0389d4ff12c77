"""The page in a real browser."""

import io
import os
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

pytest.importorskip("playwright", reason="playwright is not installed: pip install -e '.[services]'")
pytest.importorskip("axe_playwright_python", reason="axe is not installed: pip install -e '.[services]'")
from axe_playwright_python.base import AXE_SCRIPT
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from clipsearch import Catalog
from tests.support.child_processes import await_worker, needs_proc
from tests.web.conftest import SAMPLES, ServerProcess, serving

# On a busy machine an answer may take longer than the usual 5 seconds.
expect.set_options(timeout=20_000)

CHROMIUM = next((path for path in ("/usr/bin/chromium", "/usr/bin/chromium-browser") if Path(path).exists()), None)
# Debian's wrapper asks for a GPU, which is then computed by all cores, at a higher priority than the server's.
BROWSER_ARGUMENTS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-gpu-rasterization"]
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=BROWSER_ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def server(made_catalog: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    directory = tmp_path_factory.mktemp("served") / "catalog"
    shutil.copytree(made_catalog, directory)
    with serving(directory) as made:
        yield made


@pytest.fixture(scope="module")
def server_of_three_pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """91 pictures at 40 a page; one of them, gone.png, has been deleted since."""
    place = tmp_path_factory.mktemp("pages")
    (place / "p").mkdir()
    for number in range(90):
        Image.new("RGB", (60, 40), (number, 255 - number, 99)).save(place / "p" / f"{number:03}.png")
    Image.new("RGB", (400, 300), "red").save(place / "p" / "gone.png")
    with Catalog.open(place / "c", model="starter", create=True) as catalog:
        catalog.index(place / "p")
    (place / "p" / "gone.png").unlink()
    with serving(place / "c") as made:
        yield made


def watched(page: Page) -> Page:
    """What goes wrong unseen becomes seen: errors of scripts, requests that lead elsewhere or are refused."""
    page.set_default_timeout(15_000)
    page.wrong = []  # type: ignore[attr-defined]
    page.on("pageerror", lambda error: page.wrong.append(f"error: {error}"))  # type: ignore[attr-defined]
    page.on(
        "console",
        lambda said: "Content Security Policy" in said.text and page.wrong.append(said.text),  # type: ignore[attr-defined]
    )
    page.on(
        "request",
        lambda request: (
            re.match(r"(http://127\.0\.0\.1:|blob:|data:)", request.url) or page.wrong.append(request.url)  # type: ignore[attr-defined]
        ),
    )
    return page


@pytest.fixture
def page(browser: Browser, server: ServerProcess) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1200, "height": 800})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    opened = watched(context.new_page())
    opened.goto(server.address)
    yield opened
    wrong = opened.wrong  # type: ignore[attr-defined]
    context.close()
    assert wrong == []


def search(page: Page, query: str) -> None:
    page.fill("#q", query)
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_have_attribute("data-q", query)


def names(page: Page) -> list[str]:
    return [text.strip() for text in page.locator(".tile .name").all_text_contents()]


def check_accessible(page: Page) -> None:
    # The script of 0.5 MB is evaluated once per document.
    axe = Axe("" if page.evaluate("'axe' in window") else AXE_SCRIPT)
    results = axe.run(page)
    serious = [each for each in results.response["violations"] if each["impact"] in ("serious", "critical", "moderate")]
    assert serious == [], results.generate_report()


# ------------------------------------------------------------------ searching


def test_all_pictures_come_first_upright_and_at_their_shape(page):
    expect(page.locator(".tile")).to_have_count(40)
    expect(page.locator(".summary")).to_contain_text("40 pictures, model starter")
    cat = page.locator(".tile", has=page.locator("text=cat.jpg")).locator("img")
    cat.scroll_into_view_if_needed()
    page.wait_for_function("(image) => image.complete && image.naturalWidth > 0", arg=cat.element_handle())
    natural = cat.evaluate("(image) => image.naturalWidth / image.naturalHeight")
    box = cat.bounding_box()
    assert box is not None and box["width"] / box["height"] == pytest.approx(natural, rel=0.03)


def test_words_find_pictures(page):
    search(page, "a glazed donut")
    assert names(page)[0] == "donut.png"
    assert page.title() == "a glazed donut · clipsearch"
    assert page.url.endswith("/?q=a+glazed+donut")
    first = page.locator(".tile").first
    expect(first.locator(".relevance")).to_contain_text("%")
    expect(first).not_to_have_class(re.compile("faint"))
    expect(page.locator(".tile").last).to_have_class(re.compile("faint"))
    page.go_back()
    expect(page.locator("#q")).to_have_value("")


def test_what_is_not_there_is_said_to_be_not_there(page):
    search(page, "a nuclear submarine under the ice")
    expect(page.locator(".summary")).to_contain_text("Nothing seems to match")


def test_a_typing_error_is_corrected_with_a_click(page):
    search(page, "a glazed donutt")
    link = page.locator(".suggestion a")
    expect(link).to_have_text("a glazed donut")
    link.click()
    expect(page.locator("#content")).to_have_attribute("data-q", "a glazed donut")
    expect(page.locator("#q")).to_have_value("a glazed donut")
    expect(page.locator(".suggestion")).to_have_count(0)
    assert page.url.endswith("/?q=a+glazed+donut") and names(page)[0] == "donut.png"


def test_an_error_is_shown_under_the_box_where_it_happens(page):
    search(page, 'a dog - "cat')
    expect(page.locator("#problem")).to_contain_text("a quote that is not closed")
    assert page.locator("#problem mark").text_content() == '"cat'
    expect(page.locator(".tile")).to_have_count(0)
    search(page, "a dog")
    expect(page.locator("#problem")).to_have_text(re.compile(r"^\s*$"))
    expect(page.locator(".tile").first).to_be_visible()


def test_markup_in_a_query_is_text(page):
    search(page, "<img src=x onerror=alert(1)> <b>bold")
    assert page.locator("#content b, #content img[src='x']").count() == 0
    assert "<b>bold" in page.title()


def test_filters_go_with_the_words(page):
    page.click("summary:has-text('Filters')")
    page.click(".facets button:has-text('PNG')")
    expect(page.locator(".passing .chip")).to_have_text(re.compile("type: png"))
    page.fill("input[name=folder]", "food")
    page.click("button:has-text('Apply')")
    expect(page.locator(".summary")).to_contain_text("What the filters let pass")
    assert set(names(page)) and all(name.endswith(".png") for name in names(page))
    assert "type=png" in page.url and "camera" not in page.url
    search(page, "something sweet")
    assert names(page)[0] == "donut.png"
    page.click("text=Start over")
    expect(page.locator(".tile")).to_have_count(40)


# ------------------------------------------------------------------ pictures to search by


def test_a_dropped_picture_finds_itself(page):
    content = (SAMPLES / "animals" / "cat.jpg").read_bytes()
    transfer = page.evaluate_handle(
        """(bytes) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(bytes)], "mine.jpg", { type: "image/jpeg" }));
            return transfer;
        }""",
        list(content),
    )
    page.dispatch_event("body", "dragover", {"dataTransfer": transfer})
    expect(page.locator("#drop")).to_be_visible()
    page.dispatch_event("body", "drop", {"dataTransfer": transfer})
    expect(page.locator(".chip")).to_contain_text("your picture")
    expect(page.locator("#drop")).to_be_hidden()
    assert names(page)[0] == "cat.jpg"


def test_a_chosen_picture_and_a_pasted_one_too(page):
    page.set_input_files("#file", SAMPLES / "food" / "donut.png")
    expect(page.locator(".chip")).to_contain_text("your picture")
    assert names(page)[0] == "donut.png"
    page.evaluate(
        """(bytes) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(bytes)], "x.jpg", { type: "image/jpeg" }));
            document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true }));
        }""",
        list((SAMPLES / "animals" / "cat.jpg").read_bytes()),
    )
    expect(page.locator(".tile .name").first).to_have_text("cat.jpg")


def test_what_is_no_picture_is_refused_with_a_reason(page, tmp_path):
    (tmp_path / "notes.jpg").write_text("no picture")
    page.set_input_files("#file", tmp_path / "notes.jpg")
    expect(page.locator("#problem")).to_contain_text("can't read the picture that was uploaded")


# ------------------------------------------------------------------ refining


def test_more_and_less_of_a_picture_change_the_query(page):
    search(page, "an animal")
    before = names(page)
    page.locator(".tile .picture").nth(2).click()
    page.locator("#detail").get_by_role("link", name="Add to the query").click()
    expect(page.locator(".chip")).to_have_count(2)
    expect(page.locator("#q")).to_have_value(re.compile(r"an animal \+ 0\.5:id:\d+"))
    assert names(page)[0] == before[2]
    page.locator(".chip").nth(1).get_by_label(re.compile("^more of")).click()
    expect(page.locator("#q")).to_have_value(re.compile(r"an animal \+ id:\d+"))
    page.locator(".chip").nth(1).get_by_label(re.compile("^without")).click()
    expect(page.locator("#q")).to_have_value("an animal")
    open_first(page)
    page.locator("#detail").get_by_label("Exclude this from the query").click()
    expect(page.locator(".chip.unwanted")).to_have_count(1)
    assert names(page)[0] != before[0]


def focused_label(page: Page) -> str:
    return page.evaluate("document.activeElement.getAttribute('aria-label') ?? ''")


def test_thumbs_change_the_results_at_once_and_can_be_undone(page):
    search(page, "an animal")
    before = names(page)
    tile = page.locator(".tile").nth(2)
    tile.hover()
    tile.get_by_label(f"More of {before[2]}").click()
    expect(page.locator(".marks .chip")).to_have_count(1)
    expect(page.locator("#q")).to_have_value("an animal")
    assert names(page)[0] == before[2] and re.search(r"\?q=an\+animal&more=\d+$", page.url)
    expect(page.locator(".tile").first).to_have_class(re.compile("marked"))
    expect(page.locator(".summary")).to_contain_text("Ranked again by the 1 picture marked above")
    second = names(page)[1]
    tile = page.locator(".tile").nth(1)
    tile.hover()
    tile.get_by_label(f"Less of {second}").click()
    expect(page.locator(".marks .chip.unwanted")).to_have_count(1)
    assert second not in names(page)
    check_accessible(page)
    page.get_by_label(f"Undo less of {second}").click()
    expect(page.locator(".marks .chip.unwanted")).to_have_count(0)
    assert second in names(page)
    page.go_back()
    expect(page.locator(".marks .chip.unwanted")).to_have_count(1)
    page.click("text=Undo all")
    expect(page.locator(".marks")).to_have_count(0)
    assert names(page) == before and page.url.endswith("/?q=an+animal")


def test_marked_pictures_teach_a_concept(page):
    search(page, "an animal")
    wanted = names(page)[2]
    tile = page.locator(".tile").nth(2)
    tile.hover()
    tile.get_by_label(f"More of {wanted}").click()
    expect(page.locator(".marks .chip")).to_have_count(1)
    check_accessible(page)
    page.get_by_label("Teach these as").fill("@my_pet")
    page.get_by_role("button", name="Save the concept").click()
    page.wait_for_url(re.compile(r"\?q=%40my_pet$"))
    expect(page.locator("#q")).to_have_value("@my_pet")
    assert names(page)[0] == wanted
    expect(page.locator(".marks")).to_have_count(0)


def test_thumbs_go_with_the_keyboard_and_the_focus_stays_near(page):
    search(page, "an animal")
    first = names(page)[0]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    assert focused_label(page) == f"More of {first}"
    page.keyboard.press("Tab")
    assert focused_label(page) == f"Less of {first}"
    page.keyboard.press("Enter")
    expect(page.locator(".marks .chip")).to_have_count(1)
    expect(page.get_by_label(f"Undo less of {first}")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".marks")).to_have_count(0)
    assert names(page)[0] == first


def test_pictures_marked_without_words_are_a_query(page):
    marked = set()
    for place in (0, 1):
        tile = page.locator(".tile").nth(place)
        marked.add(names(page)[place])
        tile.hover()
        tile.locator("a[aria-label^='More of']").click()
        expect(page.locator(".marks img")).to_have_count(place + 1)
    expect(page.locator(".tile.marked")).to_have_count(2)
    assert {*names(page)[:2]} == marked
    expect(page.locator(".tile").first.locator(".relevance")).to_contain_text("%")


def test_suggestions_are_a_click_away(page):
    search(page, "a dog")
    related = page.get_by_role("navigation", name="Related searches").get_by_role("link")
    expect(related.first).to_be_visible()
    check_accessible(page)
    label = (related.first.text_content() or "").strip()
    related.first.click()
    expect(page.locator("#content")).to_have_attribute("data-q", label)
    expect(page.locator("#q")).to_have_value(label)


def test_more_like_this_is_a_search_by_the_picture(page):
    search(page, "a glazed donut")
    tile = page.locator(".tile").first
    tile.hover()
    tile.get_by_label("More like donut.png").click()
    expect(page.locator("#q")).to_have_value(re.compile(r"^id:\d+$"))
    assert names(page)[0] == "donut.png"


# ------------------------------------------------------------------ one picture


def open_first(page: Page) -> None:
    page.locator(".tile .picture").first.click()
    expect(page.locator("#picture")).to_be_visible()
    expect(page.locator("#detail h2")).to_be_visible()


def test_a_picture_is_shown_with_what_is_known_of_it(page):
    search(page, "a glazed donut")
    open_first(page)
    detail = page.locator("#detail")
    expect(detail).to_contain_text("donut.png")
    expect(detail).to_contain_text("256 × 256")
    expect(detail.locator(".terms").first).to_contain_text("a glazed donut")
    expect(detail).to_contain_text("Nearest captions")
    expect(detail.get_by_role("button", name="Show where: a glazed donut")).to_be_visible()
    page.click("#detail >> text=Copy path")
    expect(page.locator("text=Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()").endswith("food/donut.png")


def test_the_next_picture_is_a_key_away_and_the_focus_comes_back(page):
    search(page, "a glazed donut")
    second = names(page)[1]
    open_first(page)
    page.keyboard.press("ArrowRight")
    expect(page.locator("#detail h2")).to_have_text(second)
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#detail h2")).to_have_text("donut.png")
    page.keyboard.press("Escape")
    expect(page.locator("#picture")).to_be_hidden()
    assert page.evaluate("document.activeElement.querySelector('.name').textContent") == "donut.png"


def test_a_picture_fills_the_screen_and_goes_again(page):
    search(page, "a rocket")
    open_first(page)
    page.click(".zoom")
    expect(page.locator(".pswp--open")).to_be_visible()
    page.wait_for_timeout(500)
    page.keyboard.press("Escape")
    expect(page.locator(".pswp")).to_have_count(0)
    expect(page.locator("#picture")).to_be_visible()


def test_a_picture_has_an_address_of_its_own(page, server):
    search(page, "a glazed donut")
    href = page.locator(".tile .picture").first.get_attribute("href")
    page.goto(server.address.rstrip("/") + href)
    expect(page.locator("#detail h2")).to_have_text("donut.png")
    page.click("text=Back to the pictures")
    expect(page.locator("#q")).to_have_value("a glazed donut")


def test_a_picture_whose_file_is_gone_says_so(browser, server_of_three_pages):
    with browser.new_context() as context:
        page = watched(context.new_page())
        page.goto(f"{server_of_three_pages.address}?q=path:gone")
        expect(page.locator(".tile.missing .name")).to_be_visible()
        open_first(page)
        expect(page.locator("#detail")).to_contain_text("Its file is not there")
        assert page.wrong == []  # type: ignore[attr-defined]


# ------------------------------------------------------------------ scrolling and keys


def test_more_pictures_come_as_one_scrolls(browser, server_of_three_pages):
    with browser.new_context(viewport={"width": 700, "height": 500}) as context:
        page = watched(context.new_page())
        page.goto(server_of_three_pages.address)
        tiles = page.locator(".tile")
        expect(tiles).to_have_count(40)
        for count in (80, 91):
            tiles.last.scroll_into_view_if_needed()
            page.mouse.wheel(0, 3000)
            expect(tiles).to_have_count(count)
        assert len(set(names(page))) == 91
        expect(page.locator(".next")).to_have_count(0)
        assert page.wrong == []  # type: ignore[attr-defined]


def test_another_order_applies_at_once_and_stays(page):
    search(page, "type:jpg")
    page.select_option("#sort", "name")
    page.wait_for_url(re.compile(r"sort=name"))
    expect(page.locator(".summary")).to_contain_text("by name")
    shown = names(page)
    assert shown == sorted(shown, key=str.casefold) and len(shown) > 3
    page.check("[name=reverse]")
    page.wait_for_url(re.compile(r"reverse=1"))
    expect(page.locator(".summary")).to_contain_text("backwards")
    assert names(page) == shown[::-1]
    expect(page.locator("#sort")).to_have_value("name")
    check_accessible(page)
    page.uncheck("[name=reverse]")
    page.select_option("#sort", "relevance")
    page.wait_for_url(re.compile(r"/\?q=type%3Ajpg$"))
    expect(page.locator(".month h2")).to_have_text(["June 2024", "February 2024", "October 2023", "No date"])


def test_everything_goes_with_the_keyboard_alone(page):
    page.keyboard.press("Tab")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "q"
    page.keyboard.type("an animal")
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_have_attribute("data-q", "an animal")
    page.keyboard.press("ArrowDown")
    shown = names(page)

    def focused() -> str:
        return page.evaluate("document.activeElement.querySelector('.name')?.textContent ?? ''")

    assert focused() == shown[0]
    page.keyboard.press("ArrowRight")
    assert focused() == shown[1]
    page.keyboard.press("ArrowDown")
    below = shown.index(focused())
    assert below > 1
    page.keyboard.press("ArrowUp")
    assert shown.index(focused()) < below
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    expect(page.locator("#detail h2")).to_have_text(shown[0])
    page.keyboard.press("Escape")
    expect(page.locator("#picture")).to_be_hidden()
    assert focused() == shown[0]
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.ariaLabel").startswith("More of")
    page.keyboard.press("Enter")
    expect(page.locator(".marks .chip")).to_have_count(1)


# ------------------------------------------------------------------ indexing


def test_a_folder_is_indexed_from_the_page(browser, tmp_path):
    shutil.copytree(SAMPLES / "animals", tmp_path / "animals")
    (tmp_path / "animals" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    with serving(tmp_path / "c", "--model", "starter") as server, browser.new_context() as context:
        page = watched(context.new_page())
        page.goto(server.address)
        expect(page.locator(".summary")).to_contain_text("no pictures here yet")
        page.click("#open-indexing")
        page.fill("#indexing-folder", "/no/such/folder")
        page.click("#indexing-start")
        expect(page.locator("#indexing-message")).to_have_text("no folder /no/such/folder")
        page.fill("#indexing-folder", str(tmp_path / "animals"))
        page.click("#indexing-start")
        expect(page.locator("#indexing-message")).to_contain_text("Done: ", timeout=60_000)
        expect(page.locator("#indexing-skipped")).to_contain_text("broken.jpg")
        check_accessible(page)
        page.click("#indexing-close")
        expect(page.locator(".tile").first).to_be_visible()
        search(page, "a cat")
        assert names(page)[0] == "cat.jpg"
        assert page.wrong == []  # type: ignore[attr-defined]


@needs_proc
def test_progress_is_seen_when_the_dialog_is_closed_and_when_the_page_is_loaded_again(browser, tmp_path):
    shutil.copytree(SAMPLES / "animals", tmp_path / "animals")
    with serving(tmp_path / "c", "--model", "starter") as server, browser.new_context() as context:
        page = watched(context.new_page())
        page.goto(server.address)
        page.click("#open-indexing")
        page.fill("#indexing-folder", str(tmp_path / "animals"))
        page.click("#indexing-start")
        worker = await_worker(server.process.pid)
        os.kill(worker, signal.SIGSTOP)
        page.click("#indexing-close")
        expect(page.locator("#open-indexing")).to_contain_text("Indexing")
        check_accessible(page)
        page.reload()
        expect(page.locator("#open-indexing")).to_contain_text("Indexing")
        page.click("#open-indexing")
        expect(page.locator("#indexing-progress")).to_be_visible()
        expect(page.locator("#indexing-stop")).to_be_visible()
        page.click("#indexing-close")
        os.kill(worker, signal.SIGCONT)
        expect(page.locator("#open-indexing")).to_have_text("Indexing has ended", timeout=60_000)
        page.click("#open-indexing")
        expect(page.locator("#indexing-message")).to_contain_text("Done: ")
        page.click("#indexing-close")
        expect(page.locator(".tile").first).to_be_visible()
        expect(page.locator("#open-indexing")).to_have_text("Add pictures")
        assert page.wrong == []  # type: ignore[attr-defined]


# ------------------------------------------------------------------ for everybody


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_stands_in_the_way_of_a_screen_reader(browser, server, scheme):
    with browser.new_context(color_scheme=scheme) as context:
        page = watched(context.new_page())

        def check() -> None:
            for width in (390, 1200):
                page.set_viewport_size({"width": width, "height": 800})
                check_accessible(page)

        page.goto(server.address)
        check()
        page.click("summary:has-text('Filters')")
        page.click("summary:has-text('How to ask')")
        check()
        search(page, "an animal - a cat")
        check()
        open_first(page)
        expect(page.locator("#detail")).to_contain_text("Nearest captions")
        check()
        page.keyboard.press("Escape")
        search(page, "taken:never")
        check()
        page.goto(f"{server.address}pictures/1")
        check()
        assert page.wrong == []  # type: ignore[attr-defined]


def test_it_fits_a_telephone(browser, server):
    with browser.new_context(
        viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True, device_scale_factor=2
    ) as context:
        page = watched(context.new_page())
        for path in ("", "?q=an+animal", "?q=%22", "pictures/1?q=a+dog"):
            page.goto(server.address + path)
            assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
        page.goto(server.address + "?q=an+animal")
        page.locator(".tile .picture").first.tap()
        expect(page.locator("#detail h2")).to_be_visible()
        box = page.locator("#picture").bounding_box()
        assert box is not None and box["width"] == 360
        page.get_by_label("More of this").tap()
        expect(page.locator(".marks .chip")).to_have_count(1)
        assert page.wrong == []  # type: ignore[attr-defined]


def test_dark_is_dark(browser, server):
    with browser.new_context(color_scheme="dark") as context:
        page = context.new_page()
        page.goto(server.address)
        shot = Image.open(io.BytesIO(page.screenshot())).convert("L")
        assert shot.getpixel((5, 400)) < 40


def test_the_map_zooms_moves_and_becomes_a_search(page):
    page.click("a[href='/map']")
    canvas = page.locator("#map:visible")
    expect(canvas).to_be_visible(timeout=60_000)
    expect(page.locator("#map-inside")).to_have_attribute("href", re.compile("q=map"))
    check_accessible(page)
    canvas.focus()
    page.keyboard.press("+")
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url(re.compile(r"/map#[\d.]+,[\d.]+,1\.60$"))
    page.keyboard.press("0")
    expect(page).to_have_url(re.compile(r"/map$"))
    box = canvas.bounding_box()
    page.click("#map-select")
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 5, box["y"] + box["height"] - 5, steps=3)
    page.mouse.up()
    expect(page.locator("#q")).to_have_value(re.compile(r"^map:0,0\.00\d+,1,0\.99\d+$"))
    expect(page.locator(".tile")).to_have_count(40)
    page.go_back()
    region = page.locator("#regions a").first
    region.click()
    expect(page.locator("#q")).to_have_value(re.compile("^map:"))
    assert 0 < page.locator(".tile").count() <= 40


def test_it_works_without_scripts(browser, server):
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(server.address)
        page.fill("#q", "a glazed donut")
        page.keyboard.press("Enter")
        expect(page.locator(".tile .name").first).to_have_text("donut.png")
        page.locator(".tile .picture").first.click()
        expect(page.locator("#detail h2")).to_have_text("donut.png")


def test_phrases_are_shown_and_can_be_kept_as_words(page):
    search(page, "an animal without cats")
    expect(page.locator(".phrase")).to_have_text("“without cats” is taken as - cats. Keep it as words")
    expect(page.locator(".chips .unwanted")).to_contain_text("cats")
    expect(page.locator("#q")).to_have_value("an animal without cats")
    check_accessible(page)
    page.locator(".phrase a").click()
    expect(page.locator(".phrase")).to_have_count(0)
    expect(page.locator("#q")).to_have_value('an animal "without cats"')
    expect(page.locator(".chips .unwanted")).to_have_count(0)


def test_the_switch_takes_everything_as_words(page):
    search(page, "an animal without cats")
    expect(page.locator(".phrase")).to_have_count(1)
    page.check("[name=text]")
    page.wait_for_url(re.compile(r"text=1"))
    expect(page.locator(".phrase")).to_have_count(0)
    expect(page.locator("#q")).to_have_value("an animal without cats")
    check_accessible(page)
    page.uncheck("[name=text]")
    expect(page.locator(".phrase")).to_have_count(1)
    assert "text=1" not in page.url
    # A link that adds to the words has them in quotes, and the switch is off.
    page.check("[name=text]")
    expect(page.locator(".phrase")).to_have_count(0)
    page.locator(".tile").first.hover()
    page.locator(".tile").first.locator("a.mark").first.click()
    expect(page.locator(".chips.marks .chip")).to_have_count(1)
    expect(page.locator("#q")).to_have_value('"an animal without cats"')
    expect(page.locator("[name=text]")).not_to_be_checked()


def test_the_description_of_the_api_asks_no_other_host(page, server):
    page.goto(f"{server.address.rstrip('/')}/api/docs")  # `page` fails on requests to others
    page.get_by_role("link", name="GET /api/events").click()
    expect(page.locator("section:target h2")).to_have_text("GET /api/events")
    check_accessible(page)
