"""Rank captions of a picture: stored captions, or candidate texts of a zero-shot classification."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clipsearch.encoders.base import Encoder, ProbabilityHead
from clipsearch.encoders.embed_image import Picture, PictureSource, embed_picture, embed_pictures, picture_name
from clipsearch.errors import QueryError
from clipsearch.indexes.base import VectorIndex
from clipsearch.scoring.relevance import Background
from clipsearch.session.session import Session
from clipsearch.store import Store
from clipsearch.text import check_text, check_top_k
from clipsearch.types import CaptionHit, ImageMatch
from clipsearch.vectors import as_score

# Captions embedded and stored per transaction: an interruption loses a few seconds of work.
_BATCH = 512


def caption_picture(picture: Picture, session: Session, *, top_k: int) -> list[CaptionHit]:
    """Find the stored captions nearest to a picture; captions without an embedding of the model are embedded first."""
    check_top_k(top_k)
    store, model = session.store, session.model
    if store.captions.count() == 0:
        raise QueryError("no captions are stored: add some with 'clipsearch captions add FILE'")
    embedding = embed_picture(picture, encoder=model.encoder)
    # Missing embeddings: after an interrupted 'captions add', or a change of model.
    embed_captions(store, model.encoder, model_id=model.row.model_id)
    return nearest_captions(
        embedding,
        index=session.vector_index("captions"),
        store=store,
        model_id=model.row.model_id,
        head=model.encoder.head,
        background=session.background(session.vector_index("images")),
        top_k=top_k,
    )


def nearest_captions(
    image: NDArray[np.float32],
    *,
    index: VectorIndex,
    store: Store,
    model_id: int,
    head: ProbabilityHead,
    background: Background,
    top_k: int,
) -> list[CaptionHit]:
    """Return the `top_k` stored captions nearest to a picture, best first.

    Probabilities are over all stored captions, not only those returned, so they don't change with `top_k`.

    Args:
        image: (dim,) unit-norm.
        model_id: the model of the embeddings in the index.
        background: the background statistics of the catalog's pictures.
    """
    scores, ids = index.search(image[np.newaxis], index.count)
    probabilities = head.probabilities(scores[0])[:top_k]
    best_ids = ids[0][:top_k].tolist()
    texts = store.captions.texts(best_ids)
    embeddings = store.reader.embeddings(best_ids, model_id=model_id, dim=index.dim, kind="captions")
    # Another process may have removed a caption since the index was opened.
    known = [row for row, caption_id in enumerate(best_ids) if caption_id in texts and caption_id in embeddings]
    relevances = _relevances(image, [embeddings[best_ids[row]] for row in known], scores[0][known], background)
    return [
        CaptionHit(
            rank=rank,
            text=texts[best_ids[row]],
            score=as_score(scores[0][row]),
            probability=float(probabilities[row]),
            relevance=relevance,
        )
        for rank, (row, relevance) in enumerate(zip(known, relevances, strict=True), start=1)
    ]


def _relevances(
    image: NDArray[np.float32],
    texts: Sequence[NDArray[np.float32]],
    scores: NDArray[np.float32],
    background: Background,
) -> list[float]:
    """Return the relevance (n,) of n texts, (dim,) unit-norm with cosines `scores` (n,), as in a search by each text.

    Each text is scored independently on purpose: a `LabelSpace` of all stored captions is more accurate when these are
    names (F1 0.54 instead of 0.50 on photographs of 200 things), but for similar sentences it claims 0.9 where 0.1 is
    right. `python -m tests.benchmarks.labels` measures it.
    """
    own_level = background.levels_at(image[np.newaxis])
    directions = [background.direction([text], [1.0], are_words=[True]) for text in texts]
    return [
        float(direction.relevances(score, own_level)[0]) for direction, score in zip(directions, scores, strict=True)
    ]


def classify_picture(picture: Picture, texts: Sequence[str], *, encoder: Encoder) -> list[CaptionHit]:
    """Rank candidate texts for one picture, the most probable first; probabilities are over these texts.

    Raises:
        QueryError: no texts, or an empty text.
        ImageReadError: the picture can't be read.
    """
    _check_texts(texts)
    image = embed_picture(picture, encoder=encoder)
    cosines = encoder.encode_texts(texts) @ image
    return [
        CaptionHit(rank=rank, text=texts[row], score=score, probability=probability)
        for rank, (row, score, probability) in enumerate(_ranked(cosines, encoder.head), start=1)
    ]


def classify_text(text: str, pictures: Sequence[PictureSource], *, encoder: Encoder) -> list[ImageMatch]:
    """Rank candidate pictures for one text, the most probable first; probabilities are over these pictures.

    Raises:
        QueryError: no pictures, or an empty text.
        ImageReadError: a picture can't be read.
    """
    _check_texts([text])
    if not pictures:
        raise QueryError("no pictures to choose from: name at least one after the text")
    cosines = embed_pictures(pictures, encoder=encoder) @ encoder.encode_texts([text])[0]
    return [
        ImageMatch(rank=rank, path=picture_name(pictures[row]), score=score, probability=probability)
        for rank, (row, score, probability) in enumerate(_ranked(cosines, encoder.head), start=1)
    ]


def _check_texts(texts: Sequence[str]) -> None:
    if not texts:
        raise QueryError("no texts to choose from: name at least one after the picture")
    for text in texts:
        check_text(text, "text")


def _ranked(cosines: NDArray[np.float32], head: ProbabilityHead) -> list[tuple[int, float, float]]:
    """Return (row, cosine, probability) tuples, best first; ties keep the input order."""
    probabilities = head.probabilities(cosines)
    order = np.argsort(-cosines, kind="stable")
    return [(int(row), as_score(cosines[row]), float(probabilities[row])) for row in order]


def embed_captions(store: Store, encoder: Encoder, *, model_id: int) -> int:
    """Embed the stored captions that have no embedding of this model yet; return their number."""
    missing = store.captions.without_embedding(model_id=model_id)
    for start in range(0, len(missing), _BATCH):
        part = missing[start : start + _BATCH]
        embeddings = encoder.encode_texts([text for _, text in part])
        store.captions.add_embeddings([caption_id for caption_id, _ in part], embeddings, model_id=model_id)
    return len(missing)
