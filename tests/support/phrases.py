"""What holds for the meaning of any text."""

import pytest

from clipsearch.errors import QuerySyntaxError
from clipsearch.query import parse_query
from clipsearch.query.phrases import Context, understand


def check_stable_meaning(text: str, context: Context) -> None:
    """What is understood is a query that means the same when it is read again, and nothing is changed unsaid."""
    try:
        parsed = parse_query(text)
    except QuerySyntaxError:
        with pytest.raises(QuerySyntaxError):
            understand(text, context)
        return
    understood = understand(text, context)
    assert understood.query == parse_query(understood.text)
    if not any(phrase.is_applied for phrase in understood.phrases):
        assert (understood.text, understood.query) == (text, parsed)
    for phrase in understood.phrases:
        parse_query(phrase.other)
