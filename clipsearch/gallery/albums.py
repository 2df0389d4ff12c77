"""Put pictures together in albums."""

import builtins
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from clipsearch.errors import InputError, UnknownAlbumError
from clipsearch.query.filters import FAVOURITES
from clipsearch.search.indexed_pictures import IndexedPicture, find_indexed
from clipsearch.session.albums import JOINERS, album_key
from clipsearch.session.session import Session
from clipsearch.store.album_rows import Album
from clipsearch.text import fold_name, is_valid

MOST_NAME_CHARACTERS = 200
"""Upper limit of the name of an album."""


class AlbumCollection:
    """`Catalog.albums`: sets of pictures under a name, to search in as `album:name`.

    An album has contents, not files: a picture stays in it when its file is moved or renamed. No file is changed. The
    names of albums are case-insensitive. "favourites" is the album that `is:favourite` stands for.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._session.describe()}>"

    def add(self, name: str, pictures: Iterable[IndexedPicture]) -> int:
        """Add pictures to an album, which is made where there is none; return how many were not in it.

        Raises:
            InputError: the name is invalid, no picture is given, or one is missing or not indexed.
            UnknownPictureError: the catalog has no picture with an id.
            ImageReadError: a file can't be read.
        """
        name = _checked(name)
        self._session.require_pictures()
        found = find_indexed([pictures] if isinstance(pictures, str) else pictures, self._session.store)
        if not found:
            raise InputError(f"name a picture to add to the album {name}")
        return self._session.store.albums.add(name, found, key=album_key)[1]

    def remove(self, name: str, pictures: Iterable[IndexedPicture]) -> int:
        """Take pictures out of an album; return how many were in it.

        Raises:
            UnknownAlbumError: there is no such album.
            InputError, UnknownPictureError, ImageReadError: as in `add`.
        """
        album, store = self.get(name), self._session.store
        return store.albums.remove(album.name, find_indexed(pictures, store))

    def list(self) -> builtins.list[Album]:
        """List all albums by name, the favourites first."""
        return sorted(self._session.store.album_rows.list_all(), key=lambda album: _place_of(album.name))

    def names(self) -> builtins.list[str]:
        """List the names of all albums in the order of `list`, without counting their pictures."""
        return sorted(self._session.store.album_rows.names(), key=_place_of)

    def get(self, name: str) -> Album:
        """Return an album.

        Raises:
            UnknownAlbumError: there is none of this name.
        """
        known = self._known(name)
        album = None if known is None else self._session.store.album_rows.find(known)
        if album is not None:
            return album
        raise UnknownAlbumError(f"there is no album {name[:80]}{self._hint(name)}")

    def pictures(self, name: str) -> builtins.list[int]:
        """Return the content ids of an album's pictures, in the order they were added.

        Raises:
            UnknownAlbumError: there is none of this name.
        """
        return self._session.store.album_rows.members(self.get(name).name)

    def of(self, content_ids: Sequence[int]) -> dict[int, builtins.list[str]]:
        """Return the names of the albums that pictures are in; pictures in none are left out."""
        return self._session.store.album_rows.albums_of(content_ids)

    def rename(self, name: str, new_name: str) -> Album:
        """Rename an album.

        Raises:
            UnknownAlbumError: there is none of this name.
            InputError: the new name is invalid or taken, or it is that of the favourites.
        """
        album, wanted = self.get(name), _checked(new_name)
        if album.name == FAVOURITES:
            raise InputError(f"{FAVOURITES} keep their name: is:favourite stands for them")
        taken = self._session.store.albums.rename(album.name, wanted, key=album_key)
        if taken is not None:
            raise InputError(f"there is an album {taken}: choose another name")
        return self.get(wanted)

    def delete(self, name: str) -> bool:
        """Delete an album; its pictures stay. Return whether there was one."""
        known = self._known(name)
        if known is not None:
            self._session.store.albums.delete(known)
        return known is not None

    def _hint(self, name: str) -> str:
        """Return the end of a message that there is no album of this name: those that may be meant."""
        keys = {album_key(each): each for each in self._session.store.album_rows.names()}
        wanted = album_key(name)
        near = [key for key in keys if wanted and wanted in key] or get_close_matches(wanted, keys)
        return f": did you mean {' or '.join(keys[key] for key in near[:3])}?" if near else ""

    def _known(self, name: str) -> str | None:
        """Return the name of an album as it is stored; None where there is none."""
        wanted, names = album_key(name), self._session.store.album_rows.names()
        return next((each for each in names if album_key(each) == wanted), None)


def _place_of(name: str) -> tuple[bool, str]:
    return name != FAVOURITES, fold_name(name)


def _checked(name: str) -> str:
    """Return the name of a new album.

    Raises:
        InputError: it is empty, too long or no text.
    """
    plain = " ".join(name.split())
    if not fold_name(plain).strip("*?"):
        raise InputError("an album needs a name, as in 'Italy 2023'")
    if len(plain) > MOST_NAME_CHARACTERS:
        raise InputError(f"the name of an album has up to {MOST_NAME_CHARACTERS} characters, not {len(plain)}")
    if not is_valid(plain) or not plain.translate(JOINERS).isprintable():
        raise InputError(f"invalid name of an album: {plain[:80]!r}")
    return FAVOURITES if album_key(plain) == FAVOURITES else plain
