"""`clipsearch eval`: captioned pictures evaluated in a catalog of their own."""

import json
import math
import os
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipsearch import DEFAULT_CUTOFF, Catalog, cli, words_query
from clipsearch.captions.pairs import CaptionPair, read_caption_pairs
from clipsearch.encoders.embed_image import embed_pictures
from clipsearch.encoders.load import load_encoder
from clipsearch.errors import InputError
from clipsearch.evaluation import captioned, compare_models, evaluate_labels, evaluate_pairs, evaluate_relevance
from clipsearch.evaluation.metrics import estimate_metrics, score_queries
from clipsearch.paths import sample_data_folder
from tests.support.fakes import COLOURS

SAMPLES = sample_data_folder()
CAPTIONS = SAMPLES / "captions.jsonl"


def paint(path: Path, colour: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (16, 12), COLOURS[colour]).save(path)
    return path


def written(folder: Path, *rows: tuple[str, str]) -> Path:
    path = folder / "captions.jsonl"
    path.write_text("".join(json.dumps({"image": image, "caption": caption}) + "\n" for image, caption in rows))
    return path


def run_json(capsys, *arguments: object) -> dict:
    assert cli.run(["eval", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def painted(tmp_path: Path, colours: None) -> Path:
    for colour in ("red", "green", "blue"):
        paint(tmp_path / f"{colour}.png", colour)
    return tmp_path


def values(found) -> dict[str, float]:
    return {name: estimate.value for name, estimate in found.items()}


def test_the_samples_have_the_figures_of_plain_code(capsys):
    found = run_json(capsys, CAPTIONS, "--model", "starter")
    assert (found["n_images"], found["n_captions"], found["model"]) == (40, 40, "starter")
    pairs = read_caption_pairs(CAPTIONS).pairs
    encoder = load_encoder("starter")
    images = embed_pictures([pair.image for pair in pairs], encoder=encoder)
    scores = encoder.encode_texts([pair.caption for pair in pairs]) @ images.T
    for name, rows in (("text_to_image", scores), ("image_to_text", scores.T)):
        # As many stand before it as have a higher score; the catalog's are rounded to float16.
        ranks = 1 + (rows > np.diag(rows)[:, np.newaxis] + 1e-3).sum(axis=1)
        for k in (1, 5, 10):
            assert found[name][f"recall@{k}"] == pytest.approx(np.mean(ranks <= k), abs=0.026)
        assert found[name]["mrr"] == pytest.approx(np.mean(1 / ranks), abs=0.02)
        assert found[name]["median_rank"] == np.median(ranks)
        assert list(found[name]) == list(found["intervals"][name])
        for metric, (low, high) in found["intervals"][name].items():
            assert low <= found[name][metric] <= high
    assert found["text_to_image"]["recall@1"] == pytest.approx(0.925)
    assert found["image_to_text"]["recall@1"] == pytest.approx(0.9)
    assert found["skipped"] == found["broken"] == []


class Material:
    """Captioned pictures, and a catalog of them that is asked one question at a time."""

    def __init__(self, folder: Path, model: str, rows: list[tuple[str, str]]) -> None:
        self.model = model
        self.pairs = [CaptionPair(folder / image, caption) for image, caption in rows]
        self.texts = list(dict.fromkeys(caption for _, caption in rows))
        self.own: dict[Path, set[str]] = {}
        for pair in self.pairs:
            self.own.setdefault(pair.image, set()).add(pair.caption)
        self.catalog = Catalog.open(folder.parent / "catalog", model=model, create=True)
        self.catalog.index(folder)
        self.catalog.captions.add(self.texts)
        self.pictures = sorted(self.own, key=os.fspath)

    def hits(self, text: str):
        return self.catalog.search(words_query(text), top_k=len(self.pictures))


def tied_colours(folder: Path) -> list[tuple[str, str]]:
    """Several pictures of one colour, several captions a picture, captions of several pictures, and texts that mean
    the same."""
    rows = [("z.png", "blue"), ("c.png", "red"), ("c.png", "a red one"), ("a.png", "red"), ("b.png", "red red")]
    rows += [("y.png", "blue"), ("c.png", "black"), ("x.png", "a blue one"), ("y.png", "blue blue"), ("a.png", "red")]
    for row, (image, _) in enumerate(rows):
        colour = "red" if image < "d" else "blue"
        Image.new("RGB", (16 + row, 12), COLOURS[colour]).save(folder / image)
    return rows


def sample_pictures(folder: Path) -> list[tuple[str, str]]:
    pairs = read_caption_pairs(CAPTIONS).pairs[::3]
    rows = [(str(pair.image.relative_to(SAMPLES)), pair.caption) for pair in pairs]
    for image, _ in rows:
        (folder / image).parent.mkdir(exist_ok=True)
        shutil.copy(SAMPLES / image, folder / image)
    # Each its own, that of the next one, and one that two have.
    following = [(image, caption) for (image, _), (_, caption) in pairwise(rows)]
    return [*rows, *following, (rows[0][0], "a photo"), (rows[1][0], "a photo")]


@pytest.fixture(
    params=[
        ("colours", tied_colours, captioned.CELLS),
        ("colours", tied_colours, 10),
        ("starter", sample_pictures, 100),
    ],
    ids=["ties", "ties in batches", "samples in batches"],
)
def material(request, tmp_path: Path, colours: None, monkeypatch):
    model, make, cells = request.param
    monkeypatch.setattr(captioned, "CELLS", cells)
    folder = tmp_path / "pictures"
    folder.mkdir()
    found = Material(folder, model, make(folder))
    yield found
    found.catalog.close()


def test_ranks_are_those_of_the_search(material):
    asked = {text: [hit.path for hit in material.hits(text)] for text in material.texts}
    image_ranks = [[asked[pair.caption].index(str(pair.image)) + 1] for pair in material.pairs]
    caption_ranks = []
    for image in material.pictures:
        answers = [hit.text for hit in material.catalog.caption(image, top_k=len(material.texts))]
        caption_ranks.append([rank for rank, text in enumerate(answers, start=1) if text in material.own[image]])
    found = evaluate_pairs(material.pairs, model=material.model)
    # The same figures and the same intervals: each query has the rank that it has there.
    assert found.text_to_image == estimate_metrics(score_queries([np.array(row) for row in image_ranks]))
    assert found.image_to_text == estimate_metrics(score_queries([np.array(row) for row in caption_ranks]))


def shares(claims: list[tuple[float, bool]]) -> list[float]:
    """Precision, recall and F1 of relevances, each with whether it is right."""
    found = sum(right for relevance, right in claims if relevance >= DEFAULT_CUTOFF)
    matches, right = sum(claim[0] >= DEFAULT_CUTOFF for claim in claims), sum(claim[1] for claim in claims)
    return [found / max(1, matches), found / right, 2 * found / (matches + right)]


def test_relevances_are_those_of_the_search(material):
    claims, scores = [], []
    for text in material.texts:
        for hit in material.hits(text):
            claims.append((hit.relevance, text in material.own[Path(hit.path)]))
            scores.append((hit.score, text in material.own[Path(hit.path)]))
    found = evaluate_relevance(material.pairs, model=material.model)
    assert (found.n_images, found.n_queries) == (len(material.pictures), len(material.texts))
    assert [found.precision.value, found.recall.value, found.f1.value] == pytest.approx(shares(claims))
    best = max(
        2 * sum(right for score, right in scores if score >= threshold)
        / (sum(score >= threshold for score, _ in scores) + sum(right for _, right in scores))
        for threshold, _ in scores
    )  # fmt: skip
    assert found.best_score_f1 == pytest.approx(best, abs=0.002)
    off, pairs = 0.0, 0
    for number in range(10):
        inside = [claim for claim in claims if claim[0] >= 0.05 and min(9, int(10 * claim[0])) == number]
        off += abs(sum(relevance for relevance, _ in inside) - sum(right for _, right in inside))
        pairs += len(inside)
    assert found.calibration_error == pytest.approx(off / pairs, abs=1e-5)
    assert sum(each.pairs for each in found.reliability) == pairs


def test_labels_are_those_that_pictures_are_named_by(material):
    ranks, claims = {}, []
    named = material.catalog.labels.assign_all(labels=material.texts, top_k=len(material.texts), min_relevance=0)
    for picture in named:
        own = material.own[Path(picture.path)]
        ranks[picture.path] = np.array([hit.rank for hit in picture.labels if hit.label in own])
        claims += [(hit.relevance, hit.label in own) for hit in picture.labels]
    found = evaluate_labels(material.pairs, model=material.model)
    expected = estimate_metrics(score_queries([ranks[os.fspath(image)] for image in material.pictures]))
    assert (found.top_1, found.top_5) == (expected["recall@1"], expected["recall@5"])
    assert [found.precision.value, found.recall.value, found.f1.value] == pytest.approx(shares(claims))


def test_every_kind_of_file_gives_the_same_figures(painted, capsys):
    rows = [("red.png", "a red one"), ("green.png", "blue"), ("blue.png", "blue"), ("red.png", "red")]
    (painted / "c.csv").write_text("image,caption\n" + "".join(f"{image},{text}\n" for image, text in rows))
    coco = {
        "images": [{"id": number, "file_name": f"{name}.png"} for number, name in enumerate(("red", "green", "blue"))],
        "annotations": [
            {"image_id": ("red.png", "green.png", "blue.png").index(image), "caption": text} for image, text in rows
        ],
    }
    (painted / "elsewhere").mkdir()
    (painted / "elsewhere" / "c.json").write_text(json.dumps(coco))
    first = run_json(capsys, written(painted, *rows), "--model", "colours")
    assert (first["n_images"], first["n_captions"]) == (3, 4)
    assert run_json(capsys, painted / "c.csv", "--model", "colours") == first
    coco_options = (painted / "elsewhere" / "c.json", "--images", painted, "--model", "colours")
    assert run_json(capsys, *coco_options) == first


def test_a_picture_has_several_captions_and_a_caption_one_picture(painted):
    pairs = [
        CaptionPair(painted / "red.png", "red"),
        CaptionPair(painted / "red.png", "a very red one"),
        CaptionPair(painted / "red.png", "blue blue blue"),
        CaptionPair(painted / "blue.png", "blue"),
        CaptionPair(paint(painted / "black.png", "black"), "black"),
    ]
    found = evaluate_pairs(pairs, model="colours")
    # "blue blue blue" finds the blue picture first, then the black one, then the red one.
    assert values(found.text_to_image) == pytest.approx(
        {
            "recall@1": 0.8,
            "recall@5": 1,
            "recall@10": 1,
            "mrr": (4 + 1 / 3) / 5,
            "ndcg@10": (4 + 1 / 2) / 5,
            "median_rank": 1,
        }
    )
    # From the red picture two of its captions come first, then black. From the blue one its own comes after the red
    # one's, which says the same and was written before.
    ndcg_of_red = (1 + 1 / math.log2(3) + 1 / math.log2(5)) / (1 + 1 / math.log2(3) + 1 / math.log2(4))
    assert values(found.image_to_text) == pytest.approx(
        {
            "recall@1": 2 / 3,
            "recall@5": 1,
            "recall@10": 1,
            "mrr": 2.5 / 3,
            "ndcg@10": (ndcg_of_red + 1 / math.log2(3) + 1) / 3,
            "median_rank": 1,
        }
    )


def test_the_same_caption_of_two_pictures_is_right_for_its_own_only(painted):
    paint(painted / "red2.bmp", "red")
    pairs = [CaptionPair(painted / name, "red") for name in ("red.png", "red2.bmp")]
    found = evaluate_pairs(pairs, model="colours")
    assert (found.n_images, found.n_captions) == (2, 2)
    assert found.text_to_image["recall@1"].value == 0.5
    assert found.text_to_image["recall@5"].value == 1
    # The text stands once among the candidates.
    assert found.image_to_text["recall@1"].value == 1


def test_copies_are_one_picture(painted):
    shutil.copy(painted / "red.png", painted / "a-copy.png")
    pairs = [
        CaptionPair(painted / "red.png", "red"),
        CaptionPair(painted / "a-copy.png", "red"),
        CaptionPair(painted / "blue.png", "blue"),
    ]
    found = evaluate_pairs(pairs, model="colours")
    assert (found.n_images, found.n_captions) == (2, 3)
    assert found.text_to_image["recall@1"].value == found.image_to_text["recall@1"].value == 1


def test_other_pictures_of_the_folder_do_not_count(painted):
    paint(painted / "another-red.png", "red")
    (painted / ".clipsearchignore").write_text("*\n")
    found = evaluate_pairs([CaptionPair(painted / "red.png", "red")], model="colours")
    assert (found.n_images, found.text_to_image["recall@1"].value) == (1, 1)


def test_what_is_left_out_is_told_and_counted(painted, capsys):
    (painted / "broken.png").write_bytes(b"no picture")
    (painted / "notes.txt").write_text("no picture")
    names = ("red.png", "none.png", "broken.png", "notes.txt", "green.png", "none.png")
    path = written(painted, *((name, "green") for name in names))
    with path.open("a") as file:
        file.write("{broken\n")
    found = run_json(capsys, path, "--model", "colours")
    assert (found["n_images"], found["n_captions"]) == (2, 2)
    assert [(os.path.basename(row["path"]), row["reason"]) for row in found["skipped"]] == [
        ("broken.png", "not a picture of a kind that can be read"),
        ("none.png", "no such file"),
        ("notes.txt", "not a picture by its name"),
    ]
    assert found["broken"] == [{"line": 7, "reason": "not JSON"}]
    assert cli.run(["eval", str(path), "--model", "colours"]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("model colours, 2 pictures, 2 captions, 3 pictures skipped\n")
    assert printed.err.splitlines() == [
        f"clipsearch: {path}, line 7: not JSON, left out",
        f"clipsearch: {painted}/broken.png: not a picture of a kind that can be read, left out",
        f"clipsearch: {painted}/none.png: no such file, left out",
        f"clipsearch: {painted}/notes.txt: not a picture by its name, left out",
    ]


def test_long_lists_of_what_is_left_out_are_cut(painted, capsys):
    path = written(painted, ("red.png", "red"), *((f"none{number}.png", "red") for number in range(30)))
    assert cli.run(["eval", str(path), "--model", "colours"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 21
    assert lines[-1] == "clipsearch: … and 10 more left out: --json lists them all"


@pytest.mark.parametrize("name", ["none.png", "broken.png", "notes.txt"])
def test_no_picture_at_all_is_one_error(painted, capsys, name):
    (painted / "broken.png").write_bytes(b"no picture")
    path = written(painted, (name, "red"))
    assert cli.run(["eval", str(path), "--model", "colours"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"clipsearch: none of the pictures can be read, such as {painted / name}: ")


def test_a_long_caption_is_told_of_once(painted):
    text = "red " * 20
    with pytest.warns(UserWarning, match="1 text was longer") as told:
        evaluate_pairs([CaptionPair(painted / "red.png", text.strip())], model="colours")
    assert len(told) == 1


def test_the_model_is_that_of_the_catalog_which_stays_as_it_is(painted, capsys):
    place = painted / "catalog"
    with Catalog.open(place, model="colours-of-old", create=True) as catalog:
        catalog.index(painted)
        before = catalog.admin.status().pictures
    path = written(painted, ("red.png", "red"))
    assert run_json(capsys, path, "--catalog", place)["model"] == "colours-of-old"
    assert run_json(capsys, path, "--catalog", place, "--model", "colours")["model"] == "colours"
    with Catalog.open(place) as catalog:
        assert (catalog.admin.status().pictures, catalog.captions.list()) == (before, [])
    with pytest.raises(InputError):
        evaluate_pairs([CaptionPair(painted / "none.png", "red")], catalog=painted / "none", model="colours")
    assert not (painted / "none").exists()


def test_two_models_are_held_against_each_other(painted, capsys, monkeypatch):
    from clipsearch.encoders import load
    from tests.support.fakes import ColourEncoder

    class Blind(ColourEncoder):
        """Takes every text for yellow: the pictures always come in one order."""

        def encode_texts(self, texts):
            return super().encode_texts(["yellow"] * len(texts))

    good = load.load_encoder
    monkeypatch.setattr(
        load, "load_encoder", lambda options: Blind(options.name) if "blind" in options.name else good(options)
    )
    names = ("red", "green", "blue", "black")
    paint(painted / "black.png", "black")
    path = written(painted, *((f"{name}.png", name) for name in names))
    found = run_json(capsys, path, "--compare", "colours-blind", "colours")
    assert (found["a"]["model"], found["b"]["model"]) == ("colours-blind", "colours")
    assert found["b"]["text_to_image"]["recall@1"] == 1
    difference = found["differences"]["text_to_image"]["recall@1"]
    assert difference["difference"] == pytest.approx(1 - found["a"]["text_to_image"]["recall@1"]) == 0.75
    # Three queries differ, all one way: two of eight ways to sign them are as extreme.
    assert difference["p_value"] == 0.25
    assert difference["interval"][0] <= 0.75 <= difference["interval"][1] == 1
    assert set(found["differences"]["image_to_text"]) == {"recall@1", "mrr"}
    assert cli.run(["eval", str(path), "--compare", "colours-blind", "colours"]) == 0
    assert "text → image  recall@1  +0.750  (+0.250 to +1.000)  p = 0.250" in capsys.readouterr().out
    alike = compare_models(read_caption_pairs(path).pairs, "colours", "colours@f32")
    assert (alike.a.model, alike.b.model) == ("colours", "colours@f32")
    assert [row.p_value for row in (alike.text_to_image["mrr"], alike.image_to_text["recall@1"])] == [1, 1]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--compare", "colours", "colours2", "--labels"), "--compare names both models"),
        (("--compare", "colours", "colours2", "--relevance"), "--compare names both models"),
        (("--compare", "colours", "colours2", "--model", "colours"), "--compare names both models"),
        (("--labels", "--relevance"), "choose one"),
        (("--diagram", "d.png"), "--diagram requires --relevance"),
        (("--labels", "--diagram", "d.png"), "--diagram requires --relevance"),
        (("--relevance", "--diagram", "d.jpg"), "call it d.jpg.png"),
        (("--relevance", "--diagram", "none/d.png"), "no folder none"),
        (("--relevance", "--diagram", "there.png"), "use --force to replace it"),
    ],
)
def test_options_that_do_not_go_together(painted, capsys, monkeypatch, options, said):
    monkeypatch.chdir(painted)
    (painted / "there.png").write_bytes(b"something else")
    path = written(painted, ("red.png", "red"))
    assert cli.run(["eval", str(path), *options]) == 2
    assert said in capsys.readouterr().err
    assert (painted / "there.png").read_bytes() == b"something else"


def test_relevance_is_shown_with_a_diagram(painted, capsys):
    path = written(painted, *((f"{name}.png", name) for name in ("red", "green", "blue")))
    found = run_json(capsys, path, "--relevance", "--model", "colours")
    assert (found["n_images"], found["n_queries"], found["cutoff"]) == (3, 3, DEFAULT_CUTOFF)
    assert found["f1_ratio"] == pytest.approx(found["f1"] / found["best_score_f1"])
    assert set(found["intervals"]) == {"precision", "recall", "f1"}
    assert all(0 <= each["right"] <= 1 and each["pairs"] > 0 for each in found["reliability"])
    target = painted / "diagram.PNG"
    for options in ((), ("--force",)):
        assert (
            cli.run(["eval", str(path), "--relevance", "--model", "colours", "--diagram", str(target), *options]) == 0
        )
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert lines[0] == "model colours, 3 pictures, 3 queries"
    assert lines[1].startswith(f"precision     {found['precision']:.3f}  (")
    assert lines[1].endswith("of relevance 0.3 or more")
    assert lines[4].startswith(f"best cosine   {found['best_score_f1']:.3f} ")
    assert lines[4].endswith(f"ratio {found['f1_ratio']:.2f}")
    assert lines[6] == "A picture counts as right for its own captions only."
    assert printed.err.splitlines()[-1].startswith("diagram: ")
    with Image.open(target) as drawn:
        assert (drawn.format, drawn.size) == ("PNG", (1080, 1080))


def test_labels_are_chosen_among_all_of_them(painted, capsys):
    paint(painted / "more" / "red.bmp", "red")
    pairs = [("red.png", "red"), ("more/red.bmp", "red"), ("green.png", "green"), ("blue.png", "yellow")]
    path = written(painted, *pairs)
    found = run_json(capsys, path, "--labels", "--model", "colours")
    assert (found["n_images"], found["n_labels"], found["cutoff"]) == (4, 3, DEFAULT_CUTOFF)
    assert (found["top_1"], found["top_5"]) == (0.75, 1)
    assert found["intervals"]["top_1"][0] < 0.75 < found["intervals"]["top_1"][1]
    assert cli.run(["eval", str(path), "--labels", "--model", "colours"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("top 1         0.750  (")
    assert lines[3].startswith(f"precision     {found['precision']:.3f}  (")
    assert lines[-1] == "A picture counts as right for its own captions only."
    assert evaluate_labels(read_caption_pairs(path).pairs, model="colours").top_1.value == 0.75
