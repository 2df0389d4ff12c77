"""Parts of pictures travel with an export: crops, pages and scenes, with their embeddings."""

import contextlib
import json
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipsearch import Catalog, InputError, check_catalog
from clipsearch.parts import MOST_PARTS, Part
from clipsearch.store.exports import ExportedPart
from clipsearch.transfer.formats.part_column import pack_part, unpack_part
from tests.transfer.conftest import open_catalog, paint

pa = pytest.importorskip("pyarrow")
import pyarrow.parquet as pq  # noqa: E402

pytestmark = pytest.mark.usefixtures("colours")

TARGETS = pytest.mark.parametrize("target", ["export", "export.parquet"])


def paint_long(path: Path, ground: str, spot: str) -> None:
    """A picture so long that it is indexed in crops."""
    image = Image.new("RGB", (1600, 200), ground)
    image.paste(spot, (0, 0, 200, 200))
    image.save(path)


def write_pages(path: Path, *colours: str) -> None:
    """Pages of a TIFF."""
    first, *others = [Image.new("RGB", (40, 30), colour) for colour in colours]
    first.save(path, save_all=True, append_images=others)


@pytest.fixture
def photos(photos) -> Path:
    paint_long(photos / "long.png", "blue", "red")
    paint_long(photos / "longer.png", "white", "yellow")
    write_pages(photos / "pages.tif", "red", "lime", "blue", "yellow")
    return photos


def hits(catalog: Catalog, words: str) -> list[tuple]:
    return [(hit.path, hit.part, round(hit.score, 5)) for hit in catalog.search(words, top_k=100)]


def parts_of(catalog: Catalog) -> dict[str, list[Part]]:
    """Parts by the name of their picture."""
    found = catalog.search("red", top_k=100)
    return {Path(hit.path).name: list(catalog.pictures.parts(hit.content_id)) for hit in found}


@TARGETS
def test_another_catalog_finds_the_same_parts_and_embeds_nothing(catalog, photos, tmp_path, target):
    report = catalog.export(tmp_path / target, part_rows=5)
    assert (report.pictures, report.embeddings > report.pictures + 10) == (7, True)
    with open_catalog(tmp_path / "other") as other:
        paint(tmp_path / "before", teal=(0, 128, 128))
        other.index(tmp_path / "before")  # so that ids differ
        done = other.import_embeddings(tmp_path / target, roots=[photos])
        assert (done.rows, done.added, done.known, done.missing, done.broken) == (report.embeddings,) * 2 + (0, 0, 0)
        for words in ("red", "blue", "yellow"):
            assert [hit for hit in hits(other, words) if "teal" not in hit[0]] == hits(catalog, words)
        assert any(part is not None for _, part, _ in hits(other, "red"))
        assert {name: parts for name, parts in parts_of(other).items() if name != "teal.png"} == parts_of(catalog)
        again = other.index(photos, detail=False)
        assert (again.embedded, again.reused) == (0, 0)
        known = other.import_embeddings(tmp_path / target, roots=[photos])
        assert (known.added, known.known) == (0, report.embeddings)
    assert check_catalog(tmp_path / "other", full=True).is_sound


@TARGETS
def test_a_reader_that_knows_nothing_of_parts_gets_a_row_for_each(catalog, tmp_path, target):
    report = catalog.export(tmp_path / target)
    if target == "export":
        vectors = np.load(tmp_path / target / "img_emb" / "img_emb_0.npy")
        table = pq.read_table(tmp_path / target / "metadata" / "metadata_0.parquet")
    else:
        table = pq.read_table(tmp_path / target)
        vectors = np.stack(table["embedding"].to_numpy())
    rows = table.to_pylist()
    assert len(vectors) == len(rows) == report.embeddings
    seen: dict[str, list[dict]] = {}
    for row, vector in zip(rows, vectors, strict=True):
        assert np.linalg.norm(vector.astype(np.float32)) == pytest.approx(1, abs=2e-3)
        seen.setdefault(row["blake3"], []).append(row)
    for group in seen.values():
        assert len({(row["image_path"], row["width"], row["format"], row["content_id"]) for row in group}) == 1
        described = [row["part"] and json.loads(row["part"]) for row in group]
        if described == [None]:
            continue
        assert [each["number"] for each in described] == list(range(len(group)))
        assert {each["count"] for each in described} == {len(group)}
    assert [len(group) for group in seen.values() if Path(group[0]["image_path"]).name == "pages.tif"] == [4]


