"""Pages of hits, single pictures, and how they look small."""

import io
import shutil

import numpy as np
import pytest
from PIL import Image, ImageOps

from clipsearch import Catalog, ImageReadError, InputError, Query, QueryError, UnknownPictureError, parse_query
from clipsearch.images.decode import decode_image
from clipsearch.paths import cache_dir, sample_data_folder

pytestmark = pytest.mark.usefixtures("colours")
SAMPLES = sample_data_folder()


def paint(folder, name, colour, *, taken=None, camera=None, size=(24, 16)):
    image = Image.new("RGB", size, colour)
    exif = Image.Exif()
    if taken:
        exif.get_ifd(0x8769)[0x9003] = taken
    if camera:
        exif[0x0110] = camera
    folder.mkdir(exist_ok=True, parents=True)
    image.save(folder / name, exif=exif, quality=95)
    return folder / name


@pytest.fixture
def reds(tmp_path):
    """30 reds, the redder the higher their number."""
    for number in range(30):
        paint(tmp_path / "photos", f"{number:02}.jpg", (105 + 5 * number, 3 * (30 - number), 2 * (30 - number)))
    return tmp_path / "photos"


@pytest.fixture
def catalog(tmp_path, reds):
    with Catalog.open(tmp_path / "c", model="colours", create=True) as opened:
        opened.index(reds)
        yield opened


def pages(catalog, query="red", page_size=7, between=lambda: None, **options):
    found, after = [], None
    while True:
        page = catalog.search_page(query, page_size=page_size, after=after, **options)
        found.append(page.hits)
        after = page.next
        if after is None:
            return found
        between()


# ------------------------------------------------------------------ pages


def test_pages_one_after_the_other_are_the_whole_search(catalog):
    found = pages(catalog)
    assert [len(page) for page in found] == [7, 7, 7, 7, 2]
    assert [hit for page in found for hit in page] == catalog.search("red", top_k=30)


def test_a_last_page_that_is_full_has_no_next(catalog):
    assert [len(page) for page in pages(catalog, page_size=15)] == [15, 15]


def test_pictures_indexed_meanwhile_come_in_the_next_search_only(catalog, reds):
    names = iter(range(100))

    def add():
        number = next(names)
        paint(reds, f"new-{number}.jpg", (255, number % 4, 0))
        catalog.index(reds)

    expected = [(hit.rank, hit.content_id, hit.score) for hit in catalog.search("red", top_k=30)]
    found = pages(catalog, between=add)
    assert [(hit.rank, hit.content_id, hit.score) for page in found for hit in page] == expected
    assert any("new-" in hit.path for hit in catalog.search("red", top_k=5))


def test_nothing_is_left_out_when_pictures_go_meanwhile(catalog, reds):
    expected = [hit.content_id for hit in catalog.search("red", top_k=30)]
    first = catalog.search_page("red", page_size=5)
    # One that was shown, and the very last one that was.
    for hit in (first.hits[1], first.hits[4]):
        (reds / hit.path).unlink()
        catalog.index(reds, prune=True)
        rest = catalog.search_page("red", page_size=30, after=first.next)
        seen = [hit.content_id for hit in rest.hits]
        assert set(expected[5:]) - set(seen) <= {expected[5]}
        assert not set(seen) & set(expected[:5])


def test_all_pictures_come_the_last_taken_first(tmp_path):
    folder = tmp_path / "photos"
    for day in (3, 1, 2):
        paint(folder, f"{day}.jpg", (day, 0, 0), taken=f"2024:05:0{day} 12:00:00")
    paint(folder, "undated.jpg", (9, 9, 9))
    with Catalog.open(tmp_path / "c", model="colours", create=True) as catalog:
        catalog.index(folder)
        names = [hit.path.rsplit("/", 1)[1] for page in pages(catalog, Query(), page_size=2) for hit in page]
        assert names == ["3.jpg", "2.jpg", "1.jpg", "undated.jpg"]
        filtered = pages(catalog, "taken:2024-05-02..", page_size=1)
        assert [len(page) for page in filtered] == [1, 1]


def test_pages_keep_to_relevance_and_filters(catalog):
    expected = catalog.search("red w:24", top_k=30, min_relevance=0.4)
    found = [hit for page in pages(catalog, "red w:24", page_size=4, min_relevance=0.4) for hit in page]
    assert found == expected


