"""Render results as tables and JSON, on stdout, and notes on stderr."""

import csv
import io
import json
import math
import os
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from clipsearch.cli.colours import coloured
from clipsearch.cli.passed_over import describe_passed_over
from clipsearch.quantities import count, rate
from clipsearch.search.hits import SearchHit
from clipsearch.text import is_url
from clipsearch.types import CaptionHit, ImageMatch, IndexReport, PartialFile, SkippedFile, TextReport

if TYPE_CHECKING:
    from clipsearch.gallery.summaries import PictureSummary
    from clipsearch.query.phrases import Phrase
    from clipsearch.search.narrowing import Suggestions

# Reasons printed in tables; JSON has all of them.
_MAX_REASONS = 20


class OutputClosedError(Exception):
    """The reader of stdout (head, less) has closed it; not an error."""


def out(line: str = "") -> None:
    """Print a line of results on stdout; invalid UTF-8 bytes of file names are unchanged."""
    write(line.encode("utf-8", "surrogateescape") + b"\n")


def write(data: bytes) -> None:
    """Write bytes to stdout, and flush.

    Raises:
        OutputClosedError: the reader has closed the pipe, which typer would report as an error.
    """
    if sys.stdout is None:  # started with stdout closed
        raise OutputClosedError
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError as error:
        # The rest of the buffer is flushed at exit and must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise OutputClosedError from error


