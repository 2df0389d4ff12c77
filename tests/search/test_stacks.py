"""Stacks as hits: one for each, its best picture that passes, and the same pages whatever is indexed meanwhile."""

from datetime import datetime, timedelta

import pytest
from PIL import Image

from clipsearch import Catalog, SearchHit

COLOURS = {"red": (250, 20, 20), "lime": (20, 250, 20), "blue": (20, 20, 250)}
NOON = datetime(2024, 5, 1, 12)


def paint(path, colour: str, seconds: float, *, spots: int = 4, camera: str = "Cam") -> None:
    """A photograph of coloured stripes; fewer spots make it less sharp and less red, lime or blue."""
    image = Image.new("RGB", (96, 64), COLOURS[colour])
    for spot in range(spots):
        image.paste((0, 0, 0), (8 + 16 * spot, 20, 16 + 16 * spot, 44))
    exif = Image.Exif()
    exif[0x0110] = camera
    exif.get_ifd(0x8769)[0x9003] = (NOON + timedelta(seconds=seconds)).strftime("%Y:%m:%d %H:%M:%S")
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, exif=exif, quality=95)


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    for number in range(4):
        paint(folder / f"red-{number}.jpg", "red", number, spots=4 - (number == 3))
    paint(folder / "red-later.jpg", "red", 9_000)
    for number in range(3):
        paint(folder / f"lime-{number}.jpg", "lime", 600 + number)
    paint(folder / "blue.jpg", "blue", 1_200)
    return folder


@pytest.fixture
def catalog(tmp_path, photos, colours):
    with Catalog.open(tmp_path / "catalog", model="colours", create=True) as opened:
        opened.index(photos)
        yield opened


def names(hits: "list[SearchHit] | tuple[SearchHit, ...]") -> list[str]:
    return [hit.path.rpartition("/")[2] for hit in hits]


def test_a_stack_is_one_hit_and_top_k_counts_stacks(catalog):
    hits = catalog.search("red", top_k=2)
    assert sorted(len(hit.stack) for hit in hits) == [0, 3]
    assert {name.partition("-")[0] for name in names(hits)} == {"red"}
    every = catalog.search("red", top_k=100)
    shown = [number for hit in every for number in (hit.content_id, *hit.stack)]
    assert len(every) == 4 and len(shown) == len(set(shown)) == 9
    assert [hit.rank for hit in every] == [1, 2, 3, 4]


def test_without_stacks_each_picture_is_a_hit(catalog):
    hits = catalog.search("red", top_k=100, stacks=False)
    assert len(hits) == 9 and not any(hit.stack for hit in hits)
    assert len(catalog.search_page("red", page_size=100, stacks=False).hits) == 9


def test_a_stack_has_the_score_of_the_member_that_matches_best(catalog):
    alone = {hit.content_id: hit for hit in catalog.search("red", top_k=100, stacks=False)}
    hit = next(hit for hit in catalog.search("red", top_k=100, explain=True) if hit.stack)
    members = [alone[number] for number in (hit.content_id, *hit.stack)]
    best = min(members, key=lambda each: each.rank)
    assert best.content_id != hit.content_id  # another is the sharpest
    assert hit.score == best.score and hit.relevance == best.relevance
    assert sum(term.contribution for term in hit.terms) == pytest.approx(hit.score, abs=1e-3)


def test_filters_choose_among_the_members(catalog):
    whole = next(hit for hit in catalog.search("red", top_k=100) if hit.stack)
    for query in ("red path:red-3.jpg", "path:red-3.jpg"):
        (hit,) = catalog.search(query)
        assert names([hit]) == ["red-3.jpg"] and hit.stack == ()
    for query in ("red path:red-*.jpg -path:red-0.jpg", "path:red-*.jpg -path:red-0.jpg"):
        found = next(hit for hit in catalog.search(query) if hit.stack)
        assert len(found.stack) == 2
        assert {found.content_id, *found.stack} < {whole.content_id, *whole.stack}


def test_filters_alone_list_stacks_by_their_last_picture(catalog):
    assert [name.partition("-")[0] for name in names(catalog.search("type:jpg", top_k=100))] == [
        "red",
        "blue.jpg",
        "lime",
        "red",
    ]
    assert len(catalog.search("type:jpg", top_k=3)) == 3
    assert catalog.pictures.facets().pictures == 9


def test_a_marked_picture_takes_its_stack_along(catalog):
    stack = next(hit for hit in catalog.search("red", top_k=100) if hit.stack)
    for query in ("red", "type:jpg"):
        left = catalog.search(query, top_k=100, less=[stack.stack[0]])
        assert len(left) == 3 and stack.content_id not in {hit.content_id for hit in left}
        assert len(catalog.search(query, top_k=100, less=[stack.stack[0]], stacks=False)) == 8


@pytest.mark.parametrize("query", ["red", "type:jpg"])
def test_pages_are_the_search_cut_into_pieces(catalog, photos, query):
    whole = catalog.search(query, top_k=100)
    first = catalog.search_page(query, page_size=1)
    paint(photos / "red-4.jpg", "red", 2, spots=5)  # joins the first stack, and is sharper
    paint(photos / "lime-new.jpg", "lime", 20_000)
    catalog.index(photos)
    hits, after = list(first.hits), first.next
    while after is not None:
        page = catalog.search_page(query, page_size=1, after=after)
        hits += page.hits
        after = page.next
    assert [(hit.rank, hit.content_id, hit.stack) for hit in hits] == [
        (hit.rank, hit.content_id, hit.stack) for hit in whole
    ]


def test_missing_files_are_no_members(catalog, photos):
    (photos / "lime-0.jpg").unlink()
    (photos / "lime-1.jpg").unlink()
    catalog.index(photos)
    assert [hit.stack for hit in catalog.search("lime", top_k=1)] == [()]


def test_diverse_hits_are_stacks_too(catalog):
    hits = catalog.search("red", top_k=3, diverse=True)
    assert len(hits) == 3 and len({hit.content_id for hit in hits}) == 3


def test_hits_of_stacks_are_queries(catalog):
    hit = next(hit for hit in catalog.search("red", top_k=100) if hit.stack)
    assert catalog.search(hit, top_k=1)[0].content_id == hit.content_id
