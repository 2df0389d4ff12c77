"""The HTTP API."""

import io
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from clipsearch import Catalog
from clipsearch.columns.table import Columns
from clipsearch.gallery.collection import PictureCollection
from tests.support.make_hostile import png_of_zeros
from tests.web.conftest import SAMPLES, client_of


def search(client, q, **options):
    answer = client.get("/api/search", params={"q": q, **options})
    assert answer.status_code == 200, answer.text
    return answer.json()


def problem_of(answer, status):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    said = answer.json()
    assert said["status"] == status and said["title"] and said["type"]
    return said


# ------------------------------------------------------------------ search


def test_a_search_answers_as_it_is_described(client, catalog):
    found = search(client, "a glazed donut", k=3)
    assert set(found) == {"query", "model", "phrases", "suggestion", "unmeasured", "hits", "next"}
    assert (found["phrases"], found["suggestion"]) == ([], None)
    assert search(client, "a glazed donutt")["suggestion"] == "a glazed donut"
    assert (found["query"], found["model"]) == ("a glazed donut", "starter")
    names = {"id", "rank", "score", "relevance", "name", "part", "stack", "written", "line", "thumbnail_url"}
    assert [names - set(hit) for hit in found["hits"]] == [set()] * 3
    assert found["hits"][0]["name"] == "donut.png"
    expected = catalog.search("a glazed donut", top_k=3)
    assert [(hit["id"], hit["rank"], hit["score"]) for hit in found["hits"]] == [
        (hit.content_id, hit.rank, hit.score) for hit in expected
    ]


def test_pages_follow_each_other_to_the_end(client):
    seen, after = [], None
    while True:
        found = search(client, "an animal", k=7, **({"after": after} if after else {}))
        seen += [hit["id"] for hit in found["hits"]]
        after = found["next"]
        if after is None:
            break
    assert len(seen) == len(set(seen)) == 40


def test_pages_stay_as_they_were_while_pictures_are_indexed(client, catalog, tmp_path):
    everything = search(client, "a cat", k=100)["hits"]
    first = search(client, "a cat", k=5)
    for number in range(3):
        with Image.open(SAMPLES / "animals" / "cat.jpg") as image:
            (tmp_path / "new").mkdir(exist_ok=True)
            image.rotate(number + 1).save(tmp_path / "new" / f"{number}.jpg")
    catalog.index(tmp_path / "new")
    rest = search(client, "a cat", k=100, after=first["next"])
    assert [hit["id"] for hit in first["hits"] + rest["hits"]] == [hit["id"] for hit in everything]
    assert len(search(client, "a cat", k=100)["hits"]) == 43


def test_filters_alone_have_no_score(client):
    found = search(client, "type:png", k=2)
    assert [hit["score"] for hit in found["hits"]] == [None, None]


def test_least_relevance_leaves_an_empty_answer(client):
    assert search(client, "a nuclear submarine", min_relevance=0.9)["hits"] == []


def test_confidence_leaves_out_what_is_less_relevant_than_its_cut_off(client, catalog):
    cutoff = catalog.cutoff_for(0.5)
    everything = search(client, "an animal", k=100)["hits"]
    kept = [hit["id"] for hit in everything if hit["relevance"] >= cutoff]
    assert 3 < len(kept) < len(everything)
    first = search(client, "an animal", k=3, confidence=0.5)
    rest = search(client, "an animal", k=100, confidence=0.5, after=first["next"])
    assert [hit["id"] for hit in first["hits"] + rest["hits"]] == kept
    # The stricter of both counts.
    assert search(client, "an animal", confidence=0.5, min_relevance=1)["hits"] == []
    params = {"q": "an animal", "confidence": 0.6, "after": first["next"]}
    assert "another search" in problem_of(client.get("/api/search", params=params), 400)["detail"]


def test_syntax_errors_say_where(client):
    said = problem_of(client.get("/api/search", params={"q": 'a dog - "cat'}), 400)
    assert (said["type"], said["position"]) == ("urn:clipsearch:query-syntax", 8)
    assert "quote that is not closed" in said["detail"]


