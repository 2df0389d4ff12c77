"""Rows of stacks: read, repaired in a damaged database, and saved from one."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from clipsearch.errors import StoreError
from clipsearch.store import ContentRecord, FileRecord, Store
from clipsearch.store.backends.connection import DATABASE_NAME
from clipsearch.store.recovery.integrity import check_values
from clipsearch.store.recovery.row_repair import repair_rows
from clipsearch.store.recovery.salvage import salvage
from clipsearch.store.stack_rows import stem_of
from clipsearch.types import ImageMetadata
from tests.support.embedding_rows import unit_rows


def fill(store: Store, count: int = 5) -> None:
    """Contents 1 to `count`, the later ones sharper; 1, 2 and 3 are a stack."""
    rows = unit_rows(count)
    model_id = store.models.add(name="m", fingerprint="ab" * 32, dim=rows.shape[1]).model_id
    root_id = store.roots.add("/photos").root_id
    contents = [
        ContentRecord(bytes([number]) * 32, 10, ImageMetadata(4, 3, "JPEG", sharpness=number), row)
        for number, row in enumerate(rows, start=1)
    ]
    files = [FileRecord(root_id, f"{each.blake3[0]}.jpg", 10, 5, each.blake3) for each in contents]
    store.pictures.record(contents, files, model_id=model_id)
    _, last = store.reader.stacks.state()
    store.stacks.replace({1: 2, 2: 2, 3: 2}, of=None, seen=last)


def damage(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def test_members_are_listed_the_best_first_by_any_of_them(store):
    assert not store.reader.stacks.has_any()
    fill(store)
    reader = store.reader.stacks
    assert reader.has_any()
    # The best is the one that was stored as that; the others follow by sharpness.
    assert reader.of_contents([3, 1, 5]) == {3: (2, 3, 1), 1: (2, 3, 1)}
    assert reader.stack_ids([1, 4]) == {1: 2}


def test_only_contents_whose_stack_is_another_now_are_touched(store):
    fill(store)
    _, last = store.reader.stacks.state()
    assert store.stacks.replace({1: 2, 2: 2, 3: 2}, of=[1, 2, 3, 4], seen=last) == 0
    assert store.reader.stacks.state() == (last, last)
    assert store.stacks.replace({1: 2, 2: 2}, of=[1, 2, 3], seen=last) == 1
    assert store.column_rows.changed_after(last) == [3]
    assert store.reader.stacks.state() == (last + 1, last + 1)


def test_what_changes_while_stacks_are_found_is_looked_at_by_the_next_run(store):
    fill(store)
    _, last = store.reader.stacks.state()
    store.pictures.remove_files([5])  # another writer
    assert store.stacks.replace({}, of=None, seen=last) == 3
    seen, newest = store.reader.stacks.state()
    assert seen == last < newest


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE stack_members SET stack_id = 'many' WHERE content_id = 1",
        "UPDATE stack_members SET stack_id = -4 WHERE content_id = 1",
        "INSERT INTO stack_members VALUES (77, 2)",
    ],
)
def test_damaged_rows_are_repaired_and_all_is_looked_at_again(tmp_path, statement):
    with Store(tmp_path, create=True) as store:
        fill(store)
    damage(tmp_path / DATABASE_NAME, statement)
    if "77" not in statement:
        with pytest.raises(StoreError, match="stack_members"):
            check_values(tmp_path / DATABASE_NAME)
        with (
            Store(tmp_path) as store,
            pytest.raises(StoreError, match="the stack of picture 1 is damaged"),
        ):
            store.reader.stacks.of_contents([1])
    repair_rows(tmp_path / DATABASE_NAME)
    check_values(tmp_path / DATABASE_NAME)
    with Store(tmp_path) as store:
        assert set(store.reader.stacks.all_stack_ids()) <= {1, 2, 3}
        assert store.reader.stacks.state()[0] is None


def test_stacks_of_a_damaged_catalog_are_saved(tmp_path):
    with Store(tmp_path / "old", create=True) as store:
        fill(store)
    fresh = tmp_path / "fresh.sqlite3"
    fresh.touch()
    assert salvage(tmp_path / "old" / DATABASE_NAME, fresh)["stack_members"] == 3


@pytest.mark.parametrize(
    ("path", "stem"),
    [
        (b"a/b.jpg", b"a/b"),
        (b"a.b/c", b"a.b/c"),
        (b".hidden", b".hidden"),
        (b"IMG.CR2.jpg", b"IMG.CR2"),
        (b"a/.x.jpg", b"a/.x"),
    ],
)
def test_stems_of_paths(path, stem):
    assert stem_of(path) == stem
