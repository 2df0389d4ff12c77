"""Names of index files, and the folder they lie in. Loads no FAISS."""

import os
import re
from pathlib import Path

from clipsearch.errors import VectorIndexError
from clipsearch.files import is_link, list_files

_HEX = "[0-9a-f]{16}"
_OWN = re.compile(rf"{_HEX}-(images|captions)(-{_HEX}\.(faiss|json)|\.\d{{1,10}}(\.json)?\.new)", re.ASCII)


def list_own_files(folder: Path) -> list[Path]:
    """Index files and sidecars of any model, sorted, also those that are being written; none behind a link."""
    return list_files(folder, _OWN)


def require_own_folder(folder: Path) -> None:
    """
    Raises:
        VectorIndexError: the name is a link, and what lies behind it may be somebody's files, or it is no folder.
    """
    if is_link(folder):
        raise VectorIndexError(
            f"{folder} is a link, and index files are neither read nor changed behind one: remove the link; the "
            "catalog's whole folder may be one"
        )
    if os.path.lexists(folder) and not folder.is_dir():
        raise VectorIndexError(f"{folder} is in the place of the folder of index files: move it away")
