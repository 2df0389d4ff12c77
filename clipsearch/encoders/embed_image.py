"""Read, resize and embed the pictures of a query.

They are decoded in this process: a worker takes 0.17 s to start, a fifth of a cold query, and the user named these
files. Films, documents and parts of files are decoded in a worker, see `images.locations`; so are pictures uploaded to
the web page and those of indexed folders.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clipsearch.encoders.base import Encoder
from clipsearch.errors import ImageReadError, InputError
from clipsearch.files import open_regular_file
from clipsearch.images.decode import decode_image, upright_rgb
from clipsearch.images.locations import decode_cover, find_location, read_part
from clipsearch.images.opening import suffix_of
from clipsearch.images.preprocess import Preprocess, resize_and_crop
from clipsearch.paths import expand_user
from clipsearch.types import FetchedPicture

PictureSource: TypeAlias = str | os.PathLike[str] | Image.Image | FetchedPicture
"""A picture: its path, a Pillow image, or the result of `fetch_picture`."""

Picture: TypeAlias = PictureSource | NDArray[np.float32]
"""A picture, or its embedding (dim,), unit-norm."""


def picture_name(source: PictureSource) -> str:
    """Return the name of a picture for messages: its path or URL."""
    if isinstance(source, FetchedPicture):
        return source.url
    return "<image>" if isinstance(source, Image.Image) else os.fspath(source)


def embed_pictures(sources: Sequence[PictureSource], *, encoder: Encoder) -> NDArray[np.float32]:
    """Embed n pictures to rows (n, dim) unit-norm.

    Raises:
        InputError: a file does not exist.
        ImageReadError: a picture can't be read; names it.
    """
    spec = encoder.preprocess
    crops = np.empty((len(sources), spec.height, spec.width, 3), dtype=np.uint8)
    for row, source in enumerate(sources):
        crops[row] = picture_crop(source, spec)
    return encoder.encode_images(crops)


def embed_picture(source: Picture, *, encoder: Encoder) -> NDArray[np.float32]:
    """Embed a picture to (dim,) unit-norm; an embedding is returned unchanged.

    Raises:
        ImageReadError: the picture can't be read; names it.
    """
    if isinstance(source, np.ndarray):
        return source
    embedding: NDArray[np.float32] = embed_pictures([source], encoder=encoder)[0]
    return embedding


def picture_crop(source: PictureSource, spec: Preprocess) -> NDArray[np.uint8]:
    """Return the model input of a picture, (height, width, 3) uint8, the same as when it is indexed.

    Errors as in `read_picture`.
    """
    if isinstance(source, str | os.PathLike):
        with _naming(source):
            location = find_location(source)
            if location.needs_worker and location.part is None:
                return decode_cover(location, spec)
    image, box = read_picture(source, spec)
    return resize_and_crop(image, spec, box=box)


def read_picture(
    source: PictureSource, spec: Preprocess
) -> tuple[Image.Image, tuple[float, float, float, float] | None]:
    """Read a picture upright and large enough for the model.

    Returns:
        The image, and the box in it that contains the picture; None: all of it.

    Raises:
        InputError: the file does not exist.
        ImageReadError: the picture can't be read; names it.
    """
    if isinstance(source, Image.Image):
        return upright_rgb(source), None
    if not isinstance(source, str | os.PathLike | FetchedPicture):
        raise InputError(f"a picture is a path, a Pillow image or a FetchedPicture, not {type(source).__name__}")
    with _naming(source):
        if isinstance(source, FetchedPicture):
            decoded = decode_image(source.content, needed_side=spec.resized_side)
            return decoded.image, decoded.box
        location = find_location(source)
        if location.needs_worker:
            return read_part(location, spec), None
        with open_regular_file(location.path) as file:
            decoded = decode_image(file, needed_side=spec.resized_side, suffix=suffix_of(location.path))
        return decoded.image, decoded.box


@contextmanager
def _naming(source: str | os.PathLike[str] | FetchedPicture) -> Iterator[None]:
    """Name the picture in the errors of reading it."""
    path = source.url if isinstance(source, FetchedPicture) else expand_user(source)
    try:
        yield
    except ImageReadError as error:
        raise ImageReadError(f"can't read the picture {path}: {error}") from error
    except (FileNotFoundError, ValueError) as error:  # ValueError: a NUL in the name
        raise InputError(f"the picture {path} does not exist") from error
    except OSError as error:
        raise ImageReadError(f"can't open the picture {path}: {error.strerror or error}") from error
