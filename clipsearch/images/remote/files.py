"""Read files behind URLs: in a bucket, or on a web server. The only module that imports fsspec.

Credentials for a bucket are left to the file system's own package, which reads the environment: no URL here ever
contains a name or password, so that none is stored or shown.
"""

import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from clipsearch.errors import ImageReadError, InputError, MissingExtraError, first_line
from clipsearch.formats import IMAGE_SUFFIXES
from clipsearch.text import is_valid

# Scheme → the package that reads it.
SCHEMES = {"abfs": "adlfs", "az": "adlfs", "gs": "gcsfs", "http": "aiohttp", "https": "aiohttp", "s3": "s3fs"}

# A failed request may succeed on a retry; a missing or forbidden file will not.
_ATTEMPTS = 3
_PAUSE_S = 0.5


def check_folder_url(url: str) -> str:
    """Validate the URL of a folder, and return it as it is stored: scheme and host in lower case, no slash at the end.

    Raises:
        InputError: its scheme is not supported, it contains a name and password, or is not a plain folder address.
    """
    shown = re.sub(r"//[^/]*@", "//…@", url)
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise InputError(f"invalid URL {shown}: {error}") from error
    scheme = parts.scheme.lower()
    if scheme not in SCHEMES:
        raise InputError(f"unsupported URL scheme {scheme}://; use {', '.join(f'{each}://' for each in SCHEMES)}")
    user, at, host = parts.netloc.rpartition("@")
    is_web = scheme in ("http", "https")
    # The container of an Azure account stands before an @: not a secret.
    if at and (is_web or ":" in user or scheme not in ("abfs", "az")):
        raise InputError(f"{shown} has a name or password, which a catalog would store: set them in the environment")
    if not host or not is_valid(url):
        raise InputError(f"invalid folder URL {shown}: write it as in s3://BUCKET/FOLDER")
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise InputError(f"invalid folder URL {shown.split('?')[0].split('#')[0]}: leave out what comes after ? or #")
    path = parts.path.strip("/")
    if "//" in parts.path or any(part in (".", "..") for part in path.split("/")):
        raise InputError(f"invalid folder URL {shown}: it has an empty part, '.' or '..'")
    place = f"{user}{at}{host.lower() if is_web else host}"
    return f"{scheme}://{place}/{path}".rstrip("/")


def open_file_system(url: str) -> tuple[Any, str]:
    """Open the file system of a URL; also return the name of the file or folder there, without a slash at the end.

    Raises:
        MissingExtraError: the package for it is not installed.
        InputError: it can't be set up, as without credentials.
    """
    scheme = urlsplit(url).scheme
    package = SCHEMES[scheme]
    try:
        import fsspec
    except ImportError as error:
        raise MissingExtraError(f"{scheme}://", "fsspec", "clipsearch[scale]") from error
    try:
        # No listings cache: another process, or this one, may have changed the folder since.
        system = fsspec.filesystem(scheme, use_listings_cache=False)
    except ImportError as error:
        raise MissingExtraError(f"{scheme}://", package) from error
    except Exception as error:  # whatever the package raises
        raise InputError(f"can't list the folder {url}: {reason_of(error)}") from error
    return system, str(system._strip_protocol(url)).rstrip("/")


@contextmanager
def fetched_file(url: str, *, max_bytes: int | None = None) -> Iterator[str]:
    """Download a file to a temporary copy, yield the copy's path, and delete it afterwards.

    Raises:
        OSError: it can't be downloaded; FileNotFoundError where it is missing.
        ImageReadError: it is larger than `max_bytes`.
        MissingExtraError, InputError: as in `open_file_system`.
    """
    system, name = open_file_system(url)
    suffix = PurePosixPath(url).suffix.lower()
    descriptor, path = tempfile.mkstemp(prefix="clipsearch-", suffix=suffix if suffix in IMAGE_SUFFIXES else "")
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
    """Return an error's message in one line, without the part of a URL that may contain a signature."""
    said = error.strerror if isinstance(error, OSError) and error.strerror else first_line(error)
    return re.sub(r"//[^/\s]*@", "//", re.sub(r"\?[^\s'\")]*", "?…", said))


def _limit(max_bytes: int | None) -> Any:
    """Make a callback that counts the downloaded bytes, and stops the download at the limit."""
    from fsspec.callbacks import Callback

    class Limit(Callback):  # type: ignore[misc]
        def relative_update(self, inc: int = 1) -> None:
            super().relative_update(inc)
            if max_bytes is not None and self.value > max_bytes:
                raise ImageReadError(f"too large: more than {max_bytes / 1e9:,g} GB", limit=("bytes", max_bytes))

    return Limit()
