"""What a task of Ray does with a block of files, without a cluster."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ray", reason="ray, of the extra 'scale', is not installed")

from clipsearch.images.decode import DecodingLimits
from clipsearch.images.find import FoundImage
from clipsearch.images.picture_reader import PictureReader, ReadPicture, Task
from clipsearch.images.preprocess import Preprocess
from clipsearch.images.shared_crops import MOST_FILES
from clipsearch.indexing.ray import tasks as ray_tasks
from clipsearch.indexing.ray.digest_set import KnownContents
from tests.support.fakes import LocalPool
from tests.support.listing_server import serving

SPEC = Preprocess(8, 8, 8, 2, 1 / 255, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
NONE = KnownContents.of(np.empty((0, 32), dtype=np.uint8))
THREADS = 2


def paint(folder: Path, count: int) -> list[Task]:
    """Pictures of one pixel, of colours that all differ."""
    paths = [folder / f"{number:03}.ppm" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(b"P6 1 1 255\n" + bytes([number % 256, number // 256, 7]))
    return [Task(1, path.name, str(path), size_bytes=14) for path in paths]


@pytest.fixture
def read_block(monkeypatch):
    """Reads a block; returns its pictures, its crops, and how many files each list had."""
    lists: list[int] = []

    class Pool(LocalPool):
        def open_list(self, paths):
            lists.append(len(paths))
            return super().open_list(paths)

    def read(tasks: list[Task]) -> tuple[list[ReadPicture], np.ndarray, list[int]]:
        lists.clear()
        reading = ray_tasks.Reading(SPEC, DecodingLimits(), [NONE], NONE, THREADS)
        block = {"number": np.arange(len(tasks)), "task": np.array([pickle.dumps(task) for task in tasks], object)}
        found = ray_tasks.read_files(block, reading=reading)
        pictures = [pickle.loads(picture) for picture in found["picture"]]
        assert found["is_decoded"].tolist() == [picture.outcome == "decoded" for picture in pictures]
        return pictures, found["crop"], sorted(lists)

    monkeypatch.setattr(ray_tasks.ray, "get", lambda references: references)
    monkeypatch.setattr(ray_tasks, "WorkerPool", Pool)
    yield read
    ray_tasks.worker_pool.cache_clear()


def test_files_are_read_in_lists(read_block, tmp_path):
    tasks = paint(tmp_path, 150)
    tasks[40] = Task(1, "missing.ppm", str(tmp_path / "missing.ppm"), size_bytes=14)
    os.truncate(tasks[77].path, 5)
    pictures, crops, lists = read_block(tasks)
    assert sum(lists) == len(tasks) and max(lists) == MOST_FILES
    reader = PictureReader(SPEC, find_stored=lambda _: ())
    for row, (task, picture) in enumerate(zip(tasks, pictures, strict=True)):
        alone = reader.read(task)
        expected = np.zeros_like(crops[row]) if alone.crop is None else alone.crop
        np.testing.assert_array_equal(crops[row], expected)
        alone.crop = None
        assert picture == alone
    assert [row for row, picture in enumerate(pictures) if picture.outcome == "failed"] == [40, 77]


def test_few_files_are_shared_among_the_threads(read_block, tmp_path):
    assert read_block(paint(tmp_path, 8))[2] == [2, 2, 2, 2]
    assert read_block(paint(tmp_path, 1))[2] == [1]


def test_large_files_are_read_in_shorter_lists(read_block, tmp_path):
    tasks = [Task(1, task.relative_path, task.path, size_bytes=3 << 20) for task in paint(tmp_path, 20)]
    assert read_block(tasks)[2] == [2] * 10


def test_files_behind_urls_are_read_one_by_one(read_block, tmp_path):
    tasks = paint(tmp_path, 12)
    with serving(tmp_path) as url:
        for row in (2, 3, 9):
            path = tasks[row].relative_path
            tasks[row] = Task(1, path, f"{url}/{path}", listed=FoundImage(path, 14, 1_000))
        pictures, crops, lists = read_block(tasks)
    assert {picture.outcome for picture in pictures} == {"decoded"}
    assert [picture.task for picture in pictures] == tasks
    assert [crop[0, 0].tolist() for crop in crops] == [[row, 0, 7] for row in range(12)]
    assert sum(lists) == 12 and lists[:3] == [1, 1, 1]


def test_a_copy_in_another_list_of_the_block_has_its_embedding(read_block, tmp_path):
    tasks = paint(tmp_path, 40)
    Path(tasks[-1].path).write_bytes(Path(tasks[0].path).read_bytes())
    pictures = read_block(tasks)[0]
    assert sorted(picture.outcome for picture in (pictures[0], pictures[-1])) == ["decoded", "stored"]
    assert {picture.outcome for picture in pictures[1:-1]} == {"decoded"}
