"""Parts of files as queries: a path with a fragment, an id with one, and hits."""

import numpy as np
import pytest
from PIL import Image

from clipsearch import Catalog
from clipsearch.errors import ClipSearchError, InputError, QueryError
from clipsearch.images.locations import find_location
from clipsearch.parts import Part, locate, parse_fragment, split_location
from clipsearch.query import parse_query
from tests.support.films import Shot, make_film

pytest.importorskip("av", reason="PyAV is not installed: pip install -e '.[video]'")
pytest.importorskip("pypdfium2", reason="pypdfium2 is not installed: pip install -e '.[pdf]'")

NAMES = ("red", "lime", "blue")


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    images = [Image.new("RGB", (120, 90), name) for name in NAMES]
    for image in images:  # else a page looks blank
        image.paste("white", (10, 10, 30, 30))
    lengths = (3, 6, 3)
    shots = [Shot(image, seconds) for image, seconds in zip(images, lengths, strict=True)]
    (folder / "film.webm").write_bytes(make_film(shots, codec="vp9", container="webm", size=(120, 90)))
    for name in ("scan.pdf", "pages.tiff"):  # copies: Pillow keeps the settings of the encoder of a PDF
        first, *others = (image.copy() for image in images)
        first.save(folder / name, save_all=True, append_images=others)
    long = Image.new("RGB", (1600, 200), "blue")
    long.paste("red", (0, 0, 200, 200))
    long.save(folder / "long.png")
    return folder


@pytest.fixture
def catalog(tmp_path, colours, photos):
    with Catalog.open(tmp_path / "catalog", model="colours", create=True) as catalog:
        catalog.index(photos)
        yield catalog


def nearest_colour(catalog, picture):
    return catalog.classify(picture, NAMES)[0].text


@pytest.mark.parametrize(
    "part",
    [
        Part("scene", start_s=83.5, end_s=83.5),
        Part("page", page=3),
        Part("crop", box=(0.0, 0.25, 0.5, 1.0)),
    ],
)
def test_a_fragment_is_read_as_it_is_written(part):
    assert parse_fragment(part.fragment) == part
    assert split_location(locate("a/b#c.mp4", part)) == ("a/b#c.mp4", part)


@pytest.mark.parametrize(
    "text",
    [
        *("t=", "t=-1", "t=1e5", "t=1,2", "t=nan", "page=0", "page=1.5", "page=99999999999", "xywh=1,2,3,4", "", "x"),
        *("t=٣", "xywh=percent:0,0,0,50", "xywh=percent:90,0,5,200,", "xywh=percent:100,0,5,5", "t=1\n"),
    ],
)
def test_other_fragments_are_none(text):
    assert parse_fragment(text) is None
    assert split_location(f"film.mp4#{text}") == (f"film.mp4#{text}", None)


@pytest.mark.parametrize(
    ("location", "colour"),
    {
        "film.webm#t=1": "red",
        "film.webm#t=5": "lime",
        "film.webm#t=11": "blue",
        "film.webm": "lime",  # its longest scene
        "scan.pdf#page=3": "blue",
        "scan.pdf": "red",
        "pages.tiff#page=2": "lime",
        "long.png#xywh=percent:0,0,12.5,100": "red",
        "long.png": "blue",
    }.items(),
)
def test_a_location_is_a_query(location, colour, catalog, photos):
    assert nearest_colour(catalog, str(photos / location)) == colour
    found = catalog.search(str(photos / location), top_k=4)
    assert max(hit.score for hit in found) > 0.9


@pytest.mark.parametrize(
    ("location", "reason"),
    {
        "scan.pdf#page=9": "no page 9",
        "pages.tiff#page=9": "no page 9",
        "long.png#t=3": "no scenes",
        "film.webm#page=2": "no such part",
        "gone.pdf#page=1": "does not exist",
    }.items(),
)
def test_an_unknown_part_is_one_clear_line(location, reason, catalog, photos):
    with pytest.raises((ClipSearchError, InputError), match=reason) as caught:
        nearest_colour(catalog, str(photos / location))
    assert "\n" not in str(caught.value)
    assert location.partition("#")[0] in str(caught.value)


def test_a_file_whose_name_ends_like_a_fragment_is_itself(catalog, photos):
    path = photos / "long.png#t=1"
    Image.new("RGB", (64, 48), "lime").save(path, "PNG")
    assert find_location(path) == (str(path), None)
    assert nearest_colour(catalog, path) == "lime"
    assert str(catalog.search(f'image:"{path}"')[0].path)


def test_a_hit_means_its_part(catalog):
    for hit in (hit for name in NAMES for hit in catalog.search(name, top_k=4) if hit.part is not None):
        by_hit, by_id = catalog.search(hit), catalog.search(f"id:{locate(str(hit.content_id), hit.part)}")
        assert by_hit == by_id
        own = next(each for each in by_hit if each.content_id == hit.content_id)
        assert own.score == pytest.approx(1.0, abs=1e-3)
        assert nearest_colour(catalog, hit) == nearest_colour(catalog, own)


def test_an_id_with_an_unknown_part(catalog):
    (hit,) = catalog.search("path:scan")
    with pytest.raises(
        QueryError, match=rf"picture {hit.content_id} has no part page=9: it has page=1, page=2, page=3"
    ):
        catalog.search(f"id:{hit.content_id}#page=9")
    (film,) = catalog.search("path:*.webm")
    assert [part.fragment for part in catalog.pictures.parts(film.content_id)]
    assert np.isfinite(catalog.search(f"id:{film.content_id}")[0].score)


@pytest.mark.parametrize("text", ["id:42#t=83.5", "id:42#page=3 + snow", "0.5:id:7#xywh=percent:0,0,12.5,100 + id:3"])
def test_ids_with_parts_are_formatted_as_they_are_parsed(text):
    parsed = parse_query(text)
    assert str(parsed) == text
    assert parse_query(str(parsed)) == parsed


@pytest.mark.parametrize("text", ["id:42#", "id:42#t=x", "id:42#page=0", "id:4#2"])
def test_invalid_parts_of_ids(text):
    with pytest.raises(QueryError, match="as in id:42"):
        parse_query(text)


def test_a_run_and_the_status_count_parts(catalog, photos, capfdbinary):
    from clipsearch.cli.render import print_report

    parts = dict(catalog.admin.status().parts)
    assert parts["page"] == (2, 6)
    assert parts["scene"] == (1, 3)
    assert parts["crop"][0] == 1
    report = catalog.index(photos)
    assert not report.parts, "nothing is new"
    (photos / "long.png").rename(photos / "moved.png")
    (photos / "more.pdf").write_bytes((photos / "scan.pdf").read_bytes() + b"\n")
    report = catalog.index(photos)
    assert report.parts == {"page": (1, 3)}
    print_report(report)
    assert b"\n  3 pages of 1 document\n" in capfdbinary.readouterr().out
