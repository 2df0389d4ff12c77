"""Keywords in XMP sidecars, where other programs look for them: `cat.jpg.xmp` beside `cat.jpg`, or `cat.xmp`."""

import os
from collections.abc import Iterable
from pathlib import Path

from clipsearch.errors import InputError
from clipsearch.files import open_regular_file, read_limited, replace_file
from clipsearch.formats import IMAGE_SUFFIXES, UNSUPPORTED_SUFFIXES
from clipsearch.images.xmp.document import UnsupportedFormError
from clipsearch.images.xmp.keywords import add_to_xmp, find_keywords

# Sidecars are some kilobytes; those of editors with a long history some megabytes.
_MAX_BYTES = 8_000_000


def sidecar_of(picture: Path) -> Path:
    """Where the sidecar of a picture lies, or would be made.

    `cat.jpg.xmp`, as digiKam and darktable name it; `cat.xmp`, as Lightroom and Photos do, only if that is there, the
    other is not, and no other picture has the name `cat`: it may be that of `cat.cr2`.
    """
    own = picture.name + ".xmp"
    for name in (own, picture.name + ".XMP"):
        if _is_there(picture.with_name(name)):
            return picture.with_name(name)
    for ending in (".xmp", ".XMP"):
        shared = picture.with_name(picture.stem + ending)
        if _is_there(shared) and not any(_is_there(other) for other in _pictures_named_alike(picture)):
            return shared
    return picture.with_name(own)


def _pictures_named_alike(picture: Path) -> Iterable[Path]:
    for suffix in IMAGE_SUFFIXES | UNSUPPORTED_SUFFIXES:
        for ending in (suffix, suffix.upper()):
            if ending.lower() != picture.suffix.lower():
                yield picture.with_name(picture.stem + ending)


def add_keywords(picture: Path, keywords: Iterable[str]) -> bool:
    """Add keywords to a picture's sidecar, which is made when there is none; all else in it keeps its bytes.

    Returns:
        Whether anything had to be written.

    Raises:
        InputError: the sidecar is not XMP, is a link or not a file, or can't be read or written; it is left as it is.
    """
    path = sidecar_of(picture)
    try:
        content, status = _read(path)
        changed = _edited(path, content, keywords)
        if changed == (content or b""):
            return False
        # By its mode also for those whom the system lets write anything.
        if status is not None and not (status.st_mode & 0o222 and os.access(path, os.W_OK)):
            raise InputError(f"can't write {path}: it is read-only")
        replace_file(path, changed, previous=status)
    except OSError as error:
        raise InputError(f"can't write {path}: {error.strerror or error}") from error
    return True


def read_keywords(picture: Path) -> list[str]:
    """The keywords in a picture's sidecar, in their order; none when there is none. Errors as in `add_keywords`."""
    path = sidecar_of(picture)
    try:
        content, _ = _read(path)
        return [] if content is None else find_keywords(content)
    except UnsupportedFormError as error:
        raise InputError(f"can't read the keywords of {path}: {error}") from error
    except InputError as error:
        raise InputError(f"{path} is no XMP: {error}") from error
    except OSError as error:
        raise InputError(f"can't read {path}: {error.strerror or error}") from error


def _edited(path: Path, content: bytes | None, keywords: Iterable[str]) -> bytes:
    try:
        return add_to_xmp(content, keywords)
    except UnsupportedFormError as error:
        raise InputError(f"can't add keywords to {path}: {error}") from error
    except InputError as error:
        raise InputError(f"{path} is no XMP: {error}") from error


def _read(path: Path) -> tuple[bytes | None, os.stat_result | None]:
    """Content and status; None where there is no sidecar. A link is never followed: it would be written through."""
    if not _is_there(path):
        return None, None
    with open_regular_file(path, follow_link=False) as file:
        return read_limited(file, _MAX_BYTES), os.fstat(file.fileno())


def _is_there(path: Path) -> bool:
    """Also a link that leads nowhere, which is not to be filled."""
    return os.path.lexists(path)
