"""A run that goes on is told of by whoever is asked meanwhile."""

import json
import threading

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from clipsearch import Catalog
from clipsearch.cli import run
from clipsearch.encoders import load
from clipsearch.web.app import make_app
from clipsearch.web.security import GuardRules
from tests.support.fakes import ColourEncoder


class HeldEncoder(ColourEncoder):
    """Waits in the middle of a run until it may go on."""

    def __init__(self) -> None:
        super().__init__()
        self.is_held, self.may_go_on = threading.Event(), threading.Event()

    def encode_images(self, crops):
        self.is_held.set()
        assert self.may_go_on.wait(60)
        return super().encode_images(crops)


@pytest.fixture
def held(tmp_path, monkeypatch):
    """An index run that stands still, and its catalog."""
    encoder = HeldEncoder()
    monkeypatch.setattr(load, "load_encoder", lambda options: encoder)
    (tmp_path / "photos").mkdir()
    for number in range(3):
        pixels = np.full((20, 20, 3), number, dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{number}.png")
    with Catalog.open(tmp_path / "catalog", model="colours", create=True) as catalog:
        running = threading.Thread(target=catalog.index, args=(tmp_path / "photos",))
        running.start()
        assert encoder.is_held.wait(60)
        with Catalog.open(tmp_path / "catalog") as other:
            while other.admin.current_run().to_do == 0:  # told a second after the beginning
                pass
        yield tmp_path / "catalog"
        encoder.may_go_on.set()
        running.join(60)
        assert catalog.admin.current_run() is None
        assert catalog.admin.status().last_run.embedded == 3


def test_status_says_how_far_a_run_in_another_process_is(held, capsys):
    assert run(["status", "--catalog", str(held)]) == 0
    said = capsys.readouterr().out
    assert "running   an index run has been going on for" in said
    assert "0 done, 3 to do" in said
    assert "last run" not in said
    assert run(["status", "--catalog", str(held), "--json"]) == 0
    current = json.loads(capsys.readouterr().out)["current_run"]
    assert (current["done"], current["to_do"]) == (0, 3)
    assert current["started_at"].endswith("+00:00")


def test_the_page_and_its_api_say_so_too(held):
    with (
        Catalog.open(held, shared=True) as catalog,
        TestClient(make_app(catalog, rules=GuardRules()), base_url="http://127.0.0.1") as client,
    ):
        assert client.get("/api/status").json()["current_run"]["to_do"] == 3
        assert "An index run has been going on for" in client.get("/").text


def test_an_assistant_is_told_too(held):
    pytest.importorskip("mcp")
    import anyio

    from clipsearch.mcp_server import make_server

    with Catalog.open(held, shared=True) as catalog:
        answer = anyio.run(make_server(catalog).call_tool, "status", {})
    assert "0 done, 3 to do" in str(answer)
