"""Download several pictures as one ZIP archive, which is streamed while it is made.

Files are stored as they are: photographs don't become smaller. Those that are missing are listed in a text file.
"""

import re
import time
import zipfile
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Annotated, BinaryIO

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import Response

from clipsearch import quantities
from clipsearch.catalog import Catalog
from clipsearch.gallery.details import PictureDetails
from clipsearch.web.originals import check_content
from clipsearch.web.schemas import name_of, problems
from clipsearch.web.state import Site
from clipsearch.web.streams import OpenStream, Streams, open_file

MOST_FILES = 2_000
"""Upper limit of the pictures in one archive."""

MOST_BYTES = 4_000_000_000
"""Upper limit of an archive: a download that breaks off starts from the beginning."""

_CHUNK_BYTES = 256 << 10

# Pictures whose details are read at once.
_BATCH = 100

# What file systems don't take in a name, and names of devices.
# Source: Microsoft, "Naming Files, Paths, and Namespaces".
_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]|[. ]+$')
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)

_MISSING = "missing.txt"


def add_zips(api: APIRouter, site: Site, streams: Streams) -> None:
    """Add the route to the HTTP API."""
    catalog = site.catalog

    @site.lanes.queries
    def check(ids: Sequence[int]) -> None:
        size_bytes = sum(details.size_bytes for details in _details(catalog, ids))
        if not size_bytes:
            raise HTTPException(404, "none of these pictures is in the catalog")
        if size_bytes > MOST_BYTES:
            found, most = quantities.value_and_limit(size_bytes / 1e9, MOST_BYTES / 1e9)
            raise HTTPException(413, f"these pictures have {found} GB: at most {most} GB in one archive")

    @api.get(
        "/zip",
        summary="Download pictures as a ZIP archive",
        tags=["pictures"],
        response_class=Response,
        responses={200: {"content": {"application/zip": {}}, "description": "The archive."}, **problems(404, 413)},
    )
    async def zip_of(
        ids: Annotated[
            str,
            Query(
                pattern=r"^\d{1,18}(,\d{1,18})*$",
                max_length=19 * MOST_FILES,
                description=f"Content ids, with commas; at most {MOST_FILES:,}.",
                examples=["3,8,12"],
            ),
        ],
        request: Request,
    ) -> Response:
        wanted = list(dict.fromkeys(map(int, ids.split(","))))
        if len(wanted) > MOST_FILES:
            raise HTTPException(413, f"{len(wanted):,} pictures: at most {MOST_FILES:,} in one archive")
        await check(wanted)
        headers = {"Content-Disposition": 'attachment; filename="pictures.zip"'}
        return await streams.answer_chunks(
            request, zip_chunks(catalog, wanted), headers=headers, media_type="application/zip"
        )


def zip_chunks(catalog: Catalog, content_ids: Sequence[int]) -> Iterator[bytes]:
    """Yield a ZIP archive of pictures, in their order, each under a name of its own."""
    sink = _Sink()
    missing: list[str] = []
    names = {_MISSING: 1}
    known = set[int]()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for details in _details(catalog, content_ids):
            known.add(details.content_id)
            label = f"{safe_name(name_of(details.paths[0]))} (id:{details.content_id})"
            opened: list[str] = []
            try:
                stream = open_file(details, partial(_read, details=details, opened=opened), noun="picture")
            except HTTPException as error:
                missing.append(f"{label}: {error.detail}")
                yield sink.take()  # where many are missing, one who has gone is noticed
                continue
            with stream.file as file:
                entry = zipfile.ZipInfo(_unique(safe_name(name_of(opened[-1])), names), _moment(details))
                entry.file_size = stream.size_bytes
                left = stream.size_bytes
                with archive.open(entry, "w") as target:
                    while left and (chunk := _read_chunk(file, left)):
                        left -= len(chunk)
                        target.write(chunk)
                        yield sink.take()
                if left:
                    missing.append(f"{label}: it could not be read to its end")
        missing += [f"id:{each}: it is not in the catalog" for each in content_ids if each not in known]
        if missing:
            archive.writestr(_MISSING, "\n".join(["These pictures are not in the archive:", *missing, ""]))
    yield sink.take()


def safe_name(name: str) -> str:
    """Return the name of a file as all systems take it."""
    safe = _UNSAFE.sub("_", name) or "_"
    return f"_{safe}" if _DEVICE.match(safe) else safe


def _unique(name: str, names: dict[str, int]) -> str:
    """Return a name that none of the others is, whatever their case, and add it to them.

    Args:
        names: folded names, and the number that the last one of each name has got.
    """
    stem, dot, suffix = name.rpartition(".")
    found, number = name, names.get(name.casefold(), 0)
    while found.casefold() in names:
        number += 1
        found = f"{stem or suffix} ({number}){dot if stem else ''}{suffix if stem else ''}"
    names[name.casefold()] = max(number, 1)
    names.setdefault(found.casefold(), 1)
    return found


def _read(file: BinaryIO, path: str, *, details: PictureDetails, opened: list[str]) -> OpenStream:
    """Return the stream of a file that has the content that was indexed, and note its path."""
    check_content(file, details)
    opened.append(path)
    return OpenStream(file, 0, details.size_bytes, "", "")


def _read_chunk(file: BinaryIO, left: int) -> bytes:
    try:
        return file.read(min(_CHUNK_BYTES, left))
    except OSError:
        return b""


def _details(catalog: Catalog, content_ids: Sequence[int]) -> Iterator[PictureDetails]:
    for first in range(0, len(content_ids), _BATCH):
        yield from catalog.pictures.list(content_ids[first : first + _BATCH])


def _moment(details: PictureDetails) -> tuple[int, int, int, int, int, int]:
    """Return the time of an entry: when the picture was taken, else now; ZIP has the years from 1980 to 2107."""
    taken = details.metadata.taken_at
    if taken is not None and 1980 <= taken.year <= 2107:
        return taken.year, taken.month, taken.day, taken.hour, taken.minute, taken.second
    now = time.localtime()
    return now.tm_year, now.tm_mon, now.tm_mday, now.tm_hour, now.tm_min, now.tm_sec


class _Sink:
    """What an archive is written to, piece by piece."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Do nothing: `zipfile` asks for it."""

    def close(self) -> None:
        """Do nothing: `zipfile` asks for it."""

    def take(self) -> bytes:
        """Return what was written since the last time."""
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken
