"""Odd, broken and hostile files, indexed in one process: python -m tests.benchmarks.hostile [--mutations 40]

Two folders: what `tests/support/make_hostile.py` makes (with ../shared/hostile, where it is there), and pictures, raw
files, documents, motion photos and films of every kind that is read here, each with a number of mutations: bytes that
are changed, a part that is cut out, left out at the end or there twice. For each folder a run prints what became of its
files, its exit code and its most memory, that of the decoding processes included. A crash or a hang of the run itself
ends the benchmark.
"""

import argparse
import io
import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

from clipsearch.parts import MOST_PARTS
from tests.benchmarks.measuring import REPOSITORY, note, print_table, run_clipsearch, workplace
from tests.fuzz.pictures import samples
from tests.support.films import Shot, make_film
from tests.support.make_hostile import draw_scene, make_hostile
from tests.support.motion_photos import motion_photo_of
from tests.support.rare_pictures import rare_samples, samples_of_extras
from tests.support.raw_files import raw_file

_SHARED = REPOSITORY.parent / "shared" / "hostile"
_CODECS = (("mpeg4", "mp4"), ("libx264", "mp4"), ("libx264", "matroska"), ("vp9", "webm"), ("mjpeg", "avi"))


def originals() -> Iterator[tuple[str, bytes]]:
    """Yield (suffix, content) of files that are read."""
    for kind, content in samples().items():
        yield ".tif" if "tiff" in kind else f".{kind.split()[0]}", content
    for suffix, _, content, _ in rare_samples().values():
        yield suffix, content
    yield from samples_of_extras().values()
    scene = draw_scene(320, 240)
    for is_dng in (True, False):
        yield ".dng" if is_dng else ".nef", raw_file(scene, is_dng=is_dng, preview=scene)
        yield ".dng" if is_dng else ".nef", raw_file(scene, is_dng=is_dng)
    document = io.BytesIO()
    scene.copy().save(document, "PDF", save_all=True, append_images=[scene.rotate(90), scene.convert("L")])
    yield ".pdf", document.getvalue()
    shots = [Shot(scene, 2), Shot(scene.rotate(180), 2)]
    for codec, container in _CODECS:
        yield f".{container.replace('matroska', 'mkv')}", make_film(shots, codec=codec, container=container)
    yield ".jpg", motion_photo_of(scene, make_film(shots[:1]))


def mutated(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    # Most of what matters to a reader is at the start of a file or of one of its parts.
    end = len(changed) if rng.random() < 0.5 else min(len(changed), 512)
    for _ in range(rng.choice((1, 1, 2, 5, 30))):
        changed[rng.randrange(end)] = rng.choice((0, 0xFF, 0x7F, 0x80, rng.randrange(256)))
    start = rng.randrange(len(changed))
    stop = min(len(changed), start + rng.randrange(1, 5_000))
    kind = rng.random()
    if kind < 0.1:
        del changed[start:stop]
    elif kind < 0.2:
        del changed[start:]
    elif kind < 0.3:
        changed[start:start] = changed[start:stop]
    return bytes(changed)


def make_mutations(folder: Path, count: int) -> int:
    rng, number = random.Random(0), 0
    folder.mkdir(parents=True)
    for suffix, content in originals():
        for each in (content, *(mutated(content, rng) for _ in range(count))):
            (folder / f"{number:05d}{suffix}").write_bytes(each)
            number += 1
    return number


def measure(folder: Path, catalog: Path) -> list[str]:
    done = run_clipsearch("index", folder, "--catalog", catalog, "--model", "starter", "--json", "--wait")
    report = json.loads(done.stdout)
    skipped, unsupported = len(report["skipped"]), sum(report["unsupported"].values())
    assert report["embedded"] + report["reused"] + skipped == report["found"], report
    assert all(number <= MOST_PARTS * contents for contents, number in report["parts"].values()), report["parts"]
    numbers = [report["found"], report["embedded"], report["reused"], skipped, unsupported]
    return [
        *(f"{number:,}" for number in numbers),
        f"{report['seconds']:.0f} s",
        f"{done.peak_bytes / 1e9:.2f} GB",
        str(done.exit_code),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutations", type=int, default=40, help="of each file")
    chosen = parser.parse_args()
    rows = []
    with workplace(None) as place:
        made = place / "made"
        make_hostile(made)
        if _SHARED.is_dir():
            shutil.copytree(_SHARED, made / "shared", symlinks=True)
        note(f"{make_mutations(place / 'mutated', chosen.mutations):,} mutated files")
        for name in ("made", "mutated"):
            rows.append([name, *measure(place / name, place / f"catalog-{name}")])
    heads = ["found", "embedded", "reused", "skipped", "passed over", "time", "most memory", "exit code"]
    print_table(["folder", *heads], rows)


if __name__ == "__main__":
    main()
