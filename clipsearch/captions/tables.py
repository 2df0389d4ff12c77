"""Read text files and tables of other programs: detect encoding and delimiter, or reject the file."""

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

# COCO's captions have 92 MB, those of three million pictures less than 500.
_MAX_BYTES = 500_000_000

# Magic bytes of other file types that programs save as .csv or .txt.
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

# Excel's declaration of the delimiter, in a line above the table.
_SEPARATOR = re.compile(rf'"?sep=([{re.escape("".join(DELIMITERS))}])"?', re.IGNORECASE)
# Shares of zero bytes: below the first they are strays; above the second the text is mostly ASCII.
_RARE, _OFTEN = 0.02, 0.3
# Rows searched for the header, and by which a table without one is distinguished from a list of texts.
_SAMPLE_ROWS, _SAMPLE_CHARS, _MAX_TITLE_ROWS = 20, 1_000_000, 3
# The lowest limit that Python allows for int(); ids have about 20 digits.
_MAX_DIGITS = 640


class NumberTooLongError(ValueError):
    """JSON with an integer too long to parse; the message says how long."""


def read_lines(path: Path) -> list[str]:
    """Read the lines of a text file in UTF-8, or in UTF-16 or UTF-32, with or without a byte order mark.

    Invalid bytes become lone surrogates, which no valid file contains.

    Raises:
        InputError: unreadable, not a regular file, or not a text file, such as a spreadsheet.
    """
    try:
        data = read_regular_file(path, max_bytes=_MAX_BYTES)
    except OSError as error:
        raise InputError(f"can't read {path}: {error.strerror or error}") from error
    kind = next((kind for start, kind in _FOREIGN if data.startswith(start)), "")
    if kind:
        raise InputError(f"{path} is not plain text but {kind}: save it as text, CSV or JSON")
    mark, encoding = byte_order_mark(data)
    encoding = encoding or _guess_encoding(data)
    data = data.removeprefix(mark)
    if encoding != "utf-8":
        try:
            data = data.decode(encoding).encode("utf-8")
        except UnicodeError as error:
            raise InputError(f"{path} is not {encoding.upper()}: save it as UTF-8") from error
    if _MARKUP.match(data[:1_000]) or (_FIRST_TAG.match(data[:1_000]) and _LAST_TAG.search(data[-1_000:])):
        raise InputError(f"{path} is not plain text but HTML or XML: save it as text, CSV or JSON")
    # Concatenated files may have a byte order mark inside.
    return [line.decode("utf-8", "surrogateescape").lstrip("\ufeff") for line in data.splitlines()]


def _guess_encoding(data: bytes) -> str:
    """Guess UTF-16 or UTF-32 without a byte order mark by the position of zero bytes in ASCII letters and line ends."""
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
    # Texts without ASCII letters still have line ends; in the wrong byte order these are not letters of any alphabet.
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
    """Check that the lines of a text file are not a table or JSON with the wrong suffix.

    Args:
        keys: names in lower case; a table's header has one of them.

    Raises:
        InputError: they are a table or JSON.
    """
    written = [line for line in lines if line.strip() and not line.startswith("#")]
    check_no_json(path, written)
    if sign := find_table_sign(written, keys):
        raise InputError(
            f"{path} is a table or records, {sign}: save a table as .csv, with column names in its first line"
        )


def check_no_json(path: Path, lines: Sequence[str]) -> None:
    """Check that the first line of a list or table is not JSON.

    Raises:
        InputError: it is JSON, or looks like it.
    """
    text = next((line.strip() for line in lines if line.strip()), "")
    if text in ("{", "[", "[{"):
        raise InputError(f"{path} contains JSON: rename it to .json")
    if text[:1] not in ("{", "["):
        return
    with contextlib.suppress(ValueError, RecursionError):
        if isinstance(load_json(text), dict | list):
            raise InputError(f"{path} contains JSON: rename it to .jsonl, or to .json if it is a single value")
    if re.match(r"""[\[{][\[{\s]*["'].*["']\s*[:,\]]""", text):
        raise InputError(f"{path} contains JSON or something like it: save it as valid JSON, named .json or .jsonl")


def load_json(text: str) -> Any:
    """Parse JSON with a limit on the length of integers.

    Raises:
        ValueError: not valid JSON.
        NumberTooLongError: an integer is too long for Python.
        RecursionError: nested too deeply.
    """
    return json.loads(text, parse_int=_read_number)


