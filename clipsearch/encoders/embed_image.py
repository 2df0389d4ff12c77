"""Read, preprocess and embed pictures given as a query.

In this process: a worker takes 0.17 s to start, a fifth of a cold query, and the user has named these files. Pictures
that are sent to the page, and those of folders, are decoded in workers.
"""

import os
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clipsearch.encoders.base import Encoder
from clipsearch.errors import ImageReadError, InputError
from clipsearch.files import open_regular_file
from clipsearch.images.decode import decode_image, upright_rgb
from clipsearch.images.preprocess import Preprocess, resize_and_crop
from clipsearch.paths import expand_user
from clipsearch.types import FetchedPicture

PictureSource: TypeAlias = str | os.PathLike[str] | Image.Image | FetchedPicture
"""A picture: its path, a Pillow image, or what `fetch_picture` brought."""

Picture: TypeAlias = PictureSource | NDArray[np.float32]
"""A picture, or its embedding (dim,), unit-norm."""


def picture_name(source: PictureSource) -> str:
    if isinstance(source, FetchedPicture):
        return source.url
    return "<image>" if isinstance(source, Image.Image) else os.fspath(source)


def embed_pictures(sources: Sequence[PictureSource], *, encoder: Encoder) -> NDArray[np.float32]:
    """n pictures → (n, dim) unit-norm.

    Raises:
        ImageReadError: one can't be read; names it.
    """
    spec = encoder.preprocess
    crops = np.empty((len(sources), spec.height, spec.width, 3), dtype=np.uint8)
    for row, source in enumerate(sources):
        crops[row] = picture_crop(source, spec)
    return encoder.encode_images(crops)


def embed_picture(source: Picture, *, encoder: Encoder) -> NDArray[np.float32]:
    """A picture's embedding (dim,), unit-norm; that of an embedding is itself.

    Raises:
        ImageReadError: the picture can't be read; names it.
    """
    if isinstance(source, np.ndarray):
        return source
    embedding: NDArray[np.float32] = embed_pictures([source], encoder=encoder)[0]
    return embedding


def picture_crop(source: PictureSource, spec: Preprocess) -> NDArray[np.uint8]:
    """What the model gets of a picture, the same as when it was indexed: (height, width, 3) uint8; errors as in
    `read_picture`."""
    image, box = read_picture(source, spec)
    return resize_and_crop(image, spec, box=box)


def read_picture(
    source: PictureSource, spec: Preprocess
) -> tuple[Image.Image, tuple[float, float, float, float] | None]:
    """A picture upright, large enough for the model, and the box of it that holds the picture; None: all of it.

    Raises:
        InputError: there is no such file.
        ImageReadError: it can't be read; names it.
    """
    if isinstance(source, Image.Image):
        return upright_rgb(source), None
    path = source.url if isinstance(source, FetchedPicture) else expand_user(source)
    try:
        if isinstance(source, FetchedPicture):
            decoded = decode_image(source.content, needed_side=spec.resized_side)
        else:
            with open_regular_file(str(path)) as file:
                decoded = decode_image(file, needed_side=spec.resized_side)
    except ImageReadError as error:
        raise ImageReadError(f"can't read the picture {path}: {error}") from error
    except (FileNotFoundError, ValueError) as error:  # ValueError: a NUL in the name
        raise InputError(f"no picture {path}") from error
    except OSError as error:
        raise ImageReadError(f"can't open the picture {path}: {error.strerror or error}") from error
    return decoded.image, decoded.box
