"""Import the albums and saved searches of an export."""

from collections.abc import Iterable
from contextlib import suppress

from clipsearch.errors import InputError
from clipsearch.gallery.albums import AlbumCollection
from clipsearch.search.saved import SavedSearches
from clipsearch.session.session import Session
from clipsearch.store.exports import ExportedAlbum, ExportedSearch


def import_albums(albums: Iterable[ExportedAlbum], session: Session) -> int:
    """Add pictures to albums, those that the catalog knows; return the number of albums that got some."""
    added, collection = 0, AlbumCollection(session)
    for album in albums:
        digests = [bytes.fromhex(digest) for digest in album.pictures]
        contents = session.store.pictures.find_contents(digests)
        with suppress(InputError):  # an invalid name
            found = [contents[digest] for digest in digests if digest in contents]
            added += bool(found) and collection.add(album.name, found) > 0
    return added


def import_searches(searches: Iterable[ExportedSearch], session: Session) -> int:
    """Add saved searches; return their number. Those that can't be understood, or whose name is taken, are left out."""
    collection = SavedSearches(session)
    left, added = list(searches), 0
    while left:  # one may refer to another
        failed = []
        for search in left:
            try:
                collection.add(search.name, search.query)
            except InputError:
                failed.append(search)
        if len(failed) == len(left):
            break
        added += len(left) - len(failed)
        left = failed
    return added
