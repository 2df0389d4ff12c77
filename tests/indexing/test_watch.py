"""Folders that are watched: what is indexed when, with the system's own events."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from PIL import Image

from clipsearch import Catalog, ClipSearchNotice
from clipsearch.errors import InputError
from clipsearch.images import volume
from clipsearch.indexing import watch
from clipsearch.indexing.watch import watch_folders
from clipsearch.store import Store
from clipsearch.types import IndexReport
from tests.support.command_line import fail

PATIENCE_S = 60

# Long enough for what must not happen.
WAITING_S = 2


class Watching:
    """Watches folders in a thread, and notes which are indexed, and the files that each run could see.

    `during` is called in each run, after it has seen them.
    """

    def __init__(self, *folders: Path, during=lambda: None, **options):
        self.runs: list[list[str]] = []
        self.seen: set[bytes] = set()
        self._during = during
        self.stop = threading.Event()
        self.error: BaseException | None = None
        self.unfinished: set[str] = set()
        self._folders, self._options = [str(each) for each in folders], options
        self._thread = threading.Thread(target=self._watch)

    def _watch(self):
        try:
            for _ in watch_folders(lambda: self._folders, self._index, stop=self.stop, **self._options):
                pass
        except BaseException as error:
            self.error = error

    def _index(self, folders, unfinished):
        self.unfinished |= unfinished
        missing = [each for each in folders if not Path(each).is_dir()]
        if missing:
            raise InputError(f"no folder {missing[0]}")
        found = [os.path.join(each, name) for root in folders for each, _, names in os.walk(root) for name in names]
        self.seen |= {os.fsencode(path) for path in found if path not in unfinished}
        self._during()
        self.runs.append(list(folders))
        return IndexReport(
            found=0, embedded=0, reused=0, unchanged=0, removed=0, skipped=(), unsupported={}, seconds=0.0, model="m"
        )

    def __enter__(self):
        self._thread.start()
        self.wait_for(lambda: self.runs)
        return self

    def __exit__(self, *error):
        self.stop.set()
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive() and self.error is None

    def wait_for(self, is_there):
        end = time.monotonic() + PATIENCE_S
        while not is_there():
            assert time.monotonic() < end and self.error is None, (self.runs, self.error)
            time.sleep(0.02)


@pytest.fixture
def photos(tmp_path) -> Path:
    for name in ("a", "b"):
        (tmp_path / "photos" / name).mkdir(parents=True)
    return tmp_path / "photos"


def test_only_the_folders_with_changes_are_indexed(photos):
    with Watching(photos) as watching:
        assert watching.runs == [[str(photos)]]
        (photos / "a" / "new.png").write_bytes(b"x")
        watching.wait_for(lambda: [str(photos / "a")] in watching.runs)
        (photos / "b" / "deep" / "deeper").mkdir(parents=True)
        (photos / "b" / "deep" / "deeper" / "new.png").write_bytes(b"x")
        watching.wait_for(lambda: any(str(photos / "b") in run[0] for run in watching.runs))
        count = len(watching.runs)
        shutil.rmtree(photos / "b" / "deep")
        watching.wait_for(lambda: len(watching.runs) > count and watching.runs[-1] == [str(photos)])


def test_unfinished_files_and_the_catalogs_own_are_no_changes(photos):
    own = photos / "catalog"
    own.mkdir()
    with Watching(photos, ignored=str(own)) as watching:
        for name in ("x.jpg.crdownload", "x.tmp", "~x.png~", "a/x.part"):
            (photos / name).write_bytes(b"x")
        (own / "catalog.sqlite3").write_bytes(b"x")
        time.sleep(WAITING_S)
        assert len(watching.runs) == 1
        (photos / "x.jpg.crdownload").rename(photos / "x.jpg")
        watching.wait_for(lambda: len(watching.runs) == 2)


def test_many_folders_are_one_run_over_all(photos, monkeypatch):
    monkeypatch.setattr(watch, "_MOST_FOLDERS", 3)
    folders = [photos / "a" / str(number) for number in range(8)]
    for each in folders:
        each.mkdir()
    with Watching(photos) as watching:
        for each in folders:
            (each / "x.png").write_bytes(b"x")
        watching.wait_for(lambda: len(watching.runs) > 1)
        assert watching.runs[1] == [str(photos)]


def test_a_folder_that_vanishes_is_indexed_when_it_is_back(photos, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    with Watching(photos, other) as watching:
        photos.rename(tmp_path / "away")
        time.sleep(WAITING_S)
        (other / "x.png").write_bytes(b"x")
        watching.wait_for(lambda: [str(other)] in watching.runs)
        assert not any(str(photos) in run for run in watching.runs[1:])
        (tmp_path / "away").rename(photos)
        watching.wait_for(lambda: [str(photos), str(other)] in watching.runs[1:])
        (photos / "a" / "x.png").write_bytes(b"x")
        watching.wait_for(lambda: [str(photos / "a")] in watching.runs)


def test_a_folder_that_is_not_there_yet_is_waited_for(photos, tmp_path):
    with Watching(photos, tmp_path / "later") as watching:
        (tmp_path / "later").mkdir()
        watching.wait_for(lambda: str(tmp_path / "later") in watching.runs[-1])
    with pytest.raises(InputError, match="no folder to watch is there"):
        next(watch_folders(lambda: [str(tmp_path / "none")], lambda folders, _: None, stop=threading.Event()))


def test_remote_folders_are_scanned_now_and_then(photos, monkeypatch):
    monkeypatch.setattr(watch, "is_remote", lambda path: True)
    with Watching(photos, rescan_s=1) as watching:
        watching.wait_for(lambda: len(watching.runs) >= 3)
        assert {run[0] for run in watching.runs} == {str(photos)}


def test_where_the_system_can_not_watch_the_folders_are_scanned(photos, monkeypatch):
    import watchfiles

    def watch_nothing(*folders, **options):
        raise OSError("OS file watch limit reached")
        yield

    monkeypatch.setattr(watchfiles, "watch", watch_nothing)
    stop, runs = threading.Event(), []

    def index(folders, unfinished):
        runs.append(folders)
        if len(runs) == 3:
            stop.set()

    with pytest.warns(ClipSearchNotice, match="can't watch .*: OS file watch limit reached"):
        list(watch_folders(lambda: [str(photos)], index, stop=stop, rescan_s=0.5))
    assert runs == [[str(photos)]] * 3


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("mounts", "path", "found"),
    [
        (("/ ext4 /dev/sda", "/mnt/nas nfs4 nas:/x"), "/mnt/nas/photos", True),
        (("/ ext4 /dev/sda", "/mnt/nas nfs4 nas:/x"), "/mnt/nas2/photos", False),
        (("/mnt/my\\040nas cifs //nas/x",), "/mnt/my nas/2024", True),
        (("/mnt/фото nfs nas:/x",), "/mnt/фото/2024", True),
        (("/mnt nfs nas:/x", "/mnt/usb exfat /dev/sdb"), "/mnt/usb/photos", False),
        (("/home/me/far fuse.sshfs me@host:",), "/home/me/far", True),
        (("broken line",), "/x", False),
        ((), "/x", False),
    ],
)
def test_drives_of_other_machines_are_known_by_their_file_system(monkeypatch, tmp_path, mounts, path, found):
    lines = [
        "broken line" if each == "broken line" else "36 35 98:0 / {} rw - {} {} rw".format(*each.split())
        for each in mounts
    ]
    (tmp_path / "mountinfo").write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.setattr(volume, "_MOUNTS", tmp_path / "mountinfo")
    assert watch.is_remote(path) is found


def test_hidden_and_forgotten_folders_stay_so(tmp_path, photos, colours):
    for name in (".hidden", "private", "forgotten", "shown"):
        (photos / name).mkdir()
    Image.new("RGB", (32, 32), "red").save(photos / "forgotten" / "red.png")
    stop = threading.Event()
    with Catalog.open(tmp_path / "catalog", model="colours", create=True) as catalog:
        catalog.index(photos, exclude="private/")
        catalog.admin.forget(photos / "forgotten")
        reports = catalog.admin.watch(stop=stop)
        next(reports)
        thread = threading.Thread(target=lambda: list(reports))
        thread.start()
        for number, name in enumerate((".hidden", "private", "forgotten", "shown")):
            Image.new("RGB", (32 + number, 32), "blue").save(photos / name / "blue.png")
        end = time.monotonic() + PATIENCE_S
        while not catalog.search("path:shown"):
            assert time.monotonic() < end
            time.sleep(0.05)
        time.sleep(WAITING_S)
        stop.set()
        thread.join(PATIENCE_S)
        assert [Path(hit.path).parent.name for hit in catalog.search("w:>0")] == ["shown"]
        with Store(tmp_path / "catalog") as store:
            assert [(scope.root, scope.exclude) for scope in store.roots.list_all()] == [
                (str(photos), ("private/", "/forgotten/"))
            ]


def test_a_catalog_follows_its_folders(tmp_path, photos, colours):
    Image.new("RGB", (32, 32), "red").save(photos / "a" / "red.png")
    stop = threading.Event()
    with Catalog.open(tmp_path / "catalog", model="colours", create=True) as catalog:
        reports = catalog.admin.watch(photos, stop=stop)
        assert next(reports).embedded == 1
        following: list[IndexReport] = []

        def follow():
            for report in reports:
                following.append(report)

        thread = threading.Thread(target=follow)
        thread.start()
        with Catalog.open(tmp_path / "catalog") as other:
            Image.new("RGB", (32, 32), "blue").save(photos / "b" / "blue.png")
            end = time.monotonic() + PATIENCE_S
            while len(other.search("w:>0")) < 2:
                assert time.monotonic() < end
                time.sleep(0.05)
            (photos / "a" / "red.png").unlink()
            while [hit.path.rpartition("/")[2] for hit in other.search("w:>0")] != ["blue.png"]:
                assert time.monotonic() < end
                time.sleep(0.05)
        stop.set()
        thread.join(PATIENCE_S)
        assert not thread.is_alive() and sum(each.removed for each in following) == 1


def test_the_command_ends_with_sigterm_and_prints_a_line_for_each_run(tmp_path, photos):
    Image.new("RGB", (32, 32), "red").save(photos / "a" / "red.png")
    command = [sys.executable, "-m", "clipsearch", "watch", str(photos), "--catalog", str(tmp_path / "c"), "--json"]
    process = subprocess.Popen([*command, "--model", "starter"], stdout=subprocess.PIPE, text=True)
    try:
        assert json.loads(process.stdout.readline())["embedded"] == 1
        Image.new("RGB", (32, 32), "blue").save(photos / "b" / "blue.png")
        assert json.loads(process.stdout.readline())["embedded"] == 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
        process.stdout.close()
        process.wait()


def test_without_folders_one_line_says_so(tmp_path):
    assert "no folder was indexed before: name one" in fail("watch", "--catalog", tmp_path / "c", code=2)
    assert "no folder to watch is there" in fail("watch", tmp_path / "none", "--catalog", tmp_path / "c", code=2)
