"""Read text files and tables that others wrote: their encoding and delimiter are found out, or the file is refused."""

import contextlib
import csv
import io
import json
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from clipsearch.captions.table_signs import DELIMITERS, USUAL, find_rule, find_table_sign, is_named
from clipsearch.errors import InputError
from clipsearch.files import byte_order_mark, read_regular_file

# COCO's captions are 92 MB, those of three million pictures less than 500.
_MAX_BYTES = 500_000_000

# What programs call .csv or .txt though it is something else, by its first bytes.
_FOREIGN = (
    (b"PK\x03\x04", "a zip file, as spreadsheets are (.xlsx, .ods)"),
    (b"PK\x05\x06", "an empty zip file"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a document of Office (.xls, .doc)"),
    (b"{\\rtf", "rich text (.rtf)"),
    (b"%PDF-", "a PDF"),
    (b"\x1f\x8b", "compressed by gzip"),
    (b"BZh", "compressed by bzip2"),
    (b"\xfd7zXZ\0", "compressed by xz"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd"),
    (b"7z\xbc\xaf\x27\x1c", "compressed by 7-Zip"),
    (b"PAR1", "Parquet"),
    (b"SQLite format 3\0", "a database"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
)
_MARKUP = re.compile(rb"\s*<(?:\?xml|!doctype|html|head|body|table|meta|workbook)\b", re.IGNORECASE)
_FIRST_TAG, _LAST_TAG = re.compile(rb"\s*<[A-Za-z][^<>]*>"), re.compile(rb"</[A-Za-z][^<>]*>\s*\Z")

# Excel's: the delimiter of all lines that follow.
_SEPARATOR = re.compile(rf'"?sep=([{re.escape("".join(DELIMITERS))}])"?', re.IGNORECASE)
# Shares of bytes: ASCII is rare in other alphabets, but for line ends; else zeros that are more than strays.
_RARE, _OFTEN = 0.02, 0.3
# Rows among which the heading of a table is looked for, and by which one without is told from a list of texts.
_SAMPLE_ROWS, _SAMPLE_CHARS, _MAX_TITLE_ROWS = 20, 1_000_000, 3
# Python's least limit for int(); ids have some 20 digits.
_MAX_DIGITS = 640


class NumberTooLongError(ValueError):
    """JSON with a number that nobody needs; its text says how long."""


def read_lines(path: Path) -> list[str]:
    """Read the lines of a text file in UTF-8, or in UTF-16 or UTF-32, with or without a byte order mark.

    Bytes that are none of those become lone surrogates; no valid file holds those.

    Raises:
        InputError: it can't be read, is no regular file, or holds no text but a spreadsheet or the like.
    """
    try:
        data = read_regular_file(path, max_bytes=_MAX_BYTES)
    except OSError as error:
        raise InputError(f"can't read {path}: {error.strerror or error}") from error
    kind = next((kind for start, kind in _FOREIGN if data.startswith(start)), "")
    if kind:
        raise InputError(f"{path} holds no plain text, it is {kind}: save it as text, CSV or JSON")
    mark, encoding = byte_order_mark(data)
    encoding = encoding or _guess_encoding(data)
    data = data.removeprefix(mark)
    if encoding != "utf-8":
        try:
            data = data.decode(encoding).encode("utf-8")
        except UnicodeError as error:
            raise InputError(f"{path} is not {encoding.upper()}: save it as UTF-8") from error
    if _MARKUP.match(data[:1_000]) or (_FIRST_TAG.match(data[:1_000]) and _LAST_TAG.search(data[-1_000:])):
        raise InputError(f"{path} holds no plain text, it is HTML or XML: save it as text, CSV or JSON")
    # Files that were joined have a mark at the start of each.
    return [line.decode("utf-8", "surrogateescape").lstrip("\ufeff") for line in data.splitlines()]


def _guess_encoding(data: bytes) -> str:
    """UTF-16 and UTF-32 without a mark: by the zeros in ASCII letters and line ends, at one end of each."""
    for width, little, big in ((4, "utf-32-le", "utf-32-be"), (2, "utf-16-le", "utf-16-be")):
        units = min(len(data), 4_000) // width
        if units < 2 or len(data) % width:
            continue
        zeros = [data[place : units * width : width].count(0) / units for place in range(width)]
        for encoding, lowest, others in ((little, zeros[0], zeros[1:]), (big, zeros[-1], zeros[:-1])):
            if lowest > _RARE or (width == 4 and max(others) < 1):  # the highest byte of UTF-32 is always 0
                continue
            sample = data[: units * width].decode(encoding, "replace")
            if min(others) > _OFTEN or (min(others) > _RARE and {"\n", "\r"} & {*sample}):
                return encoding
    # Without ASCII there are line ends; read the other way round they are no letters of any alphabet.
    if not _is_in(data, "utf-8"):
        for encoding in ("utf-16-le", "utf-16-be"):
            if _is_in(data, encoding) and {"\n", "\r"} & {*data.decode(encoding)}:
                return encoding
    return "utf-8"


def _is_in(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeError:
        return False
    return True


def check_list(path: Path, lines: Sequence[str], keys: Collection[str]) -> None:
    """Check that lines of text are no table, or JSON, of another ending.

    Args:
        keys: names in lower case, of which a table's heading has one.

    Raises:
        InputError: they are.
    """
    written = [line for line in lines if line.strip() and not line.startswith("#")]
    check_no_json(path, written)
    if sign := find_table_sign(written, keys):
        raise InputError(
            f"{path} is a table, or records, {sign}: as a table call it .csv, with names of columns in its first line"
        )


def check_no_json(path: Path, lines: Sequence[str]) -> None:
    """
    Raises:
        InputError: a list or table is JSON, by its first line; or looks so.
    """
    text = next((line.strip() for line in lines if line.strip()), "")
    if text in ("{", "[", "[{"):
        raise InputError(f"{path} holds JSON: call it .json")
    if text[:1] not in ("{", "["):
        return
    with contextlib.suppress(ValueError, RecursionError):
        if isinstance(load_json(text), dict | list):
            raise InputError(f"{path} holds JSON: call it .jsonl, or .json if that is all")
    if re.match(r"""[\[{][\[{\s]*["'].*["']\s*[:,\]]""", text):
        raise InputError(f"{path} holds JSON, or something like it: save it as such, and call it .json or .jsonl")


def load_json(text: str) -> Any:
    """
    Raises:
        ValueError: it is no JSON.
        NumberTooLongError: it has a number that is too long for Python.
        RecursionError: it is nested too deep.
    """
    return json.loads(text, parse_int=_read_number)


def _read_number(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise NumberTooLongError(f"holds a number of {len(digits):,} digits")
    return int(digits)


def read_rows(path: Path, lines: Sequence[str], *columns: Collection[str]) -> Iterator[tuple[int, list[str], str]]:
    """(line number from 1, fields, what is wrong) of each row of a table that is not empty.

    The first one is the heading, if there is one; titles above are left out. Fields are parted by what parts the
    heading so that it has the columns.

    Args:
        columns: for each, the names in lower case that it may have.

    Raises:
        InputError: it is a table without those columns, or JSON.
    """
    if find_rule(lines[: 2 * _SAMPLE_ROWS]):
        raise InputError(f"{path} is a table with rules between its rows, as Markdown has them: save it as CSV")
    text, delimiter, heading = _find_heading(path, lines, columns)
    names: list[str] = []
    for number, row, wrong in _parse_rows(text, delimiter):
        if number == heading:
            names = row
        elif number < heading or (len(row) > 1 and row == names):  # joined files have it again
            continue
        if wrong or any(field.strip() for field in row):
            yield number, row, wrong


def _parse_rows(text: str, delimiter: str) -> Iterator[tuple[int, list[str], str]]:
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
    named = "a tab" if delimiter == "\t" else "a delimiter"
    start = 1
    while True:
        try:
            row, wrong = next(reader), ""
        except StopIteration:
            return
        except csv.Error as error:
            row, wrong = [], str(error).replace(f"'{delimiter}'", named if delimiter in "\t\x1f" else f"'{delimiter}'")
            if "field limit" in wrong:
                wrong = f"a field of more than {csv.field_size_limit():,} characters"
        # A quoted field may span lines: the row is known by its first one.
        number, start = start, reader.line_num + 1
        yield number, row, wrong


def find_column(heading: Sequence[str], keys: Collection[str]) -> int | None:
    """Which field of a table's first row is headed by one of the keys; the first key that is there wins."""
    names = [field.strip().lower() for field in heading]
    return next((names.index(key) for key in keys if key in names), None)


def _find_heading(path: Path, lines: Sequence[str], columns: Sequence[Collection[str]]) -> tuple[str, str, int]:
    """The table without Excel's line above it, its delimiter, and in which line its heading stands."""
    usual, delimiters = "\t" if path.suffix.lower() == ".tsv" else ",", tuple(DELIMITERS)
    if lines and (said := _SEPARATOR.fullmatch(lines[0].strip(" "))):
        usual, delimiters, lines = said[1], (), ["", *lines[1:]]
    text = "\n".join(lines)
    samples = {delimiter: _first_rows(text[:_SAMPLE_CHARS], delimiter) for delimiter in (usual, *delimiters)}
    for delimiter, rows in samples.items():
        place = _find_heading_row([row for _, row in rows], delimiter, columns, is_said=not delimiters)
        if place is not None:
            _check_names(path, rows[place][1], columns)
            return text, delimiter, rows[place][0]
    check_no_json(path, lines)
    _check_single_column(path, samples, usual, columns)
    return text, usual, 1


def _check_names(path: Path, heading: Sequence[str], columns: Sequence[Collection[str]]) -> None:
    """
    Raises:
        InputError: several columns have the name that is looked for.
    """
    names = [field.strip().lower() for field in heading]
    for keys in columns:
        place = find_column(heading, keys)
        if place is not None and names.count(names[place]) > 1:
            raise InputError(f"{path} has {names.count(names[place])} columns named {names[place]}")


def _find_heading_row(
    rows: list[list[str]], delimiter: str, columns: Sequence[Collection[str]], *, is_said: bool
) -> int | None:
    """Which row is the heading: the first one, or one below a title, which is known by those that follow."""
    places = [place for place, row in enumerate(rows) if _is_heading(row, delimiter, columns, is_said=is_said)]
    # "Title, with a comma" is none; "image, caption" is.
    likely = [place for place in places if is_named(rows[place], columns[-1], least=max(2, len(rows[place])))]
    if likely:
        return likely[0]
    if 0 in places:
        return 0
    return next((place for place in places if _is_below_title(rows, place, columns)), None)


def _is_below_title(rows: list[list[str]], place: int, columns: Sequence[Collection[str]]) -> bool:
    """Whether a row is the heading of those that follow, and those above are no such rows."""
    row, following = rows[place], rows[place + 1 : place + 2]
    if not is_named(row, columns[-1], least=1) or [len(row)] != [len(other) for other in following]:
        return False
    return all(len(above) != len(row) or sum(map(bool, above)) < 2 for above in rows[:place])


def _is_heading(row: Sequence[str], delimiter: str, columns: Sequence[Collection[str]], *, is_said: bool) -> bool:
    is_told = is_said or delimiter in USUAL or is_named(row, columns[-1], least=2)
    return is_told and all(find_column(row, keys) is not None for keys in columns)


def _check_single_column(
    path: Path,
    samples: dict[str, list[tuple[int, list[str]]]],
    usual: str,
    columns: Sequence[Collection[str]],
) -> None:
    """
    Raises:
        InputError: what has one column by its first line is a table with other delimiters, or under a title.
    """
    rows = [row for _, row in samples[usual]]
    if not rows or len(rows[0]) > 1:
        return
    named = " and ".join(f"named {', '.join(keys)}" for keys in columns)
    for delimiter, found in samples.items():
        widths = [len(row) for _, row in found]
        if len(found) > len(rows):  # those end at a quote; above others may stand titles
            widths = [width for place, width in enumerate(widths) if width > 1 or place >= _MAX_TITLE_ROWS]
        if (delimiter in ";\t|,^" or len(found) > len(rows)) and len({*widths}) == 1 and widths[0] > 1:
            raise InputError(
                f"{path} is a table parted by {DELIMITERS[delimiter]}, with no column {named} in the first line"
            )
    if ["caption"] in [[field.strip().lower() for field in row] for row in rows[1:3]]:
        raise InputError(f"{path} has lines above the name of its column, 'caption': remove them")
    others = [len(row) for row in rows if len(row) > 1]
    if len(set(others)) == 1 and 2 * len(others) > len(rows):
        raise InputError(f"{path} is a table of {others[0]} columns, with no column {named} in its first lines")
    if len(columns) == 1 and (sign := find_table_sign((row[0] for row in rows), columns[-1])):
        raise InputError(f"{path} is a table, {sign}: part its columns by commas, and name them in its first line")


def _first_rows(text: str, delimiter: str) -> list[tuple[int, list[str]]]:
    """Rows that are not empty with their line numbers, up to the first one that can't be read."""
    rows: list[tuple[int, list[str]]] = []
    for number, row, wrong in _parse_rows(text, delimiter):
        if wrong or len(rows) == _SAMPLE_ROWS:
            break
        if any(field.strip() for field in row):
            rows.append((number, row))
    return rows
