"""A server that watches its folders, and what it shows of runs that are no job of its page."""

import json
import logging
import signal
import threading
import time
from pathlib import Path

import pytest
from PIL import Image

from clipsearch import Catalog
from clipsearch.errors import InputError, StoreError
from clipsearch.maintenance.admin import CatalogAdmin
from clipsearch.notices import LOGGER
from clipsearch.store import Store
from clipsearch.web import watcher
from clipsearch.web.index_job import IndexJob
from tests.web.conftest import client_of, serving
from tests.web.test_serve import get

PATIENCE_S = 60


def wait_for(is_so):
    end = time.monotonic() + PATIENCE_S
    while not (found := is_so()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


@pytest.fixture
def lines(monkeypatch):
    """The notices of all threads."""
    said: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record):
            said.append(record.getMessage())

    monkeypatch.setattr(LOGGER, "handlers", [Listener()])
    return said


@pytest.fixture
def photos(tmp_path):
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (32, 32), "red").save(tmp_path / "photos" / "red.png")
    return tmp_path / "photos"


@pytest.fixture
def opened(tmp_path, photos, colours):
    with Catalog.open(tmp_path / "catalog", model="colours", create=True, shared=True) as catalog:
        catalog.index(photos)
        yield catalog


def test_new_pictures_are_served_and_it_ends_when_it_is_told_to(tmp_path, photos):
    with Catalog.open(tmp_path / "catalog", model="starter", create=True) as catalog:
        catalog.index(photos)
    with serving(tmp_path / "catalog", "--watch") as server:
        Image.new("RGB", (32, 32), "blue").save(photos / "blue.png")
        wait_for(lambda: json.loads(get(f"{server.address}api/search?q=path:blue.png"))["hits"])
        told_at = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(PATIENCE_S) in (0, -signal.SIGTERM)
        assert time.monotonic() - told_at < PATIENCE_S / 2
    assert server.said == ["the page is ready; press Ctrl-C to stop\n"]


def test_without_folders_it_says_so_and_waits_for_one(tmp_path, photos, colours, lines, monkeypatch):
    monkeypatch.setattr(watcher, "_RETRY_S", 0.05)
    with (
        Catalog.open(tmp_path / "catalog", model="colours", create=True, shared=True) as catalog,
        client_of(catalog, watch=True) as client,
    ):
        wait_for(lambda: lines)
        assert client.post("/api/index", json={"folder": str(photos)}).status_code == 202
        wait_for(lambda: client.get("/api/status").json()["folders"])
        Image.new("RGB", (32, 32), "blue").save(photos / "blue.png")
        wait_for(lambda: client.get("/api/search", params={"q": "path:blue.png"}).json().get("hits"))
    assert lines == ["no indexed folder is there yet: waiting for one to watch"]


def test_the_watcher_and_a_job_of_the_page_wait_for_each_other(opened, photos, lines):
    with client_of(opened, watch=True) as client:
        for number in range(6):
            Image.new("RGB", (32, 33 + number), "blue").save(photos / f"{number}.png")
            client.post("/api/index", json={})
            said = wait_for(lambda: (found := client.get("/api/index").json())["state"] != "running" and found)
            assert said["state"] == "done", said
        assert len(wait_for(lambda: (hits := opened.search("path:photos", top_k=9)) and len(hits) == 7 and hits)) == 7
    assert lines == []


@pytest.mark.parametrize("error", [StoreError("the disk is full"), InputError("unknown device 'gpu'")])
def test_a_failure_of_the_watcher_is_told_once_and_the_server_goes_on(opened, lines, monkeypatch, error):
    tries = []

    def fail(self, **options):
        tries.append(options)
        raise error

    monkeypatch.setattr(CatalogAdmin, "watch", fail)
    monkeypatch.setattr(watcher, "_RETRY_S", 0.01)
    with client_of(opened, watch=True) as client:
        wait_for(lambda: len(tries) > 3)
        assert client.get("/api/search", params={"q": "red"}).json()["hits"]
        assert client.get("/api/index").json()["state"] == "idle"
    assert lines == [f"watching has failed and is tried again every 0 s: {error}"]


def test_runs_of_the_watcher_are_shown_and_can_not_be_stopped(opened, photos, monkeypatch):
    gate, progress = threading.Event(), IndexJob.note_watching

    def note(self, done, to_do):
        progress(self, done, to_do)
        gate.wait(PATIENCE_S)

    monkeypatch.setattr(IndexJob, "note_watching", note)
    with client_of(opened, watch=True) as client:
        Image.new("RGB", (32, 40), "blue").save(photos / "blue.png")
        said = wait_for(lambda: (found := client.get("/api/index").json())["to_do"] and found)
        assert (said["state"], said["done"], said["to_do"], said["may_stop"]) == ("running", 1, 1, False)
        assert "data-running" in client.get("/").text
        gate.set()
        said = wait_for(lambda: (found := client.get("/api/index").json())["state"] == "done" and found)
        assert said["message"].startswith("1 indexed")


def test_a_run_of_another_process_is_shown_and_a_job_waits_for_it(opened, lines):
    with client_of(opened) as client, Store(Path(opened.admin.status().directory)) as other:
        with other.writing():
            run_id = other.runs.begin(model_id=1, started_at=other.runs.find_last().started_at)
            other.runs.note(run_id, embedded=3, to_do=7)
            said = wait_for(lambda: (found := client.get("/api/index").json())["state"] == "running" and found)
            assert (said["done"], said["to_do"], said["may_stop"]) == (3, 10, False)
            assert "data-running" in client.get("/").text
            for state in ("stopped", "done"):
                assert client.post("/api/index", json={}).json()["may_stop"] is True
                wait_for(lambda: any("waiting for it" in line for line in lines))
                lines.clear()
                if state == "stopped":
                    client.delete("/api/index")
                    wait_for(lambda: not client.get("/api/index").json()["may_stop"])
            other.runs.note(run_id, to_do=0)
        said = wait_for(lambda: (found := client.get("/api/index").json())["state"] == "done" and found)
        assert "1 unchanged" in said["message"]