@pytest.mark.parametrize(
    ("params", "status", "words"),
    [
        ({}, 422, "q: "),
        ({"q": ""}, 400, "the query is empty"),
        ({"q": "x", "k": 0}, 422, "k: "),
        ({"q": "x", "k": 1001}, 422, "k: "),
        ({"q": "x", "k": "many"}, 422, "k: "),
        ({"q": "x" * 4001}, 422, "q: "),
        ({"q": "x", "min_relevance": "nan"}, 422, "min_relevance: "),
        ({"q": "x", "confidence": "nan"}, 422, "confidence: "),
        ({"q": "x", "confidence": 0}, 422, "confidence: "),
        ({"q": "x", "confidence": 1}, 422, "confidence: "),
        ({"q": "x", "confidence": 0.9999}, 400, "confidence"),
        ({"q": "x", "after": "nonsense"}, 400, "invalid page cursor"),
        ({"q": "id:99999"}, 404, "no picture with the number 99999"),
        ({"q": "/etc/passwd"}, 400, "is a file name or a URL"),
        ({"q": "./cat.jpg"}, 400, "is a file name or a URL"),
        ({"q": "image:cat.jpg"}, 400, "is a file name or a URL"),
        ({"q": "https://example.org/cat.jpg"}, 400, "is a file name or a URL"),
        ({"q": "image:upload-0123456789abcdef"}, 400, "upload it again"),
        ({"q": "image:upload-../../etc/passwd"}, 400, "is a file name or a URL"),
    ],
)
def test_what_cannot_be_answered_is_a_problem(client, params, status, words):
    assert words in problem_of(client.get("/api/search", params=params), status)["detail"]


def test_a_query_that_names_a_file_reads_nothing(client, tmp_path, monkeypatch):
    """Not even whether it is there."""
    from clipsearch.encoders import embed_image

    monkeypatch.setattr(embed_image, "open_regular_file", lambda path: pytest.fail(f"opened {path}"))
    shutil.copy(SAMPLES / "animals" / "cat.jpg", tmp_path / "cat.jpg")
    there = problem_of(client.get("/api/search", params={"q": str(tmp_path / "cat.jpg")}), 400)["detail"]
    missing = problem_of(client.get("/api/search", params={"q": str(tmp_path / "dog.jpg")}), 400)["detail"]
    assert there.replace("cat", "dog") == missing


# ------------------------------------------------------------------ pictures that are sent


def send(client, path, content, **params):
    return client.post(path, params=params, files={"file": ("x", content)})


def test_a_picture_that_was_sent_is_searched_by(client, tmp_path):
    content = (SAMPLES / "animals" / "cat.jpg").read_bytes()
    answer = send(client, "/api/pictures", content)
    assert answer.status_code == 201
    term = answer.json()["term"]
    found = search(client, term, k=2)
    assert found["hits"][0]["name"] == "cat.jpg" and found["hits"][0]["score"] > 0.999
    assert search(client, f"a boat + 0.1:{term}", k=1)["hits"][0]["name"] != "cat.jpg"


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "empty"), (b"no picture at all", "not a picture"), (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, "")],
)
def test_what_is_no_picture_is_refused(client, content, words, tmp_path):
    for path in ("/api/pictures", "/api/caption"):
        detail = problem_of(send(client, path, content), 422)["detail"]
        assert "that was uploaded" in detail and words in detail and "/" not in detail


def test_a_bomb_is_refused_before_it_goes_off(client):
    detail = problem_of(send(client, "/api/pictures", png_of_zeros(60_000, 60_000)), 422)["detail"]
    assert "megapixels" in detail


def test_a_form_without_a_file_is_a_problem(client):
    assert "file" in problem_of(client.post("/api/pictures"), 422)["detail"]
    assert "file" in problem_of(client.post("/api/pictures", data={"file": "text"}), 422)["detail"]


# ------------------------------------------------------------------ words for pictures


def test_captions_of_a_picture_here_and_of_one_that_was_sent(client):
    (donut,) = search(client, "a glazed donut", k=1)["hits"]
    said = client.get("/api/caption", params={"id": donut["id"], "k": 2}).json()
    assert said["captions"][0]["text"] == "a glazed donut"
    assert len(said["captions"]) == 2
    assert 1 > said["captions"][0]["relevance"] > 2 * said["captions"][1]["relevance"] > 0
    sent = send(client, "/api/caption", (SAMPLES / "food" / "donut.png").read_bytes()).json()
    assert sent["captions"][0]["probability"] == pytest.approx(said["captions"][0]["probability"], abs=0.01)
    assert sum(caption["probability"] for caption in sent["captions"]) == pytest.approx(1)


