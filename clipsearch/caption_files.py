"""Reads caption files: .txt (a line each), .csv, .jsonl, and JSON as COCO has it."""

import csv
import io
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipsearch.errors import InputError
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
    lines = read_lines(path, readers)
    texts: list[str] = []
    broken: list[tuple[int, str]] = []
    for number, text, wrong in readers[path.suffix.lower()](path, lines):
        reason = wrong or what_is_wrong(text)
        if reason:
            broken.append((number, reason))
        elif text.strip():
            texts.append(" ".join(text.split()))
    return CaptionFile(tuple(texts), tuple(sorted(broken)))


def read_lines(path: Path, suffixes: Collection[str]) -> list[str]:
    """The lines of a file with one of these endings; bytes that are not UTF-8 become lone surrogates.

    No valid file holds those: `what_is_wrong` finds them, wherever they stand.

    Raises:
        InputError: it can't be read, or has another ending.
    """
    if path.suffix.lower() not in suffixes:
        raise InputError(f"{path}: captions come as {', '.join(sorted(suffixes))}")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"can't read {path}: {error.strerror}") from error
    return [line.decode("utf-8", "surrogateescape") for line in data.removeprefix(b"\xef\xbb\xbf").splitlines()]


# One row of a file: line number, text, and what is wrong ("" when nothing is).
_Row = tuple[int, str, str]


def what_is_wrong(text: str) -> str:
    """ "" when nothing is."""
    if not is_valid(text):
        return "not UTF-8"
    return "holds a NUL character" if "\0" in text else ""


def _read_text(path: Path, lines: list[str]) -> Iterator[_Row]:
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
    for number, row, wrong in csv_rows(path, lines):
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
            yield number, "", f"{len(row)} columns instead of {width}"
        else:
            yield number, row[column], ""


def csv_rows(path: Path, lines: Sequence[str]) -> Iterator[tuple[int, list[str], str]]:
    """(line number from 1, fields, what is wrong) of each row that is not empty; tabs divide those of a .tsv."""
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    reader = csv.reader(io.StringIO("\n".join(lines)), delimiter=delimiter, strict=True)
    start = 1
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield start, [], str(error).replace("'\t'", "a tab")
            start = reader.line_num + 1
            continue
        # A quoted field may span lines: the row is known by its first one.
        number, start = start, reader.line_num + 1
        if any(field.strip() for field in row):
            yield number, row, ""


def find_column(heading: Sequence[str], keys: Sequence[str]) -> int | None:
    """Which field of a CSV's first row is headed by one of the keys; the first key that is there wins."""
    names = [field.strip().lower() for field in heading]
    return next((names.index(key) for key in keys if key in names), None)


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
    """The text that an object has under one of the keys; the first that is there wins."""
    if isinstance(entry, dict):
        return next((entry[key] for key in keys if isinstance(entry.get(key), str)), None)
    return None
