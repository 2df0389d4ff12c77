"""Reads caption files: .txt (a line each), .csv, .jsonl, and JSON as COCO has it."""

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipsearch.errors import InputError
from clipsearch.quantities import count
from clipsearch.tables import check_list, find_column, read_lines, read_rows
from clipsearch.texts import is_valid

# Columns and keys that hold the caption, the first one present wins.
CAPTION_KEYS = ("caption", "text", "title", "sentence", "description")
NO_TEXT = f"no text under {', '.join(CAPTION_KEYS)}"


@dataclass(frozen=True, slots=True)
class CaptionFile:
    """What a caption file holds: texts in order, and broken lines as (line number from 1, what is wrong)."""

    texts: tuple[str, ...]
    broken: tuple[tuple[int, str], ...]


def read_caption_file(path: Path) -> CaptionFile:
    """Reads one file; its ending says how. Broken lines are reported and the others kept. Empty lines don't count.

    Raises:
        InputError: it can't be read, or is of no known kind.
    """
    readers = {".txt": _read_text, ".csv": _read_csv, ".tsv": _read_csv, ".jsonl": _read_jsonl, ".json": _read_json}
    lines = read_known(path, readers)
    texts: list[str] = []
    broken: list[tuple[int, str]] = []
    for number, text, wrong in readers[path.suffix.lower()](path, lines):
        reason = wrong or what_is_wrong(text)
        if reason:
            broken.append((number, reason))
        elif text.strip():
            texts.append(" ".join(text.split()))
    return CaptionFile(tuple(texts), tuple(sorted(broken)))


def read_known(path: Path, suffixes: Collection[str]) -> list[str]:
    """The lines of a file with one of these endings; see `tables.read_lines`.

    Raises:
        InputError: it can't be read, or has another ending.
    """
    if path.suffix.lower() not in suffixes:
        raise InputError(f"{path}: captions come as {', '.join(sorted(suffixes))}")
    return read_lines(path)


# One row of a file: line number, text, and what is wrong ("" when nothing is).
_Row = tuple[int, str, str]


def what_is_wrong(text: str) -> str:
    """ "" when nothing is."""
    if not is_valid(text):
        return "not UTF-8"
    return "holds a NUL character" if "\0" in text else ""


def _read_text(path: Path, lines: list[str]) -> Iterator[_Row]:
    check_list(path, lines, CAPTION_KEYS)
    for number, line in enumerate(lines, start=1):
        yield number, line, ""


def _read_jsonl(path: Path, lines: list[str]) -> Iterator[_Row]:
    for number, entry, wrong in jsonl_entries(lines):
        text = None if wrong else find_text(entry)
        yield number, text or "", wrong or ("" if text is not None else NO_TEXT)


def jsonl_entries(lines: Sequence[str]) -> Iterator[tuple[int, Any, str]]:
    """(line number from 1, what it holds, what is wrong) of each line that is not empty."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            yield number, None, "not JSON"
        else:
            yield number, entry, ""


def _read_csv(path: Path, lines: list[str]) -> Iterator[_Row]:
    """The column headed caption, text, …; in a file with a single column, that one, with or without a heading."""
    column: int | None = None
    width = 0
    for number, row, wrong in read_rows(path, lines, CAPTION_KEYS):
        if wrong:
            yield number, "", wrong
            continue
        if column is None:
            column = find_column(row, CAPTION_KEYS)
            width = len(row)
            if column is not None:
                continue
            if width > 1:
                raise InputError(f"{path}: no column named {', '.join(CAPTION_KEYS)} in the first line")
            column = 0
        if len(row) != width:
            yield number, "", f"{count(len(row), 'column')} instead of {width}"
        else:
            yield number, row[column], ""


def _read_json(path: Path, lines: list[str]) -> Iterator[_Row]:
    """COCO's {"annotations": [{"caption": …}]}, or a plain list of texts or objects."""
    content = parse_json(path, lines)
    entries = content.get("annotations") if isinstance(content, dict) else content
    if not isinstance(entries, list):
        raise InputError(f"{path}: expected COCO's 'annotations' or a list of captions")
    for number, entry in enumerate(entries, start=1):
        text = find_text(entry)
        yield number, text or "", "" if text is not None else NO_TEXT


def parse_json(path: Path, lines: Sequence[str]) -> Any:
    """
    Raises:
        InputError: it is no JSON.
    """
    try:
        return json.loads("\n".join(lines))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON: {error}") from error


def find_text(entry: Any) -> str | None:
    """The caption in what a line holds: a text, or an object with one under one of `CAPTION_KEYS`."""
    return entry if isinstance(entry, str) else find_value(entry, CAPTION_KEYS)


def find_value(entry: Any, keys: Sequence[str]) -> str | None:
    """The text that an object has under one of the keys, in any case; the first that is there wins."""
    if isinstance(entry, dict):
        for key in keys:
            if isinstance(entry.get(key), str):
                return str(entry[key])
        lowered = {key.strip().lower(): value for key, value in entry.items() if isinstance(value, str)}
        return next((lowered[key] for key in keys if key in lowered), None)
    return None
