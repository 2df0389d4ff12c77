"""A catalog of painted pictures."""

from pathlib import Path

import pytest
from PIL import Image

from clipsearch import Catalog
from tests.support.fakes import COLOURS


def paint(folder: Path, **pictures) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, colour in pictures.items():
        Image.new("RGB", (16, 12), COLOURS.get(colour, colour)).save(folder / f"{name}.png")


@pytest.fixture
def photos(tmp_path) -> Path:
    folder = tmp_path / "photos"
    paint(folder, red="red", green="green", blue="blue", copy="red")
    paint(folder / "more", yellow="yellow")
    return folder


def open_catalog(place: Path, model: str | None = "colours") -> Catalog:
    return Catalog.open(place, model=model, create=True)


@pytest.fixture
def catalog(tmp_path, photos):
    with open_catalog(tmp_path / "catalog") as catalog:
        catalog.index(photos)
        yield catalog
