"""A small catalog of coloured squares, through the same doors as a user's."""

import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from PIL import Image

from clipsearch import Catalog, ClipSearchNotice
from clipsearch.cli import _show_warning, run
from clipsearch.encoders import load
from clipsearch.maintenance import checks
from tests.fakes import COLOURS, ColourEncoder


class Place(NamedTuple):
    catalog: Path
    photos: Path

    def paint(self, name: str, colour: str | tuple[int, int, int] | None = None) -> Path:
        path = self.photos / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (9, 9), COLOURS.get(colour or name, colour)).save(path)
        return path

    def open(self, **options) -> Catalog:
        return Catalog.open(self.catalog, **options)

    def index(self, **options) -> None:
        with self.open(model="colours", create=True) as catalog:
            catalog.index(self.photos, **options)

    def find(self, words: str, top_k: int = 100) -> list[str]:
        with self.open() as catalog:
            return names(catalog, words, top_k)

    def index_files(self, pattern: str = "*.faiss") -> list[Path]:
        return sorted((self.catalog / "indexes").glob(pattern))

    @property
    def database(self) -> Path:
        return self.catalog / "catalog.sqlite3"


def names(catalog: Catalog, words: str, top_k: int = 100) -> list[str]:
    return [Path(hit.path).stem for hit in catalog.search(words, top_k=top_k)]


def run_with_little_room(limit: int, *arguments: object) -> "subprocess.CompletedProcess[str]":
    """The command line in a process whose files may not grow beyond `limit` bytes, as on a full disk."""
    resource = pytest.importorskip("resource", reason="limits of POSIX")
    return subprocess.run(
        [sys.executable, "-m", "clipsearch", *map(str, arguments)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def colours(monkeypatch):
    """Models of colours under any name that begins with "colours"."""

    def load_colours(name: str, **options):
        if name.startswith("colours"):
            return ColourEncoder(name)
        return load_encoder(name, **options)

    load_encoder, is_here = load.load_encoder, checks._is_here
    monkeypatch.setattr(load, "load_encoder", load_colours)
    monkeypatch.setattr(checks, "_is_here", lambda name: name.startswith("colours") or is_here(name))


@pytest.fixture
def place(tmp_path, colours) -> Place:
    """Nothing is indexed yet."""
    return Place(tmp_path / "catalog", tmp_path / "photos")


@pytest.fixture(scope="session")
def _many(tmp_path_factory) -> Path:
    """Five pictures with names, 300 in shades of grey, and 300 captions: a database of some pages a table."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(load, "load_encoder", lambda name, **options: ColourEncoder(name))
        made = Place(tmp_path_factory.mktemp("many") / "catalog", tmp_path_factory.mktemp("photos") / "photos")
        for name in ("red", "green", "blue", "yellow", "white"):
            made.paint(name)
        for number in range(300):
            made.paint(f"shades/{number:03}", (number % 256, 128, 255 - number % 250))
        made.index()
        with made.open() as catalog:
            catalog.add_captions([f"red thing number {number}, of many" for number in range(300)])
    return made.catalog.parent, made.photos


@pytest.fixture
def filled(_many, tmp_path, colours) -> Place:
    """A copy of that catalog to be damaged; the pictures stay where they were."""
    shutil.copytree(_many[0] / "catalog", tmp_path / "catalog")
    return Place(tmp_path / "catalog", _many[1])


@pytest.fixture
def command(capfd, monkeypatch) -> Callable[..., tuple[int, str, str]]:
    """Runs the command line here: (exit code, stdout, stderr)."""

    def call(*arguments: object) -> tuple[int, str, str]:
        with warnings.catch_warnings():
            warnings.simplefilter("always", ClipSearchNotice)
            monkeypatch.setattr(warnings, "showwarning", _show_warning)
            code = run([str(argument) for argument in arguments])
        return code, *capfd.readouterr()

    return call
