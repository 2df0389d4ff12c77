"""Link pictures into another folder."""

import shutil
from pathlib import Path


def link_image(source: Path, target: Path) -> None:
    """Create a symbolic link, or a copy as a fallback."""
    try:
        target.symlink_to(source.resolve())
    except OSError:  # Windows requires a privilege
        shutil.copy(source, target)
