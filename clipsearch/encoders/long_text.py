"""Texts longer than a model's context: split into pieces that fit, embedded one by one, averaged.

Nothing is cut in silence. No torch here: every encoder splits in the same way, whatever runs it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipsearch import quantities
from clipsearch.errors import ModelError
from clipsearch.notices import notify

Offsets = Sequence[tuple[int, int]]
"""(start, end) character positions of a text's tokens, special tokens left out, in order."""


@dataclass(frozen=True, slots=True)
class Chunks:
    """Texts made to fit.

    Attributes:
        texts: the pieces of all texts, in order; a text that fits is its own only piece, unchanged.
        lengths: tokens of each piece, special tokens left out.
        counts: how many pieces each of the original texts became (at least 1).
    """

    texts: tuple[str, ...]
    lengths: tuple[int, ...]
    counts: tuple[int, ...]


def chunk_texts(
    texts: Sequence[str],
    offsets_of: Callable[[Sequence[str]], Sequence[Offsets]],
    *,
    context_length: int,
    special_tokens: int,
) -> Chunks:
    """Splits what is too long, and gives one notice that says how many texts were.

    Args:
        texts: the texts.
        offsets_of: tokenises several texts without special tokens and without truncation.
        context_length: tokens the model takes, special tokens included.
        special_tokens: how many tokens (start, end) the tokenizer adds to every piece.
    """
    max_tokens = context_length - special_tokens
    pieces: list[str] = []
    lengths: list[int] = []
    counts: list[int] = []
    for text, offsets in zip(texts, offsets_of(texts), strict=True):
        if len(offsets) <= max_tokens:
            pieces.append(text)
            lengths.append(len(offsets))
            counts.append(1)
            continue
        split = split_text(text, offsets, max_tokens, count=lambda piece: len(offsets_of([piece])[0]))
        pieces += split
        lengths += [len(piece_offsets) for piece_offsets in offsets_of(split)]
        counts.append(len(split))
    n_long = sum(count > 1 for count in counts)
    if n_long:
        notify(
            f"{quantities.count(n_long, 'text was', 'texts were')} longer than the model's {context_length} tokens and "
            "split; the parts are averaged"
        )
    return Chunks(tuple(pieces), tuple(lengths), tuple(counts))


def split_text(text: str, offsets: Offsets, max_tokens: int, *, count: Callable[[str], int] | None = None) -> list[str]:
    """Splits a text into pieces of at most `max_tokens` tokens, between words where there is a choice.

    A character is never split: one that alone is more than `max_tokens` tokens stays whole in a piece that is too long.

    Args:
        text: the text.
        offsets: of its tokens, see `Offsets`.
        max_tokens: at least 1, special tokens not counted.
        count: tokens of a piece when it is tokenised for itself. It can be more than in the whole text (a word cut
            in two ends in other tokens), so with it the pieces are checked and made shorter; without it the offsets
            are trusted.

    Returns:
        The pieces in order, white space around them removed; joined they are the text, white space aside.
    """
    if max_tokens < 1:
        raise ValueError(f"max_tokens must be at least 1, not {max_tokens}")
    if len(offsets) <= max_tokens:
        return [text]
    pieces: list[str] = []
    first, begin = 0, 0
    while first < len(offsets):
        stop = min(first + max_tokens, len(offsets))
        while True:
            row = _cut(text, offsets, first, stop)
            end = len(text) if row == len(offsets) else offsets[row][0]
            piece = text[begin:end].strip()
            surplus = 0 if count is None else count(piece) - max_tokens
            if surplus <= 0 or row <= first + 1 or row > stop:
                break
            stop = max(first + 1, row - surplus)
        if piece:
            pieces.append(piece)
        first, begin = row, end
    return pieces


def _cut(text: str, offsets: Offsets, first: int, stop: int) -> int:
    """The row to cut before: the last beginning of a word in (first, stop], else of a character, else the next one."""
    if stop == len(offsets):
        return stop
    for row in range(stop, first, -1):
        start = offsets[row][0]
        # Tokenizers that mark word starts count the space before as part of the token, others leave it out.
        if start > offsets[first][0] and (text[start - 1].isspace() or text[start].isspace()):
            return row
    # Byte-level tokens of one character share its position: cut only where the next token begins past the last one.
    candidates = [*range(stop, first, -1), *range(stop + 1, len(offsets))]
    return next((row for row in candidates if offsets[row][0] >= offsets[row - 1][1]), len(offsets))


def mean_of_chunks(embeddings: NDArray[np.float32], counts: Sequence[int]) -> NDArray[np.float32]:
    """Averages the pieces of each text and normalises again.

    Args:
        embeddings: (sum(counts), dim) unit-norm rows.
        counts: see `Chunks.counts`.

    Returns:
        (len(counts), dim) unit-norm float32; the row of a text with one piece is that piece's, bit for bit.

    Raises:
        ModelError: the pieces of a text cancel each other out.
    """
    if all(count == 1 for count in counts):
        return embeddings
    rows = np.empty((len(counts), embeddings.shape[1]), dtype=np.float32)
    begin = 0
    for row, count in enumerate(counts):
        if count == 1:
            rows[row] = embeddings[begin]
        else:
            mean = embeddings[begin : begin + count].mean(axis=0, dtype=np.float64)
            norm = float(np.linalg.norm(mean))
            if norm < 1e-6:
                raise ModelError(f"the {count} parts of text {row} have no common direction; shorten the text")
            rows[row] = mean / norm
        begin += count
    return rows
