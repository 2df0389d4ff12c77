"""Parts of contents in SQL: their ids, their embeddings, and what becomes of them."""

import numpy as np
import pytest
from alembic import command
from sqlalchemy import create_engine
from sqlalchemy import text as sql

from clipsearch.columns.table import Columns
from clipsearch.errors import StoreError
from clipsearch.parts import MAX_DESCRIPTION, Part
from clipsearch.session.columns import read_segment
from clipsearch.store import ContentRecord, FileRecord, Store
from clipsearch.store.backends.connection import DATABASE_NAME
from clipsearch.store.backends.postgres import connect
from clipsearch.store.migrate import alembic_config
from clipsearch.store.recovery.integrity import Inspection
from clipsearch.types import ImageMetadata
from clipsearch.vectors import normalise

PAGES = tuple(Part("page", page=number) for number in (1, 2, 3))
CROPS = (None, Part("crop", box=(0.0, 0.0, 0.5, 0.5)))


@pytest.fixture
def model_id(store):
    return store.models.add(name="m", fingerprint="ab" * 32, dim=4).model_id


@pytest.fixture
def root_id(store):
    return store.roots.add("/photos").root_id


def rows_of(*numbers: int) -> np.ndarray:
    return normalise(np.array([[number, 1, 2, 3] for number in numbers], dtype=np.float32))


def content(number: int, parts: tuple[Part | None, ...] = ()) -> ContentRecord:
    others = rows_of(*(10 * number + place for place in range(1, len(parts)))) if len(parts) > 1 else None
    return ContentRecord(bytes([number]) * 32, 10, ImageMetadata(4, 3, "PDF"), rows_of(number)[0], parts, others)


def record(store, root_id, model_id, *contents: ContentRecord) -> None:
    files = [FileRecord(root_id, f"{each.blake3[0]}.pdf", 10, 5, each.blake3) for each in contents]
    store.pictures.record(contents, files, model_id=model_id)


def indexed(store, model_id) -> list[int]:
    return [number for rows in store.reader.rows_after("images", model_id=model_id, dim=4) for number in rows.ids]


def test_parts_have_ids_that_no_content_has(store, root_id, model_id):
    record(store, root_id, model_id, content(1), content(2, PAGES))
    record(store, root_id, model_id, content(3), content(4, PAGES), content(5))
    assert len(set(indexed(store, model_id))) == 5 + 2 + 2
    found = store.reader.parts.find(indexed(store, model_id))
    pages: dict[int, list[int]] = {}
    for owner, part in found.values():
        pages.setdefault(owner, []).append(part.page)
    assert sorted(map(sorted, pages.values())) == [[1, 2, 3], [1, 2, 3]]
    for owner, number in zip(sorted(pages), (2, 4), strict=True):
        assert found[owner] == (owner, PAGES[0])
        for place, (part_id, part) in enumerate(store.reader.parts.of_contents([owner])[owner]):
            row = store.reader.embeddings([part_id], model_id=model_id, dim=4)[part_id]
            expected = rows_of(number if place == 0 else 10 * number + place)[0]
            np.testing.assert_allclose(row, expected, atol=1e-3)
            assert part == PAGES[place]


def test_a_catalog_of_whole_pictures_has_no_row_of_parts(store, root_id, model_id):
    record(store, root_id, model_id, content(1), content(2))
    assert not store.reader.parts.has_any()
    assert store.reader.parts.find([1, 2, 99]) == {}


def test_parts_that_are_recorded_again_keep_their_ids(store, root_id, model_id):
    record(store, root_id, model_id, content(1, PAGES))
    before = indexed(store, model_id)
    record(store, root_id, model_id, content(1, PAGES))
    assert indexed(store, model_id) == before


def test_another_model_embeds_the_same_parts(store, root_id, model_id):
    record(store, root_id, model_id, content(1, PAGES))
    other = store.models.add(name="n", fingerprint="cd" * 32, dim=4).model_id
    record(store, root_id, other, content(1, PAGES))
    assert indexed(store, other) == indexed(store, model_id)
    assert [model.images for model in store.models.list_all()] == [1, 1]


