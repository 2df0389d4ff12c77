"""A token and embeddings go to servers that the user has named on this machine, whatever a catalog says."""

import os
import socket
import sqlite3
import threading
import warnings
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image

from clipsearch import Catalog, ClipSearchNotice, check_catalog, restore_catalog
from clipsearch.cli import run
from clipsearch.errors import InputError, VectorIndexError
from clipsearch.indexes.milvus.address import parse_index_url
from clipsearch.indexes.milvus.trusted_servers import LIST_NAME, is_here, is_named, remember, require_named
from clipsearch.session.server_index import connect
from clipsearch.store.backends.connection import DATABASE_NAME
from tests.support.fakes import COLOURS


def address(url: str):
    return parse_index_url(url, catalog="a")


class Listener:
    """Counts who connects, and hangs up."""

    def __init__(self) -> None:
        self.heard = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"milvus://127.0.0.1:{self._socket.getsockname()[1]}/photos"
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.heard += 1
            connection.close()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@pytest.fixture
def listener() -> Iterator[Listener]:
    with closing(Listener()) as listener:
        yield listener


@pytest.fixture
def catalog(tmp_path, colours, monkeypatch) -> Path:
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (9, 9), COLOURS["red"]).save(tmp_path / "photos" / "red.png")
    with Catalog.open(tmp_path / "catalog", model="colours", create=True) as catalog:
        catalog.index(tmp_path / "photos")
        catalog.admin.backup(tmp_path / "b.sqlite3")
    monkeypatch.setenv("CLIPSEARCH_MILVUS_TOKEN", "alice:secret")
    return tmp_path / "catalog"


def set_url(file: Path, url: str | None) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE catalog SET index_url = ?", (url,))
        connection.commit()


def test_no_command_connects_to_a_server_that_the_file_names(catalog, tmp_path, listener, capfd):
    set_url(catalog / DATABASE_NAME, listener.url)
    for arguments in (
        ["query", "red"],
        ["query", "id:1"],
        ["index", str(tmp_path / "photos")],
        ["reindex"],
        ["status"],
        ["gc"],
        ["doctor"],
        ["doctor", "--fix"],
        ["dupes"],
        ["captions", "add", "--text", "a red thing"],
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ClipSearchNotice)
            code = run([*arguments, "--catalog", str(catalog)])
        out, err = capfd.readouterr()
        assert code in (0, 1, 2), arguments
        assert "secret" not in out + err and "Traceback" not in err
        assert len(err.splitlines()) <= 1, err
    assert listener.heard == 0
    with Catalog.open(catalog) as opened:
        assert "never named on this machine" in opened.admin.index_place().problem
        with pytest.raises(VectorIndexError, match="index --index URL"):
            opened.search("red")
        opened.admin.use_index("files")
        assert len(opened.search("red")) == 1


def test_a_restored_backup_has_its_index_in_files(catalog, tmp_path, listener):
    set_url(tmp_path / "b.sqlite3", listener.url)
    for place in (catalog, tmp_path / "new"):
        with pytest.warns(ClipSearchNotice, match="never named"):
            restore_catalog(tmp_path / "b.sqlite3", place)
        with Catalog.open(place) as opened:
            assert opened.admin.index_place().url is None
            assert len(opened.search("red")) == 1
    assert listener.heard == 0
    assert check_catalog(catalog).is_sound


@pytest.mark.parametrize(
    "url", ["milvus://me:pass@host/a", "http://host/", "milvus://", "milvus://h:99999999", "x" * 999]
)
def test_a_restored_url_that_is_none(catalog, tmp_path, url):
    set_url(tmp_path / "b.sqlite3", url)
    with pytest.warns(ClipSearchNotice, match="never named") as told:
        restore_catalog(tmp_path / "b.sqlite3", catalog)
    assert "pass@" not in str(told[0].message)
    set_url(catalog / DATABASE_NAME, url)
    report = check_catalog(catalog)
    assert [finding.check for finding in report.findings if finding.severity == "error"] == ["server"]


