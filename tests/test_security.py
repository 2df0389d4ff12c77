"""What docs/security.md promises."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from clipsearch import Catalog
from clipsearch.errors import ImageReadError
from clipsearch.images.decode import decode_image
from clipsearch.paths import cache_dir, sample_data_folder
from tests.support.command_line import Done, run, run_script
from tools import audit

SAMPLES = sample_data_folder()
posix = pytest.mark.skipif(os.name != "posix", reason="needs permissions and names as POSIX has them")


# ------------------------------------------------------------------ nothing that is read is run

FORBIDDEN_MODULES = {"pickle", "marshal", "shelve", "dill", "joblib", "cloudpickle", "yaml", "code", "codeop"}
FORBIDDEN_CALLS = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "torch.load", "np.load", "numpy.load",
    "torch.jit.load", "torch.hub.load", "yaml.load", "subprocess.getoutput", "subprocess.getstatusoutput",
}  # fmt: skip


def name_of(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{name_of(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def dangers(source: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            found += [name for name in names if name.split(".")[0] in FORBIDDEN_MODULES]
        elif isinstance(node, ast.Call):
            if name_of(node.func) in FORBIDDEN_CALLS:
                found.append(name_of(node.func))
            for keyword in node.keywords:
                value = keyword.value.value if isinstance(keyword.value, ast.Constant) else "not a constant"
                if keyword.arg in ("shell", "allow_pickle", "trust_remote_code") and value is not False:
                    found.append(f"{keyword.arg}={value}")
    return found


def test_no_module_can_run_what_it_reads(repository):
    modules = sorted((repository / "clipsearch").rglob("*.py")) + sorted((repository / "migrations").rglob("*.py"))
    assert len(modules) > 80
    found = {f"{path.parent.name}/{path.name}": dangers(path.read_text(encoding="utf-8")) for path in modules}
    # What goes through Ray, which pickles all that it carries: whoever can write there can run what he likes anyway.
    for name in ("ray/runner.py", "ray/tasks.py"):
        assert found.pop(name) == ["pickle"]
    assert {name: dangerous for name, dangerous in found.items() if dangerous} == {}


@pytest.mark.parametrize(
    "code",
    ["import pickle", "from pickle import loads", "torch.load(x)", "np.load(x)", "eval(x)", "run(x, shell=True)",
     "AutoModel.from_pretrained(x, trust_remote_code=y)", "import os\nos.system('x')"],
)  # fmt: skip
def test_the_walk_sees_what_it_looks_for(code):
    assert dangers(code)


# ------------------------------------------------------------------ for the owner's eyes


@posix
@pytest.mark.empty_cache
def test_what_is_written_is_the_owners_alone(tmp_path, tiny_clips):
    """With the umask that most systems have, and while the catalog is in use."""
    model = str(tiny_clips.find_compiled())
    before = os.umask(0o022)
    try:
        with Catalog.open(tmp_path / "c", model=model, create=True) as catalog:
            catalog.index(SAMPLES / "food")
            catalog.captions.add(["a glazed donut"])
            catalog.search("a glazed donut")
            catalog.pictures.thumbnail(1)
            check_closed(cache_dir() / "thumbnails")
            with catalog._session.store.writing():
                written = {path.name for path in (tmp_path / "c").rglob("*")}
                assert {"catalog.sqlite3", "catalog.sqlite3-wal", "catalog.sqlite3-shm", "writer.lock"} <= written
                assert {Path(name).suffix for name in written} >= {".faiss", ".json"}
                check_closed(tmp_path / "c")
        check_closed(tmp_path / "c")
    finally:
        os.umask(before)
    assert cache_dir().stat().st_mode & 0o777 == 0o700
    kept = {path.name for path in cache_dir().iterdir()}
    assert kept >= {"texts.sqlite3", "openvino"}
    # Nobody else gets past the folder; the files with texts and paths are closed in themselves.
    for name in kept & {"texts.sqlite3", "file-hashes.json", "openvino"}:
        assert (cache_dir() / name).stat().st_mode & 0o077 == 0, name


def check_closed(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        assert path.stat().st_mode & 0o077 == 0, path


@posix
def test_the_cache_is_the_owners_alone_whatever_makes_it(tmp_path, monkeypatch, tiny_clips):
    from clipsearch.encoders import fingerprint, text_cache
    from clipsearch.encoders.openvino import cache as compile_cache

    model = Path(shutil.copytree(tiny_clips.find_source(), tmp_path / "model"))
    before = os.umask(0o022)
    try:
        monkeypatch.setenv("CLIPSEARCH_CACHE", str(tmp_path / "1" / "cache"))
        monkeypatch.setattr(fingerprint, "MEMO_MIN_BYTES", 1)
        os.utime(model / "config.json", (1e9, 1e9))
        fingerprint.hash_file(model / "config.json")
        monkeypatch.setenv("CLIPSEARCH_CACHE", str(tmp_path / "2" / "cache"))
        compile_cache._remember_refusal(compile_cache._target(model), "no such operation")
        monkeypatch.setenv("CLIPSEARCH_CACHE", str(tmp_path / "3" / "cache"))
        with Catalog.open(tmp_path / "c", model="starter", create=True) as catalog:
            text_cache.put_embeddings(["a cat"], catalog.encoder.encode_texts(["a cat"]), fingerprint="0" * 64)
    finally:
        os.umask(before)
    for number in (1, 2, 3):
        assert (tmp_path / str(number) / "cache").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "1" / "cache" / "file-hashes.json").stat().st_mode & 0o777 == 0o600


# ------------------------------------------------------------------ names that steer the terminal

ODD_NAMES = [
    b"\x1b]0;owned\x07\x1b[2J.jpg",
    b"line\nbreak\r.jpg",
    "\u202egpj.exe.jpg".encode(),
    b"caf\xe9 \x9b31m.jpg",
    "\u2066hidden\u200b\ufeff.jpg".encode(),
    b"--\x1b[31m.jpg",
]


def output_of(*arguments: object, cwd: Path, code: int = 0, run: Callable[..., Done] = run) -> bytes:
    done = run(*arguments, code=code, cwd=cwd)
    return (done.stdout + done.stderr).encode("utf-8", "surrogateescape")


def check_harmless(output: bytes) -> None:
    text = output.decode("utf-8")  # bytes that are none would be shown as the terminal likes
    odd = {character for character in text if unicodedata.category(character)[0] == "C" and character != "\n"}
    assert odd == set(), text
    assert "\u2028" not in text


@posix
@pytest.mark.skipif(sys.platform == "darwin", reason="names must be UTF-8 there")
def test_names_steer_no_terminal(tmp_path, monkeypatch):
    monkeypatch.setenv("CLIPSEARCH_CATALOG", str(tmp_path / "c"))
    photos = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\x1b[1mphotos\n"))
    photos.mkdir()
    for number, name in enumerate(ODD_NAMES):
        path = os.fsencode(photos) + b"/" + name
        if number % 2:
            Path(os.fsdecode(path)).write_bytes(b"no picture")
        else:
            shutil.copy(SAMPLES / "food" / "donut.png", path)
    output = output_of("index", ".", "--model", "starter", cwd=photos, run=run_script)
    assert output.count(b"  skipped ") == 3
    check_harmless(output)
    (photos / "captions\x1b[2J.txt").write_bytes(b"a cat \x1b[31m\n\xff\na \xe2\x80\xaedonut\n")
    for code, *arguments in (
        (0, "query", "a donut"),
        (0, "query", "--text", b"\x1b[31m a donut"),
        (0, "query", "--json", "a donut"),
        (0, "status"),
        (0, "status", "--json"),
        (0, "captions", "add", "captions\x1b[2J.txt"),
        (0, "captions", "list"),
        (0, "caption", b"./" + ODD_NAMES[0]),
        (1, "caption", b"./" + ODD_NAMES[1]),
        (0, "classify", b"./" + ODD_NAMES[0], "a donut", b"a \x1b[31m cat"),
        (0, "classify", "a donut", "--images", b"./" + ODD_NAMES[0], b"./" + ODD_NAMES[2], b"./" + ODD_NAMES[4]),
        (2, "classify", "a donut", "--images", *ODD_NAMES),
        (2, "query", b"./gone\x1b[2J\n.jpg"),
        (2, "query", b"https://example.org/\x1b[2J.jpg"),
        (2, "index", b"gone\x1b[2J\n"),
        (2, "index", "--catalog", b"\x1b[2J\n/c"),
        (2, "captions", "add", b"gone\x1b[2J\xff.txt"),
        (4, "model", "inspect", b"./\x1b[2J"),
        (0, b"\x1b[2J\n"),  # no command: a query
        (2, "query", b"--\x1b[2J\n"),
    ):
        output = output_of(*arguments, cwd=photos, code=code)
        assert output, arguments
        check_harmless(output)
    # For other programs names stay what they are.
    names = output_of("query", "a donut", "--print0", cwd=photos, run=run_script).split(b"\0")
    assert os.fsencode(photos) + b"/" + ODD_NAMES[0] in names


# ------------------------------------------------------------------ nothing is fetched, nothing is started

WATCH = """
import json, os, runpy, subprocess, sys
sys.path[0] = ""  # not the folder of this script
asked = []
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.gethostbyname", "urllib.Request"):
        asked.append((event, arguments))