def test_candidates_for_a_picture(client):
    (donut,) = search(client, "a glazed donut", k=1)["hits"]
    said = client.get("/api/classify", params={"id": donut["id"], "text": ["a dog", "a donut"]}).json()
    assert said["captions"][0]["text"] == "a donut"
    sent = client.post(
        "/api/classify",
        params={"text": ["a dog", "a donut"]},
        files={"file": ("x", (SAMPLES / "food" / "donut.png").read_bytes())},
    ).json()
    assert sent["captions"][0]["text"] == "a donut"
    assert problem_of(client.get("/api/classify", params={"id": donut["id"]}), 422)
    assert problem_of(client.get("/api/classify", params={"id": donut["id"], "text": [""]}), 400)
    assert problem_of(client.get("/api/classify", params={"id": 9999, "text": ["x"]}), 404)


def test_labels_and_near_duplicates_of_a_picture(client):
    (donut,) = search(client, "a glazed donut", k=1)["hits"]
    said = client.get(f"/api/items/{donut['id']}/labels", params={"k": 3}).json()
    assert len(said["labels"]) == 3 and "donut" in [label["label"] for label in said["labels"]]
    assert client.get(f"/api/items/{donut['id']}/similar").json() == []
    assert problem_of(client.get(f"/api/items/{donut['id']}/labels", params={"labels": "nothing"}), 400)


def test_facets_are_those_of_the_filters(client, catalog):
    whole = client.get("/api/facets").json()
    assert (whole["pictures"], sum(whole["formats"].values())) == (40, 40)
    found = client.get("/api/facets", params={"q": "a dog type:webp"}).json()
    assert found["formats"] == {"WEBP": whole["formats"]["WEBP"]}
    assert found["pictures"] == found["formats"]["WEBP"] == len(catalog.search("type:webp", top_k=99))
    assert problem_of(client.get("/api/facets", params={"q": "type:doc"}), 400)


def test_the_page_counts_pictures_as_soon_as_they_are_indexed(client, catalog, tmp_path):
    assert "BMP</bdi> <small>1<" not in client.get("/").text
    (tmp_path / "new").mkdir()
    with Image.open(SAMPLES / "animals" / "cat.jpg") as image:
        image.rotate(1).save(tmp_path / "new" / "cat.bmp")
    catalog.index(tmp_path / "new")
    assert "BMP</bdi> <small>1<" in client.get("/").text


def test_unusual_and_representative_pictures_are_those_of_the_catalog(client, catalog):
    for name, field in (("unusual", "similarity"), ("representative", "pictures")):
        choose = getattr(catalog.pictures, name)
        for params, options in (({"k": 3}, {"top_k": 3}), ({"q": "path:animals"}, {"query": "path:animals"})):
            said = client.get(f"/api/{name}", params=params).json()
            expected = choose(**options)
            assert [(each["id"], each["rank"], each[field]) for each in said] == [
                (each.content_id, each.rank, getattr(each, field)) for each in expected
            ]
            assert said
        assert set(said[0]) == {"id", "rank", "name", field}
        assert client.get(f"/api/{name}", params={"q": "type:gif"}).json() == []
        assert problem_of(client.get(f"/api/{name}", params={"q": "date:2019"}), 400)["position"] == 0
        assert problem_of(client.get(f"/api/{name}", params={"k": 0}), 422)


def test_pictures_that_a_filter_knows_nothing_of_are_counted(client, catalog, monkeypatch):
    assert search(client, "a cat is:sharp")["unmeasured"] == 0
    monkeypatch.setattr(Columns, "count_unmeasured", lambda _: 5)
    assert search(client, "a cat is:sharp")["unmeasured"] == 5
    monkeypatch.undo()
    page = client.get("/", params={"quality": "sharp"})
    assert page.status_code == 200
    assert "no sharpness" not in page.text
    assert client.get("/", params={"quality": "loud"}).status_code == 400


# ------------------------------------------------------------------ single pictures


