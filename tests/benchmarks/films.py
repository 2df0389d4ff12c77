"""Moments found in films, and how fast films are read: python -m tests.benchmarks.films [CAPTIONS] [--films N]

Photographs with the name of what they show (.jsonl with "image" and "caption"; by default sample_data/captions.jsonl),
one of each name, become films of three or four shots of four to eight seconds each, with a slow pan, hard cuts or a
cross-fade of a second, and in one of four encodings: x264 with its own key frames, with one each second or every two
seconds wherever the cuts are, as telephones do, and MPEG-4 with one every second. Each name is looked for among all
scenes of all films. A hit is a first scene that starts within two seconds of the shot. Printed beside it is how often
the photograph is first among all photographs, and of the films the number of scenes, and of shots that no scene starts
with within two seconds.

`--speed` encodes 12 seconds of 1920 × 1080 from the sample pictures in some codecs and key frame intervals, with a cut
every four seconds and as one shot, and prints seconds of film per second of processor time; `--pairs` prints the
differences that `films.scenes` compares with its threshold: of frames of one shot, and of those before and after a cut.
"""

import argparse
import io
import itertools
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

from clipsearch.encoders.base import Encoder
from clipsearch.encoders.load import load_encoder
from clipsearch.images.decode import decode_image
from clipsearch.images.films.film import Film
from clipsearch.images.films.looks import difference, look_at
from clipsearch.images.films.reading import read_film
from clipsearch.images.preprocess import resize_and_crop
from clipsearch.paths import sample_data_folder
from clipsearch.settings import STARTER
from clipsearch.types import ModelOptions
from tests.benchmarks.measuring import note, print_table
from tests.benchmarks.photos import sample_paths

_RATE = 12
_SIZE = (480, 360)
_SPEED_RATE, _SPEED_SIZE, _SPEED_S, _SHOT_S = 24, (1920, 1080), 12, 4
_TOLERANCE_S = 2.0

# Codec, frames between key frames, options.
_ENCODINGS = (
    ("libx264", 250, {"preset": "veryfast"}),
    ("libx264", _RATE, {"preset": "veryfast", "x264-params": "scenecut=0"}),
    ("libx264", 2 * _RATE, {"preset": "veryfast", "x264-params": "scenecut=0"}),
    ("mpeg4", _RATE, {}),
)


@dataclass(frozen=True, slots=True)
class Shot:
    name: str
    image: Image.Image
    start_s: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Found:
    """Films, and the scenes that were read of each."""

    shots: list[list[Shot]]
    films: list[Film]


def read_named(captions: Path) -> list[tuple[str, Image.Image]]:
    """One photograph of each name, in the order of the file."""
    found: dict[str, Path] = {}
    for line in captions.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        found.setdefault(entry["caption"], captions.parent / entry["image"])
    return [(name, decode_image(path).image) for name, path in found.items()]


def cut_films(named: Sequence[tuple[str, Image.Image]], count: int, rng: np.random.Generator) -> list[list[Shot]]:
    """Divide photographs among films at random."""
    rows = np.array_split(rng.permutation(len(named)), count)
    films = []
    for members in rows:
        shots: list[Shot] = []
        for row in members:
            start = shots[-1].start_s + shots[-1].seconds if shots else 0.0
            shots.append(Shot(*named[row], start, float(rng.integers(4 * _RATE, 8 * _RATE) / _RATE)))
        films.append(shots)
    return films


def draw(shots: Sequence[Shot], rng: np.random.Generator) -> Iterator[Image.Image]:
    """Frames of a film: a window of 85 % to 95 % of each photograph moves over it, as a hand or a tripod moves it."""
    before: Image.Image | None = None
    for shot in shots:
        share, fades = rng.uniform(0.85, 0.95), rng.random() < 0.3
        corners = rng.uniform(0, 1 - share, (2, 2))
        frames = round(shot.seconds * _RATE)
        for number in range(frames):
            left, top = corners[0] + (corners[1] - corners[0]) * number / frames
            width, height = shot.image.size
            box = (left * width, top * height, (left + share) * width, (top + share) * height)
            frame = shot.image.resize(_SIZE, Image.Resampling.BICUBIC, box)
            if before is not None and fades and number < _RATE:
                frame = Image.blend(before, frame, number / _RATE)
            yield frame
        before = frame


