"""Base of readers that make the pixels of a picture themselves."""

import abc
import io
from typing import Any, BinaryIO

from PIL import Image, ImageFile

from clipsearch.errors import ImageReadError
from clipsearch.images.reasons import truncated


class DecodedOnLoad(ImageFile.ImageFile):
    """Picture whose header is read when it is opened, and whose pixels when they are needed.

    A subclass sets `_size`, `_mode` and `info` in `_open`.
    """

    @abc.abstractmethod
    def _decode(self) -> Image.Image:
        """Return the pixels of the whole picture."""

    def load(self) -> Any:
        if self._im is None:
            image = self._decode()
            image.load()
            self.im, self._mode, self._size, self.palette = image.im, image.mode, image.size, image.palette
        return Image.Image.load(self)


def read_exactly(file: BinaryIO, size_bytes: int) -> bytes:
    """Read exactly `size_bytes` bytes.

    Raises:
        ImageReadError: the file has fewer; none are allocated then.
    """
    if not 0 <= size_bytes <= bytes_left(file):
        raise truncated()
    return file.read(size_bytes)


def bytes_left(file: BinaryIO) -> int:
    """Return the number of bytes from the position of a file to its end."""
    place = file.tell()
    end = file.seek(0, io.SEEK_END)
    file.seek(place)
    return end - place


def not_supported(kind: str, what: str) -> ImageReadError:
    return ImageReadError(f"not supported: an unusual kind of {kind} ({what})")