def _read_number(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise NumberTooLongError(f"contains a number of {len(digits):,} digits")
    return int(digits)


def read_rows(path: Path, lines: Sequence[str], *columns: Collection[str]) -> Iterator[tuple[int, list[str], str]]:
    """Yield (line number from 1, fields, problem) for each row of a table that is not empty.

    The first row is the header, if there is one; titles above it are skipped. The delimiter is the one that gives the
    header the required columns.

    Args:
        columns: for each required column, its possible names in lower case.

    Raises:
        InputError: a table without those columns, or JSON.
    """
    if find_rule(lines[: 2 * _SAMPLE_ROWS]):
        raise InputError(f"{path} is a table with rules between its rows, as in Markdown: save it as CSV")
    text, delimiter, heading = _find_heading(path, lines, columns)
    names: list[str] = []
    for number, row, problem in _parse_rows(text, delimiter):
        if number == heading:
            names = row
        elif number < heading or (len(row) > 1 and row == names):  # repeated in concatenated files
            continue
        if problem or any(field.strip() for field in row):
            yield number, row, problem


def _parse_rows(text: str, delimiter: str) -> Iterator[tuple[int, list[str], str]]:
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
    named = "a tab" if delimiter == "\t" else "a delimiter"
    start = 1
    while True:
        try:
            row, problem = next(reader), ""
        except StopIteration:
            return
        except csv.Error as error:
            name = named if delimiter in "\t\x1f" else f"'{delimiter}'"
            row, problem = [], str(error).replace(f"'{delimiter}'", name)
            if "field limit" in problem:
                problem = f"a field of more than {csv.field_size_limit():,} characters"
        # A quoted field may span lines: a row has the number of its first one.
        number, start = start, reader.line_num + 1
        yield number, row, problem


def find_column(heading: Sequence[str], keys: Collection[str]) -> int | None:
    """Return the index of the column named by one of the keys, the first key present; None without any."""
    names = [field.strip().lower() for field in heading]
    return next((names.index(key) for key in keys if key in names), None)


def _find_heading(path: Path, lines: Sequence[str], columns: Sequence[Collection[str]]) -> tuple[str, str, int]:
    """Return the table without Excel's declaration line, its delimiter, and the line number of its header."""
    usual, delimiters = "\t" if path.suffix.lower() == ".tsv" else ",", tuple(DELIMITERS)
    if lines and (declared := _SEPARATOR.fullmatch(lines[0].strip(" "))):
        usual, delimiters, lines = declared[1], (), ["", *lines[1:]]
    text = "\n".join(lines)
    samples = {delimiter: _first_rows(text[:_SAMPLE_CHARS], delimiter) for delimiter in (usual, *delimiters)}
    for delimiter, rows in samples.items():
        place = _find_heading_row([row for _, row in rows], delimiter, columns, is_declared=not delimiters)
        if place is not None:
            _check_names(path, rows[place][1], columns)
            return text, delimiter, rows[place][0]
    check_no_json(path, lines)
    _check_single_column(path, samples, usual, columns)
    return text, usual, 1


def _check_names(path: Path, heading: Sequence[str], columns: Sequence[Collection[str]]) -> None:
    """Check that the required columns are unambiguous.

    Raises:
        InputError: several columns have the same required name.
    """
    names = [field.strip().lower() for field in heading]
    for keys in columns:
        place = find_column(heading, keys)
        if place is not None and names.count(names[place]) > 1:
            raise InputError(f"{path} has {names.count(names[place])} columns named {names[place]}")


def _find_heading_row(
    rows: list[list[str]], delimiter: str, columns: Sequence[Collection[str]], *, is_declared: bool
) -> int | None:
    """Find the row of the header: the first row, or one below a title that matches the rows after it; None without."""
    places = [place for place, row in enumerate(rows) if _is_heading(row, delimiter, columns, is_declared=is_declared)]
    # "Title, with a comma" is not a header; "image, caption" is.
    likely = [place for place in places if is_named(rows[place], columns[-1], least=max(2, len(rows[place])))]
    if likely:
        return likely[0]
    if 0 in places:
        return 0
    return next((place for place in places if _is_below_title(rows, place, columns)), None)


def _is_below_title(rows: list[list[str]], place: int, columns: Sequence[Collection[str]]) -> bool:
    """Return whether a row is the header of the rows after it, and the rows above are titles."""
    row, following = rows[place], rows[place + 1 : place + 2]
    if not is_named(row, columns[-1], least=1) or [len(row)] != [len(other) for other in following]:
        return False
    return all(len(above) != len(row) or sum(map(bool, above)) < 2 for above in rows[:place])


def _is_heading(row: Sequence[str], delimiter: str, columns: Sequence[Collection[str]], *, is_declared: bool) -> bool:
    is_plausible = is_declared or delimiter in USUAL or is_named(row, columns[-1], least=2)
    return is_plausible and all(find_column(row, keys) is not None for keys in columns)


def _check_single_column(
    path: Path,
    samples: dict[str, list[tuple[int, list[str]]]],
    usual: str,
    columns: Sequence[Collection[str]],
) -> None:
    """Check that a file with one column in its first line is not a wider table.

    Raises:
        InputError: a table with another delimiter, or below a title.
    """
    rows = [row for _, row in samples[usual]]
    if not rows or len(rows[0]) > 1:
        return
    named = " and ".join(f"named {', '.join(keys)}" for keys in columns)
    for delimiter, found in samples.items():
        widths = [len(row) for _, row in found]
        if len(found) > len(rows):  # the others stop at a quote; titles may precede the table
            widths = [width for place, width in enumerate(widths) if width > 1 or place >= _MAX_TITLE_ROWS]
        if (delimiter in ";\t|,^" or len(found) > len(rows)) and len({*widths}) == 1 and widths[0] > 1:
            raise InputError(
                f"{path} is a table delimited by {DELIMITERS[delimiter]}, without a column {named} in the first line"
            )
    if ["caption"] in [[field.strip().lower() for field in row] for row in rows[1:3]]:
        raise InputError(f"{path} has lines above its column name, 'caption': remove them")
    others = [len(row) for row in rows if len(row) > 1]
    if len(set(others)) == 1 and 2 * len(others) > len(rows):
        raise InputError(f"{path} is a table of {others[0]} columns, without a column {named} in its first lines")
    if len(columns) == 1 and (sign := find_table_sign((row[0] for row in rows), columns[-1])):
        raise InputError(f"{path} is a table, {sign}: delimit its columns by commas, and name them in its first line")


def _first_rows(text: str, delimiter: str) -> list[tuple[int, list[str]]]:
    """Return the non-empty rows with their line numbers, up to the first invalid one or `_SAMPLE_ROWS`."""
    rows: list[tuple[int, list[str]]] = []
    for number, row, problem in _parse_rows(text, delimiter):
        if problem or len(rows) == _SAMPLE_ROWS:
            break
        if any(field.strip() for field in row):
            rows.append((number, row))
    return rows
