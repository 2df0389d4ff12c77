"""Contact sheets: one file with everything in it, whatever pictures and queries are called."""

import base64
import hashlib
import io
import math
import os
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from clipsearch import InputError, SearchHit, TermScore, write_contact_sheet
from clipsearch.paths import sample_data_folder

CAT = str(sample_data_folder() / "animals" / "cat.jpg")
HIT = SearchHit(1, 0.41, 0.62, CAT, 7)


class Page(HTMLParser):
    """What a browser sees: elements in order, and all text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def sheet(folder, hits, query="a cat") -> Page:
    return Page(write_contact_sheet(folder / "sheet.html", hits, query=query).read_text(encoding="utf-8"))


def test_pictures_lie_in_it_upright_and_link_to_the_file(tmp_path):
    page = sheet(tmp_path, [HIT])
    (image,) = page.all("img")
    prefix, _, data = (image["src"] or "").partition(",")
    assert prefix == "data:image/jpeg;base64"
    shown = Image.open(io.BytesIO(base64.b64decode(data)))
    assert (str(shown.width), str(shown.height)) == (image["width"], image["height"])
    assert page.all("a") == [{"href": "file://" + CAT}]
    for text in ("a cat", "62.0 %", "0.410", "cat.jpg", "1 picture ·"):
        assert text in page.text


def test_nothing_is_loaded_and_nothing_runs(tmp_path):
    page = sheet(tmp_path, [HIT])
    assert not page.all("script") + page.all("link") + page.all("iframe")
    html = (tmp_path / "sheet.html").read_text(encoding="utf-8")
    assert not re.search(r"https?://|@import|url\(", html)
    (policy,) = [meta["content"] or "" for meta in page.all("meta") if meta.get("http-equiv")]
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    (style,) = re.findall("<style>(.*?)</style>", html, re.DOTALL)
    assert base64.b64encode(hashlib.sha256(style.encode()).digest()).decode() in policy


@pytest.mark.parametrize(
    "odd", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "&lt;b&gt;", "{{ 7 * 7 }}"]
)
def test_odd_words_and_names_stay_text(tmp_path, odd):
    place = tmp_path / "pictures"
    place.mkdir()
    name = odd.replace("/", "_") + ".png"
    Image.new("RGB", (4, 4)).save(place / name)
    hit = replace(HIT, path=str(place / name), terms=(TermScore(odd, 1.0, 0.4, 0.4),))
    page = sheet(tmp_path, [hit], odd)
    assert not page.all("script")
    assert len(page.all("img")) == 1
    assert page.all("img")[0]["alt"] == name
    assert page.text.count(odd) >= 2


def test_a_name_that_is_no_utf_8_is_linked_all_the_same(tmp_path):
    path = os.fsencode(tmp_path) + b"/caf\xe9.png"
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    os.rename(os.fsencode(tmp_path / "a.png"), path)
    page = sheet(tmp_path, [replace(HIT, path=os.fsdecode(path))], os.fsdecode(b"caf\xe9"))
    assert (page.all("a")[0]["href"] or "").endswith("/caf%E9.png")
    assert len(page.all("img")) == 1
    assert "caf?.png" in page.text


def test_pictures_that_are_not_there_say_so_and_faint_ones_are_marked(tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_text("no")
    hits = [
        replace(HIT, copies=("/a", "/b")),
        replace(HIT, rank=2, relevance=0.1, path="/nowhere/a.jpg"),
        replace(HIT, rank=3, relevance=0.0, path=str(broken)),
    ]
    page = sheet(tmp_path, hits)
    assert [figure.get("class") for figure in page.all("figure")] == [None, "faint", "faint"]
    assert len(page.all("img")) == 1
    for text in (
        "3 pictures",
        "+ 2 copies",
        "file not found: moved",
        "can't be read: not a picture",
        "than 30 %",
    ):
        assert text in page.text


def test_filters_alone_have_no_score_and_no_hits_say_so(tmp_path):
    page = sheet(tmp_path, [replace(HIT, score=math.nan, relevance=1.0)])
    assert "nan" not in page.text
    assert "100.0 %" not in page.text
    assert "Nothing here matches" in sheet(tmp_path, []).text


def test_where_nothing_seems_to_match_it_says_so(tmp_path):
    faint = [replace(HIT, relevance=0.1), replace(HIT, rank=2, relevance=0.29)]
    assert "Nothing seems to match; the nearest 2 pictures" in sheet(tmp_path, faint).text
    # The nearest is not always the likeliest.
    assert "seems to match" not in sheet(tmp_path, [*faint, replace(HIT, rank=3, relevance=0.3)]).text


def test_only_a_sheet_is_replaced(tmp_path):
    other = tmp_path / "page.html"
    other.write_text("<p>my own page</p>")
    with pytest.raises(InputError, match="is not a contact sheet"):
        write_contact_sheet(other, [HIT], query="a")
    assert other.read_text() == "<p>my own page</p>"
    sheet(tmp_path, [HIT], "first")
    assert "second" in sheet(tmp_path, [HIT], "second").text
    assert sorted(os.listdir(tmp_path)) == ["page.html", "sheet.html"]


def test_a_link_laid_out_beside_it_is_not_followed(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    for name in (f".sheet.html.{os.getpid()}.new", ".sheet.html.new"):
        (tmp_path / name).symlink_to(victim)
    sheet(tmp_path, [HIT])
    assert victim.read_text() == "precious"


def test_a_name_of_any_length(tmp_path):
    assert write_contact_sheet(tmp_path / ("a" * 250 + ".html"), [HIT], query="a cat").is_file()


def test_a_link_stays_one(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "sheet.html").symlink_to(tmp_path / "kept" / "a.html")
    sheet(tmp_path, [HIT])
    assert (tmp_path / "sheet.html").is_symlink()
    assert (tmp_path / "kept" / "a.html").is_file()
    (tmp_path / "kept" / "a.html").write_text("mine")
    with pytest.raises(InputError, match="is not a contact sheet"):
        sheet(tmp_path, [HIT])


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a.jpg", "call it a.jpg.html"),
        ("a", "is an HTML file"),
        ("no/a.html", "no folder"),
        ("a\0.html", "can't write"),
    ],
)
def test_places_where_no_sheet_can_be(tmp_path, name, reason):
    with pytest.raises(InputError, match=reason):
        write_contact_sheet(f"{tmp_path}/{name}", [HIT], query="a")
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs the browser chromium")
def test_a_browser_shows_it_under_its_own_policy(tmp_path):
    Image.new("RGB", (300, 200), (200, 0, 0)).save(tmp_path / "red.png")
    sheet(tmp_path, [replace(HIT, path=str(tmp_path / "red.png"))])
    options = ["--headless", "--no-sandbox", "--hide-scrollbars", "--window-size=800,600"]
    screenshot = tmp_path / "shown.png"
    subprocess.run(
        ["chromium", *options, f"--user-data-dir={tmp_path}/profile", f"--screenshot={screenshot}", "sheet.html"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        timeout=120,
    )
    pixels = np.asarray(Image.open(screenshot).convert("RGB"), dtype=int)
    assert tuple(pixels[5, 5]) == (0xFA, 0xFA, 0xFA)  # the stylesheet's page, not the browser's white
    assert (np.abs(pixels - (200, 0, 0)).max(axis=2) < 12).sum() > 10_000
