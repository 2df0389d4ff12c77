"""What the user has left out of a folder by name: `--exclude`, and subfolders that were forgotten."""

from collections.abc import Sequence
from itertools import accumulate

from clipsearch.errors import InputError
from clipsearch.images.ignore import IgnoreRules
from clipsearch.images.patterns import as_text


class Exclusion:
    """Comes before all ignore files, which can't take anything of it back."""

    def __init__(self, patterns: Sequence[str]) -> None:
        """
        Args:
            patterns: in the syntax of gitignore, the last that fits decides; paths are relative to the folder.

        Raises:
            InputError: one can't be understood, or there are too many.
        """
        try:
            self._rules = IgnoreRules().with_folder("", patterns)
        except InputError as error:
            raise InputError(f"what to leave out can't be used: {error}") from error

    def leaves_out(self, relative_path: str, *, is_folder: bool) -> bool:
        """Whether a path is left out, provided that the folders above it are not."""
        return self._rules.ignore(as_text(relative_path), is_folder=is_folder)

    def leaves_out_folder(self, relative_path: str) -> bool:
        """Whether a folder is left out, or one above it."""
        folders = accumulate(relative_path.split("/"), lambda above, name: f"{above}/{name}")
        return any(self.leaves_out(folder, is_folder=True) for folder in folders)

    def leaves_out_file(self, relative_path: str) -> bool:
        """Whether a file is left out, or a folder above it."""
        folder = relative_path.rpartition("/")[0]
        return (folder != "" and self.leaves_out_folder(folder)) or self.leaves_out(relative_path, is_folder=False)


def exclusion_of(patterns: Sequence[str]) -> Exclusion | None:
    """None where nothing is left out: that is asked for every file."""
    return Exclusion(patterns) if patterns else None
