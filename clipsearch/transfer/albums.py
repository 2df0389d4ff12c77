"""Import the albums and saved searches of an export."""

from collections.abc import Iterable
from contextlib import suppress

from clipsearch.errors import InputError
from clipsearch.gallery.albums import AlbumCollection
from clipsearch.search.expansion import MOST_NESTED
from clipsearch.search.saved import SavedSearches
from clipsearch.session.session import Session
from clipsearch.store.exports import PICTURE_ID, ExportedAlbum, ExportedSearch, ids_in

MOST_SEARCHES = 10_000
"""Upper limit of the saved searches of an export that are looked at."""


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
    """Add saved searches; return their number.

    Left out are those that can't be understood, whose name is taken, or that name a picture this catalog does not have;
    the ids of the others become those of this catalog.
    """
    collection = SavedSearches(session)
    left, added = [(each.name, _translate(each, session)) for each in list(searches)[:MOST_SEARCHES]], 0
    for _ in range(MOST_NESTED):  # one may refer to another
        failed = []
        for name, query in left:
            try:
                collection.add(name, query or "")
            except InputError:
                failed.append((name, query))
        added += len(left) - len(failed)
        if len(failed) == len(left):
            break
        left = failed
    return added


def _translate(search: ExportedSearch, session: Session) -> str | None:
    """Return the query with this catalog's ids of its pictures; None where it does not have one."""
    known = {number: search.pictures.get(number) for number in ids_in(search.query)}
    digests = {number: bytes.fromhex(digest) for number, digest in known.items() if digest is not None}
    contents = session.store.pictures.find_contents(digests.values())
    ids = {number: contents.get(digest) for number, digest in digests.items()}
    if any(ids.get(number) is None for number in known):
        return None
    return PICTURE_ID.sub(lambda found: f"id:{ids[found[1]]}", search.query)
