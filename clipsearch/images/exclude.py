"""Exclude folders and files by pattern: `--exclude`, and subfolders that were forgotten."""

from collections.abc import Sequence
from itertools import accumulate

from clipsearch.errors import InputError
from clipsearch.images.ignore import IgnoreRules
from clipsearch.images.patterns import as_text


class Exclusion:
    """Exclude patterns of one folder. They come before all ignore files, which can't re-include anything."""

    def __init__(self, patterns: Sequence[str]) -> None:
        """Compile the patterns.

        Args:
            patterns: in gitignore syntax, the last match decides; paths are relative to the folder.

        Raises:
            InputError: a pattern is invalid, or there are too many.
        """
        try:
            self._rules = IgnoreRules().with_folder("", patterns)
        except InputError as error:
            raise InputError(f"invalid exclude patterns: {error}") from error

    def excludes(self, relative_path: str, *, is_folder: bool) -> bool:
        """Return whether a path is excluded, provided that the folders above it are not."""
        return self._rules.ignore(as_text(relative_path), is_folder=is_folder)

    def excludes_folder(self, relative_path: str) -> bool:
        """Return whether a folder or one above it is excluded."""
        folders = accumulate(relative_path.split("/"), lambda above, name: f"{above}/{name}")
        return any(self.excludes(folder, is_folder=True) for folder in folders)

    def excludes_file(self, relative_path: str) -> bool:
        """Return whether a file or a folder above it is excluded."""
        folder = relative_path.rpartition("/")[0]
        return (folder != "" and self.excludes_folder(folder)) or self.excludes(relative_path, is_folder=False)


def make_exclusion(patterns: Sequence[str]) -> Exclusion | None:
    """Compile exclude patterns; None for none, because the result is checked for every file."""
    return Exclusion(patterns) if patterns else None