@pytest.mark.parametrize("after", ["", "x", "!!!", "W10", "WzEsMiwzXQ", "é", "W251bGwsMSwxLDFd", "A" * 5000])
def test_what_is_no_page_is_refused(catalog, after):
    with pytest.raises(QueryError, match=r"invalid page cursor|another search"):
        catalog.search_page("red", after=after)


def test_a_page_of_another_search_is_refused(catalog):
    page = catalog.search_page("red", page_size=3)
    with pytest.raises(QueryError, match="another search"):
        catalog.search_page("green", page_size=3, after=page.next)
    with pytest.raises(QueryError, match="another search"):
        catalog.search_page("red", page_size=3, after=page.next, min_relevance=0.1)


# ------------------------------------------------------------------ single pictures


def test_a_match_is_the_hit_that_the_search_finds(catalog):
    for query in ("red", "red - green", "red & yellow", "2:red + id:3"):
        for hit in catalog.search(query, top_k=30, explain=True):
            found = catalog.match(query, hit.content_id)
            assert found.score == pytest.approx(hit.score, abs=2e-3)  # the index has half the digits
            assert found.relevance == pytest.approx(hit.relevance, abs=0.05)
            assert [term.term for term in found.terms] == [term.term for term in hit.terms]
            assert found.path == hit.path
    with pytest.raises(QueryError, match="no picture with the number 999"):
        catalog.match("red", 999)


def test_an_embedding_stands_for_a_picture_in_a_query(catalog, reds):
    embedding = catalog.pictures.embed(str(reds / "07.jpg"))
    query = parse_query("image:mine")
    found = catalog.search(query, pictures={"mine": embedding}, top_k=1)
    assert found[0].path == str(reds / "07.jpg")
    assert found == catalog.search(query, pictures={"mine": reds / "07.jpg"}, top_k=1)


def test_details_tell_what_is_known(tmp_path):
    path = paint(tmp_path / "p", "a.jpg", (200, 0, 0), taken="2023:01:02 03:04:05", camera="Box 1", size=(30, 20))
    copy = tmp_path / "p" / "b.jpg"
    shutil.copy(path, copy)
    with Catalog.open(tmp_path / "c", model="colours", create=True) as catalog:
        catalog.index(tmp_path / "p")
        (hit,) = catalog.search("red")
        details = catalog.pictures.get(hit.content_id)
        assert details.paths == (str(path), str(copy))
        known = details.metadata
        assert (known.width, known.height, known.format, known.camera) == (30, 20, "JPEG", "Box 1")
        assert known.taken_at is not None and known.taken_at.isoformat() == "2023-01-02T03:04:05"
        assert details.size_bytes == path.stat().st_size
        path.unlink()
        assert catalog.pictures.get(hit.content_id).paths == (str(copy), str(path))
        with pytest.raises(QueryError, match="no picture with the number 77"):
            catalog.pictures.get(77)
        facets = catalog.pictures.facets()
        assert (facets.cameras, facets.formats, facets.folders) == ({"Box 1": 1}, {"JPEG": 1}, (str(tmp_path / "p"),))
        assert facets.first_taken == facets.last_taken == known.taken_at
        # A picture of one colour has no edges.
        assert (facets.blurred, facets.dark, facets.pictures) == (1, 1, 1)
        assert catalog.pictures.facets("a box is:dark path:p") == facets
        none = catalog.pictures.facets("-is:dark")
        assert (none.cameras, none.formats, none.folders, none.first_taken, none.pictures) == ({}, {}, (), None, 0)
        assert (known.sharpness, known.brightness is not None) == (0, True)


def test_facets_of_nothing(tmp_path):
    with Catalog.open(tmp_path / "c", model="colours", create=True) as catalog:
        facets = catalog.pictures.facets()
    assert (facets.cameras, facets.formats, facets.folders, facets.first_taken) == ({}, {}, (), None)


