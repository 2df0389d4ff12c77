"""Find the contents of pictures of the catalog that are named by id, hit or file."""

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from clipsearch.errors import ImageReadError, InputError, QueryError, UnknownPictureError
from clipsearch.images.locations import find_location
from clipsearch.paths import expand_user
from clipsearch.store import Store
from clipsearch.text import is_url

if TYPE_CHECKING:
    from clipsearch.query import Query
    from clipsearch.search.hits import SearchHit

IndexedPicture: TypeAlias = "int | str | Path | SearchHit"
"""Indexed picture: its content id, "id:12", a hit, or a file with its content."""

_ID = re.compile(r"id:([0-9]{1,18})", re.ASCII)


def find_indexed(pictures: Iterable[IndexedPicture], store: Store) -> list[int]:
    """Return the content ids of pictures, each once, in order.

    Files are read: their content counts, wherever it was indexed.

    Raises:
        UnknownPictureError: the catalog has no picture with an id.
        InputError: a file is missing, or its content is not indexed.
        ImageReadError: a file can't be read.
    """
    found, digests = dict[int | bytes, IndexedPicture](), dict[bytes, IndexedPicture]()
    for picture in pictures:
        key = _key_of(picture)
        found.setdefault(key, picture)
        if isinstance(key, bytes):
            digests[key] = picture
    by_digest = store.pictures.find_contents(digests)
    for digest, picture in digests.items():
        if digest not in by_digest:
            raise InputError(f"{picture} is not in the catalog: index its folder first, with 'clipsearch index FOLDER'")
    content_ids = [key if isinstance(key, int) else by_digest[key] for key in found]
    known = store.pictures.find_digests(content_ids)
    for content_id in content_ids:
        if content_id not in known:
            raise UnknownPictureError(content_id)
    return list(dict.fromkeys(content_ids))


def without_own(query: "Query", store: Store) -> "Query":
    """Return a query whose hits are other pictures than its own terms: not their content, wherever it lies.

    Raises:
        ImageReadError: a picture's file can't be read.
        InputError: it is missing.
    """
    from clipsearch.query.filters import listed

    terms = [term for group in query.groups for term in group]
    own = {int(term.value.partition("#")[0]) for term in terms if term.kind == "id"}
    files = [term.value for term in terms if term.kind == "picture" and not is_url(term.value)]
    if files:
        own.update(store.pictures.find_contents({_hash(find_location(name).path) for name in files}).values())
    if not own:
        return query
    return replace(query, filters=(*query.filters, listed(own, is_negated=True)))


def _key_of(picture: IndexedPicture) -> int | bytes:
    """Return the content id of a picture, or the blake3 of its file."""
    if isinstance(picture, int) and not isinstance(picture, bool):
        content_id = picture
    elif isinstance(picture, str) and (named := _ID.fullmatch(picture)):
        content_id = int(named[1])
    elif isinstance(picture, str | Path):
        return _hash(picture)
    elif isinstance(number := getattr(picture, "content_id", None), int):
        content_id = number
    else:
        raise InputError(f"{picture!r} is not a picture of the catalog: name hits, their content_id, or files")
    if not 0 < content_id < 1 << 62:
        raise UnknownPictureError(content_id)
    return content_id


def _hash(path: str | Path) -> bytes:
    from clipsearch.images.reading import hash_file

    if isinstance(path, str) and is_url(path):
        raise QueryError(f"{path} is a URL: name a picture of the catalog by its file or its id, as in id:42")
    try:
        return hash_file(str(expand_user(path)))[1]
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(f"no such picture: {path}") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise ImageReadError(f"can't read the picture {path}: {getattr(error, 'strerror', None) or error}") from error
