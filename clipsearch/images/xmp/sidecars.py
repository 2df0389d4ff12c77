"""Read and write keywords in XMP sidecars: `cat.jpg.xmp` next to `cat.jpg`, or `cat.xmp`."""

import os
from collections.abc import Iterable
from pathlib import Path

from clipsearch.errors import InputError
from clipsearch.files import open_regular_file, read_limited, replace_file
from clipsearch.formats import IMAGE_SUFFIXES, RAW_SUFFIXES, UNSUPPORTED_SUFFIXES
from clipsearch.images.xmp.document import UnsupportedFormError
from clipsearch.images.xmp.keywords import add_to_xmp, find_keywords
from clipsearch.images.xmp.packets import MAX_SIDECAR_BYTES


def sidecar_of(picture: Path) -> Path:
    """Return the path of a picture's sidecar, existing or to be created.

    `cat.jpg.xmp`, as digiKam and darktable name it; `cat.xmp`, as Lightroom and Photos do, only if it exists, the
    other does not, and no other picture has the name `cat`: it may belong to `cat.cr2`, which pictures that are not raw
    leave it.
    """
    own = picture.name + ".xmp"
    for name in (own, picture.name + ".XMP"):
        if _exists(picture.with_name(name)):
            return picture.with_name(name)
    for ending in (".xmp", ".XMP"):
        shared = picture.with_name(picture.stem + ending)
        if _exists(shared) and not any(_exists(other) for other in _pictures_named_alike(picture)):
            return shared
    return picture.with_name(own)


def _pictures_named_alike(picture: Path) -> Iterable[Path]:
    is_raw = picture.suffix.lower() in RAW_SUFFIXES
    for suffix in RAW_SUFFIXES if is_raw else IMAGE_SUFFIXES | UNSUPPORTED_SUFFIXES:
        for ending in (suffix, suffix.upper()):
            if ending.lower() != picture.suffix.lower():
                yield picture.with_name(picture.stem + ending)


def add_keywords(picture: Path, keywords: Iterable[str]) -> bool:
    """Add keywords to a picture's sidecar, which is created if missing; all other bytes stay unchanged. Idempotent.

    The write is atomic.

    Returns:
        Whether the sidecar was written.

    Raises:
        InputError: the sidecar is not XMP, is a link or not a file, or can't be read or written; it is unchanged.
    """
    path = sidecar_of(picture)
    try:
        content, status = _read(path)
        changed = _edited(path, content, keywords)
        if changed == (content or b""):
            return False
        # By its mode too, for users whom the system lets write anything.
        if status is not None and not (status.st_mode & 0o222 and os.access(path, os.W_OK)):
            raise InputError(f"can't write {path}: it is read-only")
        replace_file(path, changed, previous=status)
    except OSError as error:
        raise InputError(f"can't write {path}: {error.strerror or error}") from error
    return True


def read_keywords(picture: Path) -> list[str]:
    """Return the keywords of a picture's sidecar in order; none when it is missing. Errors as in `add_keywords`."""
    path = sidecar_of(picture)
    try:
        content, _ = _read(path)
        return [] if content is None else find_keywords(content)
    except UnsupportedFormError as error:
        raise InputError(f"can't read the keywords of {path}: {error}") from error
    except InputError as error:
        raise InputError(f"{path} is not valid XMP: {error}") from error
    except OSError as error:
        raise InputError(f"can't read {path}: {error.strerror or error}") from error


def _edited(path: Path, content: bytes | None, keywords: Iterable[str]) -> bytes:
    try:
        return add_to_xmp(content, keywords)
    except UnsupportedFormError as error:
        raise InputError(f"can't add keywords to {path}: {error}") from error
    except InputError as error:
        raise InputError(f"{path} is not valid XMP: {error}") from error


def _read(path: Path) -> tuple[bytes | None, os.stat_result | None]:
    """Read content and status; None where there is no sidecar. Links are not followed: they would be overwritten."""
    if not _exists(path):
        return None, None
    with open_regular_file(path, follow_link=False) as file:
        return read_limited(file, MAX_SIDECAR_BYTES), os.fstat(file.fileno())


def _exists(path: Path) -> bool:
    """Return whether the path exists, even as a dangling link, which must not be written through."""
    return os.path.lexists(path)
