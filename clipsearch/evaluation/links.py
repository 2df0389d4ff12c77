"""Pictures of one folder shown in another."""

import shutil
from pathlib import Path


def link_image(source: Path, target: Path) -> None:
    """A link where the system makes one, else a copy."""
    try:
        target.symlink_to(source.resolve())
    except OSError:  # Windows asks for a privilege
        shutil.copy(source, target)
