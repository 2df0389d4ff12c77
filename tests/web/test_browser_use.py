"""Typing, narrowing, selecting and keys, in a real browser."""

import re

from playwright.sync_api import Page, Route

from tests.web.test_browser import (  # noqa: F401 (fixtures, marks)
    browser,
    check_accessible,
    expect,
    names,
    page,
    pytestmark,
    search,
    server,
    watched,
)

# ------------------------------------------------------------------ results while typing


def test_results_come_while_a_query_is_typed_and_it_is_one_step_of_the_history(page: Page):  # noqa: F811
    said = page.locator("#said")
    before = page.evaluate("history.length")
    page.locator("#q").press_sequentially("a glazed donut", delay=40)
    expect(page.locator("#content")).to_have_attribute("data-q", "a glazed donut")
    assert names(page)[0] == "donut.png"
    expect(page.locator("#q")).to_be_focused()
    page.wait_for_url(re.compile(r"/\?q=a\+glazed\+donut$"))
    assert page.title() == "a glazed donut · clipsearch"
    expect(said).to_have_text(re.compile("^The nearest first"))
    page.keyboard.press("Enter")  # it is shown already
    page.locator("#q").press_sequentially(" - people", delay=40)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"people$"))
    assert page.evaluate("history.length") == before + 2
    page.go_back()
    expect(page.locator("#q")).to_have_value("a glazed donut")
    page.go_back()
    expect(page.locator("#q")).to_have_value("")


def test_an_older_answer_never_replaces_a_newer_one(page: Page):  # noqa: F811
    held: list[Route] = []
    page.route(re.compile(r"/live\?q=a\+cat$"), lambda route: held.append(route))  # noqa: PLW0108 (a builtin takes no attributes)
    page.fill("#q", "a cat")
    page.wait_for_timeout(200)
    page.fill("#q", "a glazed donut")
    expect(page.locator("#content")).to_have_attribute("data-q", "a glazed donut")
    assert len(held) == 1
    held[0].fulfill(body="<main id=content data-q='a cat' data-hint=''></main>", content_type="text/html")
    page.wait_for_timeout(100)
    assert names(page)[0] == "donut.png"
    # Nor does that of Enter, when one types on.
    page.route(re.compile(r"/\?q=a\+cat$"), lambda route: held.append(route))  # noqa: PLW0108
    page.fill("#q", "a cat")
    page.keyboard.press("Enter")
    page.fill("#q", "a rocket")
    expect(page.locator("#content")).to_have_attribute("data-q", "a rocket")
    held[-1].continue_()
    page.wait_for_timeout(300)
    assert names(page)[0] == "rocket.jpg" and len(held) >= 2


def test_what_is_not_finished_yet_is_no_error(page: Page):  # noqa: F811
    for begun, hint in (('a "glazed', "a quote that is not closed"), ("taken:", "taken")):
        page.fill("#q", begun)
        expect(page.locator("#hint")).to_contain_text(hint)
        expect(page.locator(".tile")).to_have_count(40)
        expect(page.locator("#problem")).to_have_text(re.compile(r"^\s*$"))
    check_accessible(page)
    page.fill("#q", "type:png")
    expect(page.locator("#hint")).to_be_hidden()
    expect(page.locator(".summary")).to_contain_text("What the filters let pass")


# ------------------------------------------------------------------ facets


def facets(page: Page) -> dict[str, int]:  # noqa: F811
    counted = [text.split() for text in page.locator(".facets button:has(small)").all_text_contents()]
    return {" ".join(name): int(count.replace(",", "")) for *name, count in counted}


def test_facets_narrow_each_other_and_are_taken_back_one_by_one(page: Page):  # noqa: F811
    page.click("summary:has-text('Filters')")
    whole = facets(page)
    page.click(".facets button:has-text('JPEG')")
    expect(page.locator(".passing .chip")).to_have_count(1)
    expect(page.locator(".counted")).to_contain_text(f"{whole['JPEG']} pictures that the filters let pass")
    narrowed = facets(page)
    assert "PNG" not in narrowed and narrowed["clipsearch sample"] <= whole["clipsearch sample"]
    check_accessible(page)
    page.click(".facets button:has-text('clipsearch sample')")
    expect(page.locator(".passing .chip")).to_have_count(2)
    expect(page.locator(".tile")).to_have_count(narrowed["clipsearch sample"])
    page.get_by_label("Remove the filter type: jpeg").click()
    expect(page.locator(".passing .chip")).to_have_count(1)
    expect(page.locator(".tile")).to_have_count(whole["clipsearch sample"])
    # Of words, the likely matches are counted, once someone looks at the counts.
    page.fill("#q", "a glazed donut")
    expect(page.locator(".counted")).to_contain_text("Nothing is likely a match. Counted: the 4 pictures")
    assert "camera=clipsearch+sample" in page.url
    page.get_by_label("Remove the filter camera: clipsearch sample").click()
    expect(page.locator(".counted")).to_contain_text("likely matches")
    expect(page.locator(".facets button:has-text('PNG')")).to_be_visible()
    assert sum(facets(page).get(name, 0) for name in ("JPEG", "PNG", "WEBP")) < 5


