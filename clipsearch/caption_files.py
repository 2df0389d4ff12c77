"""Reads caption files: .txt (a line each), .csv, .jsonl, and JSON as COCO has it."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipsearch.errors import InputError
from clipsearch.texts import is_valid

# Columns and keys that hold the caption, the first one present wins.
CAPTION_KEYS = ("caption", "text", "title", "sentence", "description")


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
    readers = {".txt": _read_lines, ".csv": _read_csv, ".tsv": _read_csv, ".jsonl": _read_jsonl, ".json": _read_json}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"{path}: captions come as {', '.join(sorted(readers))}")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"can't read {path}: {error.strerror}") from error
    # Bytes that are not UTF-8 become lone surrogates, which no valid file holds: found below, wherever they stand.
    lines = [line.decode("utf-8", "surrogateescape") for line in data.removeprefix(b"\xef\xbb\xbf").splitlines()]
    texts: list[str] = []
    broken: list[tuple[int, str]] = []
    for number, text, wrong in reader(path, lines):
        reason = wrong or _what_is_wrong(text)
        if reason:
            broken.append((number, reason))
        elif text.strip():
            texts.append(" ".join(text.split()))
    return CaptionFile(tuple(texts), tuple(sorted(broken)))


# One row of a file: line number, text, and what is wrong ("" when nothing is).
_Row = tuple[int, str, str]


def _what_is_wrong(text: str) -> str:
    if not is_valid(text):
        return "not UTF-8"
    return "holds a NUL character" if "\0" in text else ""


def _read_lines(path: Path, lines: list[str]) -> Iterator[_Row]:
    for number, line in enumerate(lines, start=1):
        yield number, line, ""


def _read_jsonl(path: Path, lines: list[str]) -> Iterator[_Row]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            text = _find_caption(json.loads(line))
        except (ValueError, RecursionError):
            yield number, "", "not JSON"
        else:
            yield number, text or "", "" if text is not None else f"no text under {', '.join(CAPTION_KEYS)}"


def _read_csv(path: Path, lines: list[str]) -> Iterator[_Row]:
    """The column headed caption, text, …; in a file with a single column, that one, with or without a heading."""
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    reader = csv.reader(io.StringIO("\n".join(lines)), delimiter=delimiter, strict=True)
    column: int | None = None
    width = 0
    start = 1
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield start, "", str(error).replace("'\t'", "a tab")
            start = reader.line_num + 1
            continue
        # A quoted field may span lines: the row is known by its first one.
        number, start = start, reader.line_num + 1
        if not any(field.strip() for field in row):
            continue
        if column is None:
            names = [field.strip().lower() for field in row]
            column = next((names.index(key) for key in CAPTION_KEYS if key in names), None)
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


def _read_json(path: Path, lines: list[str]) -> Iterator[_Row]:
    """COCO's {"annotations": [{"caption": …}]}, or a plain list of texts or objects."""
    try:
        content = json.loads("\n".join(lines))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON: {error}") from error
    entries = content.get("annotations") if isinstance(content, dict) else content
    if not isinstance(entries, list):
        raise InputError(f"{path}: expected COCO's 'annotations' or a list of captions")
    for number, entry in enumerate(entries, start=1):
        text = _find_caption(entry)
        yield number, text or "", "" if text is not None else f"no text under {', '.join(CAPTION_KEYS)}"


def _find_caption(entry: Any) -> str | None:
    if isinstance(entry, str):
        return entry
    if isinstance(entry, dict):
        return next((entry[key] for key in CAPTION_KEYS if isinstance(entry.get(key), str)), None)
    return None
