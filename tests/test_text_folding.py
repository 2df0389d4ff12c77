"""Names that are the same to people are the same folded, and nothing else is."""

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsearch.text import fold_name, stored_fold
from tests.fuzz.budget import examples

EXAMPLES = {
    "IMG_0001.JPG": "img_0001.jpg",
    "Straße": "strasse",
    "STRASSE": "strasse",
    "STRAẞE": "strasse",
    "café": "cafe",
    "cafe\u0301": "cafe",
    "CAFÉ": "cafe",
    "Ångström": "angstrom",
    "\u212bngstro\u0308m": "angstrom",
    "ﬁlm": "film",
    "ＰＨＯＴＯ　１": "photo 1",
    "İstanbul": "istanbul",
    "ISPARTA": "isparta",
    "ışık": "isik",
    "Ἀθῆναι": "αθηναι",
    "ΑΘΗΝΑΙ": "αθηναι",
    "ΟΔΟΣ": "οδοσ",
    "οδος": "οδοσ",
    "Ёлка": "елка",
    "Việt Nam": "viet nam",
    "が": "が",
    "か\u3099": "が",
    "ｶﾞ": "ガ",
    "हिन्दी": "हिन्दी",
    "한국": "한국",
    "\u1112\u1161\u11ab\u1100\u116e\u11a8": "한국",
    "Ⅷ": "viii",
    "x²": "x2",
    "👩‍🚀": "👩‍🚀",
    "": "",
    "\u0301": "",
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_names_are_folded(name):
    assert fold_name(name) == EXAMPLES[name]


def test_letters_that_make_other_words_stay_different():
    for one, other in (("か", "が"), ("は", "ぱ"), ("कि", "की"), ("ש", "שׁ"), ("o", "ø"), ("l", "ł")):
        assert fold_name(one) != fold_name(other)


def test_every_character_folds_to_what_its_other_forms_do():
    for number in range(sys.maxunicode + 1):
        character = chr(number)
        folded = fold_name(character)
        assert fold_name(folded) == folded
        if not 0xD800 <= number < 0xE000:
            forms = {
                character.upper(),
                character.lower(),
                *(unicodedata.normalize(n, character) for n in ("NFC", "NFD")),
            }
            assert {fold_name(form) for form in forms} == {folded}, hex(number)


@examples(500)
@given(st.lists(st.text(max_size=12)))
def test_folded_parts_of_a_path_are_parts_of_the_folded_path(parts):
    folded = fold_name("/".join(parts))
    assert folded == "/".join(map(fold_name, parts))
    assert fold_name(folded) == folded


@examples(300)
@given(st.text(st.characters(), max_size=20))
def test_what_is_folded_is_a_text_that_any_database_takes(name):
    folded = fold_name(name)
    assert "\0" not in folded
    assert folded.encode().decode() == folded
    assert stored_fold(name) in (None, folded)
    if stored_fold(name) is None:
        assert folded == name.lower()


def test_bytes_that_are_no_text_stay_different():
    names = [b"caf\xe9".decode("utf-8", "surrogateescape"), b"caf\xe8".decode("utf-8", "surrogateescape"), "cafe"]
    assert len({fold_name(name) for name in names}) == 3