def test_a_named_server_stays_after_a_restore(catalog, tmp_path, listener):
    pytest.importorskip("pymilvus")
    set_url(tmp_path / "b.sqlite3", listener.url)
    assert remember(address(listener.url))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ClipSearchNotice)  # it hangs up
        restore_catalog(tmp_path / "b.sqlite3", catalog)
    assert listener.heard > 0
    with Catalog.open(catalog) as opened:
        assert opened.admin.index_place().url == listener.url


def test_what_was_named_is_kept_outside_of_any_catalog(tmp_path):
    one, other = address("milvus://db.example:1234/a?type=flat"), address("milvus://other.example/")
    assert not is_named(one)
    assert remember(one) and remember(other) and remember(one)
    assert is_named(address("milvus://DB.example:1234/another_collection"))
    assert is_named(other)
    file = Path(os.environ["CLIPSEARCH_CONFIG"]) / LIST_NAME
    assert file.read_text().split() == ["milvus://db.example:1234", "milvus://other.example:19530"]
    assert file.stat().st_mode & 0o077 == 0 or os.name != "posix"


@pytest.mark.parametrize(
    "url", ["milvus://db.example:1235/", "milvus://db.example.evil:1234/", "milvus://db.example:1234/?tls=1"]
)
def test_another_port_host_or_way_is_not_named(url):
    remember(address("milvus://db.example:1234/"))
    assert not is_named(address(url))


def test_without_tls_is_not_named_by_a_name_with_tls():
    remember(address("milvus://db.example:1234/?tls=1"))
    assert not is_named(address("milvus://db.example:1234/"))


def test_names_in_the_environment_count(monkeypatch):
    monkeypatch.setenv("CLIPSEARCH_INDEX_SERVERS", "milvus://a.example, milvus://b.example:9/?tls=1")
    assert is_named(address("milvus://a.example:19530/x"))
    assert is_named(address("milvus://b.example:9/y?tls=1"))
    assert not is_named(address("milvus://b.example:9/y"))
    monkeypatch.setenv("CLIPSEARCH_INDEX_SERVERS", "http://a.example")
    with pytest.raises(InputError, match="CLIPSEARCH_INDEX_SERVERS"):
        require_named(address("milvus://a.example"))


@pytest.mark.parametrize("content", [b"\xff\xfe", b"x" * (1 << 19), b""])
def test_a_damaged_list_names_nobody(content):
    folder = Path(os.environ["CLIPSEARCH_CONFIG"])
    folder.mkdir()
    (folder / LIST_NAME).write_bytes(content)
    with pytest.raises(VectorIndexError):
        require_named(address("milvus://a.example"))


@pytest.mark.parametrize(
    ("host", "expected"),
    [("localhost", True), ("127.0.0.1", True), ("127.9.9.9", True), ("[::1]", True), ("LOCALHOST", True)]
    + [(host, False) for host in ("localhost.evil.example", "0.0.0.0", "10.0.0.1", "127.0.0.1.example", "[::]")],
)
def test_this_machine_needs_no_naming_without_a_token(host, expected, monkeypatch):
    there = address(f"milvus://{host}:1/")
    assert is_here(there) is expected
    if expected:
        require_named(there)
    monkeypatch.setenv("CLIPSEARCH_MILVUS_TOKEN", "alice:secret")
    with pytest.raises(VectorIndexError, match="nothing was sent"):
        connect(f"milvus://{host}:1/", dim=4, catalog="a")


def test_a_token_that_others_can_read_is_told(catalog):
    pytest.importorskip("pymilvus")
    with (
        Catalog.open(catalog) as opened,
        pytest.warns(ClipSearchNotice, match="tls=1"),
        pytest.raises(VectorIndexError),
    ):
        opened.admin.use_index("milvus://host.invalid:1/")
    assert not is_named(address("milvus://host.invalid:1/"))
