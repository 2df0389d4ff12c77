"""Split texts longer than a model's context into chunks that fit, and average the embeddings of the chunks.

Texts are never truncated silently. Independent of torch, so that all runtimes split in the same way.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipsearch import quantities
from clipsearch.errors import ModelError
from clipsearch.notices import notify

Offsets = Sequence[tuple[int, int]]
"""(start, end) character positions of a text's tokens, without special tokens, in order."""


@dataclass(frozen=True, slots=True)
class Chunks:
    """Chunks of texts, each of which fits into the context.

    Attributes:
        texts: the chunks of all texts, in order; a text that fits is its own only chunk, unchanged.
        lengths: tokens of each chunk, without special tokens.
        counts: number of chunks of each text (at least 1).
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
    """Split texts that are too long into chunks; one notice says how many texts were split.

    Args:
        texts: the texts.
        offsets_of: tokenises several texts without special tokens and without truncation.
        context_length: tokens the model takes, special tokens included.
        special_tokens: number of tokens (start, end) that the tokenizer adds to every chunk.
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
    """Split a text into chunks of at most `max_tokens` tokens, between words where possible.

    A character is never split: one of more than `max_tokens` tokens stays whole, in a chunk that is too long.

    Args:
        text: the text.
        offsets: of its tokens, see `Offsets`.
        max_tokens: at least 1, special tokens not counted.
        count: counts the tokens of a chunk tokenised on its own, which can be more than in the whole text (a word cut
            in two has other tokens); chunks that are too long are then shortened. None: the offsets are trusted.

    Returns:
        The chunks in order, stripped of surrounding white space; concatenated they are the text, except white space.
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
    """Find the row to cut before: the last word start in (first, stop], else the last character start, else a later."""
    if stop == len(offsets):
        return stop
    for row in range(stop, first, -1):
        start = offsets[row][0]
        # Some tokenizers include the space before a word in its token, others do not.
        if start > offsets[first][0] and (text[start - 1].isspace() or text[start].isspace()):
            return row
    # Byte-level tokens of one character share its position: cut only where the next token starts after the last one.
    candidates = [*range(stop, first, -1), *range(stop + 1, len(offsets))]
    return next((row for row in candidates if offsets[row][0] >= offsets[row - 1][1]), len(offsets))


def mean_of_chunks(embeddings: NDArray[np.float32], counts: Sequence[int]) -> NDArray[np.float32]:
    """Average the embeddings of the chunks of each text and normalise the means.

    Args:
        embeddings: (sum(counts), dim) unit-norm rows.
        counts: see `Chunks.counts`.

    Returns:
        (len(counts), dim) unit-norm float32; the row of a text with one chunk is that chunk's, bit for bit.

    Raises:
        ModelError: the chunks of a text cancel each other out.
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
