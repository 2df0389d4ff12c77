"""An @ before a name, at the start of a term, is a concept; anywhere else it is part of words."""

import pytest

from clipsearch.query import Query, Term, parse_query

pytestmark = pytest.mark.fast

REX = Term("concept", "rex")


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("@rex", ((REX,),)),
        ("@REX", ((REX,),)),
        ("beach - @rex", ((Term("words", "beach"), Term("concept", "rex", -1.0)),)),
        ("beach -@rex", ((Term("words", "beach"), Term("concept", "rex", -1.0)),)),
        ("0.5:@rex", ((Term("concept", "rex", 0.5),),)),
        ("@rex & snow", ((REX,), (Term("words", "snow"),))),
        ("@rex in the snow", ((REX, Term("words", "in the snow")),)),
        ("@rex @max", ((REX, Term("concept", "max")),)),
        ("@our-house_2", ((Term("concept", "our-house_2"),),)),
        ("@Straße", ((Term("concept", "strasse"),),)),
        ("@हिन्दी", ((Term("concept", "हिन्दी"),),)),
        # Words:
        ("me@example.com", ((Term("words", "me@example.com"),),)),
        ("beach @rex", ((Term("words", "beach @rex"),),)),
        ("'@rex'", ((Term("words", "'@rex'"),),)),
        ('"@rex"', ((Term("words", "@rex"),),)),
        ("@", ((Term("words", "@"),),)),
        ("@ rex", ((Term("words", "@ rex"),),)),
        ("@rex.com", ((Term("words", "@rex.com"),),)),
        ("@@rex", ((Term("words", "@@rex"),),)),
        ("@_", ((Term("words", "@_"),),)),
        ("@" + "x" * 65, ((Term("words", "@" + "x" * 65),),)),
        ("@rex.jpg", ((Term("picture", "@rex.jpg"),),)),
    ],
)
def test_where_a_name_is_a_concept(text, groups):
    parsed = parse_query(text)
    assert parsed.groups == groups
    assert parse_query(str(parsed)) == parsed


@pytest.mark.parametrize("words", ["@rex", "@rex in the snow", "beach @rex", "@ rex", "a@b", "@rex.com"])
def test_words_with_an_at_are_written_so_that_they_stay_words(words):
    query = Query(((Term("words", words),),))
    assert parse_query(str(query)) == query


def test_filters_apply_to_a_concept():
    parsed = parse_query("taken:2024 @rex -path:backup")
    assert parsed.groups == ((REX,),) and len(parsed.filters) == 2