def test_other_parts_replace_those_that_were_there(store, root_id, model_id):
    record(store, root_id, model_id, content(1, PAGES), content(2))
    generation = store.reader.find_model(model_id).image_generation
    former = set(indexed(store, model_id))
    record(store, root_id, model_id, content(1, PAGES[:2]))
    left = set(indexed(store, model_id))
    assert len(left) == 3
    assert len(left & former) == 2  # the two covers
    assert store.reader.find_model(model_id).image_generation > generation
    (parts,) = store.reader.parts.of_contents([1, 2]).values()
    assert [part for _, part in parts] == list(PAGES[:2])


def test_crops_are_added_to_a_picture_that_was_whole(store, root_id, model_id):
    record(store, root_id, model_id, content(1))
    assert store.pictures.contents_without_parts(model_id=model_id) == {1}
    generation = store.reader.find_model(model_id).image_generation
    record(store, root_id, model_id, content(1, CROPS))
    assert len(indexed(store, model_id)) == 2
    assert store.reader.find_model(model_id).image_generation == generation  # nothing in an index is stale
    assert store.pictures.contents_without_parts(model_id=model_id) == set()
    digest = content(1).blake3
    assert store.pictures.with_embedding([digest], model_id=model_id, detail=True) == {digest}
    other = store.models.add(name="n", fingerprint="cd" * 32, dim=4).model_id
    assert store.pictures.contents_without_parts(model_id=other) == {1}


def test_a_picture_too_small_for_crops_is_known_as_that(store, root_id, model_id):
    record(store, root_id, model_id, content(1, (None,)))
    assert store.pictures.contents_without_parts(model_id=model_id) == set()
    assert indexed(store, model_id) == [1]
    assert store.reader.parts.find([1])[1].part is None


def test_filters_select_all_parts(store, root_id, model_id):
    record(store, root_id, model_id, content(1, PAGES), content(2), content(3, PAGES))
    columns = Columns([read_segment(store)[0]])
    assert set(columns.select(()).ids.tolist()) == set(indexed(store, model_id))
    assert columns.select_ids(()).tolist() == sorted(
        store.pictures.find_contents([content(n).blake3 for n in (1, 2, 3)]).values()
    )
    assert columns.count() == 3


def test_garbage_takes_the_parts_along(store, root_id, model_id):
    record(store, root_id, model_id, content(1, PAGES), content(2, PAGES))
    gone = next(
        file_id
        for file_id, path in store.pictures.files_besides(store.roots.list_all()[0], bytearray(9)).items()
        if path == "1.pdf"
    )
    store.pictures.remove_files([gone])
    report = store.garbage.delete()
    assert (report.pictures, report.embeddings) == (1, 3)
    assert len(indexed(store, model_id)) == 3
    assert set(indexed(store, model_id)) == {
        number for number, _ in next(iter(store.reader.parts.of_contents([1, 2, 3, 4, 5, 6]).values()))
    }


def test_a_sequence_that_lags_behind_gives_no_id_twice(store, root_id, model_id):
    if store._database.is_server:
        pytest.skip("a server's sequence is never behind")
    record(store, root_id, model_id, content(1, PAGES))
    with store._database.write() as connection:
        connection.execute(sql("UPDATE sqlite_sequence SET seq = 1 WHERE name = 'contents'"))
    record(store, root_id, model_id, content(9, PAGES))
    numbers = indexed(store, model_id)
    assert len(set(numbers)) == len(numbers)


