"""Parts in damaged catalogs: one finding each, repaired, and found again by the next index run."""

import contextlib
import sqlite3

import pytest
from PIL import Image

from clipsearch import CheckReport, check_catalog
from clipsearch.cli import run
from clipsearch.parts import MAX_DESCRIPTION, MOST_PARTS
from tests.support.catalog_place import Place

PAGES = ("red", "lime", "blue", "yellow")


@pytest.fixture
def parted(place) -> Place:
    """Two documents of four pages, a long picture with its crops, and two squares."""
    place.paint("red")
    place.paint("green")
    for name, colours in (("first", PAGES), ("second", PAGES[::-1])):
        cover, *others = [Image.new("RGB", (40, 30), colour) for colour in colours]
        cover.save(place.photos / f"{name}.tif", save_all=True, append_images=others)
    image = Image.new("RGB", (1600, 200), "blue")
    image.paste("red", (0, 0, 200, 200))
    image.save(place.photos / "long.png")
    place.index()
    return place


def sql(place: Place, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(place.database)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def hits(place: Place) -> list[tuple]:
    with place.open() as catalog:
        return [
            (hit.path, hit.part, round(hit.score, 3))
            for word in ("red", "blue", "yellow")
            for hit in catalog.search(word, top_k=100)
        ]


def errors(report: CheckReport) -> list[str]:
    return [finding.message for finding in report.findings if finding.severity == "error"]


OF_FIRST = "(SELECT min(content_id) FROM parts)"
OF_LAST = "(SELECT max(content_id) FROM parts)"
FIRST_ID = f"(SELECT first_part_id FROM parts WHERE content_id = {OF_FIRST})"

DAMAGE = {
    "parts of no content": (["INSERT INTO parts VALUES (900, 800, 0, '[null]')"], "refers to missing contents"),
    "embeddings of parts without a row": ([f"DELETE FROM parts WHERE content_id = {OF_FIRST}"], "missing contents"),
    "overlapping ids": (
        [f"UPDATE parts SET first_part_id = {FIRST_ID} + 1 WHERE content_id = {OF_LAST}"],
        "ids of other pictures",
    ),
    "ids of contents": ([f"UPDATE parts SET first_part_id = 1 WHERE content_id = {OF_FIRST}"], "ids of other pictures"),
    "a part without an embedding": (
        [f"DELETE FROM image_embeddings WHERE part_id = {FIRST_ID} + 1"],
        "parts without an embedding",
    ),
    "a broken embedding": (
        [f"UPDATE image_embeddings SET embedding = x'0000000000000000' WHERE part_id = {FIRST_ID} + 1"],
        "not a unit-norm row",
    ),
    "no embedding of a part": (
        [f"DELETE FROM image_embeddings WHERE part_id >= {FIRST_ID} AND part_id < {FIRST_ID} + 3"],
        "parts without an embedding",
    ),
}
for name, column, value in (
    ("a negative number", "part_count", "-1"),
    ("a huge number", "part_count", str(1 << 62)),
    ("a count as text", "part_count", "'x'"),
    ("a first id below all", "first_part_id", "0"),
    ("a first id beyond all", "first_part_id", str(1 << 62)),
    ("a first id as text", "first_part_id", "'x'"),
    ("a longer description", "described", "json_insert(described, '$[#]', NULL)"),
    ("a shorter description", "described", "'[null]'"),
    ("not JSON", "described", "'['"),
    ("deep JSON", "described", f"'{'[' * 50_000}'"),
    ("another kind", "described", "replace(described, 'page', 'film')"),
    ("bytes", "described", "x'00ff'"),
    ("too many parts", "described", f"'[{','.join(['null'] * (MOST_PARTS + 1))}]'"),
    ("a long text", "described", f"'{'[' + ' ' * (MAX_DESCRIPTION + 1)}'"),
):
    DAMAGE[name] = ([f"UPDATE parts SET {column} = {value} WHERE content_id = {OF_FIRST}"], "invalid values")


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_one_finding_and_repaired(parted, kind, capfd):
    before = hits(parted)
    statements, message = DAMAGE[kind]
    sql(parted, *statements)
    (found,) = errors(check_catalog(parted.catalog, full=True))
    assert message in found
    for command in (["query", "red"], ["dupes"], ["status"], ["cluster", "-n", "2"], ["label"], ["reindex"]):
        assert run([*command, "--catalog", str(parted.catalog)]) in (0, 1), command
        assert len(capfd.readouterr().err.splitlines()) <= 1
    report = check_catalog(parted.catalog, full=True, fix=True)
    assert report.is_sound, report.findings
    assert errors(check_catalog(parted.catalog, full=True)) == []
    parted.index()
    if kind != "embeddings of parts without a row":  # nothing tells that the picture had parts
        assert hits(parted) == before
    assert check_catalog(parted.catalog, full=True).findings == ()


def test_a_sound_catalog_with_parts(parted):
    report = check_catalog(parted.catalog, full=True)
    assert report.findings == ()
    assert report.stored_embeddings == report.checked_embeddings == report.index_rows > 5 + 2 * 3


def test_what_is_saved_of_a_damaged_file_has_its_parts(parted):
    before = hits(parted)
    content = bytearray(parted.database.read_bytes())
    with contextlib.closing(sqlite3.connect(parted.database)) as connection:
        ((page,),) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'captions'")
    content[(page - 1) * 4096 : page * 4096] = b"\x55" * 4096
    parted.database.write_bytes(content)
    report = check_catalog(parted.catalog, full=True, fix=True)
    assert report.is_sound
    assert report.saved_rows["parts"] == 3
    assert hits(parted) == before


def test_a_backup_has_the_parts(parted, tmp_path):
    before = hits(parted)
    with parted.open() as catalog:
        catalog.admin.backup(tmp_path / "backup")
    sql(parted, "DELETE FROM parts")
    assert run(["restore", str(tmp_path / "backup"), "--catalog", str(parted.catalog)]) == 0
    assert hits(parted) == before
