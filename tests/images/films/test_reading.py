"""Films of many codecs and containers: scenes at their cuts, upright frames, single frames by time."""

import io
import struct
import sys
from datetime import datetime
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

pytest.importorskip("av", reason="av is not installed: pip install 'clipsearch[video]'")

from clipsearch.errors import ImageReadError, InputError, MissingExtraError
from clipsearch.images.decode import decode_image
from clipsearch.images.films.container import Container
from clipsearch.images.films.film import Film, FilmLimits
from clipsearch.images.films.looks import difference, look_at
from clipsearch.images.films.reading import frame_at, read_film
from clipsearch.paths import sample_data_folder
from tests.support.films import Shot, frames_of, make_film
from tests.support.pictures import scene

SIDE = 96
# A quarter, half and three quarter turns, and mirror images of all.
MATRICES = [
    *((0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0)),
    *((-1, 0, 0, 1), (1, 0, 0, -1), (0, 1, 1, 0), (0, -1, -1, 0)),
]


def read(content: bytes, **limits: float) -> Film:
    return read_film(content, needed_side=SIDE, limits=FilmLimits(**limits))  # type: ignore[arg-type]


def looks_like(image: Image.Image, expected: Image.Image) -> bool:
    return difference(look_at(image), look_at(expected)) < 0.2


def starts(film: Film) -> list[float]:
    return [round(each.start_s, 1) for each in film.scenes]


SHOTS = [Shot(scene(number), seconds) for number, seconds in enumerate((3, 2, 4))]