def set_parts(store, values: str, **named: object) -> None:
    with store._database.write() as connection:
        connection.execute(sql(f"UPDATE parts SET {values} WHERE content_id = 1"), named)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ("described = :text", {"text": "[null]"}),
        ("described = :text", {"text": "["}),
        ("described = :text", {"text": " " * (MAX_DESCRIPTION + 1)}),
        ("part_count = :number", {"number": 2_000_000_000}),
        ("part_count = :number", {"number": -1}),
        ("first_part_id = :number", {"number": 0}),
        ("first_part_id = :number", {"number": 1 << 62}),
    ],
)
def test_invalid_parts_are_found_and_their_pictures_embedded_again(store, root_id, model_id, values, named):
    record(store, root_id, model_id, content(1, PAGES), content(2, PAGES), content(3))
    set_parts(store, values, **named)
    inspection = Inspection(store.connection)
    assert inspection.invalid_parts() == [1]
    assert inspection.find_invalid() == {"parts": 1}
    generation = store.reader.find_model(model_id).image_generation
    store.embeddings.repair_parts([1])
    assert store.reader.find_model(model_id).image_generation > generation
    assert inspection.invalid_parts() == []
    assert store.pictures.contents_without_embedding(model_id=model_id) == {1}
    record(store, root_id, model_id, content(1, PAGES))
    assert len(indexed(store, model_id)) == 7
    assert inspection.count_incomplete_parts() == inspection.count_misplaced_parts() == 0


@pytest.mark.parametrize(
    "first", ["1", "3", "(SELECT max(first_part_id) + 1 FROM parts)", "(SELECT max(first_part_id) - 1 FROM parts)"]
)
def test_ids_of_other_pictures_are_found(store, root_id, model_id, first):
    record(store, root_id, model_id, content(1, PAGES), content(2, PAGES), content(3))
    inspection = Inspection(store.connection)
    assert inspection.count_misplaced_parts() == 0
    set_parts(store, f"first_part_id = {first}")
    assert inspection.count_misplaced_parts() > 0
    store.embeddings.repair_parts(inspection.invalid_parts())
    assert inspection.count_misplaced_parts() == inspection.count_incomplete_parts() == 0
    assert 1 in store.pictures.contents_without_embedding(model_id=model_id)
    record(store, root_id, model_id, content(1, PAGES), content(2, PAGES))
    assert len(indexed(store, model_id)) == 7


def test_a_broken_embedding_of_a_part_takes_that_of_its_cover_along(store, root_id, model_id):
    record(store, root_id, model_id, content(1, PAGES), content(2, PAGES))
    inspection = Inspection(store.connection)
    (parts,) = store.reader.parts.of_contents([1]).values()
    numbers, owners = inspection.embedding_ids("images", model_id=model_id)
    store.embeddings.delete("images", numbers[owners == parts[1][0]].tolist())
    assert store.pictures.contents_without_embedding(model_id=model_id) == {1}
    record(store, root_id, model_id, content(1, PAGES))
    assert inspection.count_incomplete_parts() == 0
    assert [part for _, part in store.reader.parts.of_contents([1])[1]] == list(PAGES)


@pytest.mark.migrates
def test_a_downgrade_keeps_the_covers(make_store):
    store = make_store()
    model = store.models.add(name="m", fingerprint="ab" * 32, dim=4).model_id
    record(store, store.roots.add("/photos").root_id, model, content(1, PAGES), content(2))
    place = store.place
    store.close()
    if place.server is None:
        engine = create_engine(f"sqlite:///{place.directory / DATABASE_NAME}")
    else:
        engine = create_engine("postgresql+psycopg://", creator=lambda: connect(place, autocommit=False))
    config = alembic_config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0010")
    engine.dispose()
    with Store(place) as upgraded:
        assert sorted(indexed(upgraded, model)) == [1, 2]
        assert not upgraded.reader.parts.has_any()
        assert upgraded.pictures.contents_without_parts(model_id=model) == {1, 2}
        record(upgraded, upgraded.roots.list_all()[0].root_id, model, content(1, PAGES), content(3))
        numbers = indexed(upgraded, model)
        assert len(set(numbers)) == len(numbers) == 5
        assert Inspection(upgraded.connection).count_misplaced_parts() == 0


@pytest.mark.parametrize("described", ["", "[null]", "[null,null,null,null]", '[{"kind":"page"},null,null]'])
def test_damaged_parts_are_an_error_in_one_line(store, root_id, model_id, described):
    record(store, root_id, model_id, content(1, PAGES))
    with store._database.write() as connection:
        connection.execute(sql("UPDATE parts SET described = :value"), {"value": described})
    with pytest.raises(StoreError, match="the parts of picture 1 are damaged"):
        store.reader.parts.find([1])
