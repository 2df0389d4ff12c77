"""What is written about pictures, as the full-text index has it, and quotations of it."""

import pytest

from clipsearch.description import Description
from clipsearch.text import fold_words
from clipsearch.written.documents import document_of, texts_of, whole, without_suffix, words_of
from clipsearch.written.quotes import MOST_CHARACTERS, quote_writing


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Summer_Camp--2019/b.JPG", "summer camp 2019 b jpg"),
        ("Straße, Café", "strasse cafe"),
        ("Cafe\u0301", "cafe"),
        ("Анна's Foto", "анна s foto"),
        ("猫と東京", "猫と東京"),
        ("हिन्दी किताब", "हिन्दी किताब"),  # vowel signs are no separators
        ("co\u00adoperate", "cooperate"),
        ("C++ ❤", "c++ ❤"),
        ("\0 - !", ""),
    ],
)
def test_texts_are_folded_to_words(text, expected):
    assert fold_words(text) == expected
    assert fold_words(expected) == expected


def test_a_query_is_looked_for_without_its_stop_words():
    wanted = words_of("a photo of Anna in the Snow")
    assert wanted is not None and wanted.words == (" anna ", " snow ") and wanted.phrase == " anna in the snow "
    assert words_of("the photo of a") is None and words_of("?!") is None
    assert whole("猫") == "猫" and whole("cat") == " cat " and whole("cat猫") == " cat猫"


def test_a_document_has_each_text_between_blanks():
    described = Description(title="Old harbour", keywords=("Animals/Black cat", "sea"), people=("Anna",), city="Köln")
    assert document_of(described, ["2023/img_1.jpg", "b.jpg"]) == (
        " old harbour ",
        " animals black cat \n sea \n anna ",
        "",
        " koln ",
        " 2023 img 1 \n b ",
        "",
    )
    assert document_of(Description(), ["b.jpg"], ["Total", "Amount: 4.50"])[-1] == " total amount 4 50 "
    assert without_suffix("a.b/c") == "a.b/c" and without_suffix("v1.20 notes") == "v1.20 notes"


def quote(query, **described):
    wanted = words_of(query)
    assert wanted is not None
    found = quote_writing(texts_of(Description(**described), ["Ferien/Anna.jpg"]), wanted)
    return None if found is None else found.text


def test_the_text_with_the_words_is_quoted():
    assert quote("harbour", title="Old Harbour", caption="the harbour") == "Old Harbour"
    assert quote("boats harbour", title="Old Harbour", caption="Boats in the harbour") == "Boats in the harbour"
    assert quote("anna") == "Ferien/Anna.jpg"
    assert quote("zebra", title="Old Harbour") is None
    long = "word " * 300 + "the Zèbra of Köln " + "more " * 300
    found = quote("zebra", caption=long)
    assert found is not None and "Zèbra" in found and len(found) <= MOST_CHARACTERS + 2
    assert found[0] == found[-1] == "…"
    chinese = quote("猫", caption="東" * 300 + "猫" + "京" * 300)
    assert chinese is not None and "猫" in chinese and len(chinese) <= MOST_CHARACTERS + 2
