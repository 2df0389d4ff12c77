"""A command that could do nothing leaves no catalog behind; what holds anything, or is in use, stays."""

from pathlib import Path

import pytest

from clipsearch import Catalog
from clipsearch.cli import run
from clipsearch.paths import catalog_place, sample_data_folder
from clipsearch.store import Store

FOOD = str(sample_data_folder() / "food")

FAILING = {
    "no such folder": ["index", "/no/such/folder"],
    "a file, not a folder": ["index", FOOD + "/donut.png"],
    "nothing indexed before": ["index"],
    "no such model": ["index", FOOD, "--model", "./none"],
    "a model that is not here": ["index", FOOD, "--model", "org/none"],
    "no such index": ["index", FOOD, "--index", "nonsense"],
    "no such cells": ["index", FOOD, "--ann", "nonsense"],
    "no such runner": ["index", FOOD, "--runner", "nobody"],
    "model use": ["model", "use", "org/none"],
    "captions": ["captions", "add", "/no/captions.txt"],
    "captions, model": ["captions", "add", str(sample_data_folder() / "captions.jsonl"), "--model", "org/none"],
    "labels": ["labels", "add", "/no/labels.txt"],
    "import": ["import-embeddings", "/no/such/export"],
    "restore": ["restore", "/no/such/backup"],
    "serve": ["serve", "--token", "short"],
    "demo": ["demo", "--model", "org/none"],
}


@pytest.mark.parametrize("command", FAILING)
@pytest.mark.parametrize("is_there", [False, True])
def test_a_command_that_fails_leaves_no_catalog(command, is_there, tmp_path, capfd):
    place = tmp_path / "new" / "catalog"
    if is_there:
        place.mkdir(parents=True)
        (place / "letter.txt").write_text("mine")
    assert run([*FAILING[command], "--catalog", str(place)]) != 0
    left = [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*"))]
    assert left == (["new", "new/catalog", "new/catalog/letter.txt"] if is_there else [])


@pytest.mark.parametrize("command", [name for name in FAILING if name not in ("restore", "serve", "demo")])
def test_a_command_that_fails_leaves_no_tables_on_a_server(command, postgres):
    url = postgres.make_database()
    assert run([*FAILING[command], "--catalog", url]) != 0
    assert objects_of(url) == []


def test_tables_that_hold_something_or_are_in_use_stay_on_a_server(postgres, colours):
    filled, used, empty = (postgres.make_database() for _ in range(3))
    with pytest.raises(ValueError), Catalog.open(filled, model="colours", create=True) as catalog:
        catalog.captions.add("red")
        raise ValueError
    with pytest.raises(ValueError), Catalog.open(used, create=True):
        other = Catalog.open(used, model="colours", create=True)
        raise ValueError
    with other:
        other.captions.add("red")
    Catalog.open(empty, create=True).close()
    with pytest.raises(ValueError), Catalog.open(empty, create=True):
        raise ValueError
    assert all("files" in objects_of(url) for url in (filled, used, empty))


def test_tables_can_be_made_again_where_they_were_discarded(postgres, colours):
    url = postgres.make_database()
    for _ in range(2):
        with pytest.raises(ValueError), Catalog.open(url, create=True):
            raise ValueError
    with Catalog.open(url, model="colours", create=True) as catalog:
        catalog.captions.add("red")
        assert catalog.captions.list() == ["red"]


def objects_of(url: str) -> list[str]:
    """Tables, indexes and functions of a database, other than the server's own."""
    import psycopg

    with psycopg.connect(catalog_place(url).server or "") as connection:
        rows = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace UNION ALL "
            "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
        ).fetchall()
    return [row[0] for row in rows]


def test_ctrl_c_before_anything_was_done_leaves_none(tmp_path):
    with pytest.raises(KeyboardInterrupt), Catalog.open(tmp_path / "new" / "catalog", create=True):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_restore_that_fails_in_the_middle_leaves_none(tmp_path):
    (tmp_path / "backup").write_bytes(b"no database")
    assert run(["restore", str(tmp_path / "backup"), "--catalog", str(tmp_path / "new" / "catalog")]) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["backup"]


def test_what_holds_something_stays(tmp_path, colours):
    with pytest.raises(ValueError), Catalog.open(tmp_path / "catalog", model="colours", create=True) as catalog:
        catalog.captions.add("red")
        raise ValueError
    with Catalog.open(tmp_path / "catalog") as catalog:
        assert catalog.captions.list() == ["red"]


def test_one_that_was_there_stays_though_it_is_empty(tmp_path):
    with Catalog.open(tmp_path / "catalog", create=True):
        pass
    with pytest.raises(ValueError), Catalog.open(tmp_path / "catalog", create=True):
        raise ValueError
    with Catalog.open(tmp_path / "catalog") as catalog:
        assert catalog.admin.status().files == 0


def test_one_that_somebody_else_has_opened_meanwhile_stays(tmp_path, colours):
    with pytest.raises(ValueError), Catalog.open(tmp_path / "catalog", create=True):
        other = Catalog.open(tmp_path / "catalog", model="colours", create=True)
        raise ValueError
    with other:
        other.captions.add("red")
    with Catalog.open(tmp_path / "catalog") as catalog:
        assert catalog.captions.list() == ["red"]


def test_one_that_somebody_else_is_changing_stays(tmp_path):
    with Store(tmp_path / "catalog", create=True) as made:
        pass
    with Store(tmp_path / "catalog") as other, other.writing():
        made.discard_if_empty()
    assert Path(tmp_path / "catalog" / "catalog.sqlite3").exists()
    made.discard_if_empty()
    assert list(tmp_path.iterdir()) == []
