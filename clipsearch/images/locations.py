"""Read the pictures that a path with a fragment means, and films and documents, for a query.

"film.mp4#t=83.5" is the frame at a time, "scan.pdf#page=3" a page, "wall.jpg#xywh=percent:0,0,50,50" a crop. A file
whose own name is that comes first. Films and documents are decoded in a process of their own, with limits of time and
memory: their decoders are large, and their time can't be foreseen.
"""

import io
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from clipsearch.formats import DOCUMENT_SUFFIXES, FILM_SUFFIXES
from clipsearch.parts import Part, split_location
from clipsearch.paths import expand_user

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from clipsearch.images.preprocess import Preprocess
    from clipsearch.images.reading import OpenPicture

# Longer side of the picture of a part, in pixels.
_SIDE = 2048


class Location(NamedTuple):
    """File, and the part of it that is meant; None: all of it."""

    path: str
    part: Part | None

    @property
    def needs_worker(self) -> bool:
        """Whether it is decoded in a process of its own."""
        suffix = os.path.splitext(self.path)[1].lower()  # noqa: PTH122 (surrogates)
        return self.part is not None or suffix in FILM_SUFFIXES | DOCUMENT_SUFFIXES


def find_location(name: str | os.PathLike[str]) -> Location:
    """Return what a path means, with the home folder expanded; a path without a fragment is that of a file.

    Raises:
        ValueError: a NUL in the name.
    """
    path = str(expand_user(name))
    if "#" not in path or os.path.lexists(path):
        return Location(path, None)
    return Location(*split_location(path))


def decode_cover(location: Location, spec: "Preprocess") -> "NDArray[np.uint8]":
    """Decode what stands for a film or a document as when it is indexed: (height, width, 3) for the model.

    Raises:
        OSError: it can't be opened; ImageReadError: it can't be decoded.
    """
    with _opened(location, spec) as picture:
        return picture.decode().crop.copy()


def read_part(location: Location, spec: "Preprocess") -> "Image.Image":
    """Read a part upright, mode "RGB", at most 2,048 pixels wide and high; errors as in `decode_cover`."""
    from PIL import Image

    with _opened(location, spec) as picture:
        jpeg = picture.shrink(_SIDE, location.part).jpeg
    with Image.open(io.BytesIO(jpeg)) as image:
        return image.convert("RGB")


@contextmanager
def _opened(location: Location, spec: "Preprocess") -> "Iterator[OpenPicture]":
    from clipsearch.images.decode import default_limits
    from clipsearch.images.worker_pool import WorkerPool

    with closing(WorkerPool(spec, limits=default_limits())) as pool, pool.open_path(location.path) as picture:
        yield picture
