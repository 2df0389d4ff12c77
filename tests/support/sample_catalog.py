"""One catalog of the sample pictures for the session, copied by the tests that need it."""

import shutil
from pathlib import Path

from filelock import FileLock

from clipsearch import Catalog
from clipsearch.paths import sample_data_folder


class SampleCatalog:
    """All sample pictures, indexed by the starter model where they lie; no captions."""

    def __init__(self, folder: Path) -> None:
        """`folder`: the same one for all workers of a session."""
        self._folder = folder

    def copy_to(self, directory: Path) -> Path:
        """Copy the catalog to a directory that does not exist yet."""
        self._folder.mkdir(exist_ok=True)
        made = self._folder / "catalog"
        with FileLock(self._folder / "lock"):
            if not made.exists():
                with Catalog.open(self._folder / "fresh", model="starter", create=True) as catalog:
                    catalog.index(sample_data_folder())
                (self._folder / "fresh").rename(made)
        return Path(shutil.copytree(made, directory))