@pytest.mark.parametrize(("stored", "imported"), [(8.5, 8.5), (0, 0), (-1, None), (1e300, None), (None, None)])
def test_a_film_keeps_its_length(catalog, photos, tmp_path, stored, imported):
    with contextlib.closing(sqlite3.connect(tmp_path / "catalog" / "catalog.sqlite3")) as connection:
        connection.execute("UPDATE contents SET duration_s = ?", (stored,))
        connection.commit()
    catalog.export(tmp_path / "export")
    with open_catalog(tmp_path / "other") as other:
        other.import_embeddings(tmp_path / "export", roots=[photos])
        found = {other.pictures.get(hit.content_id).metadata.duration_s for hit in other.search("type:tiff")}
        assert found == {imported}


def test_crops_are_added_to_pictures_that_were_whole(catalog, photos, tmp_path):
    image = Image.new("RGB", (300, 300), "blue")
    image.paste("red", (0, 0, 100, 100))
    image.save(photos / "spot.png")
    catalog.index(photos, detail=True)
    report = catalog.export(tmp_path / "export")
    with open_catalog(tmp_path / "other") as other:
        other.index(photos)
        assert next(part for path, part, _ in hits(other, "red") if path.endswith("spot.png")) is None
        before = other.export(tmp_path / "before").embeddings
        done = other.import_embeddings(tmp_path / "export")
        assert (done.added, done.known) == (report.embeddings - before, before)
        assert hits(other, "red") == hits(catalog, "red")
        assert other.index(photos, detail=True).embedded == 0  # what is too small for crops is known as that


def test_parts_that_a_catalog_has_stay(catalog, photos, tmp_path):
    catalog.export(tmp_path / "export")
    for path in rows_of(tmp_path / "export"):
        change_parts(path, lambda part: part | {"page": 9 + part["page"]} if "page" in part else part)
    with open_catalog(tmp_path / "other") as other:
        other.index(photos)
        before = hits(other, "red")
        assert other.import_embeddings(tmp_path / "export").added == 0
        assert hits(other, "red") == before
    with open_catalog(tmp_path / "new") as new:
        new.import_embeddings(tmp_path / "export")
        assert [part.page for part in parts_of(new)["pages.tif"]] == [10, 11, 12, 13]


def test_a_picture_with_parts_that_are_not_embedded_is_exported_by_its_cover(catalog, photos, tmp_path):
    (hit,) = catalog.search("type:tiff")
    store = catalog._session.store
    stored = dict(store.reader.parts.of_contents([hit.content_id]))[hit.content_id]
    with store._database.write() as connection:  # a repair would delete that of the cover as well
        connection.exec_driver_sql(f"DELETE FROM image_embeddings WHERE part_id = {stored[2][0]}")
    assert catalog.export(tmp_path / "export").pictures == 7
    with open_catalog(tmp_path / "other") as other:
        other.import_embeddings(tmp_path / "export")
        assert other.pictures.parts(other.search("type:tiff")[0].content_id) == ()


def test_a_part_without_direction_leaves_its_picture_out(catalog, photos, tmp_path):
    report = catalog.export(tmp_path / "export")
    path = tmp_path / "export" / "img_emb" / "img_emb_0.npy"
    vectors = np.load(path)
    (table,) = [pq.read_table(each).to_pylist() for each in rows_of(tmp_path / "export")]
    number = next(number for number, row in enumerate(table) if row["part"] and '"number":2' in row["part"])
    count = json.loads(table[number]["part"])["count"]
    vectors[number] = 0
    np.save(path, vectors)
    with open_catalog(tmp_path / "other") as other:
        done = other.import_embeddings(tmp_path / "export")
        assert (done.broken, done.added) == (count, report.embeddings - count)
        assert other.index(photos).embedded == 1


