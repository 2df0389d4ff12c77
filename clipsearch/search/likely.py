"""List the pictures that are likely matches of a query, for counts of them."""

from clipsearch.query import Query
from clipsearch.scoring.relevance import DEFAULT_CUTOFF
from clipsearch.search.engine import SearchOptions, answer_query
from clipsearch.search.sorting import MOST_SORTED
from clipsearch.search.terms import Pictures
from clipsearch.session.session import Session

# Hits that are looked for first: mostly fewer are likely matches.
_FIRST = 1_000


def find_likely(query: Query, session: Session, pictures: Pictures) -> list[int]:
    """Return the ids of the pictures with a relevance of at least `DEFAULT_CUTOFF`, up to the 10,000 most relevant.

    Each picture of a stack counts. Errors as in `Catalog.search`.
    """
    for most in (_FIRST, MOST_SORTED):
        options = SearchOptions(most, pictures, DEFAULT_CUTOFF, notifies=False)
        hits = answer_query(query, session, options)
        if len(hits) < most:
            break
    return [hit.content_id for hit in hits]
