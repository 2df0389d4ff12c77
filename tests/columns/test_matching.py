"""Wildcards, held against the regular expression that they stand for."""

import random
import re

import pytest

from clipsearch.columns import matching as matching_module
from clipsearch.columns import text as text_module
from clipsearch.columns import text_index
from clipsearch.columns.matching import match
from clipsearch.columns.text import TextColumn
from clipsearch.columns.text_index import text_arrays
from clipsearch.query.filters import Pattern, parse_filter
from clipsearch.query.globs import items_of, path_condition
from clipsearch.text import fold_name

LETTERS = ["a", "b", "/", "_", "e", "本", "%", ".", " ", "\n"]


def column(strings: list[str]) -> TextColumn:
    return TextColumn({f"x.{name}": array for name, array in text_arrays([s.encode() for s in strings]).items()}, "x")


def is_like(pattern: Pattern, string: str) -> bool:
    text = pattern.text if pattern.is_wild else f"*{pattern.text}*"
    expression = "".join({"*": ".*", "?": "."}.get(each) or re.escape(each) for each in text)
    return re.fullmatch(expression, string, re.DOTALL) is not None


@pytest.mark.parametrize("seed", range(40))
def test_random_patterns(seed, monkeypatch):
    rng = random.Random(seed)
    if seed % 2:
        monkeypatch.setattr(text_module, "_MANY", 2)
        monkeypatch.setattr(text_module, "_CHUNK", 16)
        monkeypatch.setattr(text_index, "_CHUNK", 16)
        monkeypatch.setattr(matching_module, "_STRINGS", 3)
    if seed % 3 == 0:  # offsets of three bits: most strings are too long for the index
        monkeypatch.setattr(text_index, "_POSTING_BITS", 9)
    monkeypatch.setattr(text_index, "_FEWEST_COMMON", (seed % 4) * 20)
    monkeypatch.setattr(matching_module, "_SPARSE", (0, 8, 1 << 40)[seed % 3])
    strings = ["".join(rng.choices(LETTERS, k=rng.choice([0, 1, 2, 3, 5, 8, 20]))) for _ in range(rng.randint(1, 40))]
    text = column(strings)
    assert [text.string(number).decode() for number in range(text.count)] == strings
    for _ in range(40):
        pattern = Pattern("".join(rng.choices([*LETTERS, "*", "?", "*", "?", "ab"], k=rng.randint(1, 7))))
        assert match(text, items_of(pattern)).tolist() == [is_like(pattern, each) for each in strings], pattern.text


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("odd", [[], ["2010img_.jpg2010", ".jpg", "img_", "img_2010_img.jpg", "", "img_é010_1.jpg"]])
def test_names_like_those_of_a_camera(seed, odd, monkeypatch):
    rng = random.Random(seed)
    monkeypatch.setattr(text_module, "_MANY", (2, 1 << 40)[seed % 2])
    monkeypatch.setattr(text_index, "_FEWEST_COMMON", (0, 1 << 40)[seed // 2 % 2])
    monkeypatch.setattr(matching_module, "_SPARSE", (0, 8, 1 << 40)[seed % 3])
    strings = [f"img_{rng.randint(2008, 2012)}_{number:03d}.jpg" for number in range(200)] + odd
    text = column(strings)
    pieces = ["*", "*", "*", "?", "img", "img_", "_20", "2010", "img_2010", "_", "0", "1", "g_", "jpg", ".jpg"]
    for _ in range(60):
        pattern = Pattern("".join(rng.choices(pieces, k=rng.randint(1, 6))))
        assert match(text, items_of(pattern)).tolist() == [is_like(pattern, each) for each in strings], pattern.text


def test_no_strings():
    assert match(column([]), items_of(Pattern("*a*b?"))).tolist() == []
    assert match(column([]), items_of(Pattern("a"))).tolist() == []


def test_a_pattern_with_many_stars_is_no_trap():
    text = column(["o" * 3_000 + "本", "o" * 60])
    pattern = Pattern("o*" * 500 + "x")
    assert match(text, items_of(pattern)).tolist() == [False, False]
    assert match(text, items_of(Pattern("?" + "*o" * 30 + "*"))).tolist() == [True, True]


def test_the_path_of_one_file():
    def passes(text: str, below: bytes, folder: bytes = b"/Fotos") -> bool:
        name, _, value = text.partition(":")
        return path_condition([parse_filter(name.lstrip("-"), value, is_negated=name[0] == "-")])(folder, below)

    assert passes("path:fotos", b"a.jpg")
    assert passes("path:FOTOS/a", b"A.JPG")
    assert passes("path:a.*", b"a.jpg")
    assert passes("path:/fotos/*", b"x/a.jpg")
    assert passes("path:/a", b"a.jpg", b"/")
    assert not passes("path:/a.*", b"a.jpg")
    assert passes(f"path:{fold_name('Ö')}?.jpg", "ö本.jpg".encode())
    assert not passes("-path:a", b"a.jpg")
    assert passes("camera:nothing", b"a.jpg"), "other filters are left out"
