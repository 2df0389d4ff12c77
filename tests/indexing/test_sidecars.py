"""What an index run does with sidecars that come, change and go: nothing is embedded."""

import json
import os
import shutil
from datetime import datetime

import pytest

from clipsearch.description import Description
from clipsearch.errors import ClipSearchNotice
from tests.support.library import Library, counts


@pytest.fixture
def library(tmp_path):
    with Library(tmp_path) as library:
        for name in ("red", "a/green", "b/blue"):
            library.paint(f"{name}.png", name.rpartition("/")[2])
        library.index()
        library.encoder.images_seen = 0
        yield library
        assert library.encoder.images_seen == 0


def xmp(rating, *keywords, date=""):
    items = "".join(f"<rdf:li>{word}</rdf:li>" for word in keywords)
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:exif="http://ns.adobe.com/exif/1.0/" '
        f'xmp:Rating="{rating}"{f" exif:DateTimeOriginal={date!r}" if date else ""}>'
        f"<dc:subject><rdf:Bag>{items}</rdf:Bag></dc:subject></rdf:Description></rdf:RDF></x:xmpmeta>"
    )


def takeout(name, **values):
    return json.dumps({"title": name, "photoTakenTime": {"timestamp": "1562243400"}, **values})


def described(library, name):
    """What is known of a picture by the name of its file."""
    files = {file.path: file.content_id for file in library.store.reader.files_below()}
    content_id = files[str(library.photos / name)]
    return library.store.reader.details([content_id])[content_id].metadata


def put(library, name, content):
    path = library.photos / name
    path.write_text(content)
    return path


def test_sidecars_of_both_spellings_are_read_once(library):
    put(library, "red.png.xmp", xmp(4, "beach", "holiday"))
    put(library, "a/green.xmp", xmp(2))
    put(library, "b/other.xmp", xmp(5))
    report = library.index()
    assert (counts(report), report.sidecars) == ({"found": 3, "unchanged": 3}, 2)
    assert described(library, "red.png").description == Description(keywords=("beach", "holiday"), rating=4)
    assert described(library, "a/green.png").description == Description(rating=2)
    assert described(library, "b/blue.png").description == Description()
    assert library.index().sidecars == 0
    assert library.index(again=True).sidecars == 2


def test_a_changed_sidecar_is_read_again_and_one_that_is_gone_says_nothing_more(library):
    path = put(library, "red.png.xmp", xmp(4, "beach"))
    library.index()
    before = library.store.column_rows.state().last_change
    path.write_text(xmp(5, "sea"))
    assert library.index().sidecars == 1
    assert described(library, "red.png").description == Description(keywords=("sea",), rating=5)
    assert len(library.store.column_rows.changed_after(before)) == 1
    # Of the same size, at another time.
    path.write_text(xmp(3, "sea"))
    os.utime(path, ns=(1, 1))
    assert library.index().sidecars == 1
    path.unlink()
    assert library.index().sidecars == 0
    assert described(library, "red.png").description == Description()
    assert library.store.sidecars.known(library.store.roots.list_all()[0]) == {}


def test_a_sidecar_that_takes_the_place_of_another_spelling(library):
    put(library, "red.xmp", xmp(1))
    library.index()
    put(library, "red.png.xmp", xmp(2))
    library.index()
    assert described(library, "red.png").description.rating == 2


def test_a_sidecar_comes_before_the_file_and_takeout_after_it(library):
    put(library, "red.png.xmp", xmp(2, "sea"))
    put(
        library, "red.png.json", takeout("red.png", favorited=True, description="By the sea", people=[{"name": "Anna"}])
    )
    assert library.index().sidecars == 2
    assert described(library, "red.png").description == Description(
        caption="By the sea", keywords=("sea",), people=("Anna",), rating=2, taken_at=datetime(2019, 7, 4, 12, 30)
    )


def test_a_picture_without_a_date_borrows_that_of_its_sidecar_and_gives_it_back(library):
    position = {"latitude": 48.85, "longitude": 2.35}
    path = put(library, "red.png.json", takeout("red.png", geoData=position))
    library.index()
    found = described(library, "red.png")
    assert (found.taken_at, found.latitude, found.longitude) == (datetime(2019, 7, 4, 12, 30), 48.85, 2.35)
    # XMP counts first.
    put(library, "red.png.xmp", xmp(0, date="2018-01-02T03:04:05"))
    library.index()
    assert described(library, "red.png").taken_at == datetime(2018, 1, 2, 3, 4, 5)
    path.unlink()
    library.index()
    found = described(library, "red.png")
    assert (found.taken_at, found.latitude) == (datetime(2018, 1, 2, 3, 4, 5), None)
    (library.photos / "red.png.xmp").unlink()
    library.index()
    assert described(library, "red.png").taken_at is None


