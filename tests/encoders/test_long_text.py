"""Pieces fit, nothing is lost, words stay whole where they can."""

import re
import warnings
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsearch.encoders.long_text import Offsets, chunk_texts, mean_of_chunks, split_text
from clipsearch.errors import ClipSearchNotice, ModelError


def word_offsets(text: str) -> Offsets:
    return [match.span() for match in re.finditer(r"\S+", text)]


def letter_offsets(text: str) -> Offsets:
    return [match.span() for match in re.finditer(r"\S", text)]


def byte_offsets(text: str) -> Offsets:
    """Several tokens for one character, as byte-level tokenizers give for what is not ASCII."""
    return [(at, at + 1) for at, letter in enumerate(text) if not letter.isspace() for _ in letter.encode()]


def spaced_offsets(text: str) -> Offsets:
    """The space before a word belongs to its token, as SentencePiece counts."""
    return [match.span() for match in re.finditer(r"\s?\S+|\s+", text)]


def without_space(text: str) -> str:
    return re.sub(r"\s", "", text)


def test_text_that_fits_is_left_alone() -> None:
    assert split_text("  two words ", word_offsets("  two words "), 2) == ["  two words "]


def test_words_stay_whole() -> None:
    text = "one three five"
    assert split_text(text, letter_offsets(text), 8) == ["one three", "five"]
    assert split_text(text, letter_offsets(text), 7) == ["one", "three", "five"]
    assert split_text(text, letter_offsets(text), 5) == ["one", "three", "five"]


def test_a_word_longer_than_the_context_is_cut_in_itself() -> None:
    text = "a abcdefgh z"
    assert split_text(text, letter_offsets(text), 3) == ["a", "abc", "def", "gh z"]


def test_text_without_spaces_is_cut_between_tokens() -> None:
    assert split_text("一只猫在雪地里", letter_offsets("一只猫在雪地里"), 3) == ["一只猫", "在雪地", "里"]


def test_a_character_of_several_tokens_is_not_cut() -> None:
    assert split_text("猫猫猫", byte_offsets("猫猫猫"), 4) == ["猫", "猫", "猫"]
    assert split_text("猫猫猫", byte_offsets("猫猫猫"), 7) == ["猫猫", "猫"]


def test_a_character_larger_than_the_context_stays_whole() -> None:
    assert split_text("a猫b", byte_offsets("a猫b"), 2) == ["a", "猫", "b"]


def test_pieces_that_grow_when_tokenised_alone_are_made_shorter() -> None:
    text = "abcdefghij"

    def count(piece: str) -> int:  # every cut word costs two tokens more
        return len(piece) + (0 if piece.endswith("j") else 2)

    pieces = split_text(text, letter_offsets(text), 5, count=count)
    assert pieces == ["abc", "def", "ghij"]


@pytest.mark.parametrize("offsets_of", [word_offsets, letter_offsets, byte_offsets, spaced_offsets])
@given(text=st.text(alphabet="ab é猫🐈\n\t", max_size=60), max_tokens=st.integers(4, 9))
def test_nothing_is_lost_and_every_piece_fits(offsets_of: object, text: str, max_tokens: int) -> None:
    assert callable(offsets_of)
    pieces = split_text(text, offsets_of(text), max_tokens, count=lambda piece: len(offsets_of(piece)))
    assert without_space("".join(pieces)) == without_space(text)
    assert all(len(offsets_of(piece)) <= max_tokens for piece in pieces)


def test_a_hopeless_size_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        split_text("a b", word_offsets("a b"), 0)


def test_one_notice_says_how_many_texts_were_split() -> None:
    def offsets_of(texts: Sequence[str]) -> list[Offsets]:
        return [word_offsets(text) for text in texts]

    def encode() -> object:
        return chunk_texts(["a", "a b c d", "a b c d e f g"], offsets_of, context_length=5, special_tokens=2)

    with pytest.warns(ClipSearchNotice, match="2 texts were longer than the model's 5 tokens") as caught:
        chunks = encode()
    assert len(caught) == 1
    assert chunks.texts == ("a", "a b c", "d", "a b c", "d e f", "g")
    assert chunks.lengths == (1, 3, 1, 3, 3, 1)
    assert chunks.counts == (1, 2, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        chunk_texts(["a b c", "d"], offsets_of, context_length=5, special_tokens=2)


def test_means_are_unit_norm_and_single_pieces_untouched() -> None:
    rows = np.random.default_rng(0).normal(size=(6, 8)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    means = mean_of_chunks(rows, [1, 3, 2])
    assert means.shape == (3, 8)
    assert np.array_equal(means[0], rows[0])
    for row, part in ((1, rows[1:4]), (2, rows[4:6])):
        expected = part.sum(axis=0) / np.linalg.norm(part.sum(axis=0))
        np.testing.assert_allclose(means[row], expected, atol=1e-6)


def test_pieces_that_cancel_out_are_an_error() -> None:
    rows = np.array([[1, 0], [-1, 0]], dtype=np.float32)
    with pytest.raises(ModelError, match="no common direction"):
        mean_of_chunks(rows, [2])
