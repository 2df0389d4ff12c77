"""Several processes at one catalog: the real command, one writer, many readers."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest

from clipsearch import Catalog, CatalogBusyError
from clipsearch.store import Store
from tests.faults.checks import squares
from tests.faults.programs import start_index
from tests.support.child_processes import await_worker, needs_proc

COMMAND = [sys.executable, "-m", "clipsearch"]
LIMIT_S = 120


@needs_proc
def test_ctrl_c_while_workers_start_ends_the_run_quietly(tmp_path):
    squares(tmp_path / "photos", 20)
    command = [*COMMAND, "index", str(tmp_path / "photos"), "--catalog", str(tmp_path / "c"), "--model", "starter"]
    # A terminal sends Ctrl-C to all processes of the group in front: here one of its own.
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as process:
        await_worker(process.pid)
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130
    assert err.decode().splitlines() == [
        "completed work is saved, the next run continues from there",
        "clipsearch: interrupted",
    ]


@pytest.fixture
def held(tmp_path):
    """A catalog that this process is changing."""
    store = Store(tmp_path / "catalog", create=True)
    with store.writing():
        yield tmp_path / "catalog"
    store.close()


@pytest.mark.parametrize("command", [["index", "."], ["model", "use", "starter"]])
def test_a_second_writer_stops_and_says_why(held, command):
    done = subprocess.run(
        [*COMMAND, *command, "--catalog", str(held)],
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
        cwd=held,
    )
    assert done.returncode == 1
    assert f"another clipsearch is changing the catalog {held}: try again" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_same_in_python(held):
    with Catalog.open(held, model="starter") as catalog, pytest.raises(CatalogBusyError, match="--wait"):
        catalog.index(held.parent)


def test_a_second_writer_waits_when_it_is_told_to(tmp_path):
    photos = squares(tmp_path / "photos", 3)
    store = Store(tmp_path / "catalog", create=True)
    with store.writing():
        waiting = start_index(tmp_path / "catalog", photos, "--wait")
        line = waiting.stderr.readline()
        assert "waiting for it" in line
        assert waiting.poll() is None
    assert waiting.wait(LIMIT_S) == 0
    waiting.communicate()
    assert store.pictures.counts()[0] == 3
    store.close()


def test_a_killed_writer_leaves_no_lock(tmp_path):
    photos = squares(tmp_path / "photos", 130)
    Store(tmp_path / "catalog", create=True).close()
    running = start_index(tmp_path / "catalog", photos)
    with contextlib.closing(Store(tmp_path / "catalog")) as store:
        while store.pictures.counts()[0] == 0 and running.poll() is None:
            time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    assert running.returncode == -signal.SIGKILL
    with Catalog.open(tmp_path / "catalog") as catalog:
        report = catalog.index(photos)
    assert report.embedded + report.unchanged == report.found == 130
    assert report.unchanged > 0


def test_queries_while_another_process_indexes_see_one_consistent_state(tmp_path):
    photos = squares(tmp_path / "photos", 400)
    first = squares(tmp_path / "first", 1)
    with Catalog.open(tmp_path / "catalog", model="starter", create=True) as catalog:
        catalog.index(first)
        running = start_index(tmp_path / "catalog", photos)
        seen = [1]
        try:
            while running.poll() is None:
                hits = catalog.search("a blue square", top_k=1_000)
                assert all(os.path.exists(hit.path) for hit in hits)
                assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
                assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
                paths = [path for hit in hits for path in (hit.path, *hit.copies)]
                assert len(paths) == len(set(paths)) >= seen[-1]
                seen.append(len(paths))
        finally:
            output = running.communicate()
        assert running.returncode == 0, output
        assert len(set(seen)) > 2, "the queries saw it grow"
        final = [path for hit in catalog.search("a blue square", top_k=1_000) for path in (hit.path, *hit.copies)]
        assert len(final) == 401
