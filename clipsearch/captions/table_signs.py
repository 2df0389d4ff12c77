"""Detect by heuristics that lines of text are a table or records rather than a list of texts.

Sentences have commas, colons and semicolons too. A delimiter is a sign only together with column names, a picture's
name or number at one end of each line, no space after the delimiter, or the same count in each line.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain

DELIMITERS = {
    ",": "commas",
    ";": "semicolons",
    "\t": "tabs",
    "|": "bars",
    "^": "carets",
    "~": "tildes",
    "\x1f": "unit separators",
    "；": "wide semicolons",
    "，": "wide commas",
    "：": "wide colons",
    "、": "wide enumeration commas",
    ":": "colons",
    " ": "blanks",
}
USUAL = (",", ";", "\t", "|")
"""Delimiters for which one known column name makes a header; all others need two, as in "image caption"."""

_COLUMNS = {"image", "images", "img", "image_id", "image_name", "file", "file_name", "filename", "path", "url"} | {
    *("id", "index", "n", "no", "number", "score", "split", "lang", "language", "label", "labels", "class", "name"),
}
_NAME = re.compile(r"\w[\w.#-]*")

# Tables are detected by their first lines; prose with a single odd line is not a table.
_SAMPLE_LINES, _HEADING_LINES, _MAX_CHARS = 1_000, 20, 2_000
_STRAYS, _MAX_TITLE_LINES = 0.1, 3
# From this number of lines with one semicolon each on, the text is seldom prose.
_MANY_LINES = 5

_RULE = re.compile(r"(?=.*[-=])[\s|+:=-]*[|+][\s|+:=-]*|\s*(?:={3,}|-{3,})(?:\s+(?:={3,}|-{3,}))+\s*")
_SUFFIX = r"\.(?:jpe?g|jpe|png|webp|gif|avif|hei[cf]|tiff?|bmp|jxl|jp2|svg|dng|cr2|nef|arw)(?:#\d+)?"
_PICTURE_FIRST = re.compile(rf"\W{{0,3}}[^\s,;|]{{1,200}}?{_SUFFIX}(?=\W|$)", re.IGNORECASE)
_PICTURE_LAST = re.compile(rf".*\w{_SUFFIX}\W{{0,3}}$", re.IGNORECASE)
_PICTURE_AND_MORE = re.compile(rf"""["']?\S{{1,200}}?{_SUFFIX}["']?[,;:|\t^~].*""", re.IGNORECASE)
_IDENTIFIER = re.compile(
    r"(?:https?://\S+|[a-z]{0,3}\d{6,}|[0-9a-f]{16,}|[0-9a-f]{8}(?:-[0-9a-f]{4,}){3,})", re.IGNORECASE
)
_SHARE = re.compile(r"[01]?\.\d+")
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")
# Neither 1,000 nor 12:30, http://, :-) or "a, b".
_TIGHT = {delimiter: re.compile(rf"(?<![\d\s]){delimiter}(?=\w)|(?<=\d){delimiter}(?=[^\W\d])") for delimiter in ",;:"}
# Patterns of every line in files of other formats.
_KINDS = {
    "with delimiters as in LaTeX": re.compile(r"[^&]*&.*\\\\$"),
    "with brackets around each line": re.compile(r"(?:\([^,]*,.*\)|\[[^,]*,.*\]|\{[^,]*,.*\})[,;]?$"),
    "with a bullet or number before each line, as in a list": re.compile(r"(?:[-*•+]|\d+[.)])\s.*"),
    "with a name of a picture at the start of each line": _PICTURE_FIRST,
    "with a name of a picture at the end of each line": _PICTURE_LAST,
}
_TIMES = re.compile(r"[\d:.,]{5,} --> [\d:.,]{5,}.*")
_WIDE_GAP = re.compile(r"(?<=[^\s.!?:])\s{2,}(?=\S)")


def find_table_sign(lines: Iterable[str], keys: Collection[str]) -> str:
    """Return the sign that lines are a table, as in "{path} is a table, {sign}"; "" for a list of texts.

    Args:
        lines: empty ones are ignored.
        keys: names in lower case of the columns of texts.
    """
    sample = _sample(lines)
    if not sample:
        return ""
    signs = chain(_signs_of_headings(sample, keys), _signs_of_delimiters(sample), _signs_of_records(sample, keys))
    return next(signs, "")


def find_rule(lines: Iterable[str]) -> bool:
    """Return whether lines contain rules such as |---|---| and other lines with bars, or rules such as ===== =====."""
    sample = _sample(lines)
    rules = [line for line in sample if _RULE.fullmatch(line) and len(re.findall("[-=]", line)) > 1]
    return any("|" not in rule and "+" not in rule for rule in rules) or (
        bool(rules) and any("|" in line for line in sample if line not in rules)
    )


def is_heading(line: str, delimiters: Iterable[str], keys: Collection[str], *, least: int) -> bool:
    """Return whether a line is a header with a text column and at least `least` known column names."""
    return any(is_named(line.strip().strip("|").split(delimiter), keys, least=least) for delimiter in delimiters)


def is_named(fields: Sequence[str], keys: Collection[str], *, least: int) -> bool:
    """Return whether fields are a header, as in `is_heading`."""
    names = [field.strip(" \"'\t").lower() for field in fields]
    known = {name for name in names if name in keys or name in _COLUMNS}
    is_known = len(known) >= least and not known.isdisjoint(keys)
    return len(names) > 1 and is_known and all(_NAME.fullmatch(name) for name in names if name)


def _sample(lines: Iterable[str]) -> list[str]:
    sample: list[str] = []
    for line in lines:
        if text := line[:_MAX_CHARS].strip(" \r\n"):
            sample.append(text)
        if len(sample) == _SAMPLE_LINES:
            break
    return sample


def _signs_of_headings(sample: list[str], keys: Collection[str]) -> Iterator[str]:
    if is_heading(sample[0], USUAL, keys, least=1):
        yield "as its first line names columns"
    if sample[0].lower().rstrip("s") in {"caption", "label"} & {*keys} and len(sample) > 1:
        yield "as its first line names a column"
    for number, line in enumerate(sample[:_HEADING_LINES]):
        for delimiter in DELIMITERS:
            following = [other for other in sample[number + 1 :] if delimiter in other]
            is_likely = 2 * len(following) >= len(sample) - number - 1
            # Separated by spaces, two known names may occur in any sentence.
            least = max(2 if not number else 3, len(line.split())) if delimiter == " " else 2
            if is_likely and is_heading(line, delimiter, keys, least=least):
                yield f"as line {number + 1} of its text names columns"
    if find_rule(sample):
        yield "with rules between its rows, as in Markdown"


def _signs_of_delimiters(sample: list[str]) -> Iterator[str]:
    if "\x1f" in "".join(sample):
        yield "with unit separators in its lines"
    for delimiter, name in DELIMITERS.items():
        if _is_most(sample, [_has_identifier(line, delimiter) for line in sample]):
            yield f"with {name} in each line, next to a name or number"
        if delimiter in ",;:|\t" and _is_most(sample, [_is_quoted(line, delimiter) for line in sample]):
            yield f"with {name} in each line, between quotes"
        if _is_even(sample, delimiter):
            yield f"with {name} in each line"


def _signs_of_records(sample: list[str], keys: Collection[str]) -> Iterator[str]:
    known = "|".join(map(re.escape, {*keys, "image", "file_name"}))
    record = re.compile(rf"""[-\s]*["']?(?:{known})["']?\s*[:=](?:\s.*)?""", re.IGNORECASE)
    if sum(1 for line in sample if record.fullmatch(line)) >= max(2, 0.3 * len(sample)):
        yield "with the names of its fields in its lines"
    for sign, kind in _KINDS.items():
        if _is_most(sample, [kind.match(line) is not None for line in sample]):
            yield sign
    if len(sample) == 1 and _PICTURE_AND_MORE.fullmatch(sample[0]):
        yield "with a name of a picture at its start"
    if sum(1 for line in sample if _PICTURE_FIRST.fullmatch(line)) >= max(2, 0.3 * len(sample)):
        yield "with names of pictures between its lines"
    if any(map(_TIMES.fullmatch, sample)):
        yield "with times, as in subtitles"
    ends = {line[-1] for line in (sample[:-1] if len(sample) > 2 else sample)}
    if len(sample) > 1 and len(ends) == 1 and ends < set(DELIMITERS):
        yield f"with {DELIMITERS[ends.pop()]} at the end of each line"
    if _is_numbered(sample):
        yield "with a number counted from 0 in each line"
    gaps = {len(_WIDE_GAP.findall(line)) for line in sample}
    if len(sample) > 2 and len(gaps) == 1 and gaps != {0}:
        yield "with columns of blanks"


def _is_most(sample: list[str], claims: list[bool]) -> bool:
    """Return whether at least two lines, and all but a title or a few strays, meet the claim."""
    strays = claims.count(False)
    is_title = strays <= _MAX_TITLE_LINES and not any(claims[:strays])
    return len(sample) - strays > 1 and (strays <= _STRAYS * len(sample) or is_title)


def _has_identifier(line: str, delimiter: str) -> bool:
    """Return whether a picture's name or number begins or ends a line, delimited from the rest."""
    head, _, after = line.partition(delimiter)
    before, _, tail = line.rpartition(delimiter)
    if not after or not before:
        return False
    for end, rest in ((head, after), (tail, before)):
        if _IDENTIFIER.fullmatch(end.strip(" \"'")) and rest.strip(" \"'"):
            return True
    if delimiter == " ":
        return _SHARE.fullmatch(tail) is not None
    # 1,000 and 12:30 are numbers, and a sentence may end as "Rome, 1960" does.
    is_counted = _NUMBER.fullmatch(head.strip(" \"'")) is not None and not after[:1].isdigit()
    tail = tail.strip("\"'" if delimiter == "," else " \"'")
    is_rated = delimiter != ":" and _NUMBER.fullmatch(tail) is not None and not before[-1:].isdigit()
    return is_counted or is_rated


def _is_quoted(line: str, delimiter: str) -> bool:
    field = r'"(?:[^"]|"")*+"'
    return re.fullmatch(rf"\s*{field}(?:\s*{re.escape(delimiter)}\s*{field})+\s*", line) is not None


def _is_even(sample: list[str], delimiter: str) -> bool:
    """Return whether all lines but a title have the same count of a delimiter, in a way that prose does not."""
    rows = sample if delimiter in sample[0] else sample[1:]
    counts = {row.count(delimiter) for row in rows}
    if len(rows) < 2 or len(counts) > 1 or counts == {0}:
        return False
    if delimiter in "\t|^":
        return True
    if delimiter == "~":
        return not any(re.search(r"~\s*\d", row) for row in rows)
    if delimiter in ";；" and len(rows) >= _MANY_LINES:
        return True
    if delimiter not in _TIGHT:
        return False
    return all(len(_TIGHT[delimiter].findall(row)) == row.count(delimiter) for row in rows)


def _is_numbered(sample: list[str]) -> bool:
    """Return whether lines are numbered from 0, as classes are; a list of texts may be numbered from 1."""
    ends = [(words[0], words[-1]) for line in sample if len(words := line.split()) > 1]
    if len(sample) < 3 or len(ends) < len(sample):
        return False
    return any([end[place] for end in ends] == [str(number) for number in range(len(ends))] for place in (0, 1))
