"""The unusual pictures, and those that represent all."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipsearch import Catalog, InputError
from clipsearch.errors import CatalogNotFoundError, QueryError
from clipsearch.gallery import curation
from clipsearch.gallery.curation import choose_medoids
from clipsearch.vectors import normalise
from tests.support.command_line import fail, run
from tests.support.fakes import COLOURS


@pytest.fixture
def catalog(tmp_path, colours):
    """Four red, three green and two blue pictures, all a little different, and a grey one; one red one twice."""
    photos = tmp_path / "photos"
    for colour, number_of in (("red", 4), ("green", 3), ("blue", 2)):
        for number in range(number_of):
            path = photos / colour / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (16, 12), tuple(abs(part - 5 * number) for part in COLOURS[colour])).save(path)
    Image.new("RGB", (16, 12), (128, 128, 128)).save(photos / "grey.png")
    (photos / "red" / "copy.png").write_bytes((photos / "red" / "0.png").read_bytes())
    with Catalog.open(tmp_path / "catalog", model="colours", create=True) as opened:
        opened.index(photos)
        yield opened


def names(found) -> list[str]:
    return [Path(each.path).relative_to(Path(each.path).parents[1]).as_posix() for each in found]


def exact_similarities(catalog, content_ids: list[int]) -> dict[int, float]:
    """By all pairs: the mean cosine to the ten nearest others."""
    rows = np.stack([catalog.pictures.embedding(number) for number in content_ids])
    scores = rows @ rows.T
    np.fill_diagonal(scores, -np.inf)
    best = -np.sort(-scores, axis=1)[:, : min(10, len(rows) - 1)]
    return dict(zip(content_ids, best.mean(axis=1).tolist(), strict=True))


def test_unusual_pictures_are_those_with_the_lowest_mean_cosine_to_their_neighbours(catalog):
    found = catalog.pictures.unusual(top_k=99)
    expected = exact_similarities(catalog, sorted(each.content_id for each in found))
    assert len(found) == len(expected) == 10
    assert [each.rank for each in found] == list(range(1, 11))
    assert [each.content_id for each in found] == sorted(
        expected, key=lambda number: (round(expected[number], 6), number)
    )
    for each in found:
        assert each.similarity == pytest.approx(expected[each.content_id], abs=1e-5)
    assert catalog.pictures.unusual(top_k=3) == found[:3] == catalog.pictures.unusual(top_k=3)
    assert next(each for each in found if each.copies).path.endswith("0.png")


def test_two_passes_find_what_all_pairs_find(catalog, monkeypatch):
    exact = catalog.pictures.unusual(top_k=2)
    monkeypatch.setattr(curation, "_SAMPLE_ROWS", 5)
    monkeypatch.setattr(curation, "_CANDIDATES", 6)
    monkeypatch.setattr(curation, "_CANDIDATES_TIMES", 1)
    monkeypatch.setattr(curation, "_CHUNK", 3)
    assert catalog.pictures.unusual(top_k=2) == exact


def test_folders_filters_and_hits_choose_the_pictures(catalog, tmp_path):
    photos = tmp_path / "photos"
    below = catalog.pictures.unusual(folders=[photos / "green", photos / "blue"], top_k=99)
    assert {name.split("/")[0] for name in names(below)} == {"green", "blue"}
    assert len(below) == 5
    by_filter = catalog.pictures.unusual("path:green", top_k=99)
    assert {name.split("/")[0] for name in names(by_filter)} == {"green"}
    assert catalog.pictures.unusual("path:green", folders=[photos / "blue"]) == []
    hits = catalog.pictures.representative("red", top_k=2)
    assert {name.split("/")[0] for name in names(hits)} <= {"red"}
    assert hits
    assert catalog.pictures.unusual("type:jpeg") == catalog.pictures.representative("type:jpeg") == []
    for choose in (catalog.pictures.unusual, catalog.pictures.representative):
        with pytest.raises(InputError, match=r"no picture below .*nowhere is in the catalog"):
            choose(folders=[photos / "green", photos / "nowhere"])
    assert catalog.pictures.unusual("path:grey") == []  # nothing to compare it with
    assert [each.pictures for each in catalog.pictures.representative("path:grey")] == [1]


def test_representatives_stand_for_the_groups(catalog):
    found = catalog.pictures.representative(top_k=4)
    assert [name.split("/")[0] for name in names(found)] == ["red", "green", "blue", "photos"]
    assert [each.pictures for each in found] == [4, 3, 2, 1]
    assert [each.rank for each in found] == [1, 2, 3, 4]
    everything = catalog.pictures.representative(top_k=99)
    assert len(everything) == 10
    assert sum(each.pictures for each in everything) == 10
    assert catalog.pictures.representative(top_k=4) == found


def test_a_sample_represents_the_others(catalog, monkeypatch):
    monkeypatch.setattr(curation, "_CLIENTS", 8)
    monkeypatch.setattr(curation, "_MEDOIDS", 7)
    monkeypatch.setattr(curation, "_CHUNK", 3)
    found = catalog.pictures.representative(top_k=3)
    assert sum(each.pictures for each in found) == 10
    assert len({each.content_id for each in found}) == 3


def test_medoids_are_nearly_as_good_as_the_best_of_all_choices():
    from itertools import combinations

    random = np.random.default_rng(0)
    for _ in range(5):
        rows = normalise(random.standard_normal((14, 8)))
        scores = rows @ rows.T
        best = max(scores[list(chosen)].max(axis=0).sum() for chosen in combinations(range(14), 3))
        found = choose_medoids(scores, 3)
        assert len(set(found.tolist())) == 3
        # The guarantee is of cosines that are not negative: (1 + cosine).
        assert scores[found].max(axis=0).sum() + 14 >= (1 - 1 / np.e) * (best + 14)
        assert scores[found].max(axis=0).sum() >= 0.9 * best
    assert choose_medoids(np.ones((3, 3), dtype=np.float32), 9).tolist() == [0, 1, 2]


def test_what_cannot_be_answered(catalog, tmp_path, colours):
    for choose in (catalog.pictures.unusual, catalog.pictures.representative):
        with pytest.raises(QueryError):
            choose(top_k=0)
        with pytest.raises(QueryError):
            choose("date:2019")
    with (
        Catalog.open(tmp_path / "empty", model="colours", create=True) as empty,
        pytest.raises(CatalogNotFoundError, match="nothing is indexed"),
    ):
        empty.pictures.unusual()


def test_the_command_line(catalog, tmp_path):
    place = ["--catalog", str(tmp_path / "catalog")]
    catalog.close()
    found = json.loads(run("unusual", "-k", "2", "--json", *place).stdout)
    assert [set(each) for each in found["pictures"]] == [{"rank", "path", "content_id", "similarity", "copies"}] * 2
    lines = run("representative", "-path:grey", "-k", "3", *place).stdout.splitlines()
    assert [line.split()[1:3] for line in lines] == [["4", "pictures"], ["3", "pictures"], ["2", "pictures"]]
    assert "(+ 1 copy)" in run("unusual", "--folder", str(tmp_path / "photos" / "red"), *place).stdout
    sheet = tmp_path / "sheet.html"
    paths = run("representative", "-k", "2", "--paths", "--html", str(sheet), *place).stdout.splitlines()
    html = sheet.read_text()
    assert all(Path(path).name in html for path in paths)
    assert "Representative: all pictures" in html
    assert "choose one output format" in fail("unusual", "--json", "--paths", *place, code=2)
