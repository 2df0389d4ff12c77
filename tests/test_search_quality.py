"""`clipsearch eval`: pictures and captions asked for through a catalog of their own."""

import json
import math
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipsearch import Catalog, cli
from clipsearch.caption_pairs import CaptionPair, read_caption_pairs
from clipsearch.encoders.load import load_encoder
from clipsearch.errors import InputError
from clipsearch.query_pictures import embed_pictures
from clipsearch.search_quality import compare_models, evaluate_labels, evaluate_pairs
from clipsearch.settings import sample_data_folder
from tests.fakes import COLOURS

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
    assert printed.out.startswith("model colours, 2 pictures, 2 captions, 3 pictures left out\n")
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
    assert lines[-1] == "clipsearch: … and 10 more left out: --json names them all"


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
        before = catalog.status().pictures
    path = written(painted, ("red.png", "red"))
    assert run_json(capsys, path, "--catalog", place)["model"] == "colours-of-old"
    assert run_json(capsys, path, "--catalog", place, "--model", "colours")["model"] == "colours"
    with Catalog.open(place) as catalog:
        assert (catalog.status().pictures, catalog.list_captions()) == (before, [])
    with pytest.raises(InputError):
        evaluate_pairs([CaptionPair(painted / "none.png", "red")], catalog=painted / "none", model="colours")
    assert not (painted / "none").exists()


def test_two_models_are_held_against_each_other(painted, capsys, monkeypatch):
    from clipsearch.encoders import load
    from tests.fakes import ColourEncoder

    class Blind(ColourEncoder):
        """Takes every text for yellow: the pictures always come in one order."""

        def encode_texts(self, texts):
            return super().encode_texts(["yellow"] * len(texts))

    good = load.load_encoder
    monkeypatch.setattr(
        load, "load_encoder", lambda name, **options: Blind(name) if "blind" in name else good(name, **options)
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
    alike = compare_models(read_caption_pairs(path).pairs, "colours", "colours")
    assert [row.p_value for row in (alike.text_to_image["mrr"], alike.image_to_text["recall@1"])] == [1, 1]


@pytest.mark.parametrize("also", [("--labels",), ("--model", "colours")])
def test_options_that_do_not_go_together(painted, capsys, also):
    path = written(painted, ("red.png", "red"))
    assert cli.run(["eval", str(path), "--compare", "colours", "colours2", *also]) == 2
    assert "--compare names both models" in capsys.readouterr().err


def test_labels_are_chosen_among_all_of_them(painted, capsys):
    paint(painted / "more" / "red.bmp", "red")
    pairs = [("red.png", "red"), ("more/red.bmp", "red"), ("green.png", "green"), ("blue.png", "yellow")]
    path = written(painted, *pairs)
    found = run_json(capsys, path, "--labels", "--model", "colours")
    assert (found["n_images"], found["n_labels"]) == (4, 3)
    assert (found["top_1"], found["top_5"]) == (0.75, 1)
    assert found["intervals"]["top_1"][0] < 0.75 < found["intervals"]["top_1"][1]
    assert cli.run(["eval", str(path), "--labels", "--model", "colours"]) == 0
    assert "top 1         0.750" in capsys.readouterr().out
    assert evaluate_labels(read_caption_pairs(path).pairs, model="colours").top_1.value == 0.75
