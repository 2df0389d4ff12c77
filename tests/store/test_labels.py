"""Sets of labels in the catalog, through damage too."""

import sqlite3
from contextlib import closing

from clipsearch.maintenance.doctor import check_catalog
from clipsearch.store import Store
from clipsearch.store.backends.connection import DATABASE_NAME
from clipsearch.store.recovery.salvage import salvage


def test_sets_are_replaced_counted_and_forgotten(store):
    store.labels.set("pets", ["cat", "dog", "été"])
    store.labels.set("birds", ["owl"])
    store.labels.set("pets", ["cat", "hamster (small)"])
    assert store.labels.counts() == {"birds": 1, "pets": 2}
    assert store.labels.find("pets") == ["cat", "hamster (small)"]
    assert (store.labels.remove("birds"), store.labels.remove("birds")) == (True, False)
    assert store.labels.find("birds") is None


def test_they_survive_what_saves_the_rest(tmp_path):
    store = Store(tmp_path / "old", create=True)
    store.labels.set("pets", ["cat", "dog"])
    store.captions.add(["a cat"])
    store.close()
    (tmp_path / "fresh").touch()
    assert salvage(tmp_path / "old" / DATABASE_NAME, tmp_path / "fresh")["label_sets"] == 1
    with closing(sqlite3.connect(tmp_path / "fresh")) as connection:
        assert connection.execute("SELECT name, labels FROM label_sets").fetchall() == [("pets", "cat\ndog")]


def test_one_that_is_no_text_any_more_is_found_and_deleted(tmp_path):
    store = Store(tmp_path, create=True)
    store.labels.set("pets", ["cat"])
    store.labels.set("birds", ["owl"])
    store.close()
    with closing(sqlite3.connect(tmp_path / DATABASE_NAME)) as connection:
        connection.execute("UPDATE label_sets SET labels = CAST(X'63FF' AS TEXT) WHERE name = 'pets'")
        connection.commit()
    assert not check_catalog(tmp_path).is_sound
    assert check_catalog(tmp_path, fix=True).is_sound
    store = Store(tmp_path)
    assert store.labels.counts() == {"birds": 1}
    store.close()