def test_the_date_of_a_picture_is_its_own(tmp_path):
    with Library(tmp_path) as library:
        path = library.paint("a.jpg", "red")
        from PIL import Image

        exif = Image.Exif()
        exif[0x9003] = "2001:02:03 04:05:06"
        Image.open(path).save(path, exif=exif)
        put(library, "a.jpg.json", takeout("a.jpg"))
        library.index()
        assert described(library, "a.jpg").taken_at == datetime(2001, 2, 3, 4, 5, 6)


def test_a_sidecar_moves_with_its_picture(library):
    put(library, "red.png.xmp", xmp(4))
    library.index()
    shutil.move(library.photos / "red.png", library.photos / "b" / "rose.png")
    shutil.move(library.photos / "red.png.xmp", library.photos / "b" / "rose.png.xmp")
    report = library.index()
    assert (report.moved, report.sidecars) == (1, 1)
    assert described(library, "b/rose.png").description.rating == 4


def test_copies_share_what_their_sidecars_say(library):
    shutil.copy(library.photos / "red.png", library.photos / "a" / "copy.png")
    put(library, "red.png.xmp", xmp(4, "sea"))
    put(library, "a/copy.png.xmp", xmp(1, "beach"))
    library.index()
    assert described(library, "red.png").description == Description(keywords=("sea", "beach"), rating=4)


def test_an_unreadable_sidecar_is_named_once_and_says_nothing(library):
    put(library, "red.png.xmp", "no XML")
    put(library, "a/green.png.xmp", "<a/>")
    with pytest.warns(ClipSearchNotice, match=r"2 sidecars can't be read, such as .*\.xmp: "):
        assert library.index().sidecars == 2
    assert described(library, "red.png").description == Description()
    assert library.index().sidecars == 0


def test_a_subfolder_leaves_the_sidecars_of_the_others(library):
    from clipsearch.indexing import index_folders
    from clipsearch.store import Scope

    for name in ("red", "a/green", "b/blue"):
        put(library, f"{name}.png.xmp", xmp(4))
    library.index()
    for name in ("red", "a/green", "b/blue"):
        (library.photos / f"{name}.png.xmp").unlink()
    root = library.store.roots.list_all()[0]
    index_folders(
        [Scope(root.root_id, root.root, "a")], store=library.store, encoder=library.encoder, model_id=library.model_id
    )
    known = {path for path, _ in library.store.sidecars.known(root)}
    assert known == {b"red.png", b"b/blue.png"}


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="this user reads everything")
def test_a_folder_that_cannot_be_read_keeps_its_sidecars(library):
    put(library, "a/green.png.xmp", xmp(4))
    library.index()
    (library.photos / "a").chmod(0)
    try:
        library.index()
        assert described(library, "a/green.png").description.rating == 4
    finally:
        (library.photos / "a").chmod(0o700)


def test_names_that_are_not_utf8(library):
    name = os.fsdecode(b"caf\xe9.png")
    try:
        shutil.copy(library.photos / "red.png", library.photos / name)
    except OSError:
        pytest.skip("this file system has names in UTF-8 alone")
    (library.photos / f"{name}.xmp").write_text(xmp(4))
    assert library.index().sidecars == 1
    assert library.index().sidecars == 0


def test_links_and_folders_are_no_sidecars_unless_they_lead_to_a_file(library):
    (library.photos / "red.png.xmp").mkdir()
    (library.photos / "a" / "green.png.xmp").symlink_to(library.photos / "nowhere")
    put(library, "kept.xml", xmp(3))
    (library.photos / "b" / "blue.png.xmp").symlink_to(library.photos / "kept.xml")
    assert library.index().sidecars == 1
    assert described(library, "b/blue.png").description.rating == 3


def test_garbage_takes_the_sidecars_of_files_that_are_gone(library):
    put(library, "red.png.xmp", xmp(4))
    library.index()
    (library.photos / "red.png").unlink()
    library.index()
    assert library.store.garbage.delete().files == 1
    connection = library.store.connection
    assert connection.rows("SELECT count(*) FROM sidecars")[0][0] == 0
