"""clipsearch serve, as a process."""

import asyncio
import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from tests.benchmarks.serving import by_many
from tests.web.conftest import serving

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals as POSIX has them")


def get(address, **headers):
    with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=20) as answer:
        return answer.read()


def run(*options):
    command = [sys.executable, "-m", "clipsearch", "serve", *options]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def test_it_prints_its_address_answers_and_ends_with_ctrl_c(made_catalog):
    with serving(made_catalog) as server:
        assert server.address.startswith("http://127.0.0.1:")
        found = json.loads(get(f"{server.address}api/search?q=a+glazed+donut&k=1"))
        assert found["hits"][0]["name"] == "donut.png"
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(20) == 0
    assert server.said == ["the page is there; Ctrl-C ends it\n"]


def test_fifty_visitors_at_once_are_all_answered(made_catalog):
    """`python -m tests.benchmarks.serving` says how fast, and for longer."""
    with serving(made_catalog) as server:
        port = int(server.address.rstrip("/").rsplit(":", 1)[1])
        for kind in ("api", "page"):
            took = asyncio.run(by_many(port, 2, 50, kind))  # raises for any answer but 200
            assert len(took) >= 50


def test_it_begins_with_an_empty_catalog(tmp_path):
    with serving(tmp_path / "new", "--model", "starter") as server:
        assert b"no pictures here yet" in get(server.address)
        assert json.loads(get(f"{server.address}api/status"))["pictures"] == 0


def test_beyond_this_machine_it_asks_for_a_token(made_catalog):
    with serving(made_catalog, "--host", "0.0.0.0") as server:
        address, token = server.address.split("?token=")
        local = f"http://127.0.0.1:{address.rstrip('/').rsplit(':', 1)[1]}/"
        assert len(token) >= 32
        with pytest.raises(urllib.error.HTTPError, match="401"):
            get(local)
        assert json.loads(get(f"{local}api/status", Authorization=f"Bearer {token}"))["pictures"] == 40
        body = urllib.request.Request(
            f"{local}api/index", b"{}", {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        )
        with pytest.raises(urllib.error.HTTPError, match="403"):  # indexes nothing unless it is told to
            urllib.request.urlopen(body, timeout=20)


def test_an_address_in_use_is_one_clear_line(made_catalog):
    with serving(made_catalog) as server:
        port = server.address.rstrip("/").rsplit(":", 1)[1]
        found = run("--catalog", str(made_catalog), "--port", port)
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr == f"clipsearch: can't listen on 127.0.0.1, port {port}: Address already in use\n"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--host", "192.0.2.1", "--port", "0"], "can't listen on 192.0.2.1"),
        (["--host", "no such host"], "is no address of this machine"),
        (["--token", "short"], "at least 16 letters"),
        (["--token", "with spaces and; more"], "at least 16 letters"),
        (["--port", "70000"], "65535"),
    ],
)
def test_bad_options_are_one_clear_line(made_catalog, options, words):
    found = run("--catalog", str(made_catalog), *options)
    assert found.returncode == 2
    assert words in found.stderr and found.stderr.count("\n") == 1


def test_what_is_not_installed_is_named(made_catalog, tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['fastapi'] = None")
    found = subprocess.run(
        [sys.executable, "-m", "clipsearch", "serve", "--catalog", str(made_catalog)],
        check=False, capture_output=True, text=True, timeout=60, env={"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin"},
    )  # fmt: skip
    assert found.returncode == 1
    assert "pip install fastapi uvicorn" in found.stderr and found.stderr.count("\n") == 1
