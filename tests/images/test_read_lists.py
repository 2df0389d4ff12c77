"""Files that are read together in one worker process: whatever ends the process costs no file but the guilty one."""

import os
import sys
from contextlib import closing

import numpy as np
import pytest
from PIL import Image

from clipsearch.images import decode as images_decode
from clipsearch.images.decode import DecodingLimits
from clipsearch.images.picture_reader import PictureReader, ReadPicture, Task
from clipsearch.images.preprocess import Preprocess
from clipsearch.images.shared_crops import MOST_FILES, SLOTS, files_at_once
from clipsearch.images.worker_pool import WorkerPool
from tests.support.breaking_workers import prepare_breaking

SPEC = Preprocess(32, 48, None, 3, 1 / 255, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
NAMES = ("first.png", "second.png", "third.png", "fourth.png")

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
linux = pytest.mark.skipif(sys.platform != "linux", reason="shared memory and limits of Linux")


@pytest.fixture
def pool():
    with closing(WorkerPool(SPEC, limits=DecodingLimits(max_seconds=1))) as pool:
        yield pool


@pytest.fixture
def breaking(monkeypatch, tmp_path):
    return prepare_breaking(monkeypatch, tmp_path)


def paint(folder, *names: str) -> list[Task]:
    """Pictures of different colours."""
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(names):
        Image.new("RGB", (60, 40), (40 * number % 256, number, 3)).save(folder / name)
    return [Task(1, name, str(folder / name)) for name in names]


def reader(pool: WorkerPool | None, stored: frozenset[bytes] = frozenset()) -> PictureReader:
    return PictureReader(SPEC, find_stored=lambda _: stored, open_list=None if pool is None else pool.open_list)


def read(pool: WorkerPool | None, tasks: list[Task]) -> list[ReadPicture]:
    found = reader(pool).read_list(tasks)
    for picture in found.pictures:
        picture.crop = None if picture.crop is None else picture.crop.copy()
    found.release()
    return found.pictures


def assert_same(one: ReadPicture, other: ReadPicture) -> None:
    """That two results of a file are equal, the crops too."""
    assert one.crop is not None
    np.testing.assert_array_equal(one.crop, other.crop)
    one.crop = other.crop = None
    assert one == other


def on_guilty(what: str) -> str:
    """Code of a worker that does something when it decodes a picture whose red is that of the guilty one."""
    return (
        "import os, signal, time\n"
        "from PIL import Image\n"
        "import io\n"
        "def decode_or_break(self):\n"
        "    red = Image.open(io.BytesIO(self.source)).getpixel((0, 0))[0]\n"
        "    if red == 40 * GUILTY:\n"
        f"        {what}\n"
        "    return decode(self)\n"
        "reading.LocalPicture.decode = decode_or_break"
    )


ENDINGS = {
    "crash": ("os.kill(os.getpid(), signal.SIGSEGV)", "its decoder crashed (SIGSEGV)", True),
    "timeout": ("os.kill(os.getpid(), signal.SIGPROF)", "it took longer than 1 s to decode", True),
    "killed": ("os.kill(os.getpid(), signal.SIGKILL)", "not enough memory to decode it", False),
    "no memory": ("raise MemoryError", "not enough memory to decode it", False),
    "damaged": ("from clipsearch.errors import ImageReadError; raise ImageReadError('odd')", "odd", True),
}


@posix
@pytest.mark.parametrize(
    ("ending", "guilty"),
    [("crash", 0), ("crash", 1), ("crash", 3), *((ending, 1) for ending in ENDINGS if ending != "crash")],
)
def test_only_the_guilty_file_fails(pool, tmp_path, breaking, ending, guilty):
    what, reason, is_lasting = ENDINGS[ending]
    breaking(on_guilty(what).replace("GUILTY", str(guilty)))
    tasks = paint(tmp_path / "p", *NAMES)
    found, here = read(pool, tasks), read(None, tasks)
    assert (found[guilty].outcome, found[guilty].reason, found[guilty].is_lasting) == ("failed", reason, is_lasting)
    for row in {0, 1, 2, 3} - {guilty}:
        assert_same(found[row], here[row])


@posix
def test_a_decoder_that_does_not_end_costs_its_file_alone(pool, tmp_path, breaking):
    breaking(on_guilty("while True: pass").replace("GUILTY", "2"))
    found = read(pool, paint(tmp_path / "p", *NAMES))
    assert [picture.outcome for picture in found] == ["decoded", "decoded", "failed", "decoded"]
    assert found[2].limit == ("seconds", 1)


@posix
@pytest.mark.parametrize("has_block", [True, False])
@pytest.mark.parametrize(("what", "wall_s"), [("while True: pass", 60), ("time.sleep(600)", 2)])
def test_a_timeout_in_a_list_costs_its_limit_once(tmp_path, monkeypatch, breaking, has_block, what, wall_s):
    """Of time that is worked as of time that is waited; the files before and after it are decoded."""
    if not has_block:
        monkeypatch.setattr("clipsearch.images.worker_process.create_block", lambda spec: None)
    monkeypatch.setattr(images_decode, "_WALL_SECONDS", wall_s)
    begun = tmp_path / "begun"
    breaking(on_guilty(f"open({str(begun)!r}, 'a').write('x')\n        {what}").replace("GUILTY", "2"))
    with closing(WorkerPool(SPEC, limits=DecodingLimits(max_seconds=1))) as pool:
        found = read(pool, paint(tmp_path / "p", *NAMES))
    assert [picture.outcome for picture in found] == ["decoded", "decoded", "failed", "decoded"]
    assert found[2].reason.startswith("it took longer than")
    assert begun.read_text() == "x"


@posix
def test_a_file_that_crashes_while_it_is_hashed(pool, tmp_path, breaking):
    breaking(
        "import os\n"
        "open_picture = reading.open_picture\n"
        "def crash(path, **options):\n"
        "    if 'third' in path: os.abort()\n"
        "    return open_picture(path, **options)\n"
        "reading.open_picture = crash"
    )
    found = read(pool, paint(tmp_path / "p", *NAMES))
    assert [picture.outcome for picture in found] == ["decoded", "decoded", "failed", "decoded"]
    assert (found[2].reason, found[2].is_lasting) == ("its decoder crashed (SIGABRT)", False)


@posix
def test_a_file_that_changes_between_two_attempts(pool, tmp_path, breaking):
    """The list dies with its second file, and the first is another one when it is read again."""
    path = tmp_path / "p" / NAMES[0]
    breaking(on_guilty(f"open({str(path)!r}, 'ab').write(b'x'); os.abort()").replace("GUILTY", "1"))
    found = read(pool, paint(tmp_path / "p", *NAMES))
    assert [picture.outcome for picture in found] == ["failed", "failed", "decoded", "decoded"]
    assert (found[0].reason, found[0].is_lasting) == ("changed while it was read", False)


def test_unreadable_files_among_others(pool, tmp_path):
    tasks = paint(tmp_path, *NAMES)
    os.truncate(tasks[0].path, 50)
    os.unlink(tasks[1].path)
    os.unlink(tasks[3].path)
    os.mkdir(tasks[3].path)
    found, here = read(pool, tasks), read(None, tasks)
    assert [picture.outcome for picture in found] == ["failed", "failed", "decoded", "failed"]
    assert_same(found.pop(2), here.pop(2))
    assert found == here
    assert found[1].reason == "deleted before it could be read"


@pytest.mark.parametrize("is_here", [True, False])
def test_duplicates_in_a_list_and_between_lists(pool, tmp_path, is_here):
    tasks = paint(tmp_path, *NAMES)
    for copy in (1, 3):
        with open(tasks[0].path, "rb") as one, open(tasks[copy].path, "wb") as other:
            other.write(one.read())
    same = reader(None if is_here else pool)
    first, second = same.read_list(tasks[:3]).pictures, same.read_list(tasks[3:]).pictures
    assert [picture.outcome for picture in first + second] == ["decoded", "duplicate", "decoded", "duplicate"]
    same.mark_stored([picture.blake3 for picture in first])
    assert [same.outcome(picture).outcome for picture in (first[1], second[0])] == ["stored", "stored"]


def test_stored_contents_are_not_decoded(pool, tmp_path):
    tasks = paint(tmp_path, *NAMES)
    digests = [picture.blake3 for picture in read(None, tasks)]
    found = reader(pool, frozenset(digests[1:3])).read_list(tasks).pictures
    assert [picture.outcome for picture in found] == ["decoded", "stored", "stored", "decoded"]
    assert [picture.crop is None for picture in found] == [False, True, True, False]
    assert np.unique(found[3].crop[..., 0]).tolist() == [120]


def test_crops_stay_until_they_are_released(pool, tmp_path):
    """More lists than a worker has slots: the crops of those that come later go through the pipe."""
    n_lists = SLOTS + 2
    tasks = paint(tmp_path, *(f"{number}.png" for number in range(n_lists)))
    lists = [reader(pool).read_list([*tasks[start:], *tasks[:start]]) for start in range(n_lists)]
    for start, found in enumerate(lists):
        reds = [np.unique(picture.crop[..., 0]).tolist() for picture in found.pictures]
        assert reds == [[40 * ((start + row) % n_lists) % 256] for row in range(n_lists)]
        found.release()
    again = reader(pool).read_list(tasks).pictures[1].crop
    pool.close()
    assert np.unique(again[..., 0]).tolist() == [40]


def test_crops_of_short_lists_hold_no_memory_of_a_worker(pool, tmp_path):
    """Else the lists of large files, of which a batch has many, would leave none for the others."""
    tasks = paint(tmp_path, "one.png", "two.png")
    kept = [reader(pool).read_list(tasks) for _ in range(2 * SLOTS)]
    many = paint(tmp_path / "many", *(f"{number}.png" for number in range(MOST_FILES)))
    crops = [picture.crop for picture in reader(pool).read_list(many).pictures]
    assert len({crop.base.ctypes.data for crop in crops}) == 1, "they lie in one block"
    assert [np.unique(found.pictures[1].crop[..., 0]).tolist() for found in kept] == [[40]] * len(kept)


def test_the_same_without_shared_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("clipsearch.images.worker_process.create_block", lambda spec: None)
    tasks = paint(tmp_path, *NAMES)
    os.truncate(tasks[1].path, 50)
    with closing(WorkerPool(SPEC, limits=DecodingLimits())) as pool:
        found, here = read(pool, tasks), read(None, tasks)
    for row in (0, 2, 3):
        assert_same(found[row], here[row])
    assert found[1] == here[1]


def test_a_truncated_large_picture_takes_one_turn(pool, tmp_path, breaking):
    """It is decoded twice, whole and then in part; the next large picture needs a turn of its own."""
    breaking("import clipsearch.images.decode as images\nimages._BIG_MEGAPIXELS = 0.00001")
    tasks = paint(tmp_path / "p", "a.bmp", "b.bmp", "c.bmp")
    os.truncate(tasks[0].path, os.path.getsize(tasks[0].path) * 9 // 10)
    assert [picture.outcome for picture in read(pool, tasks)] == ["decoded"] * 3
    assert not pool._one_large_picture.locked()


@linux
def test_a_worker_can_not_shrink_the_shared_memory(pool, tmp_path, breaking):
    """The parent would die of it (SIGBUS)."""
    breaking(
        "import os\n"
        "def shrink(self):\n"
        "    for number in os.listdir('/proc/self/fd'):\n"
        "        if 'memfd' in os.readlink('/proc/self/fd/' + number):\n"
        "            try: os.ftruncate(int(number), 0)\n"
        "            except PermissionError: return decode(self)\n"
        "reading.LocalPicture.decode = shrink"
    )
    assert [picture.outcome for picture in read(pool, paint(tmp_path / "p", *NAMES))] == ["decoded"] * 4


@linux
def test_no_descriptor_is_left(tmp_path):
    tasks = paint(tmp_path, *NAMES)
    before = os.listdir("/proc/self/fd")
    with closing(WorkerPool(SPEC, limits=DecodingLimits())) as pool:
        assert {picture.outcome for picture in read(pool, tasks)} == {"decoded"}
    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_lists_of_large_crops_are_shorter():
    assert files_at_once(SPEC) == MOST_FILES
    assert files_at_once(Preprocess(1024, 1024, None, 3, 1 / 255, (0.5,) * 3, (0.5,) * 3)) == 2
    assert files_at_once(Preprocess(4096, 4096, None, 3, 1 / 255, (0.5,) * 3, (0.5,) * 3)) == 1


def test_files_that_together_are_too_large_for_memory_are_read_twice(tmp_path, monkeypatch):
    tasks = paint(tmp_path, *NAMES)
    expected = read(None, tasks)
    monkeypatch.setattr("clipsearch.images.reading.MAX_BUFFERED_BYTES", os.path.getsize(tasks[0].path) + 10)
    for one, other in zip(read(None, tasks), expected, strict=True):
        assert_same(one, other)