def encode(
    frames: Iterator[Image.Image], size: tuple[int, int], rate: int, codec: str, key_every: int, options: dict[str, str]
) -> bytes:
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        stream = output.add_stream(codec, rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.gop_size = key_every
        if codec == "mpeg4":
            stream.codec_context.bit_rate = 3_000_000
        for number, image in enumerate(frames):
            frame = av.VideoFrame.from_image(image)
            frame.pts, frame.time_base = number, Fraction(1, rate)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return file.getvalue()


def embed(images: Sequence[Image.Image], encoder: Encoder) -> NDArray[np.float32]:
    return encoder.encode_images(np.stack([resize_and_crop(image, encoder.preprocess) for image in images]))


def measure_moments(captions: Path, count: int) -> None:
    encoder = load_encoder(ModelOptions(STARTER))
    named = read_named(captions)
    texts = encoder.encode_texts([f"a photo of a {name}" if " " not in name else name for name, _ in named])
    stills = embed([image for _, image in named], encoder)
    still_hits = int((np.argmax(texts @ stills.T, axis=1) == np.arange(len(named))).sum())

    rng = np.random.default_rng(0)
    films = cut_films(named, min(count, len(named) // 3), rng)
    read = []
    for number, shots in enumerate(films):
        content = encode(draw(shots, rng), _SIZE, _RATE, *_ENCODINGS[number % len(_ENCODINGS)])
        read.append(read_film(content, needed_side=encoder.preprocess.resized_side))
        note(f"{number + 1} of {len(films)} films")
    found = Found(films, read)
    owners = [(film, scene.start_s, scene.end_s) for film, each in enumerate(read) for scene in each.scenes]
    scenes = embed([scene.frame for each in read for scene in each.scenes], encoder)
    places = {shot.name: (film, shot.start_s) for film, shots in enumerate(films) for shot in shots}
    hits = 0
    for (name, _), best in zip(named, np.argmax(texts @ scenes.T, axis=1), strict=True):
        film, start_s = places[name]
        hits += owners[best][0] == film and abs(owners[best][1] - start_s) <= _TOLERANCE_S
    print_table(
        ["", "first", "share"],
        [
            ["photographs", f"{still_hits} of {len(named)}", f"{still_hits / len(named):.3f}"],
            ["moments", f"{hits} of {len(named)}", f"{hits / len(named):.3f}"],
            ["moments / photographs", "", f"{hits / still_hits:.3f}"],
        ],
    )
    _print_cuts(found)


def _print_cuts(found: Found) -> None:
    missed = total = scenes = 0
    for shots, film in zip(found.shots, found.films, strict=True):
        starts = [scene.start_s for scene in film.scenes]
        scenes += len(starts)
        total += len(shots)
        missed += sum(min(abs(start - shot.start_s) for start in starts) > _TOLERANCE_S for shot in shots)
    print(
        f"\n{len(found.films)} films, {total} shots, {scenes} scenes, {missed} shots without a scene that starts there"
    )


def measure_speed() -> None:
    size, rate = _SPEED_SIZE, _SPEED_RATE
    width, height = size
    # Each shot is a pan over a picture that is a tenth wider than a frame.
    wide = [
        image.resize((width * 11 // 10, height), Image.Resampling.BILINEAR, (0, 0, image.width, image.height // 2))
        for image in (decode_image(path).image for path in sample_paths()[: _SPEED_S // _SHOT_S])
    ]
    noise = [Image.effect_noise(size, 6).convert("RGB") for _ in range(3)]

    def frames(shot_s: int) -> Iterator[Image.Image]:
        for number in range(_SPEED_S * rate):
            shot, step = divmod(number, shot_s * rate)
            left = width // 10 * step // (shot_s * rate)
            yield ImageChops.add(wide[shot].crop((left, 0, left + width, height)), noise[number % 3], offset=-128)

    rows = []
    x264, x265 = (
        {"preset": "veryfast", "crf": "23"},
        {"preset": "ultrafast", "crf": "26", "x265-params": "log-level=error"},
    )
    for codec, key_every, options, shot_s in (
        ("libx264", 250, x264, _SHOT_S),
        ("libx264", rate, x264, _SHOT_S),
        ("libx264", rate, x264, _SPEED_S),
        ("libx265", 2 * rate, x265, _SHOT_S),
    ):
        content = encode(frames(shot_s), size, rate, codec, key_every, options)
        times = []
        for _ in range(3):
            start = time.process_time()
            film = read_film(content, needed_side=224)
            times.append(time.process_time() - start)
        rows.append(
            [
                f"{codec[3:]}, a key frame every {key_every / rate:.1f} s or at a cut, shots of {shot_s} s",
                f"{len(content) * 8e-6 / _SPEED_S:.1f}",
                str(len(film.scenes)),
                f"{median(times):.2f}",
                f"{_SPEED_S / median(times):.0f} ×",
            ]
        )
        note(" · ".join(rows[-1]))
    print_table([f"{_SPEED_S} s of 1920 × 1080 at {_SPEED_RATE}/s", "Mbit/s", "scenes", "CPU s", "of real time"], rows)


def measure_pairs(captions: Path) -> None:
    rng = np.random.default_rng(0)
    looks = []
    for _, image in read_named(captions):
        shot = Shot("", image, 0.0, 6.0)
        looks.append([look_at(frame) for frame in list(draw([shot], rng))[::_RATE]])
    same = [difference(one[0], each) for one in looks for each in one[1:]]
    other = [difference(one[-1], two[0]) for one, two in itertools.pairwise(looks)]
    shares = (0.01, 0.05, 0.1, 0.5, 0.9, 0.95, 0.99)
    print_table(
        ["quantile", *(f"{share:g}" for share in shares)],
        [
            [name, *(f"{np.quantile(values, share):.3f}" for share in shares)]
            for name, values in (("of one shot", same), ("of two shots", other))
        ],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("captions", type=Path, nargs="?", default=sample_data_folder() / "captions.jsonl")
    parser.add_argument("--films", type=int, default=60)
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--pairs", action="store_true")
    chosen = parser.parse_args()
    if chosen.speed:
        measure_speed()
    elif chosen.pairs:
        measure_pairs(chosen.captions)
    else:
        measure_moments(chosen.captions, chosen.films)


if __name__ == "__main__":
    main()
