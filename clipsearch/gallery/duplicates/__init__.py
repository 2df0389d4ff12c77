"""Find duplicate pictures: the same content in several files, or near-duplicates.

embeddings, perceptual hashes ──► candidates ──► facts ──► decision ──► groups
                                                 text      pixels       files re-read and verified
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from clipsearch.errors import QueryError, StoreError
from clipsearch.gallery.duplicates.candidates import default_threshold, near_by_embedding, near_by_hash
from clipsearch.gallery.duplicates.decision import Coarse, Decision, decide, load_coarse, rank
from clipsearch.gallery.duplicates.differences import ComparedProperty
from clipsearch.gallery.duplicates.facts import read_facts, without_other_documents
from clipsearch.gallery.duplicates.files import present, unchanged
from clipsearch.gallery.duplicates.grouping import make_groups
from clipsearch.gallery.duplicates.groups import DuplicateGroup, DuplicatePicture, GroupKind, NearDuplicate
from clipsearch.gallery.duplicates.marking import Mark, MarkedFiles, is_there, mark_files
from clipsearch.gallery.duplicates.views import Views, open_views
from clipsearch.gallery.folders import files_below
from clipsearch.images.copies.decision import COARSE_SIDE
from clipsearch.prefetch import default_workers
from clipsearch.session.session import Session
from clipsearch.store import ContentDetails

__all__ = [
    "ComparedProperty",
    "DuplicateGroup",
    "DuplicatePicture",
    "GroupKind",
    "Mark",
    "MarkedFiles",
    "NearDuplicate",
    "default_threshold",
    "find_duplicates",
    "is_there",
    "mark_files",
]

Progress = Callable[[int, int], None]

# Perceptual hashes stored per transaction.
_HASHES_PER_TRANSACTION = 1_000


def find_duplicates(
    folders: Sequence[str],
    session: Session,
    threshold: float | None,
    exact_only: bool,
    on_progress: Progress | None,
) -> list[DuplicateGroup]:
    """Find groups of duplicates, the largest waste of space first; missing and changed files are omitted."""
    if threshold is not None and not 0 < threshold <= 1:
        raise QueryError(f"threshold lies between 0 and 1, got {threshold}")
    session.require_pictures()
    paths: dict[int, list[str]] = {}
    for file in present(files_below(folders, session)):
        paths.setdefault(file.content_id, []).append(file.path)
    details = session.store.reader.details(list(paths))
    digests = {content_id: each.blake3 for content_id, each in details.items()}
    decision = Decision()
    if not exact_only:
        with open_views(paths, digests) as views:
            decision = _compare(paths, details, views, session, threshold, on_progress)
    # All contents that may be offered for deletion, and the ones that they are copies of.
    ends = {*decision.copies, *decision.copies.values()}
    doubtful = {number: files for number, files in paths.items() if len(files) > 1 or number in ends}
    now = unchanged(doubtful, digests, workers=default_workers(), on_progress=on_progress)
    related = {*ends, *decision.similar, *decision.similar.values()}
    row = session.model.row
    embeddings = session.store.reader.embeddings(list(related), model_id=row.model_id, dim=row.dim)
    return make_groups({**paths, **now}, details, decision, embeddings)


def _compare(
    paths: Mapping[int, Sequence[str]],
    details: Mapping[int, ContentDetails],
    views: Views,
    session: Session,
    threshold: float | None,
    on_progress: Progress | None,
) -> Decision:
    order = sorted(paths, key=lambda each: rank(details[each], paths[each]))
    ids = np.array(order, dtype=np.int64)
    index = session.vector_index("images")
    hashes = _hashes(order, views, session, on_progress)
    by_embedding = near_by_embedding(ids, hashes, index, threshold=threshold, on_progress=on_progress)
    pairs = np.concatenate([near_by_hash(hashes), by_embedding])
    paired = set(ids[pairs].ravel().tolist())
    facts = read_facts({number: each for number, each in details.items() if number in paired}, session.store)
    pairs = without_other_documents(ids[pairs], facts)
    coarse: dict[int, Coarse] = {}
    compared = np.unique(pairs).tolist()
    for done, (content_id, loaded) in enumerate(load_coarse(views, compared), 1):
        if loaded is not None:
            coarse[content_id] = loaded
        if on_progress is not None:
            on_progress(done, len(compared))
    # Rank again now that is_grey is known: colour pictures are better.
    order = sorted(coarse, key=lambda each: rank(details[each], paths[each], is_grey=coarse[each].is_grey))
    place = {content_id: row for row, content_id in enumerate(order)}
    candidates: dict[int, list[int]] = {content_id: [] for content_id in order}
    for pair in pairs.tolist():
        if all(each in place for each in pair):
            first, second = sorted(pair, key=place.__getitem__)
            if first not in candidates[second]:
                candidates[second].append(first)
    return decide(
        candidates,
        coarse,
        views,
        facts=facts,
        on_progress=on_progress,
    )


def _hashes(
    content_ids: Sequence[int], views: Views, session: Session, on_progress: Progress | None
) -> NDArray[np.uint64]:
    """Return the perceptual hashes (n,) of contents; 0 for an unreadable picture.

    Missing ones are computed and stored; a catalog that can't be written to is no error.
    """
    known = session.store.reader.phashes()
    missing = [content_id for content_id in content_ids if content_id not in known]
    computed: dict[int, int] = {}
    for done, (content_id, view) in enumerate(views.each(missing, side=COARSE_SIDE), 1):
        if view is not None:
            known[content_id] = computed[content_id] = view.phash
        if len(computed) >= _HASHES_PER_TRANSACTION or done == len(missing):
            with suppress(StoreError):  # not stored: computed again the next time
                session.store.pictures.set_phashes(computed)
            computed = {}
        if on_progress is not None:
            on_progress(done, len(missing))
    return np.array([known.get(content_id, 0) for content_id in content_ids], dtype=np.int64).view(np.uint64)
