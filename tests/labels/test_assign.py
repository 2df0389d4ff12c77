"""Labels for pictures: what fits, what stands out, and the sets they come from."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipsearch import Catalog
from clipsearch.data import BUILT_IN, built_in_labels
from clipsearch.encoders.prompts import TEMPLATES, encode_labels
from clipsearch.errors import CatalogNotFoundError, InputError, QueryError, StoreError
from clipsearch.labels.sets import find_labels
from clipsearch.scoring.bank import Bank
from clipsearch.scoring.labels import learn_labels
from clipsearch.scoring.relevance import DEFAULT_CUTOFF
from clipsearch.vectors import normalise
from tests.support.fakes import COLOURS, ColourEncoder

DIM = 64


def axes(count: int, lean: float = 0.6, seed: int = 0) -> np.ndarray:
    """Labels, each with a direction of its own, that all lean to one side, as those of CLIP do."""
    made = np.linalg.qr(np.random.default_rng(seed).standard_normal((DIM, DIM)))[0][:count]
    return normalise(made + lean * np.linalg.qr(np.random.default_rng(99).standard_normal((DIM, DIM)))[0][-1])


def pictures_of(labels: np.ndarray, which: np.ndarray, noise: float = 0.12, seed: int = 1) -> np.ndarray:
    random = np.random.default_rng(seed)
    return normalise(labels[which] + noise * random.standard_normal((len(which), DIM)))


def learn(labels: np.ndarray, pictures: np.ndarray):
    return learn_labels(
        [f"label {row}" for row in range(len(labels))],
        labels,
        bank=Bank(axes(60), 20.0, 0.0, 5.0),
        pictures=pictures,
    )


def first(space, pictures: np.ndarray) -> list[int]:
    return [int(hits[0].label.split()[1]) for hits in space.name(pictures, top_k=1)]


def test_a_label_that_is_near_to_everything_wins_less_often():
    """Pictures of CLIP all lie to one side of the texts; some labels lie on that side."""
    labels, side = axes(40), normalise(np.random.default_rng(3).standard_normal((1, DIM)))[0]
    which = np.arange(400) % 39
    pictures = normalise(0.5 * pictures_of(labels, which) + side)
    labels[39] = normalise((labels[39] + 0.2 * side)[None])[0]
    by_cosine = (pictures @ labels.T).argmax(axis=1)
    named = np.array(first(learn(labels, pictures), pictures))
    assert (by_cosine == which).mean() < 0.6
    assert (named == which).mean() > (by_cosine == which).mean() + 0.1


def test_where_all_pictures_show_the_same_that_stays_their_label():
    labels = axes(40)
    pictures = pictures_of(labels, np.zeros(300, dtype=np.int64))
    named = np.array(first(learn(labels, pictures), pictures))
    assert (named == 0).mean() > 0.9


def test_without_pictures_the_order_is_that_of_the_labels_without_what_they_share():
    labels = axes(40)
    pictures = pictures_of(labels, np.arange(40))
    assert first(learn(labels, pictures[:0]), pictures) == list(range(40))


def test_relevance_tells_what_fits_from_what_does_not():
    names = axes(60)
    labels = names[:40]
    pictures = pictures_of(names, np.arange(400) % 30)
    strange = pictures_of(names, 40 + np.arange(200) % 20, seed=5)
    space = learn(labels, np.concatenate((pictures, strange)))
    right, wrong = (space.relevances(some).max(axis=1) for some in (pictures, strange))
    assert (right > DEFAULT_CUTOFF).mean() > 0.95
    assert (wrong < DEFAULT_CUTOFF).mean() > 0.8


def test_ranks_scores_and_cut_off():
    labels = axes(40)
    pictures = pictures_of(labels, np.arange(3))
    space = learn(labels, pictures)
    named = space.name(pictures, top_k=7)
    assert [[hit.rank for hit in hits] for hits in named] == [[1, 2, 3, 4, 5, 6, 7]] * 3
    for picture, hits in zip(pictures, named, strict=True):
        relevances = [hit.relevance for hit in hits]
        assert relevances == sorted(relevances, reverse=True)
        for hit in hits:
            assert hit.score == pytest.approx(float(picture @ labels[int(hit.label.split()[1])]), abs=1e-5)
    cut = space.name(pictures, top_k=7, min_relevance=named[0][1].relevance)
    assert len(cut[0]) == 2
    assert len(space.name(pictures, top_k=100)[0]) == 40


def test_many_pictures_are_named_as_one_by_one(monkeypatch):
    labels = axes(40)
    pictures = pictures_of(labels, np.arange(50) % 40)
    space = learn(labels, pictures)
    whole = space.name(pictures, top_k=3)
    monkeypatch.setattr("clipsearch.scoring.labels._BATCH", 7)
    assert [[hit.label for hit in hits] for hits in space.name(pictures, top_k=3)] == [
        [hit.label for hit in hits] for hits in whole
    ]


def test_real_clip_calls_a_cat_a_cat(shared):
    """By cosine alone "noseband (for animals)" comes first, and "nosebag" third."""
    golden = shared / "golden" / "clip-vitb32-vectors"
    if not golden.is_dir():
        pytest.skip("the published vectors of CLIP are not here")
    images, texts = np.load(golden / "image_embeddings.npz"), np.load(golden / "text_embeddings_lvis.npz")
    pictures = normalise(images["emb"].astype(np.float32))
    labels = normalise(texts["emb"].astype(np.float32))
    space = learn_labels(texts["names"].tolist(), labels, bank=Bank(labels, 100.0, 0.0, 5.0), pictures=pictures)
    named = dict(zip(images["names"].tolist(), space.name(pictures, top_k=5), strict=True))
    cat, kitten = ([hit.label for hit in named[name]] for name in ("123_456", "456_123"))
    assert cat[:2] == ["cat", "kitten"]
    assert "cougar" in cat
    assert kitten[:2] == ["kitten", "cat"]
    assert not {"noseband (for animals)"} & {*cat, *kitten}
    assert all(named[name][0].relevance > DEFAULT_CUTOFF for name in ("123_456", "456_123"))


def test_templates_are_averaged_for_words_and_left_off_sentences():
    class Counting(ColourEncoder):
        def encode_texts(self, texts):
            self.seen = list(texts)
            return super().encode_texts(texts)

    encoder = Counting()
    rows = encode_labels(["red", "a blue thing on the left", "green"], encoder)
    assert encoder.seen == ["red", "a photo of a red", "a blue thing on the left", "green", "a photo of a green"]
    assert rows == pytest.approx(
        np.stack(
            [
                normalise(encoder.encode_texts([form.format("red") for form in TEMPLATES]).mean(axis=0)[None])[0],
                encoder.encode_texts(["a blue thing on the left"])[0],
                normalise(encoder.encode_texts([form.format("green") for form in TEMPLATES]).mean(axis=0)[None])[0],
            ]
        )
    )


def test_the_sets_that_come_along():
    sizes = {name: len(built_in_labels(name)) for name in BUILT_IN}
    assert (sizes["coco"], sizes["lvis"], sizes["cifar10"], sizes["cifar100"]) == (80, 1203, 10, 100)
    for name in BUILT_IN:
        labels = built_in_labels(name)
        assert len(set(labels)) == len(labels)
        assert all(label == " ".join(label.split()) and label for label in labels), name
    assert {"cat", "donut", "tv"} <= set(built_in_labels("coco"))


@pytest.mark.parametrize(
    ("wanted", "message"),
    [("cars", "unknown label set 'cars': use cifar10"), ([], "no labels"), ([" "], "empty")],
)
def test_what_is_no_set(wanted, message):
    with pytest.raises(QueryError, match=message):
        find_labels(wanted, None)


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    for name in ("red", "green", "blue"):
        paint(folder / f"{name}.png", name)
    return folder


def paint(path: Path, colour: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (16, 12), COLOURS[colour]).save(path)
    return path


@pytest.fixture
def catalog(tmp_path, photos, colours):
    with Catalog.open(tmp_path / "catalog", model="colours", create=True) as opened:
        opened.index(photos)
        yield opened


def test_a_catalog_names_its_pictures(catalog, photos):
    assert catalog.labels.add("paints", ["red", "green", "blue", "yellow", "red"]) == 4
    assert catalog.labels.names() == {"paints": 4}
    named = {picture.path: picture for picture in catalog.labels.assign_all(labels="paints", min_relevance=0, top_k=2)}
    assert {path.rsplit("/", 1)[1]: picture.labels[0].label for path, picture in named.items()} == {
        f"{colour}.png": colour for colour in ("red", "green", "blue")
    }
    assert all(len(picture.labels) == 2 for picture in named.values())
    path = photos / "blue.png"
    (alone,) = catalog.labels.assign(path, "paints", top_k=1)
    # The catalog keeps embeddings with half the digits.
    assert (alone.label, alone.relevance) == ("blue", pytest.approx(named[str(path)].labels[0].relevance, abs=0.01))
    assert catalog.labels.assign(path, ["red", "blue"], top_k=1)[0].label == "blue"
    assert catalog.labels.remove("paints")
    with pytest.raises(QueryError, match="paints"):
        catalog.labels.assign(path, "paints")


def test_only_below_the_folders_named_and_every_copy(catalog, photos):
    paint(photos / "more" / "red too.png", "red")
    paint(photos / "moreover" / "red three.png", "red")
    catalog.index(photos)
    below = catalog.labels.assign_all(photos / "more", labels=["red", "blue"], min_relevance=0)
    assert [picture.path for picture in below] == [str(photos / "more" / "red too.png")]
    everywhere = [picture.path for picture in catalog.labels.assign_all(labels=["red", "blue"], min_relevance=0)]
    assert len(everywhere) == len(set(everywhere)) == 5


@pytest.mark.parametrize("name", ["coco", "", "  ", "a\nb", "-x"])
def test_names_no_set_can_have(catalog, name):
    with pytest.raises(InputError):
        catalog.labels.add(name, ["red"])


def test_labels_in_a_catalog_without_pictures(tmp_path, colours):
    with Catalog.open(tmp_path / "empty", model="colours", create=True) as catalog:
        path = paint(tmp_path / "red.png", "red")
        assert catalog.labels.assign(path, ["green", "red", "blue"])[0].label == "red"
    with Catalog.open(tmp_path / "none", create=True) as catalog, pytest.raises(CatalogNotFoundError):
        list(catalog.labels.assign_all(labels="coco"))


@pytest.mark.parametrize(("top_k", "min_relevance"), [(0, 0.0), (1, -0.1), (1, 1.5), (1, float("nan"))])
def test_what_is_out_of_range(catalog, photos, top_k, min_relevance):
    with pytest.raises(QueryError):
        catalog.labels.assign(photos / "red.png", ["red"], top_k=top_k, min_relevance=min_relevance)
    with pytest.raises(QueryError):
        list(catalog.labels.assign_all(labels=["red"], top_k=top_k, min_relevance=min_relevance))


def test_labels_are_learnt_once_for_the_same_pictures(tmp_path, colours):
    for colour in ("red", "green"):
        Image.new("RGB", (16, 12), COLOURS[colour]).save(tmp_path / f"{colour}.png")
    with Catalog.open(tmp_path / "catalog", model="colours", create=True) as catalog:
        catalog.index(tmp_path)
        parts = catalog._session
        space = parts.label_space(["red", "blue"])
        assert parts.label_space(["red", "blue"]) is space
        assert parts.label_space(["blue", "red"]).labels == ("blue", "red")
        for number in range(20):
            parts.label_space([f"red {number}", "blue"])
        assert parts.label_space(["red", "blue"]) is not space  # evicted
        with ThreadPoolExecutor(4) as threads:
            same = list(threads.map(parts.label_space, [["red", "blue"]] * 8))
        assert all(each.labels == ("red", "blue") for each in same)
        kept = parts.label_space(["red", "blue"])
        Image.new("RGB", (16, 12), COLOURS["blue"]).save(tmp_path / "blue.png")
        catalog.index(tmp_path)
        assert parts.label_space(["red", "blue"]) is not kept
    with pytest.raises(StoreError):
        parts.label_space(["red", "blue"])
