"""Files behind URLs: in a bucket, or on a web server. The only place that imports fsspec.

Who may look into a bucket is a matter of the file system's own package, which asks the environment: no name and no
password is ever part of a URL here, so that none is kept or shown.
"""

import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

from clipsearch.errors import ImageReadError, InputError, MissingExtraError, first_line
from clipsearch.text import is_valid

# Scheme → the package that reads it.
SCHEMES = {"abfs": "adlfs", "az": "adlfs", "gs": "gcsfs", "http": "aiohttp", "https": "aiohttp", "s3": "s3fs"}

# A request that failed may go well the next time; what is not there or not allowed will not.
_ATTEMPTS = 3
_PAUSE_S = 0.5


def check_folder_url(url: str) -> str:
    """The URL of a folder as it is kept: scheme and host in lower case, no slash at the end.

    Raises:
        InputError: it is of no scheme that can be read, holds a name and password, or is no plain address of a folder.
    """
    shown = re.sub(r"//[^/]*@", "//…@", url)
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise InputError(f"{shown} is no URL: {error}") from error
    scheme = parts.scheme.lower()
    if scheme not in SCHEMES:
        raise InputError(f"folders can't be read by {scheme}://; use {', '.join(f'{each}://' for each in SCHEMES)}")
    user, at, host = parts.netloc.rpartition("@")
    is_web = scheme in ("http", "https")
    # The container of an Azure account stands before an @: no secret.
    if at and (is_web or ":" in user or scheme not in ("abfs", "az")):
        raise InputError(f"{shown} holds a name or password, which a catalog would keep: set them in the environment")
    if not host or not is_valid(url):
        raise InputError(f"{shown} is no URL of a folder: say it as in s3://BUCKET/FOLDER")
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise InputError(f"{shown.split('?')[0].split('#')[0]} must stand without what comes after ? or #")
    path = parts.path.strip("/")
    if "//" in parts.path or any(part in (".", "..") for part in path.split("/")):
        raise InputError(f"{shown} is no plain address: it has an empty part, '.' or '..'")
    place = f"{user}{at}{host.lower() if is_web else host}"
    return f"{scheme}://{place}/{path}".rstrip("/")


def open_file_system(url: str) -> tuple[Any, str]:
    """What reads a URL, and the name that the file or folder has there, without a slash at the end.

    Raises:
        MissingExtraError: the package for it is not installed.
        InputError: it can't be set up, as without credentials.
    """
    scheme = urlsplit(url).scheme
    package = SCHEMES[scheme]
    try:
        import fsspec
    except ImportError as error:
        raise MissingExtraError(f"{scheme}:// needs the package fsspec: pip install 'clipsearch[scale]'") from error
    try:
        # What another process, or this one, saw a while ago is not what is there.
        system = fsspec.filesystem(scheme, use_listings_cache=False)
    except ImportError as error:
        raise MissingExtraError(f"{scheme}:// needs the package {package}: pip install {package}") from error
    except Exception as error:  # whatever the package raises
        raise InputError(f"can't look into {url}: {reason_of(error)}") from error
    return system, str(system._strip_protocol(url)).rstrip("/")


@contextmanager
def fetched_file(url: str, *, max_bytes: int | None = None) -> Iterator[str]:
    """The path of a copy, which is deleted afterwards.

    Raises:
        OSError: it can't be had; FileNotFoundError where it is not there.
        ImageReadError: it is larger than `max_bytes`.
        MissingExtraError, InputError: as in `open_file_system`.
    """
    system, name = open_file_system(url)
    descriptor, path = tempfile.mkstemp(prefix="clipsearch-")
    os.close(descriptor)
    try:
        for attempt in range(_ATTEMPTS):
            try:
                system.get_file(name, path, callback=_limit(max_bytes))
                break
            except (FileNotFoundError, PermissionError, ImageReadError):
                raise
            except Exception as error:  # whatever the package raises
                if attempt + 1 == _ATTEMPTS:
                    raise OSError(reason_of(error)) from error
                time.sleep(_PAUSE_S * 2**attempt)
        yield path
    finally:
        with suppress(OSError):
            os.unlink(path)  # noqa: PTH108


def reason_of(error: Exception) -> str:
    """What a file system says, in one line; without the part of an address that may hold a signature."""
    said = error.strerror if isinstance(error, OSError) and error.strerror else first_line(error)
    return re.sub(r"//[^/\s]*@", "//", re.sub(r"\?[^\s'\")]*", "?…", said))


def _limit(max_bytes: int | None) -> Any:
    """What is told how much has come, and stops it."""
    from fsspec.callbacks import Callback

    class Limit(Callback):  # type: ignore[misc]
        def relative_update(self, inc: int = 1) -> None:
            super().relative_update(inc)
            if max_bytes is not None and self.value > max_bytes:
                raise ImageReadError(f"too large: more than {max_bytes / 1e9:,g} GB", limit=("bytes", max_bytes))

    return Limit()
