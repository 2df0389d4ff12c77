"""Read pairs of picture and caption: .jsonl, .csv or .tsv, and COCO JSON."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipsearch.captions.files import (
    CAPTION_KEYS,
    CAPTIONS,
    find_text,
    find_text_problem,
    find_value,
    first_broken,
    jsonl_entries,
    parse_json,
    read_known,
)
from clipsearch.captions.tables import find_column, read_rows
from clipsearch.errors import InputError
from clipsearch.quantities import count

# Columns and keys that hold the picture's path; the first one present takes precedence.
IMAGE_KEYS = ("image", "file_name")
_NO_IMAGE = f"no picture under {' or '.join(IMAGE_KEYS)}"


@dataclass(frozen=True, slots=True)
class CaptionPair:
    """A picture and one of its captions.

    Attributes:
        image: a path; the file may be missing.
        caption: one line, not empty.
    """

    image: Path
    caption: str


@dataclass(frozen=True, slots=True)
class CaptionPairs:
    """Pairs in file order, and invalid entries as (line number, or entry number of JSON, from 1; problem)."""

    pairs: tuple[CaptionPair, ...]
    broken: tuple[tuple[int, str], ...]


# One entry of a file: its number, the picture's path, the caption, and the problem ("" when it is valid).
_Entry = tuple[int, str, str, str]


def read_caption_pairs(path: Path, *, folder: Path | None = None) -> CaptionPairs:
    """Read a file of pairs, in the format of its suffix.

    Invalid entries are reported in the result and do not stop the others.

    Args:
        folder: base folder of relative paths; None for the folder of the file.

    Raises:
        InputError: unreadable file, unsupported suffix, or no pair in it.
    """
    readers = {".jsonl": _read_jsonl, ".csv": _read_csv, ".tsv": _read_csv, ".json": _read_json}
    lines = read_known(path, readers)
    base = path.parent if folder is None else folder
    pairs: list[CaptionPair] = []
    broken: list[tuple[int, str]] = []
    for number, image, caption, problem in readers[path.suffix.lower()](path, lines):
        reason = problem or find_text_problem(image + caption) or _find_empty_field(image, caption)
        if reason:
            broken.append((number, reason))
        else:
            pairs.append(CaptionPair(base / image, " ".join(caption.split())))
    if not pairs:
        raise InputError(f"{path} has no picture with a caption{first_broken(path, broken)}")
    return CaptionPairs(tuple(pairs), tuple(broken))


def _find_empty_field(image: str, caption: str) -> str:
    if not image.strip():
        return "the picture's name is empty"
    return "" if caption.strip() else "the caption is empty"


def _read_jsonl(path: Path, lines: Sequence[str]) -> Iterator[_Entry]:
    for number, entry, problem in jsonl_entries(lines):
        yield (number, "", "", problem) if problem else _entry(number, entry, find_value(entry, IMAGE_KEYS))


def _entry(number: int, entry: Any, image: str | None) -> _Entry:
    caption = find_text(entry)
    if image is None:
        return number, "", "", _NO_IMAGE
    return (number, "", "", CAPTIONS.no_text) if caption is None else (number, image, caption, "")


def _read_csv(path: Path, lines: Sequence[str]) -> Iterator[_Entry]:
    heading: list[str] | None = None
    image = caption = None
    for number, row, problem in read_rows(path, lines, IMAGE_KEYS, CAPTION_KEYS):
        if problem:
            yield number, "", "", problem
        elif heading is None:
            heading = row
            image, caption = find_column(row, IMAGE_KEYS), find_column(row, CAPTION_KEYS)
        elif len(row) != len(heading):
            yield number, "", "", f"{count(len(row), 'column')} instead of {len(heading)}"
        elif image is not None and caption is not None:
            yield number, row[image], row[caption], ""
        if heading is not None and (image is None or caption is None):
            raise InputError(f"{path}: the first line must name the columns, image and caption among them")


def _read_json(path: Path, lines: Sequence[str]) -> Iterator[_Entry]:
    """Yield pairs of COCO's {"images": [{"id": …, "file_name": …}], "annotations": [{"image_id": …, "caption": …}]}."""
    content = parse_json(path, lines)
    images, annotations = (
        (content.get("images"), content.get("annotations")) if isinstance(content, dict) else (None, None)
    )
    if not isinstance(images, list) or not isinstance(annotations, list):
        raise InputError(f"{path}: expected COCO's 'images' and 'annotations'")
    # Ids are compared as text, whether number or string; images without a name are ignored.
    names = {str(image.get("id")): find_value(image, ("file_name",)) for image in images if isinstance(image, dict)}
    for number, entry in enumerate(annotations, start=1):
        image_id = str(entry.get("image_id")) if isinstance(entry, dict) else "None"
        image = names.get(image_id)
        if image is None:
            yield number, "", "", f"'images' has no file_name for its image_id, {image_id}"
        else:
            yield _entry(number, entry, image)
