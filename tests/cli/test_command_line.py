"""The command line on the sample pictures with the starter model; some of it as the installed console script."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image

from clipsearch.cli.render import print_report
from clipsearch.encoders.load import load_encoder
from clipsearch.types import IndexReport, PartialFile
from tests.faults.checks import stored_contents
from tests.support.command_line import SAMPLES, SCRIPT, fail, run, run_script


@pytest.fixture(scope="module")
def catalog(indexed_samples, tmp_path_factory) -> Path:
    catalog = indexed_samples.copy_to(tmp_path_factory.mktemp("cli") / "catalog")
    run("captions", "add", SAMPLES / "captions.jsonl", "--catalog", catalog)
    return catalog


@pytest.mark.parametrize(
    "option",
    [("--max-megapixels", value) for value in ("inf", "nan", "0", "-1", "1e12")]
    + [("--max-seconds", value) for value in ("0", "9999999999")],
)
def test_limits_that_are_none(tmp_path, option):
    line = fail("index", SAMPLES, "--catalog", tmp_path / "c", *option, code=2)
    assert line.endswith("up to 1000000" if option[0] == "--max-megapixels" else "use 1 to 86400")
    assert not (tmp_path / "c").exists()


def test_sums_and_filters(catalog):
    def first(*query) -> str:
        return run("query", *query, "-k", "1", "--paths", "--catalog", catalog).stdout.strip()

    assert first("a glazed donut", "type:png").endswith("food/donut.png")
    assert not first("a glazed donut -type:png").endswith("food/donut.png")
    donut = SAMPLES / "food" / "donut.png"
    assert first(f"{donut} - 0.1:cat w:>10").endswith("food/donut.png")
    assert run("query", "cat path:nowhere", "--catalog", catalog).stderr == (
        "clipsearch: no picture passes the filters: path:nowhere\n"
    )
    for name in ("search", "find"):
        words = ("cat - dog", "-k", "2", "--catalog", catalog)
        assert run(name, *words).stdout == run("query", *words).stdout
    (alone,) = json.loads(run("query", "path:donut type:png", "--json", "--catalog", catalog).stdout)["hits"]
    assert (alone["path"], alone["score"], alone["relevance"]) == (str(donut), None, 1)
    (row,) = run("query", "path:donut type:png", "--catalog", catalog).stdout.splitlines()
    assert row.split()[:3] == ["1", "-", "-"]
    explained = run("query", "cat - 0.5:dog type:jpg", "-k", "1", "--explain", "--catalog", catalog)
    assert explained.stderr == "parsed as: cat - 0.5:dog type:jpeg\n"
    hit, cat, dog = (line.split() for line in explained.stdout.splitlines())
    assert (cat[1], dog[1]) == ("cat", "0.5:dog")
    assert float(cat[0]) + float(dog[0]) == pytest.approx(float(hit[3]), abs=0.002)
    (hit,) = json.loads(run("query", "cat", "-k", "1", "--explain", "--json", "--catalog", catalog).stdout)["hits"]
    assert [term["term"] for term in hit["terms"]] == ["cat"]
    assert "at character 5: takn:2024" in fail("query", "cat takn:2024", "--catalog", catalog, code=2)
    assert "no picture" in fail("query", "./no such.jpg", "--catalog", catalog, code=2)


def test_index_reports_in_json(tmp_path):
    photos = tmp_path / "photos"
    shutil.copytree(SAMPLES / "food", photos)
    (photos / "broken.jpg").write_bytes(b"no picture")
    (photos / "drawing.xcf").write_bytes(b"layers")
    arguments = ("index", photos, "--catalog", tmp_path / "c", "--json")
    report = json.loads(run(*arguments, "--model", "starter").stdout)
    assert report | {"seconds": 0} == {
        "found": 5,
        "embedded": 4,
        "reused": 0,
        "unchanged": 0,
        "removed": 0,
        "skipped": [
            {"path": str(photos / "broken.jpg"), "reason": "not a picture of a kind that can be read", "limit": None}
        ],
        "unsupported": {".xcf": 1},
        "seconds": 0,
        "model": "starter",
        "interrupted": False,
        "moved": 0,
        "partial": [],
        "parts": {},
        "texts": None,
        "sidecars": 0,
    }
    again = json.loads(run(*arguments, "--strict", code=5).stdout)
    assert (again["embedded"], again["unchanged"], len(again["skipped"])) == (0, 4, 1)
    status = json.loads(run("status", "--catalog", tmp_path / "c", "--json").stdout)
    assert status["last_run"]["unsupported"] == {".xcf": 1}
    assert sum(status["formats"].values()) == 4


def test_index_says_what_it_did(tmp_path):
    photos = tmp_path / "photos"
    shutil.copytree(SAMPLES / "food", photos)
    (photos / "esc\x1b[31mred\n.jpg").write_bytes(b"no picture")
    (photos / "a.eps").write_bytes(b"a drawing")
    found = run("index", "photos", "--catalog", "c", "--model", "starter", cwd=tmp_path)
    first, second, third = found.stdout.splitlines()
    assert first.startswith("4 indexed, 0 unchanged, 1 skipped of 5 pictures in ")
    assert second == "  skipped photos/esc\\x1b[31mred\\n.jpg: not a picture of a kind that can be read"
    assert third == "  1 other picture (.eps) was passed over"
    assert found.stderr == ""
    status = run("status", "--catalog", "c", cwd=tmp_path).stdout.splitlines()
    assert "not read  1 other picture (.eps) was passed over" in status
    assert "formats   2 JPEG, 1 PNG, 1 WEBP" in "\n".join(status)


def test_query_prints_rank_relevance_score_path(catalog):
    lines = run("query", "a glazed donut", "-k", "3", "--catalog", catalog, cwd=SAMPLES.parent).stdout.splitlines()
    assert len(lines) == 3
    rank, relevance, unit, score, path = lines[0].split()
    assert unit == "%"
    assert 30 < float(relevance) < 100
    assert (rank, path) == ("1", "sample_data/food/donut.png")
    assert 0.3 < float(score) < 0.5


def test_what_is_not_there_is_said_to_be_missing(catalog):
    nothing = "clipsearch: nothing seems to match; these are the nearest pictures\n"
    for absent in ("a giraffe", "an x-ray of a hand", "a submarine"):
        assert run("query", absent, "-k", "2", "--catalog", catalog).stderr == nothing
        found = run("query", absent, "--min-relevance", "0.3", "--catalog", catalog)
        assert (found.stdout, found.stderr) == (
            "",
            "clipsearch: no match: no picture has a relevance of 0.3 or more\n",
        )
    for present in ("a glazed donut", "a cat", "a bicycle"):
        found = run("query", present, "--min-relevance", "0.3", "--catalog", catalog)
        assert len(found.stdout.splitlines()) >= 1
        assert found.stderr == ""
    (hit,) = json.loads(run("query", "a cat", "-k", "1", "--json", "--catalog", catalog).stdout)["hits"]
    assert hit["relevance"] > 0.9


def test_a_typing_error_is_noticed(catalog):
    found = run("query", "a", "zerba", "--catalog", catalog)
    assert found.stderr.splitlines()[-1] == 'clipsearch: did you mean "a zebra"?'
    nothing = run("query", "a zerba", "--min-relevance", "0.99", "--catalog", catalog)
    assert nothing.stdout == "" and nothing.stderr.endswith('did you mean "a zebra"?\n')
    assert run("query", "a zerba", "--paths", "--catalog", catalog).stderr == ""
    assert json.loads(run("query", "a zerba", "--json", "--catalog", catalog).stdout)["suggestion"] == "a zebra"
    for query in ("a zebra", "zerba type:png", str(SAMPLES / "animals" / "cat.jpg")):
        assert json.loads(run("query", query, "--json", "--catalog", catalog).stdout)["suggestion"] is None


def test_pictures_are_marked_by_their_ids(catalog):
    def ids(*arguments: str) -> list[int]:
        found = run("query", *arguments, "--json", "--catalog", catalog)
        return [hit["content_id"] for hit in json.loads(found.stdout)["hits"]]

    first, second, third, *_ = ids("an animal")
    assert first not in ids("an animal", "-k", "100", "--less", str(first))
    assert ids("an animal", "--more", str(third), "--less", str(first), "--less", str(second))[0] == third
    assert {*ids("-k", "2", "--more", str(second), "--more", str(third))} == {second, third}
    explained = run("query", "--more", str(second), "--explain", "-k", "1", "--catalog", catalog)
    assert f"id:{second}" in explained.stdout and "parsed as" not in explained.stderr


def test_a_query_of_nothing_and_marks_of_nothing_are_refused(catalog):
    for arguments, message in (
        ([], "what to look for is missing: write QUERY, or --more PICTURE"),
        (["--less", "1"], "what to look for is missing"),
        (["a cat", "--more", "1", "--less", "1"], "picture 1 is marked as more and as less"),
        (["a cat", "--more", "99999"], "no picture with the number 99999"),
        (["a cat", "--suggest", "--csv"], "--suggest goes with the table or with --json"),
    ):
        found = run("query", *arguments, "--catalog", catalog, code=2)
        assert message in found.stderr and found.stdout == ""


def test_narrower_and_related_queries_are_printed_after_the_hits(catalog):
    found = json.loads(run("query", "a dog", "--suggest", "--json", "--catalog", catalog).stdout)["suggestions"]
    assert found["did_you_mean"] is None and found["related"]
    lines = run("query", "a dog", "--suggest", "-k", "2", "--catalog", catalog).stdout.splitlines()
    assert [line.split(maxsplit=1) for line in lines[-len(found["related"]) :]] == [
        ["related", related] for related in found["related"]
    ]
    assert len(lines) == 2 + len(found["narrow"]) + len(found["related"])
    assert "suggestions" not in json.loads(run("query", "a dog", "--json", "--catalog", catalog).stdout)


def test_what_was_not_compared_has_no_relevance(catalog):
    lines = run("query", "type:png", "--catalog", catalog).stdout.splitlines()
    assert lines and all("%" not in line and line.split()[1:3] == ["-", "-"] for line in lines)


def test_hits_come_in_lines_and_in_columns(catalog):
    (query, *options) = ("query", "a cat", "-k", "3", "--catalog", catalog)
    whole = json.loads(run(query, *options, "--json").stdout)["hits"]
    assert [json.loads(line) for line in run(query, *options, "--jsonl").stdout.splitlines()] == whole
    table = list(csv.DictReader(io.StringIO(run(query, *options, "--csv").stdout)))
    assert [row["path"] for row in table] == [hit["path"] for hit in whole]
    assert [float(row["relevance"]) for row in table] == [hit["relevance"] for hit in whole]
    assert list(table[0]) == [
        *("rank", "score", "relevance", "path", "content_id", "copies", "sharpness", "brightness", "part", "stack")
    ]
    assert table[0]["copies"] == "0"
    for forms in (["--json", "--csv"], ["--jsonl", "--paths"], ["--csv", "-0"]):
        assert "one output format" in fail(query, *options, *forms, code=2)


def test_names_that_are_odd_come_through_csv(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    names = [b'a, "quoted"\nname.png', b"caf\xe9.png", b"=1+1.png"]
    for number, name in enumerate(names):
        with open(os.path.join(os.fsencode(photos), name), "wb") as file:
            Image.new("RGB", (9, 9), (80 * number, 9, 9)).save(file, "PNG")
    catalog = tmp_path / "catalog"
    run("index", photos, "--model", "starter", "--catalog", catalog)
    table = csv.DictReader(io.StringIO(run("query", "red", "--csv", "--catalog", catalog).stdout, newline=""))
    assert {os.path.basename(os.fsencode(row["path"])) for row in table} == set(names)


def test_words_need_no_quotes(catalog):
    found = json.loads(run("query", "a", "glazed", "donut", "-k", "1", "--catalog", catalog, "--json").stdout)
    assert found["query"] == "a glazed donut"
    assert found["hits"][0]["path"] == str(SAMPLES / "food" / "donut.png")


def test_a_full_disk_behind_stdout_is_one_line(catalog):
    command = [SCRIPT, "query", "a cat", "--catalog", catalog]
    with open("/dev/full", "w") as full:
        found = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False, timeout=60)
    assert found.returncode == 1
    assert found.stderr.decode().splitlines() == ["clipsearch: [Errno 28] No space left on device"]


def test_query_in_json(catalog):
    found = json.loads(run_script("query", "a glazed donut", "--catalog", catalog, "--json").stdout)
    assert (found["query"], found["model"], len(found["hits"])) == ("a glazed donut", "starter", 10)
    assert found["hits"][0]["rank"] == 1
    assert found["hits"][0]["path"] == str(SAMPLES / "food" / "donut.png")
    assert 0.3 < found["hits"][0]["score"] < 0.5


def test_query_by_picture(catalog):
    found = json.loads(run("query", SAMPLES / "animals" / "cat.jpg", "--catalog", catalog, "--json").stdout)
    assert found["hits"][0]["path"] == str(SAMPLES / "animals" / "cat.jpg")
    assert found["hits"][0]["score"] > 0.999
    # The same file name as words.
    words = json.loads(run("query", "--text", "./cat.jpg", "--catalog", catalog, "--json", cwd=SAMPLES).stdout)
    assert words["hits"][0]["score"] < 0.9


def test_query_prints_paths_for_other_programs(catalog):
    expected = str(SAMPLES / "food" / "donut.png")
    assert run("query", "a glazed donut", "-k1", "--paths", "--catalog", catalog).stdout == expected + "\n"
    assert run("query", "a glazed donut", "-k1", "-0", "--catalog", catalog).stdout == expected + "\0"


def test_the_catalog_comes_from_the_environment(catalog, monkeypatch):
    monkeypatch.setenv("CLIPSEARCH_CATALOG", str(catalog))
    assert "donut.png" in run("query", "a glazed donut", "-k1").stdout


def test_caption_turns_a_picture_back_into_words(catalog):
    found = json.loads(run("caption", SAMPLES / "food" / "donut.png", "--catalog", catalog, "--json").stdout)
    assert found["image"] == str(SAMPLES / "food" / "donut.png")
    assert found["model"] == "starter"
    assert [hit["rank"] for hit in found["captions"]] == [1, 2, 3, 4, 5]
    assert "donut" in found["captions"][0]["text"]
    assert set(found["captions"][0]) == {"rank", "text", "score", "probability", "relevance"}
    assert "donut" in run("caption", SAMPLES / "food" / "donut.png", "--catalog", catalog).stdout.splitlines()[0]
    cat = json.loads(run("caption", SAMPLES / "animals" / "cat.jpg", "--catalog", catalog, "--json").stdout)
    assert (cat["none_of_these"], cat["captions"][0]["relevance"] > 0.5) == (False, True)
    assert run("caption", SAMPLES / "animals" / "cat.jpg", "--catalog", catalog).stderr == ""


def test_captions_none_of_which_fits_are_told_of(tmp_path):
    place = ("--catalog", tmp_path / "c", "--model", "starter")
    (tmp_path / "c.txt").write_text("a submarine under the ice\nasdfgh\n")
    run("captions", "add", tmp_path / "c.txt", *place)
    said = run("caption", SAMPLES / "food" / "donut.png", *place)
    assert len(said.stdout.splitlines()) == 2
    assert said.stderr.endswith("clipsearch: likely none of these: no caption has a relevance of 0.3 or more\n")
    found = json.loads(run("caption", SAMPLES / "food" / "donut.png", *place, "--json").stdout)
    assert found["none_of_these"] is True
    assert all(0 < hit["relevance"] < 0.3 for hit in found["captions"])


def test_classify_a_picture_without_any_catalog(tmp_path):
    texts = [f"a photo of a {noun}" for noun in ("cat", "car", "noodle", "donut")]
    arguments = ("classify", SAMPLES / "food" / "donut.png", *texts, "--model", "starter", "--catalog", tmp_path / "no")
    found = json.loads(run(*arguments, "--json").stdout)
    assert found["captions"][0]["text"] == "a photo of a donut"
    assert found["captions"][0]["probability"] > 0.8
    assert sum(hit["probability"] for hit in found["captions"]) == pytest.approx(1)
    assert run(*arguments).stdout.splitlines()[0].split(maxsplit=4)[4] == "a photo of a donut"
    assert not (tmp_path / "no").exists()


def test_classify_pictures_for_a_text(catalog):
    pictures = [SAMPLES / name for name in ("travel/bus.jpg", "food/donut.png", "food/pizza.jpg")]
    arguments = ("classify", "a photo of a donut", "--images", *pictures, "--catalog", catalog)
    found = json.loads(run(*arguments, "--json").stdout)
    assert found["captions"][0]["path"] == str(SAMPLES / "food" / "donut.png")
    assert sum(hit["probability"] for hit in found["captions"]) == pytest.approx(1)
    assert run(*arguments).stdout.splitlines()[0].endswith("donut.png")


def test_captions_are_listed_and_removed(tmp_path):
    (tmp_path / "c.txt").write_bytes(b"a cat\n\xff\na dog\n")
    added = run("captions", "add", tmp_path / "c.txt", "--catalog", tmp_path / "c", "--model", "starter")
    assert added.stdout == "2 captions added, 1 broken\n"
    assert added.stderr == f"clipsearch: {tmp_path / 'c.txt'}, line 2: not UTF-8, left out\n"
    assert run("captions", "list", "--catalog", tmp_path / "c").stdout == "a cat\na dog\n"
    assert run("captions", "remove", "a cat", "--catalog", tmp_path / "c").stdout == "1 caption removed\n"
    assert json.loads(run("captions", "list", "--catalog", tmp_path / "c", "--json").stdout) == {"captions": ["a dog"]}


def test_status(catalog):
    found = json.loads(run("status", "--catalog", catalog, "--json").stdout)
    assert (found["model"], found["files"], found["pictures"], found["captions"]) == ("starter", 40, 40, 40)
    assert found["last_run"]["embedded"] == 40
    assert found["last_run"]["finished"] is True
    text = run("status", "--catalog", catalog).stdout
    assert "40 files, 40 different pictures, 0 skipped" in text


def test_model_list_and_inspect(catalog):
    listed = json.loads(run("model", "list", "--catalog", catalog, "--json").stdout)["models"]
    current = [model["name"] for model in listed if model["is_current"]]
    assert current == ["starter"]
    assert "openai/clip-vit-base-patch32" in [model["name"] for model in listed]
    seen = json.loads(run("model", "inspect", "starter", "--json").stdout)
    assert seen["captions"][0]["text"] == "a photo of a donut"
    assert seen["captions"][0]["probability"] > 0.8
    assert "(1, 384)" in run("model", "inspect", "starter").stdout


def test_demo_shows_everything(tmp_path):
    found = run_script("demo", cwd=tmp_path)
    for command in ("index", "query", "caption", "captions add", "classify", "status"):
        assert f"$ clipsearch {command}" in found.stdout
    assert found.stderr == ""
    assert list(tmp_path.iterdir()) == []


BAD_INPUT = {
    "no catalog": (("query", "a cat"), 3, "clipsearch index FOLDER"),
    "no catalog for a status": (("status",), 3, "clipsearch index FOLDER"),
    "no catalog for a caption": (("caption", SAMPLES / "food/donut.png"), 3, "clipsearch index FOLDER"),
    "missing folder": (("index", "/no/such/folder", "--model", "starter"), 2, "no folder /no/such/folder"),
    "a file for a folder": (("index", SAMPLES / "food/donut.png", "--model", "starter"), 2, "is a file"),
    "no folder at all": (("index", "--model", "starter"), 2, "name one"),
    "a named model that is not here": (("index", SAMPLES, "--model", "some/model"), 4, "some/model"),
    "a model folder that is not here": (("index", SAMPLES, "--model", "./nothing"), 4, "./nothing"),
    "nothing to choose from": (("classify", SAMPLES / "food/donut.png", "--model", "starter"), 2, "nothing to choose"),
    "a device that is not here": (("index", SAMPLES, "--model", "starter", "--device", "cuda"), 1, "can't run on cuda"),
    "nobody's home folder": (("index", "~no-such-user/photos", "--model", "starter"), 2, "no folder"),
    "a name that is too long": (("index", "x" * 300, "--model", "starter"), 2, "File name too long"),
    "a model name that is too long": (("index", SAMPLES, "--model", "x" * 300), 4, "the model directory"),
    "a pull request of a model": (("index", SAMPLES, "--model", "org/name@refs/pr/3"), 4, "org/name"),
    "text that is not UTF-8": (
        ("classify", SAMPLES / "food/donut.png", b"caf\xe9", "--model", "starter"),
        2,
        "not valid",
    ),
    "an unknown command": (("stauts",), 2, "stauts"),
    "an unknown option": (("index", "--nonsense"), 2, "--nonsense"),
    "a bad number": (("query", "a", "-k", "0"), 2, "greater than or equal to 1"),
    "captions from a missing file": (("captions", "add", "no.txt", "--model", "starter"), 2, "no.txt"),
    "captions of another kind": (("captions", "add", SAMPLES / "food/donut.png"), 2, "unsupported file type"),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_gets_one_line_and_its_exit_code(tmp_path, case):
    arguments, code, text = BAD_INPUT[case]
    catalog = () if arguments[0] == "stauts" else ("--catalog", tmp_path / "c")
    assert text in fail(*arguments, *catalog, code=code)


def test_bad_queries(catalog, tmp_path):
    (tmp_path / "text.jpg").write_text("this is no picture")
    (tmp_path / "notes.txt").write_text("this is no picture")
    for query, code, text in (
        ("", 2, "empty"),
        ("   ", 2, "empty"),
        (tmp_path / "text.jpg", 1, "text.jpg: not a picture"),
        (tmp_path / "none.jpg", 2, "no picture"),
        (tmp_path / "notes.txt", 1, "notes.txt: not a picture"),
        (tmp_path, 2, "is not a picture"),
        (b"caf\xe9", 2, "not valid text"),
        (b"~\xe9", 2, "not valid text"),
    ):
        assert text in fail("query", query, "--catalog", catalog, code=code)
    assert "text.jpg" in fail("caption", tmp_path / "text.jpg", "--catalog", catalog, code=1)
    assert "none.jpg" in fail("classify", tmp_path / "none.jpg", "a cat", "--catalog", catalog, code=2)
    assert "give it verbatim" in fail("captions", "remove", "no such", "--catalog", catalog, code=2)
    assert "folder is empty" in fail("query", "a cat", "--catalog", "", code=2)
    assert "--all" in fail("captions", "remove", "--catalog", catalog, code=2)


def test_numbers_beyond_64_bits_are_one_line(catalog):
    for query in ("type:png", "a cat"):
        assert "and at most 1,000,000,000" in fail("query", query, "-k", str(10**30), "--catalog", catalog, code=2)
    assert "id: takes the number" in fail("query", f"id:{10**30}", "--catalog", catalog, code=2)


def test_without_captions_a_picture_has_none(tmp_path):
    assert run("index", SAMPLES / "food", "--model", "starter", "--catalog", tmp_path / "c").returncode == 0
    said = fail("caption", SAMPLES / "food" / "donut.png", "--catalog", tmp_path / "c", code=2)
    assert said == "clipsearch: no captions are stored: add some with 'clipsearch captions add FILE'"


def test_an_empty_folder_is_no_error(tmp_path):
    (tmp_path / "photos").mkdir()
    found = run("index", tmp_path / "photos", "--catalog", tmp_path / "c", "--model", "starter")
    assert found.stdout.startswith("0 indexed, 0 unchanged of 0 pictures")
    found = run("query", "a cat", "--catalog", tmp_path / "c")
    assert (found.stdout, "the catalog is empty" in found.stderr) == ("", True)


def test_a_bad_run_loses_nothing(tmp_path):
    arguments = ("--catalog", tmp_path / "c", "--model", "starter")
    photos = tmp_path / "photos"
    shutil.copytree(SAMPLES / "food", photos)
    run("index", photos, *arguments)
    fail("index", tmp_path / "none", *arguments, code=2)
    fail("index", photos, "--catalog", tmp_path / "c", "--model", "some/model", code=4)
    assert json.loads(run("status", "--catalog", tmp_path / "c", "--json").stdout)["files"] == 4


def test_without_a_hub_the_starter_stands_in_with_one_notice(tmp_path):
    found = run_script("index", SAMPLES / "food", "--catalog", tmp_path / "c")
    (line,) = found.stderr.splitlines()
    assert "starter" in line
    assert "clipsearch model use laion/CLIP-ViT-B-32-laion2B-s34B-b79K" in line
    assert run("query", "a cup of coffee", "--catalog", tmp_path / "c").stderr == ""


def test_ctrl_c_keeps_what_was_done(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    with closing(load_encoder("starter")) as encoder:
        count = 3 * encoder.batch_size
    for number in range(count):
        Image.new("RGB", (64, 48), (number % 256, number // 256 * 90, 77)).save(photos / f"{number}.png")
    arguments = [SCRIPT, "index", photos, "--catalog", tmp_path / "c", "--model", "starter", "--json"]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not stored_contents(tmp_path / "c"):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in err) == (130, False)
    first = json.loads(out)
    assert first["interrupted"]
    assert 0 < first["embedded"] < count
    rest = json.loads(run(*arguments[1:]).stdout)
    assert rest["unchanged"] == first["embedded"]
    assert rest["embedded"] == count - first["embedded"]


def test_names_that_are_not_utf8_survive(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    odd = os.fsencode(photos) + b"/latin1_\xe9.png"
    with open(odd, "wb") as file:
        file.write((SAMPLES / "food" / "donut.png").read_bytes())
    run("index", photos, "--catalog", tmp_path / "c", "--model", "starter")
    found = run_script("query", "a donut", "--paths", "--catalog", tmp_path / "c")
    assert os.fsencode(found.stdout) == odd + b"\n"
    hits = json.loads(run("query", "a donut", "--json", "--catalog", tmp_path / "c").stdout)["hits"]
    assert os.fsencode(hits[0]["path"]) == odd
    shown = run("query", "a donut", "--catalog", tmp_path / "c", cwd=tmp_path).stdout
    assert shown.split()[-1] == "photos/latin1_\\udce9.png"
    run_script("query", odd, "--catalog", tmp_path / "c")


def test_a_closed_pipe_is_no_error(catalog):
    for reader in ("head -1", "true"):
        command = f"'{SCRIPT}' query donut -k 40 --catalog '{catalog}' | {reader}"
        shell = ["bash", "-o", "pipefail", "-c", command]
        found = subprocess.run(shell, check=False, capture_output=True, text=True, timeout=60)
        assert (found.returncode, found.stderr) == (0, "")


def test_a_current_folder_that_was_deleted(catalog, tmp_path):
    (tmp_path / "gone").mkdir()
    command = f"cd '{tmp_path}/gone' && rmdir ../gone && '{SCRIPT}' query 'a glazed donut' -k1 --catalog '{catalog}'"
    found = subprocess.run(["bash", "-c", command], check=True, capture_output=True, text=True, timeout=60)
    assert found.stdout.rstrip().endswith(str(SAMPLES / "food" / "donut.png"))


def test_a_catalog_that_can_only_be_read_answers(catalog, tmp_path):
    shutil.copytree(catalog, tmp_path / "c")
    code = (
        "import os, sys, types; from clipsearch.store.backends import connection; "
        "connection.os = types.SimpleNamespace(**vars(os) | {'access': lambda *_: False}); "
        "from clipsearch.cli import main; sys.exit(main())"
    )
    arguments = [sys.executable, "-c", code, "query", "a glazed donut", "-k1", "--catalog", tmp_path / "c"]
    found = subprocess.run(arguments, check=True, capture_output=True, text=True, timeout=60)
    assert "donut.png" in found.stdout
    assert found.stderr == ""


def test_nothing_leaves_the_machine(catalog, tmp_path):
    # Libraries may phone home: OpenVINO does when it is imported, unless it is kept from it.
    code = (
        "import sys; asked = []\n"
        "def watch(event, arguments):\n"
        "    if event in ('socket.connect', 'socket.getaddrinfo', 'socket.sendto', 'socket.gethostbyname'):\n"
        "        asked.append((event, arguments))\n"
        "sys.addaudithook(watch)\n"
        "from clipsearch.cli import main; code = main()\n"
        "import threading; assert threading.active_count() == 1, threading.enumerate()\n"
        "assert not asked, asked\n"
        "sys.exit(code)"
    )
    home = {**os.environ, "HOME": str(tmp_path / "home"), "CI": ""}
    (tmp_path / "home").mkdir()
    for arguments in (
        ("query", "a glazed donut", "--catalog", catalog),
        ("index", SAMPLES / "food", "--catalog", tmp_path / "c", "--model", "starter"),
        ("caption", SAMPLES / "animals" / "cat.jpg", "--catalog", catalog),
        ("model", "inspect", "starter"),
    ):
        command = [sys.executable, "-c", code, *arguments]
        found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=home)
        assert (found.returncode, found.stderr) == (0, "")
    assert list((tmp_path / "home").iterdir()) == []


def test_every_command_has_help():
    commands = ["index", "query", "caption", "captions", "classify", "status", "model", "demo"]
    overview = run_script("--help").stdout
    for command in commands:
        assert command in overview
        assert "Usage: clipsearch" in run(command, "--help").stdout
    assert run_script("--version").stdout.startswith("clipsearch 0.")


def test_one_grammar_for_what_is_typed(tmp_path, colours):
    """Paths, filters and signs as they are typed, with and without quotes of the shell."""
    catalog = tmp_path / "c"
    run("index", SAMPLES, "--model", "colours", "--catalog", catalog)

    def names(*query, **options) -> list[str]:
        return [
            Path(line).name
            for line in run("query", *query, "--paths", "--catalog", catalog, **options).stdout.split("\n")
        ][:-1]

    shutil.copy(SAMPLES / "animals" / "cat.jpg", tmp_path / "my cat - 2.jpg")
    shutil.copy(SAMPLES / "animals" / "cat.jpg", tmp_path / "size:2.jpg")
    shutil.copy(SAMPLES / "animals" / "cat.jpg", tmp_path / "-x.jpg")
    (tmp_path / "folder").mkdir()
    assert names("path:food/*.png") == ["donut.png"]
    assert "donut.png" not in names("-path:*.png", "-k", "50")
    assert "donut.png" not in names("-k50", "food", "-path:*.png", "-people")
    for query in ("image:animals/cat.jpg", "2:animals/cat.jpg", "./animals/cat.jpg", "a cat & ./animals/cat.jpg"):
        assert names(query, "-k", "1", cwd=SAMPLES) == ["cat.jpg"], query
    for query in (
        "my cat - 2.jpg",
        "./my cat - 2.jpg",
        "size:2.jpg",
        "-x.jpg",
        "image:my cat - 2.jpg",
        "2:my cat - 2.jpg",
    ):
        assert names(query, "-k", "1", cwd=tmp_path) == ["cat.jpg"], query
        assert names(*query.split(" "), "-k", "1", cwd=tmp_path) == ["cat.jpg"], query
    for query, said in {
        "nothing.jpg": "no picture nothing.jpg: the file does not exist (use --text for words)",
        "./no thing.jpg": "no picture no thing.jpg: the file does not exist (use --text for words)",
        "./folder": "folder is not a picture (use --text for words)",
        "camera:Nikon D80": 'camera:"Nikon D80"',
        "cat AND dog": "dog & snow",
        "-people": "only excluded terms",
    }.items():
        assert said in fail("query", query, "--catalog", catalog, code=2, cwd=tmp_path)
    assert "--jsn" in fail("query", "cat", "--jsn", "--catalog", catalog, code=2)
    assert names("--text", "size:2.jpg", "-k", "1", cwd=tmp_path)


@pytest.mark.parametrize("number", ["9223372036854775808", "1" + "0" * 40])
def test_numbers_that_no_database_has(catalog, number):
    assert run("query", f"cat size:>{number}GB", "--catalog", catalog).stdout == ""
    assert run("query", f"size:<{number} -w:{number}", "-k", "1", "--paths", "--catalog", catalog).stdout != ""
    assert "id:42" in fail("query", f"id:{number}", "--catalog", catalog, code=2)
    assert "a weight" in fail("query", f"{number}:cat", "--catalog", catalog, code=2)
    assert "top_k" in fail("query", "cat", "-k", number, "--catalog", catalog, code=2)


@pytest.mark.parametrize(
    ("share", "is_coarse", "said"),
    [
        (1.0, False, "all rows are present"),
        (0.999, False, "99 % of the rows are present"),
        (0.75, False, "75 % of the rows are present"),
        (1.0, True, "all rows are present, without some of the detail or colours"),
        (0.8, True, "80 % of the rows are present, without some of the detail or colours"),
    ],
)
def test_what_is_there_of_a_picture_is_told(share, is_coarse, said, capsys):
    partial = PartialFile("/photos/a.jpg", share, is_coarse)
    print_report(IndexReport(2, 2, 0, 0, 0, (), {}, 10.0, "starter", partial=(partial,)))
    first, second = capsys.readouterr().out.splitlines()
    assert first == "2 indexed, 0 unchanged of 2 pictures in 10.0 s, 0.2 a second"
    assert second == f"  indexed in part /photos/a.jpg: the file's end is missing or zeros, {said}"