def test_an_item_is_described(client, catalog):
    (cat,) = search(client, "a cat", k=1)["hits"]
    said = client.get(f"/api/items/{cat['id']}").json()
    assert said["name"] == "cat.jpg" and said["paths"] == [str(SAMPLES / "animals" / "cat.jpg")]
    assert said["width"] and said["height"] and said["format"] == "JPEG"
    assert said["added_at"].endswith("Z")  # RFC 3339 wants a time zone
    measured = catalog.pictures.get(cat["id"]).metadata
    assert (said["sharpness"], said["brightness"]) == (measured.sharpness, measured.brightness) != (None, None)


@pytest.mark.parametrize("number", [0, -1, 9999, 1 << 63, 1 << 200])
def test_numbers_that_no_picture_has(client, number):
    for path in ("", "/similar", "/labels"):
        problem_of(client.get(f"/api/items/{number}{path}"), 404)
    problem_of(client.get(f"/api/thumbnail/{number}"), 404)
    problem_of(client.get("/api/items/cat.jpg"), 422)


def test_thumbnails_are_jpegs_that_browsers_may_keep(client):
    (cat,) = search(client, "a cat", k=1)["hits"]
    item = client.get(f"/api/items/{cat['id']}").json()
    answer = client.get(f"/api/thumbnail/{cat['id']}")
    assert answer.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(answer.content)).size == (item["width"], item["height"])
    assert answer.headers["cache-control"] == "private, no-cache"
    named = client.get(f"/api/thumbnail/{cat['id']}", params={"v": item["blake3"][:16]})
    assert "immutable" in named.headers["cache-control"]
    again = client.get(f"/api/thumbnail/{cat['id']}", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    problem_of(client.get(f"/api/thumbnail/{cat['id']}", params={"size": "huge"}), 422)


def test_a_picture_whose_file_is_gone_has_no_thumbnail(catalog, tmp_path):
    (tmp_path / "p").mkdir()
    shutil.copy(SAMPLES / "food" / "pizza.jpg", tmp_path / "p" / "only.jpg")
    Image.new("RGB", (40, 30), "red").save(tmp_path / "p" / "gone.png")
    catalog.index(tmp_path / "p")
    with client_of(catalog) as client:
        (gone,) = search(client, "path:gone.png")["hits"]
        (tmp_path / "p" / "gone.png").unlink()
        detail = problem_of(client.get(f"/api/thumbnail/{gone['id']}"), 404)["detail"]
        assert "file not found: moved, deleted, or on a drive that is not mounted" in detail


# ------------------------------------------------------------------ the catalog


def wait_for_index(client, state):
    for _ in range(600):
        said = client.get("/api/index").json()
        if said["state"] == state:
            return said
        time.sleep(0.05)
    raise AssertionError(said)


def test_a_folder_is_indexed_and_its_pictures_are_found(tmp_path):
    shutil.copytree(SAMPLES / "food", tmp_path / "food")
    (tmp_path / "food" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    with (
        Catalog.open(tmp_path / "c", model="starter", create=True, shared=True) as catalog,
        client_of(catalog) as client,
    ):
        assert "nothing is indexed" in problem_of(client.get("/api/search", params={"q": "pizza"}), 409)["detail"]
        assert client.get("/api/status").json()["pictures"] == 0
        answer = client.post("/api/index", json={"folder": str(tmp_path / "food")})
        assert answer.status_code == 202 and answer.json()["state"] == "running"
        with client.stream("GET", "/api/index/events") as events:
            lines = [line for line in events.iter_lines() if line.startswith("data: ")]
        assert '"state":"done"' in lines[-1]
        said = wait_for_index(client, "done")
        assert "skipped" in said["message"] and "broken.jpg" in said["skipped"][0]
        assert search(client, "a glazed donut", k=1)["hits"][0]["name"] == "donut.png"
        assert client.get("/api/status").json()["folders"] == [str(tmp_path / "food")]
        client.post("/api/index", json={})
        assert "unchanged" in wait_for_index(client, "done")["message"]


def test_a_run_can_be_stopped_and_only_one_goes_on(catalog, monkeypatch, tmp_path):
    gate = threading.Event()
    index = type(catalog).index

    def slow_index(self, *folders, on_progress, **options):
        on_progress(1, 9)
        gate.wait(10)
        return index(self, *folders, on_progress=lambda *_: on_progress(2, 9), **options)

    monkeypatch.setattr(Catalog, "index", slow_index)
    shutil.copytree(SAMPLES / "food", tmp_path / "food")
    with client_of(catalog) as client:
        client.post("/api/index", json={"folder": str(tmp_path / "food")})
        assert "already" in problem_of(client.post("/api/index", json={}), 409)["detail"]
        assert wait_for_index(client, "running")["to_do"] == 9
        assert client.delete("/api/index").status_code == 202
        Image.new("RGB", (30, 30), "blue").save(tmp_path / "food" / "late.png")
        gate.set()
        assert "indexed" in wait_for_index(client, "stopped")["message"]


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        ("relative", "not an absolute path"),
        ("/nowhere/at/all", "no folder"),
        ("/etc/hostname", "no folder"),
        ("/a\0b", "no folder"),
    ],
)
def test_a_folder_that_is_none_is_a_problem(client, folder, words):
    assert words in problem_of(client.post("/api/index", json={"folder": folder}), 400)["detail"]


