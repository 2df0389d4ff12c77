"""Sphinx configuration of the site: sphinx-build -W --keep-going -b html docs build/site"""

import re
import runpy
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
REPOSITORY = DOCS.parent

project = "clipsearch"
release = runpy.run_path(str(REPOSITORY / "clipsearch" / "version.py"))["__version__"]
extensions = ["myst_parser"]
myst_enable_extensions = ["html_image"]
myst_heading_anchors = 3
nitpicky = True
html_theme = "furo"
html_title = f"clipsearch {release}"
html_copy_source = False
html_show_copyright = False


def name_repository_files(app: Any, docname: str, source: list[str]) -> None:
    """Name files of the repository by their path: the site holds pages only, so a link to them would lead nowhere."""
    folder = (DOCS / docname).parent

    def path_instead(link: re.Match[str]) -> str:
        text, target = " ".join(link[1].split()), (folder / link[2]).resolve()
        if target.is_relative_to(DOCS) or not target.exists():
            return link[0]
        path = target.relative_to(REPOSITORY).as_posix()
        return text if path in text else f"{text} (`{path}`)"

    source[0] = re.sub(r"(?<!!)\[([^\]]+)\]\(((?:\.\./)+[^)#\s]+)\)", path_instead, source[0])


def setup(app: Any) -> None:
    app.connect("source-read", name_repository_files)