def test_near_duplicates_are_copies_and_similar_ones_without_the_picture_itself(tmp_path):
    photos = tmp_path / "p"
    photos.mkdir()
    for name in ("fox.webp", "elephant.jpg", "cow.jpg"):
        shutil.copy(SAMPLES / "animals" / name, photos)
    with Image.open(photos / "fox.webp") as fox:
        fox.convert("RGB").resize((100, 80)).save(photos / "small.jpg")
        ImageOps.mirror(fox.convert("RGB")).save(photos / "mirrored.png")
    with Catalog.open(tmp_path / "c", model="colours", create=True) as catalog:
        catalog.index(photos)
        fox = next(hit for hit in catalog.search("red", top_k=20) if hit.path.endswith("fox.webp"))
        found = catalog.pictures.near_duplicates(fox.content_id)
        assert {(hit.path.rsplit("/", 1)[1], hit.kind) for hit in found} == {
            ("small.jpg", "copy"),
            ("mirrored.png", "similar"),
        }
        assert [hit.rank for hit in found] == [1, 2]
        assert len(catalog.pictures.near_duplicates(fox.content_id, top_k=1)) == 1
        with pytest.raises(UnknownPictureError):
            catalog.pictures.near_duplicates(9999)


# ------------------------------------------------------------------ thumbnails


def test_thumbnails_are_upright_small_and_kept(tmp_path):
    shutil.copy(SAMPLES / "animals" / "cat.jpg", tmp_path)  # lies on its side, as EXIF says
    with Catalog.open(tmp_path / "c", model="colours", create=True) as catalog:
        catalog.index(tmp_path)
        (hit,) = catalog.search("a cat")
        jpeg = catalog.pictures.thumbnail(hit.content_id, side=64)
        for side in (0, -1, 10**30):
            with pytest.raises(InputError, match="1 to 65,535 pixels"):
                catalog.pictures.thumbnail(hit.content_id, side=side)
        seen = Image.open(io.BytesIO(jpeg))
        upright = decode_image(tmp_path / "cat.jpg", needed_side=64).image
        upright.thumbnail((64, 64))
        assert seen.size == upright.size
        assert not seen.getexif()
        assert np.abs(np.asarray(seen, dtype=int) - np.asarray(upright, dtype=int)).mean() < 6
        (kept,) = (cache_dir() / "thumbnails").rglob("*.jpg")
        assert kept.stem == catalog.pictures.get(hit.content_id).blake3
        assert kept.stat().st_mode & 0o077 == 0
        # Made once: it is there without the file, and by content, wherever that lies.
        (tmp_path / "cat.jpg").unlink()
        assert catalog.pictures.thumbnail(hit.content_id, side=64) == jpeg
        with pytest.raises(ImageReadError, match="file not found"):
            catalog.pictures.thumbnail(hit.content_id, side=65)
        kept.write_bytes(jpeg[:100])  # a crash
        with pytest.raises(ImageReadError, match="file not found"):
            catalog.pictures.thumbnail(hit.content_id, side=64)


def test_a_file_that_holds_something_else_by_now_is_not_shown(tmp_path):
    path = paint(tmp_path / "p", "a.jpg", (255, 0, 0))
    with Catalog.open(tmp_path / "c", model="colours", create=True) as catalog:
        catalog.index(tmp_path / "p")
        (hit,) = catalog.search("red")
        path.write_bytes((SAMPLES / "food" / "donut.png").read_bytes())
        with pytest.raises(ImageReadError, match="has changed since it was indexed"):
            catalog.pictures.thumbnail(hit.content_id)


@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "empty"), (b"no picture", "not a picture"), (b"\xff\xd8\xff\xe0" + b"x" * 40, "")]
)
def test_a_file_of_a_stranger_is_refused_with_a_reason(catalog, tmp_path, content, reason):
    (tmp_path / "upload").write_bytes(content)
    with pytest.raises(ImageReadError, match=f"can't read the picture .*upload: .*{reason}"):
        catalog.pictures.embed(str(tmp_path / "upload"))
    with pytest.raises(InputError, match="no such picture"):
        catalog.pictures.embed(str(tmp_path / "nothing"))


def test_an_embedding_stands_for_a_picture_everywhere(catalog, reds):
    (hit,) = catalog.search("red", top_k=1)
    embedding, path = catalog.pictures.embedding(hit.content_id), hit.path
    catalog.captions.add(["red", "blue", "green"])
    for given, same in (
        (catalog.caption(embedding), catalog.caption(path)),
        (catalog.classify(embedding, ["red", "blue"]), catalog.classify(path, ["red", "blue"])),
        (
            catalog.labels.assign(embedding, ["red", "blue", "green"]),
            catalog.labels.assign(path, ["red", "blue", "green"]),
        ),
    ):
        assert [hit.score for hit in given] == pytest.approx([hit.score for hit in same], abs=1e-3)
    with pytest.raises(QueryError, match="no picture with the number 999"):
        catalog.pictures.embedding(999)