def test_a_server_may_be_told_not_to_index(catalog):
    with client_of(catalog, may_index=False) as client:
        assert "--index" in problem_of(client.post("/api/index", json={}), 403)["detail"]
        problem_of(client.delete("/api/index"), 403)
        assert client.get("/api/index").json()["state"] == "idle"
        assert "Add pictures" not in client.get("/").text


def test_status_and_health(client):
    said = client.get("/api/status").json()
    assert (said["pictures"], said["captions"], said["model"], said["indexing"]) == (40, 3, "starter", "idle")
    assert client.get("/healthz").json() == {"status": "ok"}


def test_only_so_many_hear_of_a_run_at_once(client, monkeypatch):
    from clipsearch.web import api

    assert client.get("/api/index/events").status_code == 200
    assert client.get("/api/index/events").status_code == 200  # the first one has ended
    monkeypatch.setattr(api, "_MAX_LISTENERS", 0)
    assert problem_of(client.get("/api/index/events"), 503)["type"] == "urn:clipsearch:busy"


def test_metrics_count_requests_by_route_and_say_nothing_of_what_was_asked(client):
    search(client, "a secret wish")
    client.get("/api/search", params={"q": "- nothing"})
    client.get("/no/such/place")
    text = client.get("/metrics").text
    assert 'clipsearch_requests_total{method="GET",route="/api/search",status="200"} 1.0' in text
    assert 'route="/api/search",status="400"} 1.0' in text
    assert 'route="other",status="404"} 1.0' in text
    assert "clipsearch_pictures 40.0" in text
    assert "clipsearch_encoder_calls_total" in text
    assert "secret" not in text


def test_what_nobody_foresaw_is_a_problem_without_details(client, catalog, monkeypatch):
    monkeypatch.setattr(PictureCollection, "get", lambda *_: (_ for _ in ()).throw(RuntimeError("/home/ada/secret")))
    said = problem_of(client.get("/api/items/1"), 500)
    assert "secret" not in said["detail"]
    problem_of(client.get("/nothing"), 404)
    problem_of(client.delete("/api/search"), 405)


def test_many_at_once_get_their_own_answers(client):
    words = ["a cat", "a glazed donut", "a rocket", "a boat", "pizza", "a cup of coffee", "a dog", "a truck"]
    alone = {word: search(client, word, k=5)["hits"] for word in words}
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(lambda word: search(client, word, k=5)["hits"], words * 6))
    for word, hits in zip(words * 6, together, strict=True):
        assert [hit["id"] for hit in hits] == [hit["id"] for hit in alone[word]]


def test_counts_that_are_old_are_given_out_while_new_ones_are_made(monkeypatch):
    from clipsearch.web import state

    gate, made = threading.Event(), []

    def make():
        made.append(None)
        if len(made) > 1:
            gate.wait(10)
        return len(made)

    kept = state.CachedValue(make)
    assert [kept.get("a"), kept.get("a")] == [1, 1]
    monkeypatch.setattr(state, "_STALE_AFTER_S", 0.0)
    assert [kept.get("a") for _ in range(5)] == [1] * 5
    gate.set()
    for _ in range(200):
        if kept.get("a") > 1:
            break
        time.sleep(0.01)
    assert kept.get("a") > 1
    monkeypatch.setattr(state, "_STALE_AFTER_S", 1e9)
    before = len(made)
    assert kept.get("b") == before + 1  # another state is waited for