# ------------------------------------------------------------------ many pictures


def count_of(page: Page) -> str:  # noqa: F811
    return page.locator("#selection-count").text_content() or ""


def test_many_are_selected_with_mouse_and_keyboard_and_taken_away(page: Page):  # noqa: F811
    search(page, "type:png")
    tiles = page.locator(".tile")
    shown = names(page)
    tiles.first.hover()
    page.get_by_label(f"Select {shown[0]}").click()
    assert count_of(page) == "1 selected"
    tiles.nth(3).locator(".pick").click(modifiers=["Shift"])
    assert count_of(page) == "4 selected"
    check_accessible(page)
    tiles.nth(1).locator(".picture").click()  # it selects, where something is selected
    assert count_of(page) == "3 selected"
    expect(page.locator("#picture")).to_be_hidden()
    page.click("text=Copy paths")
    expect(page.locator("#selection-note")).to_have_text("3 paths copied")
    copied = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert [path.rpartition("/")[2] for path in copied] == [shown[0], shown[2], shown[3]]
    with page.expect_download() as download:
        page.get_by_role("button", name="Download", exact=True).click()
    assert download.value.suggested_filename == "pictures.zip"
    page.keyboard.press("Escape")
    expect(page.locator("#selection")).to_be_hidden()
    page.locator("#q").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    assert count_of(page) == "3 selected"
    page.keyboard.press("Control+a")
    assert count_of(page) == f"{len(shown)} selected"
    page.keyboard.press("Enter")
    expect(page.locator("#picture")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#selection")).to_be_visible()
    search(page, "type:webp")
    expect(page.locator("#selection")).to_be_hidden()


# ------------------------------------------------------------------ keys


def test_keys_are_shown_on_request_and_none_fires_while_typing(page: Page):  # noqa: F811
    keys = page.locator("#keys")
    page.locator("#q").press_sequentially("?/")
    expect(page.locator("#q")).to_have_value("?/")
    expect(keys).to_be_hidden()
    search(page, "an animal")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("?")
    expect(keys).to_be_visible()
    check_accessible(page)
    page.keyboard.press("ArrowRight")  # in the dialog it is no key of the grid
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()
    assert page.evaluate("document.activeElement.querySelector('.name').textContent") == names(page)[0]
    page.keyboard.press("Escape")
    expect(page.locator("#q")).to_be_focused()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.className") == "picture"


def test_everything_is_accessible_dark_and_on_a_telephone(browser, server):  # noqa: F811
    with browser.new_context(color_scheme="dark", viewport={"width": 390, "height": 800}, has_touch=True) as context:
        page = watched(context.new_page())
        page.goto(server.address)
        expect(page.locator("#start .folders")).to_be_visible()
        check_accessible(page)
        page.click("summary:has-text('How to ask')")
        page.click("[data-keys]")
        check_accessible(page)
        page.keyboard.press("Escape")
        search(page, "an animal")
        page.tap("#choose")
        page.locator(".tile .picture").nth(1).tap()
        assert count_of(page) == "1 selected"
        page.click("summary:has-text('Filters')")
        expect(page.locator(".counted")).to_contain_text("likely matches")
        check_accessible(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert page.wrong == []  # type: ignore[attr-defined]


def test_what_is_selected_becomes_an_album_and_what_is_looked_for_a_tab(page: Page):  # noqa: F811
    search(page, "an animal")
    page.locator("#choose").click()
    for place in range(2):
        page.locator("#results .pick").nth(place).check()
    page.locator("[data-do=favourite]").click()
    expect(page.locator("#selection-note")).to_have_text("2 pictures among the favourites")
    page.locator("[data-do=album]").click()
    page.keyboard.type("Zoo / 2024")
    check_accessible(page)
    page.keyboard.press("Enter")
    expect(page.locator("#selection-note")).to_have_text("2 pictures in Zoo / 2024")
    page.locator("[data-do=clear]").click()
    page.locator(".keep summary").click()
    page.locator(".keep input").fill("beasts")
    page.keyboard.press("Enter")
    expect(page.locator(".tabs [aria-current]")).to_have_text("@beasts")
    page.locator(".tabs a", has_text="Zoo / 2024").click()
    expect(page.locator("#results .tile")).to_have_count(2)
    expect(page.locator("#results .star")).to_have_count(2)
    page.locator("#results .picture").first.click()
    favourite = page.locator("[data-favourite]")
    expect(favourite).to_have_attribute("aria-pressed", "true")
    favourite.click()
    expect(favourite).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("Escape")
    page.locator(".tabs a", has_text="Favourites").click()
    expect(page.locator("#results .tile")).to_have_count(1)
    check_accessible(page)
