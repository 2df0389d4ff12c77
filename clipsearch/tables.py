"""Read text files and tables that others wrote: their encoding and delimiter are found out, or the file is refused."""

import csv
import io
import json
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

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

_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
# Excel's: the delimiter of all lines that follow.
_SEPARATOR = re.compile(r'"?sep=([,;\t|:^~])"?', re.IGNORECASE)
# Shares of bytes: ASCII is rare in other alphabets, but for line ends; else zeros that are more than strays.
_RARE, _OFTEN = 0.02, 0.3
# Rows by which a table without a known heading is told from a list of texts.
_SAMPLE_ROWS = 20


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
    if _MARKUP.match(data[:1_000]):
        raise InputError(f"{path} holds no plain text, it is HTML or XML: save it as text, CSV or JSON")
    return [line.decode("utf-8", "surrogateescape") for line in data.splitlines()]


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
    written = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not written:
        return
    check_no_json(path, written[0])
    for delimiter in _DELIMITERS:
        names = [name.strip(" \"'").lower() for name in written[0].split(delimiter)]
        if len(names) > 1 and set(keys) & set(names) and all(re.fullmatch(r"\w[\w.-]*", name) for name in names):
            raise InputError(f"{path} is a table, as its first line names columns: call it .csv")
    tabs = {line.count("\t") for line in written}
    if len(written) > 1 and len(tabs) == 1 and tabs != {0}:
        raise InputError(f"{path} is a table, with tabs in each line: call it .tsv, with names of columns above")


def check_no_json(path: Path, line: str) -> None:
    """
    Raises:
        InputError: the first line of a list or table is JSON.
    """
    text = line.strip()
    if text in ("{", "[", "[{"):
        raise InputError(f"{path} holds JSON: call it .json")
    if text[:1] in ("{", "["):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            return
        if isinstance(found, dict | list):
            raise InputError(f"{path} holds JSON: call it .jsonl, or .json if that is all")


def read_rows(path: Path, lines: Sequence[str], *columns: Collection[str]) -> Iterator[tuple[int, list[str], str]]:
    """(line number from 1, fields, what is wrong) of each row of a table that is not empty.

    Fields are parted by commas, semicolons, tabs or bars, whichever part the heading so that it has the columns.

    Args:
        columns: for each, the names in lower case that it may have.

    Raises:
        InputError: it is a table without those columns, or JSON.
    """
    text, delimiter = _find_delimiter(path, lines, columns)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
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


def find_column(heading: Sequence[str], keys: Collection[str]) -> int | None:
    """Which field of a table's first row is headed by one of the keys; the first key that is there wins."""
    names = [field.strip().lower() for field in heading]
    return next((names.index(key) for key in keys if key in names), None)


def _find_delimiter(path: Path, lines: Sequence[str], columns: Sequence[Collection[str]]) -> tuple[str, str]:
    """The table without Excel's line above it, and its delimiter."""
    if lines and (said := _SEPARATOR.fullmatch(lines[0].strip(" "))):
        return "\n".join(["", *lines[1:]]), said[1]
    text = "\n".join(lines)
    usual = "\t" if path.suffix.lower() == ".tsv" else ","
    others = [delimiter for delimiter in _DELIMITERS if delimiter != usual]
    headings = {delimiter: _first_rows(text, delimiter, 1) for delimiter in (usual, *others)}
    for delimiter, rows in headings.items():
        if rows and all(find_column(rows[0], keys) is not None for keys in columns):
            return text, delimiter
    if headings[usual]:
        check_no_json(path, next(line for line in lines if line.strip()))
    if headings[usual] and len(headings[usual][0]) == 1:
        for delimiter in others:
            widths = {len(row) for row in _first_rows(text, delimiter, _SAMPLE_ROWS)}
            if len(widths) == 1 and widths != {1}:
                named = " and ".join(f"named {', '.join(keys)}" for keys in columns)
                raise InputError(
                    f"{path} is a table parted by {_DELIMITERS[delimiter]}, with no column {named} in the first line"
                )
    return text, usual


def _first_rows(text: str, delimiter: str, count: int) -> list[list[str]]:
    """Rows that are not empty, up to the first one that can't be read."""
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text), delimiter=delimiter, strict=True):
            if any(field.strip() for field in row):
                rows.append(row)
            if len(rows) == count:
                break
    except csv.Error:
        pass
    return rows
