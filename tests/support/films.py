"""Films made with PyAV: shots with known cuts, in any codec and container."""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

FRAMES_PER_SECOND = 10


@dataclass(frozen=True, slots=True)
class Shot:
    """Some seconds of one picture, over which a window moves."""

    image: Image.Image
    seconds: float
    pan: float = 0.0  # share of the width that the window moves in all


def frames_of(shots: Sequence[Shot], size: tuple[int, int], rate: int) -> Iterator[Image.Image]:
    for shot in shots:
        count = round(shot.seconds * rate)
        width = round(shot.image.width * (1 - shot.pan))
        for number in range(count):
            left = round((shot.image.width - width) * number / max(1, count - 1))
            yield shot.image.resize(size, Image.Resampling.BICUBIC, box=(left, 0, left + width, shot.image.height))


def make_film(
    shots: Sequence[Shot] = (),
    *,
    frames: Iterable[Image.Image | NDArray[np.uint8]] | None = None,
    codec: str = "mpeg4",
    container: str = "mp4",
    size: tuple[int, int] = (320, 240),
    rate: int = FRAMES_PER_SECOND,
    key_every: int = 10,
    options: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
    times: Sequence[int] | None = None,
    pixel_format: str = "yuv420p",
    aspect: Fraction | None = None,
    with_sound: bool = False,
    with_pictures: bool = True,
    colours: Mapping[str, int] | None = None,
) -> bytes:
    """Encode a film.

    Args:
        frames: instead of shots.
        key_every: frames from one key frame to the next; the encoder may add some at cuts.
        times: of the frames, in units of 1/rate; None: one after the other.
        colours: of the codec: color_trc, colorspace, color_primaries.
    """
    file = io.BytesIO()
    file.name = f"film.{container}"  # type: ignore[misc]
    container_options = {"movflags": "use_metadata_tags"} if container in ("mp4", "mov") else {}
    with av.open(file, "w", format={"mkv": "matroska", "ts": "mpegts"}.get(container, container),
                 options=container_options) as output:  # fmt: skip
        output.metadata.update(tags or {})
        sound = output.add_stream("aac", rate=8000) if with_sound else None
        if with_pictures:
            stream = output.add_stream(codec, rate=rate, options=dict(options or {}))
            stream.width, stream.height = size
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else pixel_format
            stream.gop_size = key_every
            if codec == "mpeg4":
                stream.codec_context.bit_rate = 2_000_000
            if aspect is not None:
                stream.codec_context.sample_aspect_ratio = aspect
            for name, value in (colours or {}).items():
                setattr(stream.codec_context, name, value)
            for number, image in enumerate(frames if frames is not None else frames_of(shots, size, rate)):
                frame = (
                    av.VideoFrame.from_image(image)
                    if isinstance(image, Image.Image)
                    else av.VideoFrame.from_ndarray(image, format="rgb48le" if image.dtype == np.uint16 else "rgb24")
                )
                frame.pts = number if times is None else times[number]
                frame.time_base = Fraction(1, rate)
                output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
        if sound is not None:
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 8000), dtype=np.float32), format="fltp", layout="mono")
            silence.sample_rate = 8000
            output.mux(sound.encode(silence))
            output.mux(sound.encode(None))
    return file.getvalue()
