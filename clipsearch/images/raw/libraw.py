"""Read a camera raw file with LibRaw: its preview, size and orientation, and a development.

LibRaw prints a line on stderr for damaged raw data, which rawpy has no switch for; workers have no stderr.
"""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clipsearch.errors import ImageReadError, MissingExtraError
from clipsearch.images.reasons import too_large, truncated

# Source: LibRaw, `doc/API-datastruct.html`: bits 1 and 2 of `flip` mirror the columns and the rows, 4 swaps them.
# Values are EXIF orientations, as in `tiff_head` of LibRaw's `src/write/file_write.cpp`.
_ORIENTATIONS = (1, 2, 4, 3, 5, 8, 6, 7)

# Colours of a sensor repeat after 2 rows, with X-Trans after 6.
_REPEATED_ROWS = 6
# Noise makes all rows of a sensor differ. Zeros behind the end of a file are decoded to rows that repeat.
_MAX_REPEATED_SHARE = 0.25
_SAMPLED_COLUMNS = 8

# Source: IEC 61966-2-1: exponent, and slope of the linear part.
_SRGB_GAMMA = (2.4, 12.92)
# Share of the pixels that may become white where a picture is brightened. LibRaw's 0.01 bleaches the sky.
_CLIPPED_SHARE = 0.001


class LibRawFile:
    """A raw file opened by LibRaw; close it after use.

    Attributes:
        size: width and height of the developed picture in pixels, before orientation.
        orientation: EXIF orientation, 1 to 8.
    """

    def __init__(self, content: bytes, kind: str, *, max_megapixels: float) -> None:
        """Open a raw file, which is not decoded yet. No other file is opened, whatever the content names.

        Args:
            kind: for messages.

        Raises:
            ImageReadError: rawpy is not installed, LibRaw can't read it, or it is too large.
            MemoryError: not enough memory.
        """
        try:
            import rawpy
        except ImportError as error:
            raise ImageReadError(
                str(MissingExtraError(f"a camera raw file ({kind})", "rawpy", "clipsearch[raw]"))
            ) from error
        self._rawpy: Any = rawpy
        self._kind = kind
        self._raw: Any = rawpy.RawPy()
        try:
            self._call(self._raw.open_buffer, io.BytesIO(content))
            sizes = self._raw.sizes
            megapixels = max(sizes.raw_width * sizes.raw_height, sizes.width * sizes.height) / 1e6
            if megapixels > max_megapixels:
                raise too_large(megapixels, max_megapixels)
        except BaseException:
            self.close()
            raise
        self.size = _visible_size(sizes)
        self.orientation = _ORIENTATIONS[sizes.flip & 7]

    def close(self) -> None:
        self._raw.close()

    def find_preview(self) -> bytes | None:
        """Return the largest embedded JPEG; None where there is none.

        Previews without compression are small, and rawpy does not check their length: they are passed over. Call it
        before `develop`, which lets go of the file.
        """
        try:
            preview = self._raw.extract_thumb()
        except Exception:  # no preview, or one that can't be read  # noqa: BLE001
            return None
        return preview.data if preview.format == self._rawpy.ThumbFormat.JPEG else None

    def develop(self, *, is_half_size: bool) -> Image.Image:
        """Develop the raw data with the camera's white balance; not upright, mode "RGB" or "L".

        Args:
            is_half_size: one pixel for four of the sensor, without interpolation.

        Raises:
            ImageReadError: the raw data is damaged, truncated, or of an unknown kind.
            MemoryError: not enough memory.
        """
        self._call(self._raw.unpack)
        if _repeated_share(self._raw) > _MAX_REPEATED_SHARE:
            raise truncated()
        pixels: NDArray[np.uint8] = self._call(
            self._raw.postprocess,
            half_size=is_half_size,
            use_camera_wb=True,
            output_bps=8,
            user_flip=0,
            gamma=_SRGB_GAMMA,
            auto_bright_thr=_CLIPPED_SHARE,
        )
        return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels[:, :, :3])

    def _call(self, function: Any, *arguments: Any, **options: Any) -> Any:
        rawpy = self._rawpy
        try:
            return function(*arguments, **options)
        except rawpy.LibRawUnsufficientMemoryError as error:
            raise MemoryError from error
        except rawpy.LibRawTooBigError as error:
            raise ImageReadError(f"not supported: a {self._kind} whose raw data takes too much memory") from error
        except (rawpy.LibRawFileUnsupportedError, rawpy.LibRawNotImplementedError) as error:
            raise ImageReadError(f"not supported: an unusual kind of camera raw file ({self._kind})") from error
        except (MemoryError, ImageReadError):
            raise
        except Exception as error:  # other errors of LibRaw, and those of the system that it passes on
            raise ImageReadError(f"damaged: the raw data of the {self._kind} can't be decoded") from error


def _visible_size(sizes: Any) -> tuple[int, int]:
    """Return the size of the picture: the part that the camera shows, where the file says so."""
    width, height = sizes.width, sizes.height
    if width // 2 < sizes.crop_width <= width and height // 2 < sizes.crop_height <= height:
        width, height = sizes.crop_width, sizes.crop_height
    # Pixels that are not square; as in `get_mem_image_format` of LibRaw's `src/postprocessing/mem_image.cpp`.
    aspect = sizes.pixel_aspect
    if 0 < aspect < 0.995:
        height = round(height / aspect)
    elif aspect > 1.005:
        width = round(width * aspect)
    return max(1, width), max(1, height)


def _repeated_share(raw: Any) -> float:
    """Return the share of the sensor's rows that are missing, as far as one can see: 0 to 1."""
    try:
        pixels = raw.raw_image[:, ::_SAMPLED_COLUMNS]
    except Exception:  # a layout that rawpy has no view of  # noqa: BLE001
        return 0.0
    if len(pixels) <= _REPEATED_ROWS:
        return 0.0
    rows = pixels.reshape(len(pixels), -1)
    # A scan has no noise; its margins are white.
    is_repeated = (
        (rows[_REPEATED_ROWS:] == rows[:-_REPEATED_ROWS]).all(axis=1) if pixels.ndim == 2 else ~rows.any(axis=1)
    )
    return float(is_repeated.mean())
