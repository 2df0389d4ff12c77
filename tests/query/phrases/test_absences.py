"""Phrases of plain words: what is excluded, cameras and kinds of files."""

from datetime import date

import pytest

from clipsearch.query import parse_query
from clipsearch.query.phrases import Context, understand

CAMERAS = ("Canon EOS 5D", "Apple iPhone 12", "NIKON D90", "SONY ILCE-7M3", "LEICA Q")
CONTEXT = Context(date(2026, 11, 27), lambda: CAMERAS)


def read(text: str) -> str:
    return understand(text, CONTEXT).text


@pytest.mark.parametrize(
    ("text", "expected"),
    {
        "food, no meat": "food - meat",
        "a beach without people": "a beach - people",
        "a street, no cars and no people": "a street - cars - people",
        "a street without cars or people": "a street - cars - people",
        "man without a hat in the snow": "man in the snow - hat",
        "a table but no chairs": "a table - chairs",
        "a cat, not a dog": "a cat - dog",
        "a beach without any people in July 2023": "a beach - people taken:2023-07",
        "beach no people": "beach - people",
        "Strand keine Menschen": "Strand - Menschen",
        "une plage pas de gens": "une plage - gens",
        "birds, no Canon": "birds -camera:canon",
        "birds without people 2 May 2019": "birds - people taken:2019-05-02",
        "beach without people path:2024/*": "beach path:2024/* - people",
    }.items(),
)
def test_absences(text, expected):
    assert read(text) == expected
    assert parse_query(expected) == understand(text, CONTEXT).query


@pytest.mark.parametrize(
    ("text", "expected"),
    {
        "the rocket, Canon": "the rocket camera:canon",
        "the rocket, EOS 5D": 'the rocket camera:"eos 5d"',
        "a bird taken with a Canon": "a bird camera:canon",
        "sunset shot on iPhone 12": 'sunset camera:"iphone 12"',
        "aufgenommen mit einer Nikon": "camera:nikon",
        "videos of a cat": "a cat type:film",
        "raw files": "type:raw",
        "a tower in portrait format": "a tower orientation:portrait",
    }.items(),
)
def test_cameras_and_kinds(text, expected):
    assert read(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "birds, no Kodak",  # the catalog has no such camera
        "there are no people",
        "a sign no people allowed",
        "beach no waves",
        "no people",
    ],
)
def test_what_is_not_excluded(text):
    assert read(text) == text