sys.addaudithook(watch)

def run_module(name, *arguments):
    before, sys.argv = sys.argv, [name, *arguments]
    try:
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        return end.code or 0
    finally:
        sys.argv = before
    return 0

def compile_here(arguments, **variables):
    return subprocess.CompletedProcess(arguments, run_module(*arguments[1:]), "", "")

from clipsearch.encoders.openvino import cache
cache.run_python = compile_here  # instead of a process that is not watched
codes = []
for command in json.loads(sys.argv[1]):
    codes.append(run_module("clipsearch", *command))
    print(end="\\0", flush=True)
os.write(1, f"{codes} asked {asked}".encode())
os._exit(0)
"""


def watched(*commands: tuple[object, ...], tmp_path: Path) -> list[str]:
    """Run commands in one process, with the model hub allowed; fails when the network is asked."""
    environment = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
    environment |= {"HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[1])}
    (tmp_path / "watch.py").write_text(WATCH)
    command = [sys.executable, tmp_path / "watch.py", json.dumps(commands, default=str)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=300)
    *outputs, last = done.stdout.split("\0")
    assert last == f"{[0] * len(commands)} asked []", (done.stdout, done.stderr)
    return outputs


def test_the_starter_asks_no_network(tmp_path):
    catalog = ("--catalog", tmp_path / "c")
    _, by_words, by_picture = watched(
        ("index", SAMPLES / "food", *catalog, "--model", "starter"),
        ("query", "a donut", *catalog),
        ("query", SAMPLES / "food" / "donut.png", *catalog),
        tmp_path=tmp_path,
    )
    assert "food" in by_words
    assert "donut" in by_picture


def test_a_model_that_is_here_asks_no_network(tmp_path, tiny_clips):
    """Neither with torch nor while it is compiled nor after that."""
    catalog, compiled = ("--catalog", tmp_path / "c"), cache_dir() / "compiled"
    model = tiny_clips.find_source()
    assert not compiled.exists()
    _, by_torch, *_, by_words, by_picture = watched(
        ("index", SAMPLES / "food", *catalog, "--model", model, "--runtime", "torch"),
        ("query", "snow", *catalog, "--runtime", "torch"),
        ("index", SAMPLES / "animals", *catalog),
        ("query", "a donut", *catalog),
        ("query", SAMPLES / "food" / "donut.png", *catalog),
        tmp_path=tmp_path,
    )
    assert "food" in by_torch
    assert "food" in by_words
    assert "donut" in by_picture
    assert len([path for path in compiled.iterdir() if path.suffix != ".int8"]) == 1


POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"
DOS_EPS = b"\xc5\xd0\xd3\xc6\x1e\0\0\0" + len(POSTSCRIPT).to_bytes(4, "little") + bytes(18) + POSTSCRIPT
SCRIPTS = {
    "eps": POSTSCRIPT,
    "dos eps": DOS_EPS,
    "ps": b"%!PS\nshowpage\n",
    "pdf": b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n%%EOF\n",
}


@posix
@pytest.mark.parametrize("kind", SCRIPTS)
def test_no_picture_starts_a_program(tmp_path, monkeypatch, kind):
    (tmp_path / "bin").mkdir()
    for name in ("gs", "gswin64c", "ps2pdf", "sh"):
        program = tmp_path / "bin" / name
        program.write_text(f"#!/bin/bash\ntouch '{tmp_path}/was started'\n")
        program.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    (tmp_path / "photos").mkdir()
    for suffix in ("jpg", "png", "tif", "eps", "pdf"):
        (tmp_path / "photos" / f"a.{suffix}").write_bytes(SCRIPTS[kind])
    with Catalog.open(tmp_path / "c", model="starter", create=True) as catalog:
        report = catalog.index(tmp_path / "photos")
    assert {skipped.reason for skipped in report.skipped} == {"not a picture of a kind that can be read"}
    Image.init()  # a program around that has registered every format
    with pytest.raises(ImageReadError, match="not a picture of a kind"):
        decode_image(SCRIPTS[kind])
    assert not (tmp_path / "was started").exists()


# ------------------------------------------------------------------ the audit


def test_the_audit_tells_what_is_not_ignored(monkeypatch):
    found = {"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["2.0"]}
    report = {
        "dependencies": [
            {"name": "a", "version": "1.0", "vulns": [found]},
            {"name": "b", "version": "1.0", "vulns": []},
            {"name": "c", "skip_reason": "not found"},
        ]
    }
    assert audit.known_vulnerabilities(report) == (2, ["a 1.0: PYSEC-1, mended in 2.0"])
    monkeypatch.setattr(audit, "IGNORED", {"CVE-1": "not called here"})
    assert audit.known_vulnerabilities(report) == (2, [])
    assert any(re.fullmatch(r"pillow==[\d.]+", line) for line in audit.requirements())


@pytest.mark.parametrize("answer", ["", "no JSON", '{"dependencies": [{"name": "a", "skip_reason": "?"}]}'])
def test_an_audit_that_can_not_be_made_fails_nothing(tmp_path, monkeypatch, capsys, answer):
    program = tmp_path / "pip-audit"
    program.write_text(f"#!/bin/sh\necho '{answer}'\nexit 1\n")
    program.chmod(0o700)
    for name in (str(program), str(tmp_path / "missing")):
        monkeypatch.setattr(sys, "argv", ["audit.py", name])
        assert audit.main() == 0
        assert capsys.readouterr().out == "left out: pip-audit can't reach its service\n"
