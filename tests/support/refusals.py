"""Queries that are refused."""

import pytest

from clipsearch.errors import QuerySyntaxError
from clipsearch.query import parse_query


def check_refused(text: str, position: int, said: str) -> None:
    """A query is refused at a place, in one line that says what is to be said."""
    with pytest.raises(QuerySyntaxError) as caught:
        parse_query(text)
    assert said in str(caught.value)
    assert caught.value.position == position
    assert "\n" not in str(caught.value)
