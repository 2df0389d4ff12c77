"""clipsearch serve, as a process."""

import asyncio
import contextlib
import json
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import pytest

from tests.benchmarks.serving import by_many
from tests.support.command_line import fail
from tests.web.conftest import SAMPLES, serving

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals as POSIX has them")


def get(address, **headers):
    with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=20) as answer:
        return answer.read()


def run(*options):
    command = [sys.executable, "-m", "clipsearch", "serve", *options]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def server(made_catalog):
    """One for all tests that leave it as it was."""
    with serving(made_catalog) as made:
        yield made


def port_of(server):
    return int(server.address.rstrip("/").rsplit(":", 1)[1])


def test_it_prints_its_address_answers_and_ends_with_ctrl_c(made_catalog):
    with serving(made_catalog) as server:
        assert server.address.startswith("http://127.0.0.1:")
        found = json.loads(get(f"{server.address}api/search?q=a+glazed+donut&k=1"))
        assert found["hits"][0]["name"] == "donut.png"
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(20) == 0
    assert server.said == ["the page is ready; press Ctrl-C to stop\n"]


def test_fifty_visitors_at_once_are_all_answered(server):
    """`python -m tests.benchmarks.serving` says how fast, and for longer."""
    for kind in ("api", "page"):
        took = asyncio.run(by_many(port_of(server), 0.5, 50, kind))  # raises for any answer but 200
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
        # The printed address may have a name that only other machines resolve.
        printed = urlsplit(address).netloc
        assert json.loads(get(f"{local}api/status", Authorization=f"Bearer {token}", Host=printed))["pictures"] == 40
        assert json.loads(get(f"{local}api/status", Authorization=f"Bearer {token}"))["pictures"] == 40
        body = urllib.request.Request(
            f"{local}api/index", b"{}", {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        )
        with pytest.raises(urllib.error.HTTPError, match="403"):  # indexes nothing unless it is told to
            urllib.request.urlopen(body, timeout=20)


def form(content):
    return b'--x\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n' + content + b"\r\n--x--\r\n"


def send(address, content):
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    try:
        with urllib.request.urlopen(
            urllib.request.Request(f"{address}api/pictures", form(content), headers), timeout=60
        ) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_killed_in_an_upload_it_leaves_nothing_for_good(made_catalog, tmp_path):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    content = (SAMPLES / "food" / "donut.png").read_bytes()
    with serving(made_catalog, env={"TMPDIR": str(temporary)}) as server:
        assert send(server.address, content) == 201
        with socket.create_connection(("127.0.0.1", port_of(server))) as client:
            head = b"POST /api/pictures HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5000000\r\n"
            client.sendall(
                head + b"Content-Type: multipart/form-data; boundary=x\r\n\r\n" + form(b"x" * 3_000_000)[:-7]
            )
            (folder,) = temporary.iterdir()
            (folder / "picture-left").write_bytes(content)  # as if it was being looked at
            server.process.kill()
            server.process.wait()
    assert {path.name for path in temporary.rglob("*") if path.is_file()} == {"lock", "picture-left"}
    with serving(made_catalog, env={"TMPDIR": str(temporary)}) as server:
        get(f"{server.address}healthz")
        assert list(temporary.iterdir()) == []
        assert send(server.address, content) == 201
        with serving(made_catalog, env={"TMPDIR": str(temporary)}) as other:  # leaves that of the first alone
            get(f"{other.address}healthz")
            assert len(list(temporary.iterdir())) == 1
    assert list(temporary.iterdir()) == []


def test_with_a_full_disk_it_answers_on(made_catalog, tmp_path):
    shutil.copytree(made_catalog, tmp_path / "catalog")
    content = (SAMPLES / "food" / "donut.png").read_bytes()
    with serving(tmp_path / "catalog", largest_file=70_000) as server:
        for path in ("api/search?q=new+words&k=1", "?q=other+words", "api/thumbnail/1?size=large", "pictures/1/words"):
            assert get(server.address + path)
        assert send(server.address, content + bytes(3_000_000)) == 507
        assert send(server.address, content) in (201, 507)
        assert json.loads(get(f"{server.address}api/search?q=a+glazed+donut&k=1"))["hits"][0]["name"] == "donut.png"


def test_whatever_is_sent_the_log_holds_no_traceback_and_no_secret(made_catalog):
    token, host = "a-token-for-this-test", b"Host: 127.0.0.1\r\n"
    key = host + f"Authorization: Bearer {token}\r\n".encode()
    form = b"Content-Type: multipart/form-data; boundary=x\r\n"
    chunked = form + b"Transfer-Encoding: chunked\r\n\r\n"
    sent = [
        b"GET /?token=a-wrong-token-of-a-guest HTTP/1.1\r\n" + host + b"\r\n",
        b"GET /api/status HTTP/1.1\r\n" + host + b"Cookie: clipsearch=a-wrong-token-of-a-guest\r\n\r\n",
        b"POST /api/pictures HTTP/1.1\r\n" + key + form + b"Content-Length: 5\r\n\r\nhello",
        b"POST /api/pictures HTTP/1.1\r\n" + key + chunked + b"3\r\n--x\r\nzz\r\n",
        b"POST /api/pictures HTTP/1.1\r\n" + key + form + b"Content-Length: 500000\r\n\r\n--x",
        b"GET /api/search?q=slow+words HTTP/1.1\r\n" + key + b"Connection: close\r\n\r\nzz\r\n\r\n",
        (b"GET /api/status HTTP/1.1\r\n" + key + b"\r\n") * 2_000,
        b"GET /healthz HTTP/1.1\r\n" + host + b"\r\n\0\0\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST /nope HTTP/1.1\r\n" + key + chunked,
    ]
    with serving(made_catalog, env={"CLIPSEARCH_TOKEN": token}) as server, contextlib.ExitStack() as held:
        port = int(server.address.split("/?")[0].rsplit(":", 1)[1])
        plugs = [held.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in sent * 4]
        for plug, data in zip(plugs, sent * 4, strict=True):
            plug.sendall(data)
        for plug in plugs[len(sent) - 1 :: len(sent)]:
            assert plug.recv(100)  # it is answered, and goes on
            plug.sendall(b"zz\r\n")
        assert get(f"http://127.0.0.1:{port}/healthz") == b'{"status":"ok"}'
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(40) == 0
    said = "".join(server.said)
    assert "Traceback" not in said and "unexpected error" not in said and "-token-" not in said
    assert all("page is ready" in line or "running task(s)" in line for line in server.said)


def test_silent_connections_shut_nobody_out(server):
    with contextlib.ExitStack() as held:
        for number in range(520):
            plug = held.enter_context(socket.create_connection(("127.0.0.1", port_of(server))))
            if number % 2:
                plug.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        assert get(f"{server.address}healthz") == b'{"status":"ok"}'
        assert json.loads(get(f"{server.address}api/search?q=a+cat&k=1"))["hits"]


def test_an_address_in_use_is_one_clear_line(server, made_catalog):
    port = port_of(server)
    found = run("--catalog", str(made_catalog), "--port", str(port))
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr == f"clipsearch: can't listen on 127.0.0.1, port {port}: Address already in use\n"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--host", "192.0.2.1", "--port", "0"], "can't listen on 192.0.2.1"),
        (["--host", "no such host"], "is not an address of this machine"),
        (["--token", "short"], "at least 16 letters"),
        (["--token", "with spaces and; more"], "at least 16 letters"),
        (["--port", "70000"], "65535"),
        (["--allow-host", "a b"], "invalid --allow-host a b: use a host name"),
        (["--allow-host", "ftp://photos.example"], "or an origin such as https://"),
    ],
)
def test_bad_options_are_one_clear_line(made_catalog, options, words):
    assert words in fail("serve", "--catalog", made_catalog, *options, code=2)


def test_what_is_not_installed_is_named(made_catalog, tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['fastapi'] = None")
    found = subprocess.run(
        [sys.executable, "-m", "clipsearch", "serve", "--catalog", str(made_catalog)],
        check=False, capture_output=True, text=True, timeout=60, env={"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin"},
    )  # fmt: skip
    assert found.returncode == 1
    assert "pip install 'clipsearch[web]'" in found.stderr and found.stderr.count("\n") == 1
