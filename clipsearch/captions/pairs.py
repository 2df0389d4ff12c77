"""Reads which caption belongs to which picture: .jsonl, .csv or .tsv, and JSON as COCO has it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipsearch.captions.files import (
    CAPTION_KEYS,
    CAPTIONS,
    find_text,
    find_value,
    first_broken,
    jsonl_entries,
    parse_json,
    read_known,
    what_is_wrong,
)
from clipsearch.captions.tables import find_column, read_rows
from clipsearch.errors import InputError
from clipsearch.quantities import count

# Columns and keys that hold the picture's path, the first one present wins.
IMAGE_KEYS = ("image", "file_name")
_NO_IMAGE = f"no picture under {' or '.join(IMAGE_KEYS)}"


@dataclass(frozen=True, slots=True)
class CaptionPair:
    """
    Attributes:
        image: a path, which need not be there.
        caption: in one line, not empty.
    """

    image: Path
    caption: str


@dataclass(frozen=True, slots=True)
class CaptionPairs:
    """Pairs in the order of the file, and broken entries as (line number or, of JSON, entry from 1, what is wrong)."""

    pairs: tuple[CaptionPair, ...]
    broken: tuple[tuple[int, str], ...]


# One entry of a file: its number, the picture's path, the caption, and what is wrong ("" when nothing is).
_Entry = tuple[int, str, str, str]


def read_caption_pairs(path: Path, *, folder: Path | None = None) -> CaptionPairs:
    """Reads one file; its ending says how. Broken entries are reported and the others kept.

    Args:
        folder: what the paths of pictures are relative to; None: the file's own.

    Raises:
        InputError: it can't be read, is of no known kind, or has no pair.
    """
    readers = {".jsonl": _read_jsonl, ".csv": _read_csv, ".tsv": _read_csv, ".json": _read_json}
    lines = read_known(path, readers)
    base = path.parent if folder is None else folder
    pairs: list[CaptionPair] = []
    broken: list[tuple[int, str]] = []
    for number, image, caption, wrong in readers[path.suffix.lower()](path, lines):
        reason = wrong or what_is_wrong(image + caption) or _what_is_empty(image, caption)
        if reason:
            broken.append((number, reason))
        else:
            pairs.append(CaptionPair(base / image, " ".join(caption.split())))
    if not pairs:
        raise InputError(f"{path} has no picture with a caption{first_broken(path, broken)}")
    return CaptionPairs(tuple(pairs), tuple(broken))


def _what_is_empty(image: str, caption: str) -> str:
    if not image.strip():
        return "the picture's name is empty"
    return "" if caption.strip() else "the caption is empty"


def _read_jsonl(path: Path, lines: Sequence[str]) -> Iterator[_Entry]:
    for number, entry, wrong in jsonl_entries(lines):
        yield (number, "", "", wrong) if wrong else _entry(number, entry, find_value(entry, IMAGE_KEYS))


def _entry(number: int, entry: Any, image: str | None) -> _Entry:
    caption = find_text(entry)
    if image is None:
        return number, "", "", _NO_IMAGE
    return (number, "", "", CAPTIONS.no_text) if caption is None else (number, image, caption, "")


def _read_csv(path: Path, lines: Sequence[str]) -> Iterator[_Entry]:
    heading: list[str] | None = None
    image = caption = None
    for number, row, wrong in read_rows(path, lines, IMAGE_KEYS, CAPTION_KEYS):
        if wrong:
            yield number, "", "", wrong
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
    """COCO's {"images": [{"id": …, "file_name": …}], "annotations": [{"image_id": …, "caption": …}]}."""
    content = parse_json(path, lines)
    images, annotations = (
        (content.get("images"), content.get("annotations")) if isinstance(content, dict) else (None, None)
    )
    if not isinstance(images, list) or not isinstance(annotations, list):
        raise InputError(f"{path}: expected COCO's 'images' and 'annotations'")
    # Numbers and texts alike are known by how they are written; what has no name is no picture.
    names = {str(image.get("id")): find_value(image, ("file_name",)) for image in images if isinstance(image, dict)}
    for number, entry in enumerate(annotations, start=1):
        image_id = str(entry.get("image_id")) if isinstance(entry, dict) else "None"
        image = names.get(image_id)
        if image is None:
            yield number, "", "", f"'images' has no file_name for its image_id, {image_id}"
        else:
            yield _entry(number, entry, image)
