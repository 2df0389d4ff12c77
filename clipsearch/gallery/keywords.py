"""Write keywords of pictures to XMP sidecars beside their files."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from clipsearch.errors import InputError
from clipsearch.gallery.details import PictureDetails
from clipsearch.paths import is_folder_url

MOST_KEYWORDS, MOST_CHARACTERS = 100, 300
"""Upper limits of the keywords that are written at once, and of the length of one."""


@dataclass(frozen=True, slots=True)
class KeywordReport:
    """Result of writing keywords.

    Attributes:
        written: number of sidecars that were made or changed.
        failed: why others can't be written, a line each.
    """

    written: int
    failed: tuple[str, ...]


def add_keywords(pictures: Iterable[PictureDetails], keywords: Sequence[str]) -> KeywordReport:
    """Add keywords to the sidecars of all files of pictures; the files themselves are not changed.

    Raises:
        InputError: there are no keywords, too many, or one is empty, too long or has control characters.
    """
    from clipsearch.images.xmp.sidecars import add_keywords as add_to_sidecar

    words = list(dict.fromkeys(" ".join(each.split()) for each in keywords))
    if not 0 < len(words) <= MOST_KEYWORDS:
        raise InputError(f"give 1 to {MOST_KEYWORDS} keywords, not {len(words)}")
    for word in words:
        if not word or len(word) > MOST_CHARACTERS or not word.isprintable():
            raise InputError(f"not a keyword: {word[:80]!r}; it has 1 to {MOST_CHARACTERS} characters")
    written, failed = 0, []
    for path in (path for picture in pictures for path in picture.paths):
        try:
            if is_folder_url(path):
                raise InputError(f"{path} is a URL: can't write a sidecar there")
            if not os.path.lexists(path):
                raise InputError(f"{path} is not there: moved, deleted, or on a drive that is not mounted")
            written += add_to_sidecar(Path(path), words)
        except InputError as error:
            failed.append(str(error))
    return KeywordReport(written, tuple(failed))