@pytest.mark.parametrize(
    ("codec", "container", "film_format", "name"),
    [
        ("mpeg4", "mp4", "MP4", "mpeg4"),
        ("mpeg4", "avi", "AVI", "mpeg4"),
        ("libx264", "mov", "QuickTime", "h264"),
        ("libx264", "ts", "MPEG-TS", "h264"),
        ("libx265", "mp4", "MP4", "hevc"),
        ("libvpx-vp9", "webm", "Matroska", "vp9"),
        ("libsvtav1", "mkv", "Matroska", "av1"),
        ("mjpeg", "avi", "AVI", "mjpeg"),
        ("wmv2", "asf", "ASF", "wmv2"),
        ("flv", "flv", "FLV", "flv"),
    ],
)
def test_scenes_begin_at_the_cuts(codec: str, container: str, film_format: str, name: str) -> None:
    av = sys.modules["av"]
    try:
        av.codec.Codec(codec, "w")
    except av.codec.codec.UnknownCodecError:
        pytest.skip(f"this build of FFmpeg does not encode with {codec}")
    film = read(make_film(SHOTS, codec=codec, container=container, options=quiet(codec)))
    assert (film.metadata.format, film.metadata.codec) == (film_format, name)
    assert (film.metadata.width, film.metadata.height) == (320, 240)
    assert film.metadata.duration_s == pytest.approx(9, abs=0.3)
    assert film.read_s == pytest.approx(9, abs=0.3)
    assert not film.is_partial
    assert starts(film) == [0, 3, 5]
    assert [each.end_s for each in film.scenes] == [*(each.start_s for each in film.scenes[1:]), film.read_s]
    for each, shot in zip(film.scenes, SHOTS, strict=True):
        assert each.start_s <= each.frame_s <= each.end_s
        assert (each.frame.mode, each.frame.size) == ("RGB", (SIDE * 4 // 3, SIDE))
        assert looks_like(each.frame, shot.image)


def quiet(codec: str) -> dict[str, str]:
    return {
        "libx265": {"x265-params": "log-level=none", "preset": "ultrafast"},
        "libsvtav1": {"preset": "12"},
        "libx264": {"preset": "ultrafast"},
    }.get(codec, {})


def test_a_pan_over_a_photograph_is_one_scene_and_a_long_one_is_not() -> None:
    photo = decode_image(sample_data_folder() / "people" / "astronaut.jpg").image
    assert len(read(make_film([Shot(photo, 5, pan=0.1)])).scenes) == 1
    strip = Image.new("RGB", (photo.width * 4, photo.height))
    for number in range(4):
        strip.paste(scene(number, photo.size), (number * photo.width, 0))
    assert 4 <= len(read(make_film([Shot(strip, 40, pan=0.75)])).scenes) <= 20


@pytest.mark.parametrize("lengths", [(30,), (9.5, 20.5), (2, 26, 2), (13, 1, 16), (5, 5, 5, 5, 10)], ids=str)
def test_only_key_frames_around_changes_are_decoded(
    lengths: tuple[float, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[object] = []
    decode = Container.decode
    monkeypatch.setattr(Container, "decode", lambda self, packet: decoded.append(packet) or decode(self, packet))
    shots = [Shot(scene(number), length) for number, length in enumerate(lengths)]
    # A key frame every half second, and so at each cut, but none early.
    film = read(make_film(shots, key_every=5, options={"sc_threshold": "1000000000"}))
    assert starts(film) == [sum(lengths[:number]) for number in range(len(lengths))]
    # One every four seconds and the end, and for each cut about log2(8).
    assert len(decoded) <= 10 + 4 * (len(lengths) - 1)


def test_scenes_are_found_without_key_frames() -> None:
    shots = [Shot(scene(0), 20), Shot(scene(1), 20)]
    content = make_film(shots, codec="libx264", key_every=100_000, options={"x264-params": "scenecut=0"})
    film = read(content)
    assert len(film.scenes) == 2
    assert film.scenes[1].start_s == pytest.approx(20, abs=1.1)
    assert looks_like(film.scenes[1].frame, scene(1))


def test_a_cross_fade_without_a_key_frame_begins_a_scene() -> None:
    photo = decode_image(sample_data_folder() / "people" / "astronaut.jpg").image
    other = decode_image(sorted((sample_data_folder() / "food").iterdir())[0]).image.resize(photo.size)
    shots = [Shot(photo, 5, pan=0.05), Shot(other, 5, pan=0.05)]
    one, two = list(frames_of(shots[:1], (320, 240), 10)), list(frames_of(shots[1:], (320, 240), 10))
    fade = [Image.blend(one[-1], two[0], share / 8) for share in range(8)]
    options = {"x264-params": "scenecut=0"}
    frames = [*one, *fade, *two]
    film = read(make_film(frames=frames, codec="libx264", key_every=1000, options=options))
    assert len(film.scenes) == 2
    assert film.scenes[1].start_s == pytest.approx(5.8, abs=0.8)
    assert looks_like(film.scenes[1].frame, other)


@pytest.mark.parametrize("matrix", MATRICES)
def test_frames_are_upright(matrix: tuple[int, int, int, int]) -> None:
    content = turned(make_film([Shot(scene(3), 1)]), matrix)
    film = read(content)
    expected = transformed(scene(3), matrix)
    assert (film.metadata.width, film.metadata.height) == expected.size
    for image in (film.scenes[0].frame, frame_at(content, 0, side=SIDE)):
        assert looks_like(image, expected)


def transformed(image: Image.Image, matrix: tuple[int, int, int, int]) -> Image.Image:
    """Move each pixel to where the matrix of ISO/IEC 14496-12, 6.2.2 puts it: x' = ax + cy, y' = bx + dy."""
    a, b, c, d = matrix
    pixels = np.asarray(image)
    y, x = np.indices(pixels.shape[:2])
    to_x, to_y = a * x + c * y, b * x + d * y
    to_x, to_y = to_x - to_x.min(), to_y - to_y.min()
    moved = np.zeros((int(to_y.max()) + 1, int(to_x.max()) + 1, 3), dtype=np.uint8)
    moved[to_y, to_x] = pixels
    return Image.fromarray(moved)


def turned(content: bytes, matrix: tuple[int, int, int, int]) -> bytes:
    """Write a display matrix into the header of the only track. Source: ISO/IEC 14496-12, 8.3.2."""
    a, b, c, d = (number << 16 for number in matrix)
    start = content.index(b"tkhd") + 44
    return content[:start] + struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30) + content[start + 36 :]


def test_pixels_that_are_not_square_are_stretched() -> None:
    film = read(make_film([Shot(scene(0), 1)], container="mkv", codec="mpeg4", aspect=Fraction(3, 2)))
    assert (film.metadata.width, film.metadata.height) == (480, 240)
    assert film.scenes[0].frame.size == (SIDE * 2, SIDE)


def test_frames_at_irregular_times_keep_their_times() -> None:
    numbers = [*range(10), *range(50, 60), *range(200, 210)]
    frames = [scene(number // 100).resize((320, 240)) for number in numbers]
    film = read(make_film(frames=frames, container="mkv", times=numbers, key_every=5))
    assert starts(film) == [0, 20]
    assert film.read_s == pytest.approx(21, abs=0.2)


def test_a_jump_in_time_costs_nothing() -> None:
    times = [*range(30), *range(10_000_000, 10_000_030)]
    frames = [scene(number // 10_000_000).resize((320, 240)) for number in times]
    film = read(make_film(frames=frames, container="mkv", times=times))
    assert starts(film) == [0, 1_000_000]


@pytest.mark.parametrize("container", ["mp4", "mkv", "avi"])
def test_a_film_of_one_frame_is_one_scene(container: str) -> None:
    content = make_film(frames=[scene(5)], container=container)
    film = read(content)
    assert len(film.scenes) == 1
    assert film.scenes[0].start_s == film.scenes[0].frame_s == 0
    assert looks_like(film.scenes[0].frame, scene(5))
    assert looks_like(frame_at(content, 100, side=SIDE), scene(5))


def test_black_blurred_and_plain_frames_do_not_stand_for_a_scene() -> None:
    photo = decode_image(sample_data_folder() / "people" / "astronaut.jpg").image.resize((320, 240))
    black = Image.new("RGB", photo.size)
    fade = [Image.blend(black, photo, share / 20) for share in range(21)]
    blurred = [photo.filter(ImageFilter.GaussianBlur(8 - number / 4)) for number in range(32)]
    for frames in ([black] * 15 + fade + [photo] * 40, blurred + [photo] * 8):
        # One key frame, the worst.
        film = read(make_film(frames=frames, codec="libx264", key_every=1000, options={"x264-params": "scenecut=0"}))
        assert difference(look_at(film.scenes[0].frame), look_at(photo)) < 0.15
    plain = make_film([Shot(Image.new("RGB", (320, 240), "navy"), 3), *SHOTS, Shot(black, 3)])
    film = read(plain)
    assert starts(film) == [0, 6, 8]
    assert looks_like(film.scenes[0].frame, SHOTS[0].image)
    assert film.scenes[-1].end_s == film.read_s == pytest.approx(15, abs=0.2)


def test_a_film_that_is_black_throughout_is_one_scene() -> None:
    film = read(make_film([Shot(Image.new("RGB", (320, 240)), 5)]))
    assert len(film.scenes) == 1


def test_the_fields_of_an_interlaced_frame_are_not_mixed() -> None:
    # A white bar that is at another place in each field.
    lines = np.zeros((240, 320, 3), dtype=np.uint8)
    lines[::2, 40:80] = 255
    lines[1::2, 200:240] = 255
    content = make_film(
        frames=[lines] * 5, codec="mpeg2video", container="mpeg", rate=25, options={"flags": "+ildct+ilme", "qmax": "2"}
    )
    shown = np.asarray(read(content).scenes[0].frame.convert("L"), dtype=float)[SIDE // 2]
    scale = SIDE / 240
    assert shown[round(60 * scale)] > 200
    assert shown[round(220 * scale)] < 60


@pytest.mark.parametrize("transfer", [16, 18])
def test_frames_of_high_dynamic_range_are_not_washed_out(transfer: int) -> None:
    from tests.images.films.test_hdr import signal_of

    grey = np.linspace(0, 1, 320, dtype=np.float32)
    linear = np.broadcast_to(grey[None, :, None] ** 2.2, (240, 320, 3))
    encoded = (signal_of(linear, transfer) * 65535).astype(np.uint16)
    content = make_film(
        frames=[encoded] * 3,
        codec="libx265",
        container="mkv",
        pixel_format="yuv420p10le",
        colours={"color_trc": transfer, "color_primaries": 9, "colorspace": 9},
        options={"x265-params": "log-level=none"},
    )
    shown = np.asarray(read(content).scenes[0].frame.convert("L"), dtype=float)[SIDE // 2]
    assert shown[-1] > 225
    assert shown[2] < 25
    assert shown[len(shown) // 2] == pytest.approx(127, abs=20)


def test_a_film_may_be_a_path_an_open_file_or_bytes(tmp_path: Path) -> None:
    content = make_film(SHOTS)
    path = tmp_path / "film.mp4"
    path.write_bytes(content)
    with path.open("rb") as file:
        found = [read_film(source, needed_side=SIDE) for source in (path, str(path), file, content)]
    assert len({(tuple(starts(film)), film.scenes[1].frame.tobytes()) for film in found}) == 1
    with pytest.raises(FileNotFoundError):
        read_film(tmp_path / "none.mp4", needed_side=SIDE)
    with pytest.raises(OSError, match="not a regular file"):
        read_film(tmp_path, needed_side=SIDE)


def test_date_camera_and_position_come_from_the_container() -> None:
    metadata = read(
        make_film(
            [Shot(scene(0), 1)],
            container="mov",
            tags={
                "creation_time": "2024-07-04T16:30:00Z",
                "com.apple.quicktime.make": "Apple",
                "com.apple.quicktime.model": "iPhone 15",
                "com.apple.quicktime.location.ISO6709": "+48.1371+011.5754+519.000/",
            },
        )
    ).metadata
    assert (metadata.taken_at, metadata.is_utc) == (datetime(2024, 7, 4, 16, 30), True)
    assert metadata.camera == "Apple iPhone 15"
    assert (metadata.latitude, metadata.longitude) == (48.1371, 11.5754)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"\0" * 5000, "not a film of a kind that can be read, or damaged"),
        (b"\xff\xd8\xff\xe0 no film", "not a film of a kind that can be read, or damaged"),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "not a film of a kind that can be read, or damaged"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "not a film of a kind that can be read, or damaged"),
    ],
)
def test_what_is_no_film_has_a_short_reason(content: bytes, reason: str) -> None:
    with pytest.raises(ImageReadError) as raised:
        read(content)
    assert str(raised.value) == reason
    with pytest.raises(ImageReadError):
        frame_at(content, 0, side=SIDE)


def test_an_unusual_codec_is_named() -> None:
    content = make_film(SHOTS[:1], codec="snow", container="avi", options={"strict": "experimental"})
    with pytest.raises(ImageReadError, match=r"not supported: a film with an unusual codec \(snow\)"):
        read(content)


def test_sound_alone_is_no_film() -> None:
    content = make_film(with_sound=True, with_pictures=False)
    with pytest.raises(ImageReadError, match="not a film: it holds only sound"):
        read(content)
    assert len(read(make_film(SHOTS, with_sound=True)).scenes) == 3


def test_a_film_without_frames_is_an_error() -> None:
    with pytest.raises(ImageReadError):
        read(make_film(frames=[], container="mkv"))


def test_frames_larger_than_the_limit_are_not_decoded() -> None:
    with pytest.raises(ImageReadError, match=r"too large: 0\.077 megapixels") as raised:
        read(make_film(SHOTS), max_frame_megapixels=0.05)
    assert raised.value.limit == ("megapixels", 0.05)


@pytest.mark.parametrize(
    ("codec", "key_every", "limits"),
    [
        ("mpeg4", 10, {"max_packets": 40}),
        ("ffv1", 1, {"max_bytes": 8_000_000}),
        ("libx264", 1000, {"max_decoded_megapixels": 4}),
    ],
)
def test_reading_ends_at_a_limit_with_what_it_has(codec: str, key_every: int, limits: dict[str, float]) -> None:
    rng = np.random.default_rng(0)
    noise = [Image.fromarray(rng.integers(0, 256, (240, 320, 3), dtype=np.uint8)) for _ in range(4)]
    shots = [Shot(image, 5) for image in (noise if codec == "ffv1" else map(scene, range(4)))]
    options = {"x264-params": "scenecut=0"} if codec == "libx264" else {}
    film = read(make_film(shots, codec=codec, container="mkv", key_every=key_every, options=options), **limits)
    assert film.is_partial
    assert 1 <= len(film.scenes) < 4
    assert 3 < film.scenes[-1].end_s == film.read_s < 15


def test_a_film_whose_first_frame_is_beyond_a_limit_says_so() -> None:
    with pytest.raises(ImageReadError, match="a limit was reached before its first frame"):
        read(make_film(SHOTS, container="mkv"), max_bytes=2000)


def test_long_films_are_sampled_more_sparsely_up_to_their_end() -> None:
    content = make_film([Shot(scene(number), 3) for number in range(12)])
    # A quarter of it allows for six of the 36 key frames.
    film = read(content, max_decoded_megapixels=4 * 6 * 0.0768)
    assert not film.is_partial
    assert 4 <= len(film.scenes) <= 8
    assert film.scenes[-1].start_s >= 27


def test_frames_between_key_frames_do_not_use_up_what_later_key_frames_need() -> None:
    shots = [Shot(scene(number), 13) for number in range(4)]
    options = {"x264-params": "scenecut=0"}
    content = make_film(shots, codec="libx264", container="mkv", key_every=130, options=options)
    # Enough for a quarter of the frames.
    film = read(content, max_decoded_megapixels=130 * 0.0768)
    assert starts(film) == [0, 13, 26, 39]
    assert not film.is_partial


def test_the_most_alike_scenes_are_merged_when_there_are_too_many() -> None:
    content = make_film([Shot(scene(number), 2) for number in range(10)])
    film = read(content, max_scenes=4)
    assert len(film.scenes) == 4
    assert film.scenes[0].start_s == 0
    assert film.scenes[-1].end_s == pytest.approx(20, abs=0.2)


def test_frames_by_time_are_those_shown_then() -> None:
    content = make_film(SHOTS, codec="libx264", key_every=1000, options={"x264-params": "scenecut=0"})
    for second, number in ((0, 0), (2.95, 0), (3.0, 1), (4.9, 1), (5.05, 2), (8.9, 2), (1e9, 2), (-5, 0)):
        image = frame_at(content, second, side=SIDE)
        assert image.size == (SIDE, SIDE * 3 // 4)
        assert looks_like(image, SHOTS[number].image), second
    assert frame_at(content, float("nan"), side=5000).size == (320, 240)


@pytest.mark.parametrize("side", [0, -1, 70_000])
def test_invalid_sides_are_rejected(side: int) -> None:
    content = make_film(frames=[scene(0)])
    with pytest.raises(InputError):
        frame_at(content, 0, side=side)
    with pytest.raises(InputError):
        read_film(content, needed_side=side)


def test_invalid_limits_are_rejected() -> None:
    for value in (0, -1, float("nan")):
        with pytest.raises(InputError, match="max_seconds"):
            FilmLimits(max_seconds=value)


def test_no_other_file_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A film may name another that holds its frames: of a "dref" of QuickTime FFmpeg would open it."""
    whole = make_film(SHOTS, container="mov")
    (tmp_path / "whole.mov").write_bytes(whole)
    monkeypatch.chdir(tmp_path)
    start = whole.index(b"dref") - 4
    name = b"whole.mov\0"
    entry = struct.pack(">I4sI", 12 + len(name), b"url ", 0) + name
    assert whole[start + 16 :].startswith(b"\0\0\0\x0curl ")
    changed = bytearray(whole[: start + 16] + entry + whole[start + 28 :])
    # All boxes around it grow; none of them is behind the frames.
    for kind in (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"):
        place = whole.index(kind) - 4
        size = struct.unpack_from(">I", whole, place)[0]
        struct.pack_into(">I", changed, place, size + len(entry) - 12)
    assert looks_like(read(bytes(changed)).scenes[0].frame, SHOTS[0].image)
    opened: list[str] = []
    sys.addaudithook(lambda event, arguments: opened.append(str(arguments[0])) if event == "open" else None)
    read(bytes(changed))
    assert not [path for path in opened if "whole.mov" in path]


def test_the_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'clipsearch\[video\]'"):
        read_film(io.BytesIO(b"film"), needed_side=SIDE)