def rows_of(folder: Path) -> list[Path]:
    return sorted((folder / "metadata").iterdir())


def change_parts(path: Path, change) -> None:
    table = pq.read_table(path)
    parts = [text and json.dumps(change(json.loads(text))) for text in table["part"].to_pylist()]
    pq.write_table(table.set_column(table.schema.get_field_index("part"), "part", [parts]), path)


@pytest.mark.parametrize(
    "change",
    [
        lambda part: part | {"count": part["count"] + 1},
        lambda part: part | {"count": part["count"] - 1},
        lambda part: part | {"count": MOST_PARTS + 1},
        lambda part: part | {"number": part["number"] + 1},
        lambda part: part | {"number": 0},
        lambda part: part | {"number": -1},
        lambda part: part | {"number": True},
        lambda part: part | {"number": "0"},
        lambda part: part | {"kind": "other"},
        lambda part: part | {"page": 0},
        lambda part: part | {"box": [0, 0, 2, 1]},
        lambda part: part | {"start_s": float("nan")},
        lambda part: part | {"more": 1},
        lambda part: {"number": part["number"], "count": part["count"]},
        lambda part: [part],
        lambda part: "x" * 1000,
        lambda part: 3,
    ],
)
def test_parts_that_make_no_sense_are_refused_in_one_line(catalog, tmp_path, change):
    catalog.export(tmp_path / "export")
    for path in rows_of(tmp_path / "export"):
        change_parts(path, change)
    with open_catalog(tmp_path / "other") as other, pytest.raises(InputError) as raised:
        other.import_embeddings(tmp_path / "export")
    assert "part" in str(raised.value) and len(str(raised.value).splitlines()) == 1


def test_rows_out_of_order_are_refused(catalog, tmp_path):
    catalog.export(tmp_path / "export")
    (path,) = rows_of(tmp_path / "export")
    table = pq.read_table(path)
    pq.write_table(table.take(list(reversed(range(table.num_rows)))), path)
    with open_catalog(tmp_path / "other") as other, pytest.raises(InputError, match="incomplete or out of order"):
        other.import_embeddings(tmp_path / "export")


@pytest.mark.parametrize("text", ["", "{", "null", "[" * 399, '"a"', "{}", '{"number":0,"count":0}'])
def test_a_description_that_is_none(text):
    with pytest.raises(ValueError, match=r"part|JSON|Expecting"):
        unpack_part(text)


@pytest.mark.parametrize(
    "row",
    [
        None,
        ExportedPart(0, 1, None),
        ExportedPart(0, 2, Part("page", page=1)),
        ExportedPart(599, 600, Part("crop", box=(0.1 + 0.2, 1 / 3, 0.99999999999999, 0.9999999999999999))),
        ExportedPart(3, 4, Part("scene", start_s=1e-300, end_s=9999999.999999998)),
    ],
)
def test_a_description_is_read_as_it_was_written(row):
    text = pack_part(row)
    assert unpack_part(text) == row


def test_an_export_of_a_former_version_is_imported(catalog, photos, tmp_path):
    catalog.export(tmp_path / "export")
    for path in rows_of(tmp_path / "export"):
        table = pq.read_table(path)
        covers = [row["part"] is None or '"number":0' in row["part"] for row in table.to_pylist()]
        pq.write_table(table.filter(pa.array(covers)).drop_columns(["part", "duration_s"]), path)
        vectors = np.load(tmp_path / "export" / "img_emb" / "img_emb_0.npy")
        np.save(tmp_path / "export" / "img_emb" / "img_emb_0.npy", vectors[covers])
    described = tmp_path / "export" / "clipsearch.json"
    described.write_text(json.dumps(json.loads(described.read_text()) | {"pictures": 7}))
    with open_catalog(tmp_path / "other") as other:
        done = other.import_embeddings(tmp_path / "export", roots=[photos])
        assert (done.added, done.rows) == (7, 7)
        assert {tuple(parts) for parts in parts_of(other).values()} == {()}
