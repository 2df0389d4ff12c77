"""A small catalog of coloured squares, opened through the public API and the command line."""

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from PIL import Image

from clipsearch import Catalog
from tests.support.fakes import COLOURS


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


@contextlib.contextmanager
def another_process(catalog: Path, shown: str) -> Iterator[Callable[[], str]]:
    """Has the catalog open, and says whenever it is asked what `shown` gives of `index` and `paths`, by content."""
    code = (
        "import sys\nfrom pathlib import Path\nfrom clipsearch import Catalog\n"
        "with Catalog.open(sys.argv[1]) as catalog:\n"
        "    for line in sys.stdin:\n"
        "        index, paths = catalog._session.vector_index('images'), "
        "catalog._session.store.reader.paths(range(5000))\n"
        f"        print({shown}, flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, catalog], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:

        def ask() -> str:
            other.stdin.write("\n")
            other.stdin.flush()
            return other.stdout.readline().strip()

        try:
            yield ask
        finally:
            other.stdin.close()
