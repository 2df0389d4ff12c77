"""Truncated and mutated films: what is left of them, or one reason, within limits and without a crash."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av", reason="av is not installed: pip install 'clipsearch[video]'")

from clipsearch.errors import ImageReadError
from clipsearch.images.films.reading import read_film
from tests.support.films import Shot, make_film
from tests.support.pictures import scene

KINDS = [("mpeg4", "mp4"), ("libx264", "mkv"), ("libx264", "ts"), ("mpeg4", "avi"), ("libvpx-vp9", "webm")]
MUTATIONS = 60

# In a process of its own, as a decoder may crash, with the memory limit of a worker.
READ_ALL = """
import json, resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_DATA, (2 << 30, 2 << 30))
from clipsearch.errors import ImageReadError
from clipsearch.images.films.film import FilmLimits
from clipsearch.images.films.reading import frame_at, read_film
outcomes = []
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        film = read_film(path, needed_side=64, limits=FilmLimits(max_seconds=10))
        scenes = film.scenes
        assert 1 <= len(scenes) <= 120, len(scenes)
        assert scenes[0].start_s == 0
        for before, after in zip(scenes, scenes[1:]):
            assert before.start_s < before.end_s == after.start_s, (before, after)
        for scene in scenes:
            assert scene.start_s <= scene.frame_s <= scene.end_s, scene
            assert scene.frame.mode == "RGB" and min(scene.frame.size) <= 64
        assert max(frame_at(path, 2.5, side=64).size) <= 64
        outcomes.append("")
    except ImageReadError as error:
        outcomes.append(str(error))
print(json.dumps(outcomes))
"""


@pytest.fixture(scope="module")
def films() -> dict[tuple[str, str], bytes]:
    shots = [Shot(scene(number), 2) for number in range(5)]
    return {kind: make_film(shots, codec=kind[0], container=kind[1]) for kind in KINDS}


def read_all(folder: Path, contents: list[bytes]) -> list[str]:
    for number, content in enumerate(contents):
        (folder / f"{number:04d}").write_bytes(content)
    found = subprocess.run([sys.executable, "-c", READ_ALL, folder], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")
    outcomes: list[str] = json.loads(found.stdout)
    for reason in outcomes:
        assert len(reason) < 120 and "0x" not in reason and "\n" not in reason
    return outcomes


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_films_truncated_anywhere_are_read_as_far_as_they_go(
    kind: tuple[str, str], films: dict[tuple[str, str], bytes], tmp_path: Path
) -> None:
    whole = films[kind]
    outcomes = read_all(tmp_path, [whole[: len(whole) * share // 20] for share in range(20)])
    assert outcomes[0] == "empty file"
    if kind[1] != "mp4":  # whose header lies at the end
        assert outcomes[10:] == [""] * 10
        half = read_film(whole[: len(whole) // 2], needed_side=64)
        assert 1 < len(half.scenes) < 5
        assert half.read_s < 8


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_mutated_films_are_read_or_have_a_reason(
    kind: tuple[str, str], films: dict[tuple[str, str], bytes], tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    contents = []
    for number in range(MUTATIONS):
        content = np.frombuffer(films[kind], dtype=np.uint8).copy()
        # Half of them in the headers.
        end = len(content) if number % 2 else 2_000
        start = max(0, len(content) - 6_000) if number % 4 == 2 and kind[1] == "mp4" else 0
        places = rng.integers(start, min(len(content), start + end), 1 + number // 3)
        content[places] = rng.integers(0, 256, len(places))
        contents.append(content.tobytes())
    assert read_all(tmp_path, contents).count("") > MUTATIONS // 4


def test_a_header_that_promises_more_than_there_is_costs_little() -> None:
    # An index of two thousand million samples in a film of some kilobytes.
    content = bytearray(make_film([Shot(scene(0), 1)]))
    place = content.index(b"stsz") + 8
    content[place : place + 8] = (100).to_bytes(4, "big") + (2_000_000_000).to_bytes(4, "big")
    try:
        assert len(read_film(bytes(content), needed_side=64).scenes) <= 2
    except ImageReadError as error:
        assert "0x" not in str(error)
