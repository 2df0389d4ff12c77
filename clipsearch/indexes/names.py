"""List index files by name and validate their folder, without loading FAISS."""

import os
import re
from pathlib import Path

from clipsearch.errors import VectorIndexError
from clipsearch.files import is_link, list_files

_HEX = "[0-9a-f]{16}"
_OWN = re.compile(
    rf"{_HEX}-(images|captions)(-{_HEX}\.(faiss|json)|\.\d{{1,10}}(\.json|\.rows)?\.new)|columns(-{_HEX}\.bin|\.\d{{1,10}}\.new)"
    rf"|written(-{_HEX}\.sqlite3|\.\d{{1,10}}\.new)|map(-{_HEX}\.bin|\.\d{{1,10}}\.new)",
    re.ASCII,
)


def list_own_files(folder: Path) -> list[Path]:
    """List index files and sidecars of all models, files of columns, of written words and of maps, sorted.

    None behind a symbolic link.
    """
    return list_files(folder, _OWN)


def require_own_folder(folder: Path) -> None:
    """Check that the folder of index files is a real folder.

    Raises:
        VectorIndexError: it is a link, which may lead to other files of the user, or it is not a folder.
    """
    if is_link(folder):
        raise VectorIndexError(
            f"{folder} is a link, and index files are neither read nor changed behind one: remove the link; the "
            "catalog's whole folder may be a link"
        )
    if os.path.lexists(folder) and not folder.is_dir():
        raise VectorIndexError(f"{folder} is not a folder, but index files go there: move it away")
