"""What one process knows of a run in another, over each kind of database."""

import subprocess
import sys
from dataclasses import replace

import pytest

from clipsearch.store import Store, utc_now
from clipsearch.types import IndexReport

REPORT = IndexReport(
    found=9, embedded=5, reused=1, unchanged=0, removed=0, skipped=(), unsupported={}, seconds=2.0, model="m"
)

KILLED = """
import sys
from clipsearch.paths import catalog_place
from clipsearch.store import Store, utc_now
store = Store(catalog_place(sys.argv[1]))
with store.writing(alone=False):
    run_id = store.runs.begin(model_id=int(sys.argv[2]), started_at=utc_now())
    store.runs.note(run_id, embedded=3, reused=1, skipped=2, to_do=40, seconds=1.5)
    print("begun", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def model_id(store: Store) -> int:
    return store.models.add(name="m", fingerprint="ab" * 32, dim=4).model_id


def test_a_run_is_told_of_while_it_goes_on_and_as_the_last_one_when_it_has_ended(store, model_id):
    assert store.runs.find_current(is_writing=True) is None
    first = store.runs.begin(model_id=model_id, started_at=utc_now())
    store.runs.note(first, embedded=2, reused=1, skipped=1, to_do=7, seconds=0.5)
    current = store.runs.find_current(is_writing=True)
    assert (current.done, current.to_do) == (4, 7)
    assert store.runs.find_last(is_writing=True) is None
    store.runs.end(first, REPORT)
    assert not store.runs.has_open()
    assert store.runs.find_current(is_writing=True) is None
    second = store.runs.begin(model_id=model_id, started_at=utc_now())
    assert store.runs.find_last(is_writing=True).embedded == 5
    store.runs.end(second, REPORT)


def test_a_run_whose_process_was_killed_is_told_as_interrupted(make_store):
    store = make_store()
    model_id = store.models.add(name="m", fingerprint="ab" * 32, dim=4).model_id
    place = store.place.server or str(store.place.directory)
    code = [sys.executable, "-c", KILLED, place, str(model_id)]
    with subprocess.Popen(code, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "begun\n"
        assert store.is_being_written()
        assert store.runs.find_current(is_writing=store.is_being_written()).to_do == 40
        process.kill()
        process.wait()
    while store.is_being_written():  # a server notices a moment later
        pass
    assert store.runs.find_current(is_writing=False) is None
    last = store.runs.find_last(is_writing=False)
    assert (last.embedded, last.seconds, last.finished) == (3, 1.5, False)


def test_what_was_passed_over_is_kept_and_not_trusted(store, model_id):
    def stored(text: str) -> dict[str, int]:
        run_id = store.runs.begin(model_id=model_id, started_at=utc_now())
        store.runs.end(run_id, replace(REPORT, unsupported={".cr2": 8}))
        if text:
            store.runs.note(run_id, unsupported=text)
        return store.runs.find_last().unsupported

    assert stored("") == {".cr2": 8}
    assert stored('{".cr2": 3, ".mov": "many", ".svg": -1, ".x": true}') == {".cr2": 3}
    for text in ("[1]", "{", "[" * 9_000, '{"a": 1}' + " " * 20_000):
        assert stored(text) == {}


def test_who_may_write_alone_knows_that_others_have_ended(store, model_id):
    killed = store.runs.begin(model_id=model_id, started_at=utc_now())
    store.runs.note(killed, embedded=3, to_do=40)
    new = store.runs.begin(model_id=model_id, started_at=utc_now())
    current = store.runs.find_current(is_writing=True)
    assert (current.done, current.to_do) == (0, 0)
    store.runs.end(new, REPORT)
    if store.place.server is None:
        assert not store.runs.has_open()
        assert store.runs.find_last().embedded == 5


def test_asking_who_writes_stands_in_nobodys_way(store):
    assert not store.is_being_written()
    with store.writing():
        assert store.is_being_written()
    assert not store.is_being_written()
    with Store(store.place) as other:
        with store.writing():
            assert other.is_being_written()
        assert not other.is_being_written()


def test_only_the_last_runs_are_kept(store, model_id, monkeypatch):
    monkeypatch.setattr("clipsearch.store.runs._KEPT_RUNS", 3)
    for _ in range(6):
        store.runs.end(store.runs.begin(model_id=model_id, started_at=utc_now()), REPORT)
    assert len(store.connection.rows("SELECT run_id FROM runs")) == 3
    assert store.runs.find_last().embedded == 5