def discard_without_streams() -> None:
    """Have what is printed go nowhere where stdout or stderr is missing, as for a service that has no window."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123


_is_quiet = False


def set_quiet(is_quiet: bool) -> None:
    """Keep notes and progress from stderr, or not."""
    global _is_quiet  # noqa: PLW0603 (one command runs in a process)
    _is_quiet = is_quiet


def note(line: str, *, is_error: bool = False) -> None:
    """Print a line for the user on stderr; with --quiet errors alone."""
    if _is_quiet and not is_error:
        return
    name, colon, text = printable(line).partition(":")
    print((coloured(name, "red", sys.stderr) if is_error else name) + colon + text, file=sys.stderr)


def shows_progress() -> bool:
    """Return whether stderr is a terminal, and not quiet."""
    return not _is_quiet and sys.stderr is not None and sys.stderr.isatty()


def note_left_out(reasons: Sequence[str]) -> None:
    """Print why lines or files were left out, one per line, up to a maximum."""
    for reason in reasons[:_MAX_REASONS]:
        note(f"clipsearch: {reason}, left out")
    if len(reasons) > _MAX_REASONS:
        note(f"clipsearch: … and {len(reasons) - _MAX_REASONS:,} more left out: --json lists them all")


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    # ASCII only: a name that is not UTF-8 stays valid JSON, as lone surrogates.
    out(json.dumps(value, indent=2, ensure_ascii=True))


def print_line(value: Any) -> None:
    """Print a value as JSON in one line."""
    out(json.dumps(value, ensure_ascii=True))


def printable(text: str) -> str:
    """Escape control characters, line breaks and invisible marks, so that a file name can't control the terminal."""
    return "".join(
        character
        if character == " " or unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
        else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def shown_path(path: str) -> str:
    """Return a printable path, relative to the current folder when below it."""
    try:
        here = os.getcwd().rstrip(os.sep) + os.sep  # noqa: PTH109
    except OSError:  # the current folder was deleted
        return printable(path)
    return printable(path.removeprefix(here))


def print_processor(processor: str, cores: int, features: Sequence[str]) -> None:
    """Print cores, name and features of a processor, in a line."""
    listed = f" ({', '.join(features)})" if features else ""
    out(f"{count(cores, 'core')} of {printable(processor or 'an unknown processor')}{listed}")


def report_json(report: IndexReport) -> dict[str, Any]:
    return asdict(report)


def describe_report(report: IndexReport) -> str:
    """Describe a run in a line: "4 indexed, 0 unchanged of 4 pictures in 1.0 s, 4.0 a second"."""
    parts = [
        f"{report.embedded:,} indexed",
        f"{report.moved:,} moved" if report.moved else "",
        f"{report.reused - report.moved:,} reused" if report.reused > report.moved else "",
        f"{report.unchanged:,} unchanged",
        f"{report.removed:,} removed" if report.removed else "",
        f"{len(report.skipped):,} skipped" if report.skipped else "",
    ]
    speed = f", {rate(report.embedded / report.seconds)} a second" if report.embedded > 1 else ""
    return f"{', '.join(filter(None, parts))} of {count(report.found, 'picture')} in {report.seconds:.1f} s{speed}"


def print_report(report: IndexReport) -> None:
    out(describe_report(report))
    if report.parts:
        out(f"  {describe_parts(report.parts)}")
    if report.sidecars:
        out(f"  read {count(report.sidecars, 'new or changed sidecar')}")
    if report.texts is not None:
        print_texts(report.texts)
    print_skipped(report.skipped)
    for partial in report.partial[:_MAX_REASONS]:
        out(f"  indexed in part {shown_path(partial.path)}: {_describe_partial(partial)}")
    if len(report.partial) > _MAX_REASONS:
        out(f"  … and {len(report.partial) - _MAX_REASONS:,} more in part: --json lists them all")
    passed_over = describe_passed_over(report.unsupported)
    if passed_over is not None:
        out(f"  {passed_over}")
    if report.interrupted:
        note("completed work is saved, the next run continues from there")


def print_texts(report: TextReport) -> None:
    if not (report.read or report.left or report.skipped):
        out("  text was looked for in all pictures before")
        return
    left = f", {report.left:,} left" if report.left else ""
    looked_at = count(report.read, "picture")
    out(f"  text in {report.with_text:,} of {looked_at} looked at in {report.seconds:.1f} s{left}")
    print_skipped(report.skipped)


def describe_parts(parts: Mapping[str, tuple[int, int]]) -> str:
    """Describe parts as in `IndexReport`: "480 scenes of 12 films and animations, 31 pages of 2 documents"."""
    return ", ".join(
        f"{count(parts[kind][1], noun)} of {count(parts[kind][0], of_one, of_several)}"
        for kind, (noun, of_one, of_several) in _PARTS.items()
        if kind in parts
    )


_PARTS = {
    "scene": ("scene", "film or animation", "films and animations"),
    "page": ("page", "document", "documents"),
    "crop": ("detail", "picture", "pictures"),
}


def _describe_partial(partial: PartialFile) -> str:
    share = math.floor(100 * partial.decoded_share)
    rows = "all rows are present" if share == 100 else f"{share} % of the rows are present"
    detail = ", without some of the detail or colours" if partial.is_coarse else ""
    return f"the file's end is missing or zeros, {rows}{detail}"


def print_skipped(files: Sequence[SkippedFile]) -> None:
    for skipped in files[:_MAX_REASONS]:
        out(f"  skipped {shown_path(skipped.path)}: {printable(skipped.reason)}")
    if len(files) > _MAX_REASONS:
        out(f"  … and {len(files) - _MAX_REASONS:,} more: --json lists them all")


Facts: TypeAlias = Mapping[int, "PictureSummary"]
"""What is told of pictures by content id."""


def hits_json(
    query: str,
    model: str,
    hits: Sequence[SearchHit],
    facts: Facts,
    suggestion: str | None,
    suggestions: "Suggestions | None" = None,
    phrases: "Sequence[Phrase]" = (),
) -> dict[str, Any]:
    found = {"query": query, "model": model, "suggestion": suggestion, "hits": hit_rows(hits, facts)}
    if phrases:
        found["phrases"] = [asdict(phrase) for phrase in phrases]
    return found if suggestions is None else found | {"suggestions": asdict(suggestions)}


def note_phrases(phrases: "Sequence[Phrase]") -> None:
    """Say which words of a query were taken as filters, or may be meant so."""
    for phrase in phrases:
        if phrase.is_applied:
            note(f'clipsearch: "{printable(phrase.text)}" is taken as {printable(phrase.meaning)}; quotes keep words')
        else:
            note(f'clipsearch: if "{printable(phrase.text)}" is no part of the picture: {printable(phrase.meaning)}')


def print_suggestions(suggestions: "Suggestions") -> None:
    """Print narrower and related queries, one per line."""
    for narrower in suggestions.narrow:
        out(f"narrow by  {count(narrower.count, 'picture'):>12}  {printable(narrower.query)}")
    for related in suggestions.related:
        out(f"related  {'':14}  {printable(related)}")


def _measures_of(hit: SearchHit, facts: Facts) -> dict[str, int | None]:
    summary = facts.get(hit.content_id)
    return {name: None if summary is None else getattr(summary.metadata, name) for name in ("sharpness", "brightness")}


def hit_rows(hits: Sequence[SearchHit], facts: Facts) -> list[dict[str, Any]]:
    """Return hits as they are in JSON."""
    from clipsearch.gallery.summaries import summary_json

    rows = [asdict(hit) | summary_json(facts.get(hit.content_id)) for hit in hits]
    for row in rows:
        if not row["terms"]:  # not requested
            del row["terms"]
        if math.isnan(row["score"]):
            row["score"] = None
    for row, hit in zip(rows, hits, strict=True):
        row["part"] = None if hit.part is None else hit.part.to_json()
    return rows


def print_hits(hits: Sequence[SearchHit]) -> None:
    for hit in hits:
        others = [
            *([count(len(hit.copies), "copy", "copies")] if hit.copies else []),
            *([f"{len(hit.stack):,} in its stack"] if hit.stack else []),
        ]
        quote = "" if hit.written is None else f'  "{printable(hit.written)}"'
        if hit.written is not None and hit.written.strip("…") in hit.path:  # it stands in the line already
            quote = "  (by its name)"
        more = f"  (+ {', '.join(others)})" if others else ""
        is_compared = not math.isnan(hit.score)
        relevance = _relevance(hit) if is_compared else f"{'-':>7}"
        location = _coloured_path(shown_path(hit.location))
        out(f"{hit.rank:>4}  {relevance}  {_score(hit.score)}  {location}{more}{coloured(quote, 'faint', sys.stdout)}")
        for term in hit.terms:
            out(f"      {term.contribution:+.3f}  {printable(term.term)} (alone {term.score:.3f})")
        if hit.terms and hit.written is not None:
            out(f'      written  "{printable(hit.written)}"')
        if hit.terms and hit.line is not None:
            page = "" if hit.line.page is None else f" on page {hit.line.page}"
            out(f'      read in the picture{page}: "{printable(hit.line.text)}" (confidence {hit.line.confidence:.2f})')


def _relevance(hit: SearchHit) -> str:
    from clipsearch.scoring.relevance import DEFAULT_CUTOFF

    return coloured(percent(hit.relevance), "green" if hit.relevance >= DEFAULT_CUTOFF else "faint", sys.stdout)


def _coloured_path(path: str) -> str:
    """Return a printable path with its folders fainter than its name."""
    folders, slash, name = path.rpartition("/")
    return coloured(folders + slash, "faint", sys.stdout) + coloured(name, "bold", sys.stdout)


def _score(score: float) -> str:
    return "    -" if math.isnan(score) else f"{score:.3f}"


def print_hit_lines(hits: Sequence[SearchHit], facts: Facts) -> None:
    """Print hits as JSON lines."""
    for row in hit_rows(hits, facts):
        print_line(row)


_COLUMNS = ("rank", "score", "relevance", "path", "content_id", "copies")


def print_csv(hits: Sequence[SearchHit], facts: Facts) -> None:
    """Print hits as CSV (RFC 4180), with the original bytes of paths.

    `copies` counts other files of the content, `stack` its other pictures; `part` is a fragment as in "t=83.5".
    """
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow((*_COLUMNS, "sharpness", "brightness", "part", "stack"))
    for hit in hits:
        row = {column: getattr(hit, column) for column in _COLUMNS} | {"copies": len(hit.copies)}
        if math.isnan(hit.score):
            row["score"] = ""
        fragment = "" if hit.part is None else hit.part.fragment
        table.writerow([*row.values(), *_measures_of(hit, facts).values(), fragment, len(hit.stack)])
    write(text.getvalue().encode("utf-8", "surrogateescape"))


def print_paths(paths: Iterable[str], *, end: bytes) -> None:
    """Print paths with their original bytes, each followed by `end`."""
    write(b"".join(os.fsencode(path) + end for path in paths))


def captions_json(image: str | None, model: str, hits: Sequence[CaptionHit]) -> dict[str, Any]:
    return {"image": image, "model": model, "captions": [asdict(hit) for hit in hits]}


def matches_json(text: str, model: str, matches: Sequence[ImageMatch]) -> dict[str, Any]:
    """Build the JSON of matches, in the shape of `captions_json`: each row is a pair of a picture and the text."""
    rows = [asdict(match) | {"text": text} for match in matches]
    return {"image": None, "text": text, "model": model, "captions": rows}


def print_captions(hits: Sequence[CaptionHit]) -> None:
    for hit in hits:
        relevance = "" if hit.relevance is None else f"{percent(hit.relevance)}  "
        out(f"{hit.rank:>4}  {relevance}{percent(hit.probability)}  {hit.score:.3f}  {printable(hit.text)}")


def print_matches(matches: Sequence[ImageMatch]) -> None:
    for match in matches:
        path = printable(match.path) if is_url(match.path) else shown_path(str(Path(match.path)))
        out(f"{match.rank:>4}  {percent(match.probability)}  {match.score:.3f}  {path}")


def percent(probability: float) -> str:
    return f"{100 * probability:5.1f} %"
