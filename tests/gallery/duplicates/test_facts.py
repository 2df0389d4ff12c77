"""What tells that pictures that look the same are no copies: the text that was read in them."""

import pytest
from PIL import Image

from clipsearch import Catalog
from clipsearch.gallery.duplicates.facts import Facts, have_other_texts, may_be_copies
from clipsearch.ocr.lines import TextLine
from clipsearch.store import Store
from clipsearch.store.texts import ReadText
from tests.gallery.duplicates.test_duplicates import draw

RECEIPT = ("Coffee and cake 12.50", "Bread and butter 4.20", "Total amount 16.70", "Thank you for your visit")
LETTER = ("Dear Mister Miller", "please find enclosed the documents", "that we spoke about on Monday")


def lines(*texts: str, confidence: float = 0.99) -> tuple[TextLine, ...]:
    """One below the other."""
    return tuple(TextLine(text, confidence, (0.1, 0.1 * row, 0.5, 0.1 * row + 0.08)) for row, text in enumerate(texts))


def facts(*texts: str, confidence: float = 0.99) -> Facts:
    return Facts.of(None, lines(*texts, confidence=confidence), reader="made")


def test_other_words_are_another_document():
    receipt = facts(*RECEIPT)
    assert have_other_texts(receipt, facts(*LETTER))
    assert not have_other_texts(receipt, receipt)
    # Cropped, misread in part, little read, not surely read, not read at all.
    others = [RECEIPT[1:3], ("C0ffee and cake 12.50", *RECEIPT[1:]), ("Thanks",), ()]
    assert [have_other_texts(receipt, facts(*each)) for each in others] == [False] * 4
    assert not have_other_texts(receipt, facts(*LETTER, confidence=0.8))


def test_words_of_scripts_without_blanks_are_compared_by_their_parts():
    menu = facts("本日のおすすめ定食八百円税込", "営業時間は午前九時から午後五時まで", "ご来店ありがとうございます")
    misread = facts("本日のおすすめ定食八百円税辺", "営業時間は午前九時から午後五時まで", "ご来店ありがとうございま")
    other = facts("立入禁止この先は関係者以外入れません", "非常口は右側の階段を降りてください", "管理事務所電話番号")
    assert not have_other_texts(menu, misread) and have_other_texts(menu, other)


@pytest.mark.parametrize("other", ["12.60", "12.51", "72.50"], ids=str)
def test_another_number_is_no_copy(other):
    changed = facts(RECEIPT[0].replace("12.50", other), *RECEIPT[1:])
    assert not may_be_copies(facts(*RECEIPT), changed) and not may_be_copies(changed, facts(*RECEIPT))
    assert not have_other_texts(facts(*RECEIPT), changed)


def test_other_numbers_elsewhere_and_short_ones_do_not_tell():
    receipt, moved = facts(*RECEIPT), facts("Thank you", *RECEIPT[:2], "Total amount 16.70")
    assert may_be_copies(facts("Table 10", "Guest 72"), facts("Table 11", "Guest 73"))
    assert may_be_copies(receipt, moved)
    misread = facts("Coffee 150 and cake 12.50", *RECEIPT[1:])
    assert may_be_copies(misread, facts("Coffee 731 and cake 12.50", *RECEIPT[1:]))
    assert may_be_copies(facts("Invoice 2024-05-01"), facts("Invoice 2024.05.01"))


def test_what_different_models_have_read_is_not_compared():
    first, second = facts(*RECEIPT), Facts.of(None, lines(*LETTER), reader="others")
    assert not have_other_texts(first, second)
    changed = Facts.of(None, lines(RECEIPT[0].replace("12.50", "12.60"), *RECEIPT[1:]), reader="others")
    assert may_be_copies(first, changed)
    for reader in (None, ""):
        assert not have_other_texts(
            Facts.of(None, lines(*RECEIPT), reader=reader), Facts.of(None, lines(*LETTER), reader=reader)
        )


def test_very_many_numbers_are_bounded():
    page = [TextLine(f"{number:06}", 0.99, (0.1, 0.1, 0.5, 0.2)) for number in range(9_000)]
    other = [TextLine(f"{number:06}", 0.99, (0.1, 0.1, 0.5, 0.2)) for number in range(500_000, 509_000)]
    first, second = Facts.of(None, page, reader="made"), Facts.of(None, other, reader="made")
    assert len(first.sure_numbers) == 200 and len(first.words) == 1_000
    assert not may_be_copies(first, second)


def test_numbers_that_are_missing_or_not_sure_do_not_tell():
    receipt = facts(*RECEIPT)
    assert may_be_copies(receipt, receipt) and may_be_copies(receipt, facts(*RECEIPT[1:]))
    assert may_be_copies(receipt, facts("Coffee and cake 12.60", *RECEIPT[1:], confidence=0.9))
    assert may_be_copies(receipt, facts("Coffee and cake 2.50", *RECEIPT[1:]))


@pytest.mark.parametrize(
    ("second", "kinds"),
    [
        (RECEIPT, ["copy"]),
        ((), ["copy"]),
        ((RECEIPT[0].replace("12.50", "12.60"), *RECEIPT[1:]), ["similar"]),
        (LETTER, []),
    ],
    ids=["same", "unread", "number", "letter"],
)
def test_duplicates_are_told_apart_by_their_text(tmp_path, colours, second, kinds):
    draw(tmp_path / "photos" / "one.png", 1, side=200)
    with Image.open(tmp_path / "photos" / "one.png") as picture:
        picture.resize((150, 150)).save(tmp_path / "photos" / "two.jpg", quality=90)
    with Catalog.open(tmp_path / "catalog", model="colours", create=True) as catalog:
        catalog.index(tmp_path / "photos")
        numbers = {hit.path.rpartition("/")[2]: hit.content_id for hit in catalog.search("w:>0")}
        with Store(tmp_path / "catalog") as store:
            read = [ReadText(numbers["one.png"], lines(*RECEIPT)), ReadText(numbers["two.jpg"], lines(*second))]
            store.texts.record(read, reader="made")
        assert [group.kind for group in catalog.duplicates()] == kinds
        near = catalog.pictures.near_duplicates(numbers["one.png"])
        assert [each.kind for each in near] == kinds
