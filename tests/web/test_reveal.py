"""The file of a picture in the file manager of this machine."""

import os
import stat
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from clipsearch import Catalog
from clipsearch.web.app import make_app
from clipsearch.web.reveal import reveal_commands
from clipsearch.web.security import GuardRules

NAME = "a, b & $(touch x) ü.png"


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    place = tmp_path_factory.mktemp("reveal")
    (place / "p").mkdir()
    for name, colour in ((NAME, "red"), ("gone.png", "lime")):
        Image.new("RGB", (32, 32), colour).save(place / "p" / name)
    with Catalog.open(place / "c", model="starter", create=True) as opened:
        opened.index(place / "p")
        (place / "p" / "gone.png").unlink()
        yield opened


def asked(catalog, *, client="127.0.0.1", host="127.0.0.1", may_reveal=True, name=NAME, **headers):
    rules = GuardRules(hosts=["photos.example"])
    app = make_app(catalog, rules=rules, may_reveal=may_reveal)
    found = {Path(hit.path).name: hit.content_id for hit in catalog.search("type:png", top_k=9)}
    with TestClient(app, base_url=f"http://{host}", client=(client, 50_000)) as browser:
        return browser.post(f"/api/pictures/{found.get(name, 99_999)}/reveal", headers=headers)


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """Programs that note what they are given; the first one fails, as without a desktop."""
    for name, status in (("dbus-send", 1), ("xdg-open", 0)):
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\nprintf "%s\\n" {name} "$@" >> "{tmp_path}/said"\nexit {status}\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr("sys.platform", "linux")
    return lambda: (tmp_path / "said").read_text().splitlines()


def test_the_folder_is_shown_where_no_file_manager_selects_the_file(catalog, commands):
    assert asked(catalog).status_code == 204
    said = commands()
    assert said[0] == "dbus-send" and said[-2] == "xdg-open" and said[-1].endswith("/p")
    assert next(each for each in said if each.startswith("array:")).endswith(
        "/a%2C%20b%20%26%20%24%28touch%20x%29%20%C3%BC.png"
    )


@pytest.mark.parametrize(
    "request_of",
    [
        {"client": "192.168.1.9"},
        {"host": "photos.example"},
        {"x-forwarded-for": "203.0.113.4"},
        {"forwarded": "for=203.0.113.4"},
        {"may_reveal": False},
    ],
)
def test_only_this_machine_may_ask(catalog, commands, tmp_path, request_of):
    answer = asked(catalog, **request_of)
    assert answer.status_code == 403 and "on one machine" in answer.json()["detail"]
    assert not (tmp_path / "said").exists()


def test_pages_of_other_sites_may_not_ask(catalog, commands, tmp_path):
    assert asked(catalog, origin="http://evil.example").status_code == 403
    assert not (tmp_path / "said").exists()


@pytest.mark.parametrize("name", ["gone.png", "nothing"])
def test_what_is_not_there_is_not_shown(catalog, commands, tmp_path, name):
    assert asked(catalog, name=name).status_code == 404
    assert not (tmp_path / "said").exists()


def test_each_system_has_its_own_command():
    assert reveal_commands("/p/a b.png", "darwin") == [["open", "-R", "/p/a b.png"]]
    assert reveal_commands("C:\\p\\a, b.png", "win32") == ['explorer /select,"C:\\p\\a, b.png"']
