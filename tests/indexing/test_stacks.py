"""Which contents become one stack, and what becomes of stacks when files come, change and go."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from clipsearch.indexing.stacks import find_stacks
from clipsearch.store import ContentRecord, FileRecord
from clipsearch.store.stack_rows import MOST_MEMBERS
from clipsearch.types import ImageMetadata
from clipsearch.vectors import normalise
from tests.support.stores import make_store, store

__all__ = ["make_store", "store"]

DIM = 64
NOON = datetime(2024, 5, 1, 12)
SCENES = normalise(np.random.default_rng(1).normal(size=(40, DIM)).astype(np.float32))
NOISE = np.random.default_rng(2).normal(size=(2_000, DIM)).astype(np.float32) * 0.02


class Shelf:
    """A catalog of made contents, and the stacks that are found in it."""

    def __init__(self, store) -> None:
        self.store = store
        self.root_id = store.roots.add("/photos").root_id
        self.model_id = store.models.add(name="m", fingerprint="ab" * 32, dim=DIM).model_id
        self.count = 0

    def add(
        self, name: str, scene: int, seconds: float | None = None, *, format: str = "JPEG", content: int = 0, **values
    ) -> int:
        """Add a file of a scene that was taken a number of seconds after noon; return its content id."""
        self.count += 1
        number = content or self.count
        taken_at = None if seconds is None else NOON + timedelta(seconds=seconds)
        digest = number.to_bytes(32, "big")
        values = {"phash": 1 + scene * 0x0F0F_1357_9BDF_0246 % (1 << 60), "sharpness": 50} | values
        metadata = ImageMetadata(4, 3, format, taken_at, **values)
        embedding = normalise(SCENES[scene] + NOISE[number])
        file = FileRecord(self.root_id, name, 10, self.count, digest)
        self.store.pictures.record([ContentRecord(digest, 10, metadata, embedding)], [file], model_id=self.model_id)
        return self.store.pictures.find_contents([digest])[digest]

    def remove(self, name: str) -> None:
        scope = self.store.roots.list_all()[0]
        files = self.store.pictures.files_besides(scope, bytearray(2_000))
        self.store.pictures.remove_files([file_id for file_id, path in files.items() if path == name])

    def find(self, **options) -> int:
        return find_stacks(self.store, model_id=self.model_id, dim=DIM, **options)

    @property
    def stacks(self) -> list[tuple[int, ...]]:
        """All stacks, the best member of each first."""
        reader = self.store.reader.stacks
        return sorted(set(reader.of_contents(list(reader.all_stack_ids())).values()))


@pytest.fixture
def shelf(store):
    return Shelf(store)


def test_raw_file_and_jpeg_of_one_shot_are_a_stack_with_the_jpeg_first(shelf):
    raw = shelf.add("a/IMG_1.CR2", 1, 0, format="CR2", sharpness=90)
    jpeg = shelf.add("a/IMG_1.JPG", 2, 0.4)
    shelf.add("b/IMG_1.JPG", 3, 0)  # another folder
    shelf.add("a/IMG_10.JPG", 4, 0)
    shelf.find()
    assert shelf.stacks == [(jpeg, raw)]


def test_a_time_that_one_of_them_lacks_is_no_difference(shelf):
    raw = shelf.add("IMG_1.dng", 1, format="DNG")
    heic = shelf.add("IMG_1.heic", 2, 10, format="HEIF")
    shelf.add("IMG_2.nef", 3, 0, format="NEF")
    shelf.add("IMG_2.jpg", 4, 3_600)  # the numbers of a camera started again
    shelf.add("IMG_3.nef", 5, format="NEF")
    shelf.add("IMG_3.png", 6, format="PNG")  # no camera writes one
    shelf.find()
    assert shelf.stacks == [(heic, raw)]


@pytest.mark.parametrize(
    ("hours", "seconds", "is_stack"), [(0, 2, True), (-2, 3, True), (5.75, 1, True), (0, 60, False), (24, 0, False)]
)
def test_live_photo_is_a_stack_with_the_still_first(shelf, hours, seconds, is_stack):
    film = shelf.add("IMG_1.MOV", 1, 3_600 * hours + seconds, format="QuickTime", duration_s=2.9, sharpness=99)
    still = shelf.add("IMG_1.HEIC", 1, 0, format="HEIF")
    shelf.find()
    assert shelf.stacks == ([(still, film)] if is_stack else [])


def test_long_film_is_no_live_photo(shelf):
    shelf.add("IMG_1.MOV", 1, 0, format="QuickTime", duration_s=12.0)
    shelf.add("IMG_1.HEIC", 1, 0, format="HEIF")
    shelf.add("cat.gif", 2, duration_s=1.0, format="GIF")
    shelf.add("cat.jpg", 2)
    shelf.find()
    assert shelf.stacks == []


def test_burst_is_a_chain_of_frames_and_the_sharpest_stands_for_it(shelf):
    frames = [shelf.add(f"{n}.jpg", 1, 2.5 * n, camera="A", sharpness=60 + (n == 2)) for n in range(4)]
    shelf.find()
    assert shelf.stacks == [(frames[2], frames[0], frames[1], frames[3])]


def test_visits_and_subjects_are_not_joined(shelf):
    for number in range(3):
        shelf.add(f"room-{number}.jpg", 1, 3_600 * number)
        shelf.add(f"other-{number}.jpg", 2 + number, 7_200 * number + 1)
    shelf.add("no-date-1.jpg", 1)
    shelf.add("no-date-2.jpg", 1)
    shelf.add("doubtful-1.jpg", 9, 90, is_date_doubtful=True)
    shelf.add("doubtful-2.jpg", 9, 90, is_date_doubtful=True)
    shelf.find()
    assert shelf.stacks == []


def test_frames_of_two_cameras_lie_between_one_another(shelf):
    found = {
        camera: [shelf.add(f"{camera}{n}.jpg", scene, n + scene / 9, camera=camera) for n in range(3)]
        for camera, scene in (("A", 1), ("B", 1))
    }
    shelf.find()
    assert sorted(map(sorted, shelf.stacks)) == sorted(found.values())


def test_raw_files_join_the_burst_of_their_jpegs(shelf):
    jpegs = [shelf.add(f"{n}.jpg", 1, n) for n in range(2)]
    raws = [shelf.add(f"{n}.nef", 20, format="NEF", sharpness=99 - n) for n in range(2)]
    shelf.find()
    assert shelf.stacks == [(*jpegs, *raws)]


def test_unlike_embeddings_with_one_hash_are_no_burst(shelf):
    shelf.add("1.jpg", 1, 0, phash=77)
    shelf.add("2.jpg", 2, 1, phash=77)
    shelf.find()
    assert shelf.stacks == []


def test_later_runs_look_at_what_is_new(shelf):
    first = [shelf.add(f"{n}.jpg", 1, n) for n in range(2)]
    for number in range(20):
        shelf.add(f"far-{number}.jpg", number % 30, 10_000 * (number + 1))
    assert shelf.find() == 2
    assert shelf.find() == 0
    change = shelf.store.reader.stacks.state()
    assert change[0] == change[1]
    third = shelf.add("3.jpg", 1, 4, sharpness=70)
    raw = shelf.add("3.nef", 8, format="NEF")
    assert shelf.find() == 4
    assert shelf.stacks == [(third, *first, raw)]
    assert set(shelf.store.column_rows.changed_after(change[1])) == {*first, third, raw}


def test_a_bridge_joins_two_stacks_and_its_loss_parts_them(shelf):
    early = [shelf.add(f"{n}.jpg", 1, n) for n in range(2)]
    late = [shelf.add(f"{n}.jpg", 1, n) for n in (8, 9)]
    shelf.find()
    assert shelf.stacks == [tuple(early), tuple(late)]
    bridge = shelf.add("bridge.jpg", 1, 4.5)
    shelf.find()
    assert shelf.stacks == [(*early, *late, bridge)]
    shelf.remove("bridge.jpg")
    shelf.find()
    assert shelf.stacks == [tuple(early), tuple(late)]


def test_one_file_that_is_gone_leaves_no_stack(shelf):
    shelf.add("a/1.nef", 1, format="NEF")
    jpeg = shelf.add("a/1.jpg", 2)
    shelf.find()
    shelf.remove("a/1.nef")
    shelf.find()
    assert shelf.stacks == []
    shelf.add("b/1.nef", 1, format="NEF", content=1)
    shelf.find()
    assert shelf.stacks == []
    shelf.add("b/1.jpg", 2, content=2)
    shelf.find()
    assert shelf.stacks == [(jpeg, 1)]


def test_runs_one_by_one_find_what_one_run_finds(shelf):
    rng = np.random.default_rng(5)
    made = []
    now = 0.0
    for number in range(150):
        now += float(rng.choice([0.5, 3.0, 5.0, 30.0]))
        scene = int(rng.integers(0, 3))
        name = f"{number // 2}{('.jpg', '.nef')[number % 2]}" if rng.random() < 0.4 else f"x{number}.jpg"
        kind = "NEF" if name.endswith("nef") else "JPEG"
        made.append(
            (name, scene, None if rng.random() < 0.1 else now, {"format": kind, "sharpness": int(rng.integers(99))})
        )
    for place in rng.permutation(len(made)).tolist():
        name, scene, seconds, values = made[place]
        shelf.add(name, scene, seconds, content=place + 1, **values)
        if rng.random() < 0.3:
            shelf.find()
    shelf.find()
    found = shelf.stacks
    assert len(found) > 10
    shelf.find(again=True)
    assert shelf.stacks == found


def test_a_long_series_is_several_stacks(shelf):
    for number in range(MOST_MEMBERS + 20):
        shelf.add(f"{number}.jpg", 1, number)
    shelf.find()
    assert sorted(map(len, shelf.stacks)) == [20, MOST_MEMBERS]


def test_garbage_dissolves_stacks_that_the_next_run_finds_again(shelf):
    frames = [shelf.add(f"{n}.jpg", 1, n) for n in range(3)]
    shelf.find()
    shelf.remove("0.jpg")
    shelf.store.garbage.delete()
    assert shelf.stacks == []
    shelf.find()
    assert shelf.stacks == [tuple(frames[1:])]
