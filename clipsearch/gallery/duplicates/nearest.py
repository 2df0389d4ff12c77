"""Find the near-duplicates of one picture."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields

import numpy as np

from clipsearch.errors import UnknownPictureError
from clipsearch.gallery.duplicates.candidates import Limits, near_to_hash
from clipsearch.gallery.duplicates.decision import likeness_of, load_coarse, rank
from clipsearch.gallery.duplicates.facts import have_other_texts, read_facts
from clipsearch.gallery.duplicates.groups import NearDuplicate
from clipsearch.gallery.duplicates.views import Views
from clipsearch.images.copies.decision import find_pose
from clipsearch.prefetch import default_workers
from clipsearch.query import Query, Term
from clipsearch.search.engine import SearchOptions, answer_query, match_picture
from clipsearch.search.hits import SearchHit
from clipsearch.session.session import Session
from clipsearch.text import MOST_TOP_K, check_top_k

# Candidates by embedding, as a multiple of top_k; those by hash are additional.
_CANDIDATES_PER_HIT = 3


def find_near_duplicates(content_id: int, session: Session, *, top_k: int) -> list[NearDuplicate]:
    """Find up to `top_k` near-duplicates of a picture: copies and similar pictures, likely ones first."""
    session.require_pictures()
    check_top_k(top_k)
    if content_id not in session.store.reader.paths([content_id]):
        raise UnknownPictureError(content_id)
    candidates = _candidates(content_id, session, min(_CANDIDATES_PER_HIT * top_k, MOST_TOP_K - 1))
    ids = [content_id, *candidates]
    details, paths = session.store.reader.details(ids), session.store.reader.paths(ids)
    ids = [each for each in ids if each in details and each in paths]
    facts = read_facts(details, session.store)
    ids = [each for each in ids if each == content_id or not have_other_texts(facts[content_id], facts[each])]
    digests = {each: details[each].blake3 for each in ids}
    found: list[NearDuplicate] = []
    with ThreadPoolExecutor(default_workers(), thread_name_prefix="clipsearch") as threads:
        views = Views(session.workers, threads, paths, digests)
        coarse = {number: view for number, view in load_coarse(views, ids) if view is not None}
        for other in ids[1:]:
            if len(found) == top_k or content_id not in coarse:
                break
            if other not in coarse:
                continue
            first, second = sorted(
                (content_id, other), key=lambda each: rank(details[each], paths[each], is_grey=coarse[each].is_grey)
            )
            pose = find_pose(coarse[first].pixels, coarse[second].pixels)
            likeness = None if pose is None else likeness_of(first, second, pose, views, facts)
            if likeness is not None:
                hit = candidates[other] or match_picture(_query(content_id), other, session)
                values = {each.name: getattr(hit, each.name) for each in fields(SearchHit)}
                found.append(NearDuplicate(**values | {"rank": len(found) + 1}, kind=likeness))
    return found


def _candidates(content_id: int, session: Session, count: int) -> dict[int, SearchHit | None]:
    """Return candidate contents, nearest first, with their search hit when they have one."""
    limits = Limits.of(session.vector_index("images"))
    hits = answer_query(_query(content_id), session, SearchOptions(top_k=count + 1))
    phashes = session.store.reader.phashes()
    own = phashes.get(content_id, 0)
    found: dict[int, SearchHit | None] = dict.fromkeys(near_to_hash(own, phashes))
    differences = np.array([own ^ phashes.get(hit.content_id, 0) for hit in hits], dtype=np.int64).view(np.uint64)
    scores = np.array([hit.score for hit in hits], dtype=np.float32)
    for hit, is_near in zip(hits, limits.are_near(scores, np.bitwise_count(differences)), strict=True):
        if is_near or hit.content_id in found:
            found[hit.content_id] = hit
    found.pop(content_id, None)
    return found


def _query(content_id: int) -> Query:
    return Query(((Term("id", str(content_id)),),))
