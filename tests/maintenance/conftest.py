"""A small catalog of coloured squares, through the same doors as a user's."""

import shutil
from collections.abc import Callable

import pytest

from clipsearch.cli import NoticePrinter, run
from clipsearch.encoders import load
from clipsearch.maintenance import checks
from clipsearch.notices import LOGGER
from tests.support.catalog_place import Place
from tests.support.fakes import ColourEncoder


@pytest.fixture
def colours(colours, monkeypatch):
    """Their files are here, too."""
    is_here = checks._is_here
    monkeypatch.setattr(checks, "_is_here", lambda name: name.startswith("colours") or is_here(name))


@pytest.fixture
def place(tmp_path, colours) -> Place:
    """Nothing is indexed yet."""
    return Place(tmp_path / "catalog", tmp_path / "photos")


@pytest.fixture(scope="session")
def _many(tmp_path_factory) -> Place:
    """Five pictures with names, 300 in shades of grey, and 300 captions: a database of some pages a table."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(load, "load_encoder", lambda options: ColourEncoder(options.name))
        made = Place(tmp_path_factory.mktemp("many") / "catalog", tmp_path_factory.mktemp("photos") / "photos")
        for name in ("red", "green", "blue", "yellow", "white"):
            made.paint(name)
        for number in range(300):
            made.paint(f"shades/{number:03}", (number % 256, 128, 255 - number % 250))
        made.index()
        with made.open() as catalog:
            catalog.captions.add([f"red thing number {number}, of many" for number in range(300)])
    return made


@pytest.fixture
def filled(_many, tmp_path, colours) -> Place:
    """A copy of that catalog to be damaged; the pictures stay where they were."""
    shutil.copytree(_many.catalog, tmp_path / "catalog")
    return Place(tmp_path / "catalog", _many.photos)


@pytest.fixture
def command(capfd, monkeypatch) -> Callable[..., tuple[int, str, str]]:
    """Runs the command line here: (exit code, stdout, stderr)."""

    def call(*arguments: object) -> tuple[int, str, str]:
        with monkeypatch.context() as patch:
            patch.setattr(LOGGER, "handlers", [NoticePrinter()])
            code = run([str(argument) for argument in arguments])
        return code, *capfd.readouterr()

    return call
