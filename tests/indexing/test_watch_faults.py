"""Watching goes on, and loses nothing, whatever happens meanwhile."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest
from PIL import Image

from clipsearch import Catalog
from clipsearch.store import Store
from tests.faults.checks import squares
from tests.indexing.test_watch import PATIENCE_S, Watching
from tests.support.child_processes import needs_proc, workers_of

A_BURST = 5_000


class Following:
    """Runs `catalog.admin.watch` in a thread, and collects its reports after the first."""

    def __init__(self, catalog: Catalog, *folders):
        self.stop, self.reports = threading.Event(), []
        self._runs = catalog.admin.watch(*folders, stop=self.stop)
        self.first = next(self._runs)
        self._thread = threading.Thread(target=self._follow)

    def _follow(self):
        for report in self._runs:
            self.reports.append(report)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *error):
        self.stop.set()
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()

    def total(self, name: str) -> int:
        return sum(getattr(report, name) for report in self.reports)

    def wait_for(self, **totals: int):
        end = time.monotonic() + PATIENCE_S
        while any(self.total(name) < number for name, number in totals.items()):
            assert time.monotonic() < end, self.reports
            time.sleep(0.02)


@pytest.fixture
def photos(tmp_path):
    squares(tmp_path / "photos" / "a", 3)
    return tmp_path / "photos"


@pytest.fixture
def catalog(tmp_path, colours):
    with Catalog.open(tmp_path / "catalog", model="colours", create=True) as opened:
        yield opened


def test_changes_during_any_run_are_indexed_by_the_next(photos):
    late = iter(photos / "a" / f"late-{number}.png" for number in range(3))

    def write_one():
        for path in late:
            path.write_bytes(b"x")
            break

    with Watching(photos, during=write_one) as watching:
        watching.wait_for(lambda: {os.fsencode(photos / "a" / f"late-{n}.png") for n in range(3)} <= watching.seen)


def test_a_burst_of_changes_is_indexed_whole(photos):
    with Watching(photos) as watching:
        for number in range(A_BURST):
            folder = photos / f"{number // 100:03}"
            folder.mkdir(exist_ok=True)
            (folder / f"{number}.png").write_bytes(b"x")
        watching.wait_for(lambda: len(watching.seen) == 3 + A_BURST)
        assert len(watching.runs) < 100


def test_a_file_that_is_being_written_is_read_when_it_is_complete(catalog, photos, tmp_path):
    Image.effect_noise((400, 400), 90).save(tmp_path / "noise.png")
    content = (tmp_path / "noise.png").read_bytes()
    with Following(catalog, photos) as following, open(photos / "a" / "grows.png", "wb", buffering=0) as file:
        for number in range(30):
            part = len(content) // 30 + 1
            file.write(content[number * part : (number + 1) * part])
            if number == 15:  # the folder is indexed meanwhile because of another
                Image.new("RGB", (30, 30), "blue").save(photos / "a" / "other.png")
            time.sleep(0.1)
        following.wait_for(embedded=2)
        assert [(report.skipped, report.partial) for report in following.reports if report.embedded] == [((), ())] * 2
        assert catalog.admin.status().skipped == 0


def test_folders_that_are_moved_and_renamed_are_moves(catalog, photos):
    with Following(catalog, photos) as following:
        (photos / "a").rename(photos / "renamed")
        following.wait_for(moved=3)
        (photos / "in").mkdir()
        shutil.move(photos / "renamed", photos / "in" / "deeper")
        following.wait_for(moved=6)
        assert (following.total("embedded"), following.total("removed")) == (0, 0)
    assert {os.path.dirname(hit.path) for hit in catalog.search("w:>0")} == {str(photos / "in" / "deeper")}


def test_a_drive_that_is_taken_away_for_a_while_keeps_its_pictures(catalog, photos, tmp_path):
    other = squares(tmp_path / "other", 1)
    with Following(catalog, photos, other) as following:
        photos.rename(tmp_path / "away")
        Image.new("RGB", (30, 30), "blue").save(other / "blue.png")
        following.wait_for(embedded=1)
        assert len(catalog.search("w:>0")) == 4
        (tmp_path / "away").rename(photos)
        Image.new("RGB", (31, 31), "red").save(photos / "a" / "red.png")
        following.wait_for(embedded=2)
        assert (following.total("removed"), following.total("reused")) == (0, 0)


def test_a_folder_that_is_forgotten_is_watched_no_more(catalog, photos, tmp_path):
    other = squares(tmp_path / "other", 1)
    catalog.index(photos, other)
    with Following(catalog) as following:
        catalog.admin.forget(other)
        Image.new("RGB", (30, 30), "blue").save(other / "blue.png")
        Image.new("RGB", (30, 31), "blue").save(photos / "blue.png")
        following.wait_for(embedded=1)
    assert catalog.admin.status().folders == (str(photos),)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_names_that_are_not_in_utf_8_end_nothing(photos):
    strange = os.fsencode(photos) + b"/a/\xff.png"
    with Watching(photos) as watching:
        for path in (strange, os.fsencode(photos / "a" / "plain.png")):
            with open(path, "wb") as file:
                file.write(b"x")
            watching.wait_for(lambda path=path: path in watching.seen)
    assert len(watching.runs) <= 4


@needs_proc
def test_one_worker_stays_between_runs_and_none_afterwards(tmp_path):
    photos = squares(tmp_path / "photos", 20)
    with Catalog.open(tmp_path / "catalog", model="starter", create=True) as catalog:
        with Following(catalog, photos) as following:
            (kept,) = workers_of(os.getpid())
            Image.new("RGB", (30, 30), "blue").save(photos / "blue.png")
            following.wait_for(embedded=1)
            assert workers_of(os.getpid()) == [kept]
        assert workers_of(os.getpid()) == []


def test_it_ends_while_others_write(catalog, photos, tmp_path):
    with pytest.warns(match="waiting for it"), Store(tmp_path / "catalog") as other, other.writing():
        stop = threading.Event()
        threading.Timer(1, stop.set).start()
        assert list(catalog.admin.watch(photos, stop=stop)) == []


def test_killed_in_the_middle_it_finishes_when_it_is_started_again(tmp_path):
    photos = squares(tmp_path / "photos", 200)
    command = [sys.executable, "-m", "clipsearch", "watch", str(photos), "--catalog", str(tmp_path / "c")]
    Store(tmp_path / "c", create=True).close()
    with contextlib.closing(Store(tmp_path / "c")) as store:

        def start(is_enough) -> int:
            with subprocess.Popen([*command, "--model", "starter"], stdout=subprocess.DEVNULL) as process:
                end = time.monotonic() + 2 * PATIENCE_S
                while not is_enough(store.pictures.counts()[0]):
                    assert time.monotonic() < end and process.poll() is None
                    time.sleep(0.01)
                process.send_signal(signal.SIGKILL)
            return store.pictures.counts()[0]

        assert 0 < start(lambda files: files > 0) < 200
        squares(photos, 210)  # while nobody watches
        assert start(lambda files: files == 210) == 210
    with Catalog.open(tmp_path / "c") as catalog:
        assert len(catalog.search("a blue square", top_k=300, stacks=False)) == 210
        report = catalog.index()
    assert (report.unchanged, report.embedded, report.skipped) == (210, 0, ())
