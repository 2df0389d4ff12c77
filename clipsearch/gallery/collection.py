"""Read details, embeddings, thumbnails and near-duplicates of a catalog's pictures."""

import builtins
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from clipsearch.errors import ImageReadError, InputError, UnknownPictureError
from clipsearch.gallery.details import SMALL_SIDE, PictureDetails
from clipsearch.gallery.overview import PictureOverview
from clipsearch.images.sides import check_side
from clipsearch.parts import Part
from clipsearch.paths import StrPath

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from clipsearch.gallery.duplicates import ComparedProperty, NearDuplicate
    from clipsearch.gallery.keywords import KeywordReport
    from clipsearch.gallery.summaries import PictureRecord, PictureSummary
    from clipsearch.ocr.lines import TextLine
    from clipsearch.query.syntax import Query
    from clipsearch.search.hits import SearchHit


class PictureCollection(PictureOverview):
    """`Catalog.pictures`: the indexed pictures, by `content_id` as in `SearchHit`."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._session.describe()}>"

    def get(self, content_id: int) -> PictureDetails:
        """Return the details of one picture.

        Raises:
            UnknownPictureError: the catalog has no picture with this id.
        """
        found = self.list([content_id])
        if not found:
            raise UnknownPictureError(content_id)
        return found[0]

    def list(self, content_ids: Sequence[int]) -> builtins.list[PictureDetails]:
        """Return the details of pictures, in the order of `content_ids`; those without a file are omitted."""
        reader = self._session.store.reader
        known, paths = reader.details(content_ids), reader.paths(content_ids)
        return [
            PictureDetails(
                content_id=content_id,
                paths=tuple(sorted(paths[content_id], key=lambda path: not os.path.lexists(path))),
                blake3=details.blake3.hex(),
                size_bytes=details.size_bytes,
                metadata=details.metadata,
                added_at=details.added_at,
            )
            for content_id in content_ids
            if content_id in paths and (details := known.get(content_id)) is not None
        ]

    def without_own(self, query: "str | Query") -> "Query":
        """Return a query for other pictures than those that it names by a file or an id.

        Their content is no hit, wherever it lies; the rest is a search for what looks like them.

        Raises:
            QueryError: it can't be understood. InputError: a file is missing. ImageReadError: it can't be read.
        """
        from clipsearch.search.expansion import resolve_query
        from clipsearch.search.indexed_pictures import without_own

        return without_own(resolve_query(query, self._session), self._session.store)

    def within(self, query: "str | Query", folder: StrPath) -> "Query":
        """Return a query that finds only pictures with a file below a folder, by its exact name.

        Raises:
            QueryError: it can't be understood.
        """
        from clipsearch.gallery.folders import within
        from clipsearch.search.expansion import resolve_query

        return within(resolve_query(query, self._session), os.path.abspath(folder), self._session)  # noqa: PTH100

    def summaries(self, content_ids: Sequence[int]) -> "dict[int, PictureSummary]":
        """Return by id what is told of pictures next to hits: date, place, size, kind; unknown ones are omitted.

        All of them are read at once, and no file is looked at.
        """
        from clipsearch.gallery.summaries import find_summaries

        return find_summaries(content_ids, self._session)

    def records(self, content_ids: Sequence[int]) -> "builtins.list[PictureRecord]":
        """Return all that is known of pictures, in the order of `content_ids`; those without a file are omitted.

        Details, text that was read, kind, stack, and the pictures that were taken before and after.
        """
        from clipsearch.gallery.summaries import find_records

        return find_records(self.list(content_ids), self._session)

    def contact_sheet(self, pictures: "Sequence[int | SearchHit]") -> bytes:
        """Draw 1 to 48 pictures as one JPEG, each above its number and id: "1: id 42".

        Args:
            pictures: content ids, numbered from 1; or hits, by their rank and with the part that was found. One that
                can't be read is a grey tile.

        Raises:
            QueryError: there are none, or too many.
        """
        from clipsearch.gallery.sheet_image import Tile, draw_sheet

        tiles = [
            Tile(number, each) if isinstance(each, int) else Tile(each.rank, each.content_id, each.part)
            for number, each in enumerate(pictures, start=1)
        ]
        return draw_sheet(tiles, lambda tile: self.thumbnail(tile.content_id, part=tile.part))

    def stack(self, content_id: int, query: "str | Query | None" = None) -> "tuple[SearchHit, ...]":
        """Return the pictures that are one item with a picture, itself too, the best first; it alone in no stack.

        Args:
            query: of which only the filters count: pictures that don't pass are omitted. None: all of the stack.

        Raises:
            QueryError: it can't be understood.
        """
        from clipsearch.search.stacks import list_stack

        filters = self._filters_of(query)
        return list_stack(content_id, filters, self._session)

    def parts(self, content_id: int) -> tuple[Part, ...]:
        """Return the scenes, pages or crops of a picture, in their order in the file; () for a picture of one part.

        Raises:
            UnknownPictureError: the catalog has no picture with this id.
        """
        self.get(content_id)
        found = self._session.store.reader.parts.of_contents([content_id]).get(content_id, ())
        return tuple(sorted((part for _, part in found if part is not None), key=lambda part: part.order))

    def text(self, content_id: int) -> "tuple[TextLine, ...]":
        """Return the lines of text that were read in a picture, from top to bottom; () where none was looked for.

        Raises:
            UnknownPictureError: the catalog has no picture with this id.
        """
        self.get(content_id)
        found = self._session.store.written_rows.some([content_id])
        return tuple(found[content_id].lines) if content_id in found else ()

    def kind(self, content_id: int) -> str | None:
        """Return what a picture with text is: "screenshot", "receipt", "document", "whiteboard", or None.

        Raises:
            UnknownPictureError: the catalog has no picture with this id.
        """
        self.get(content_id)
        found = self._session.store.written_rows.some([content_id])
        return found[content_id].kind if content_id in found else None

    def thumbnail(self, content_id: int, *, side: int = SMALL_SIDE, part: Part | None = None) -> bytes:
        """Return a JPEG of the upright picture or a part, at most `side` pixels wide and high, without metadata.

        Thumbnails are cached. On a miss the picture is decoded in a separate process with limits on time and memory.

        Args:
            part: of `SearchHit` or `parts`; None: the picture itself, or the part that stands for the file.

        Raises:
            UnknownPictureError: the catalog has no picture with this id.
            ImageReadError: the file is missing, has changed, can't be decoded, or has no such part.
            InputError: `side` is out of range, 1 to 65,535.
        """
        check_side(side)
        details = self.get(content_id)
        shown = part or self._cover(content_id)
        return self._session.thumbnails.get(
            bytes.fromhex(details.blake3), side, lambda: self._make_thumbnail(details, side, shown), part=shown
        )

    def _cover(self, content_id: int) -> Part | None:
        """Return the part that stands for a content; None for a whole picture."""
        found = self._session.store.reader.parts.of_contents([content_id]).get(content_id)
        return None if found is None else found[0][1]

    def _make_thumbnail(self, details: PictureDetails, side: int, part: Part | None) -> bytes:
        reason = "file not found: moved, deleted, or on a drive that is not mounted"
        for path in details.paths:
            try:
                with self._session.workers.open_path(path) as picture:
                    if picture.blake3.hex() == details.blake3:
                        return picture.shrink(side, part).jpeg
                    reason = "it has changed since it was indexed"
            except FileNotFoundError:
                continue
            except OSError as error:
                reason = error.strerror or str(error)
        raise ImageReadError(f"can't show {details.paths[0]}: {reason}")

    def embedding(self, content_id: int) -> "NDArray[np.float32]":
        """Return the stored embedding of a picture: (dim,), unit-norm.

        `Catalog.caption`, `Catalog.classify` and `LabelCollection.assign` accept it instead of the picture.

        Raises:
            CatalogNotFoundError: no picture was ever indexed.
            UnknownPictureError: the catalog has no picture with this id.
        """
        self._session.require_pictures()
        row = self._session.model.row
        found = self._session.store.reader.find_embedding(content_id, model_id=row.model_id, dim=row.dim)
        if found is None:
            raise UnknownPictureError(content_id)
        return found

    def embed(self, path: str) -> "NDArray[np.float32]":
        """Embed an untrusted picture file: (dim,), unit-norm.

        It is decoded in a separate process with limits on time and memory.

        Raises:
            InputError: the file does not exist.
            ImageReadError: the file can't be read or decoded.
        """
        import numpy as np

        try:
            with self._session.upload_workers.open_path(path) as picture:
                crop = picture.decode().crop
        except FileNotFoundError as error:
            raise InputError(f"no such picture: {path}") from error
        except OSError as error:
            raise ImageReadError(f"can't read the picture {path}: {error.strerror or error}") from error
        except ImageReadError as error:
            raise ImageReadError(f"can't read the picture {path}: {error}") from error
        embedding: NDArray[np.float32] = self._session.model.encoder.encode_images(crop[np.newaxis])[0]
        return embedding

    def add_keywords(self, content_ids: Sequence[int], keywords: Sequence[str]) -> "KeywordReport":
        """Add keywords to the XMP sidecars beside the files of pictures, where the next index run reads them.

        The files themselves are not changed.

        Raises:
            UnknownPictureError: the catalog has no picture with one of these ids.
            InputError: a keyword is empty, too long or has control characters, or there are none or too many.
        """
        from clipsearch.gallery.keywords import add_keywords

        return add_keywords([self.get(content_id) for content_id in content_ids], keywords)

    def near_duplicates(self, content_id: int, *, top_k: int = 12) -> "builtins.list[NearDuplicate]":
        """Find near-duplicates of a picture, copies and similar ones as in `Catalog.duplicates`, likely ones first.

        Raises:
            CatalogNotFoundError: no picture was ever indexed.
            UnknownPictureError: the catalog has no picture with this id.
        """
        from clipsearch.gallery.duplicates.nearest import find_near_duplicates

        return find_near_duplicates(content_id, self._session, top_k=top_k)

    def compare(self, files: "Sequence[tuple[int, StrPath]]") -> "builtins.list[ComparedProperty]":
        """Compare what is known of files: pixels, size, date, camera, place, folder, rating, albums, sidecar and more.

        Args:
            files: content id and path of each, as in `DuplicatePicture`.

        Raises:
            UnknownPictureError: the catalog has no picture with an id.
        """
        from clipsearch.gallery.duplicates.differences import compare_properties

        ids = list(dict.fromkeys(content_id for content_id, _ in files))
        details = {each.content_id: each for each in self.list(ids)}
        if missing := [content_id for content_id in ids if content_id not in details]:
            raise UnknownPictureError(missing[0])
        store = self._session.store
        texts = {content_id: each.lines for content_id, each in store.written_rows.some(ids).items()}
        compared = [(details[content_id], os.fspath(path)) for content_id, path in files]
        return compare_properties(compared, store.album_rows.albums_of(ids), texts)
