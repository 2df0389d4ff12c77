"""Read caption and label files: .txt (one per line), .csv, .jsonl, and COCO JSON."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipsearch.captions.tables import NumberTooLongError, check_list, find_column, load_json, read_lines, read_rows
from clipsearch.errors import InputError
from clipsearch.quantities import count
from clipsearch.text import is_valid

# Columns and keys that hold the caption; the first one present takes precedence.
CAPTION_KEYS = ("caption", "text", "title", "sentence", "description")


@dataclass(frozen=True, slots=True)
class TextKind:
    """Kind of the texts in a file: its name in messages, and the columns and keys that hold the texts."""

    name: str
    plural: str
    keys: tuple[str, ...]

    @property
    def no_text(self) -> str:
        """Problem of a row without a text under any of the keys."""
        return f"no text under {', '.join(self.keys)}"


CAPTIONS = TextKind("caption", "captions", CAPTION_KEYS)
LABELS = TextKind("label", "labels", ("label", *CAPTION_KEYS, "name"))


@dataclass(frozen=True, slots=True)
class CaptionFile:
    """Content of a caption file: texts in order, and invalid lines as (line number from 1, problem)."""

    texts: tuple[str, ...]
    broken: tuple[tuple[int, str], ...]


def read_caption_file(path: Path, kind: TextKind = CAPTIONS) -> CaptionFile:
    """Read a caption or label file, in the format of its suffix.

    Invalid lines are reported in the result and do not stop the others. Empty lines are ignored, and in label files
    also lines that begin with "#".

    Raises:
        InputError: unreadable file, unsupported suffix, or no text in it.
    """
    readers = {".txt": _read_text, ".csv": _read_csv, ".tsv": _read_csv, ".jsonl": _read_jsonl, ".json": _read_json}
    lines = read_known(path, readers, kind)
    texts: list[str] = []
    broken: list[tuple[int, str]] = []
    for number, text, problem in readers[path.suffix.lower()](path, lines, kind):
        reason = problem or find_text_problem(text)
        if reason:
            broken.append((number, reason))
        elif text.strip() and not (kind is LABELS and text.startswith("#")):
            texts.append(" ".join(text.split()))
    broken.sort()
    if not texts:
        raise InputError(f"{path} has no {kind.name}{first_broken(path, broken)}")
    return CaptionFile(tuple(texts), tuple(broken))


def first_broken(path: Path, broken: Sequence[tuple[int, str]]) -> str:
    """Format the first invalid line for an error message, in parentheses; "" when there is none."""
    return f" ({unit_of(path)} {broken[0][0]}: {broken[0][1]})" if broken else ""


def unit_of(path: Path) -> str:
    """Return the unit that row numbers count: "entry" in a JSON file, else "line"."""
    return "entry" if path.suffix.lower() == ".json" else "line"


def read_known(path: Path, suffixes: Collection[str], kind: TextKind = CAPTIONS) -> list[str]:
    """Read the lines of a file with one of these suffixes; see `tables.read_lines`.

    Raises:
        InputError: unreadable file, or another suffix.
    """
    if path.suffix.lower() not in suffixes:
        raise InputError(f"{path}: unsupported file type for {kind.plural}: use {', '.join(sorted(suffixes))}")
    return read_lines(path)


# The longest stories have a tenth of that; models read a few hundred characters.
_MAX_CHARS = 100_000

# One row of a file: line number, text, and problem ("" when it is valid).
_Row = tuple[int, str, str]


def find_text_problem(text: str) -> str:
    """Return why a text is invalid; "" when it is valid."""
    if not is_valid(text):
        return "not UTF-8"
    if len(text) > _MAX_CHARS:
        return f"more than {_MAX_CHARS:,} characters"
    return "holds a NUL character" if "\0" in text else ""


def _read_text(path: Path, lines: list[str], kind: TextKind) -> Iterator[_Row]:
    check_list(path, lines, kind.keys)
    for number, line in enumerate(lines, start=1):
        yield number, line, ""


def _read_jsonl(path: Path, lines: list[str], kind: TextKind) -> Iterator[_Row]:
    for number, entry, problem in jsonl_entries(lines):
        text = None if problem else find_text(entry, kind.keys)
        yield number, text or "", problem or ("" if text is not None else kind.no_text)


def jsonl_entries(lines: Sequence[str]) -> Iterator[tuple[int, Any, str]]:
    """Yield (line number from 1, parsed value, problem) for each line that is not empty."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            entry = load_json(line)
        except NumberTooLongError as error:
            yield number, None, str(error)
        except (ValueError, RecursionError):
            yield number, None, "not JSON"
        else:
            yield number, entry, ""


def _read_csv(path: Path, lines: list[str], kind: TextKind) -> Iterator[_Row]:
    """Yield the column named by one of the keys; in a file with a single column, that one, with or without a header."""
    column: int | None = None
    width = 0
    for number, row, problem in read_rows(path, lines, kind.keys):
        if problem:
            yield number, "", problem
            continue
        if column is None:
            column = find_column(row, kind.keys)
            width = len(row)
            if column is not None:
                continue
            if width > 1:
                raise InputError(f"{path}: no column named {', '.join(kind.keys)} in the first line")
            column = 0
        if len(row) != width:
            yield number, "", f"{count(len(row), 'column')} instead of {width}"
        else:
            yield number, row[column], ""


def _read_json(path: Path, lines: list[str], kind: TextKind) -> Iterator[_Row]:
    """Yield the texts of COCO's {"annotations": [{"caption": …}]}, or of a plain list of texts or objects."""
    content = parse_json(path, lines)
    entries = content.get("annotations") if isinstance(content, dict) else content
    if not isinstance(entries, list):
        known = "COCO's 'annotations' or a list of captions" if kind is CAPTIONS else f"a list of {kind.plural}"
        raise InputError(f"{path}: expected {known}")
    for number, entry in enumerate(entries, start=1):
        text = find_text(entry, kind.keys)
        yield number, text or "", "" if text is not None else kind.no_text


def parse_json(path: Path, lines: Sequence[str]) -> Any:
    """Parse the lines of a JSON file.

    Raises:
        InputError: not valid JSON.
    """
    try:
        return load_json("\n".join(lines))
    except NumberTooLongError as error:
        raise InputError(f"{path} {error}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON: {error}") from error


def find_text(entry: Any, keys: Sequence[str] = CAPTION_KEYS) -> str | None:
    """Return the text of a parsed entry: the entry itself, or the value of one of the keys; None without any."""
    return entry if isinstance(entry, str) else find_value(entry, keys)


def find_value(entry: Any, keys: Sequence[str]) -> str | None:
    """Return the text under the first key present, compared case-insensitively; None without any."""
    if isinstance(entry, dict):
        for key in keys:
            if isinstance(entry.get(key), str):
                return str(entry[key])
        lowered = {key.strip().lower(): value for key, value in entry.items() if isinstance(value, str)}
        return next((lowered[key] for key in keys if key in lowered), None)
    return None
