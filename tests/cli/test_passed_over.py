"""What was passed over is told in a line, with the command that installs what would read it."""

import pytest

from clipsearch import formats
from clipsearch.cli.passed_over import describe_passed_over
from clipsearch.formats import Extra, FileKind

MISSING = "no_module_of_this_name"
KINDS = (
    FileKind("picture", (".jpg",), "always"),
    FileKind("raw file", (".cr2", ".nef"), Extra("raw", MISSING)),
    FileKind("drawing", (".svg",), Extra("svg", MISSING)),
    FileKind("negative", (".dng",), Extra("raw", MISSING)),
    FileKind("page", (".pdf",), Extra("pdf", "json")),
    FileKind("film", (".mov", ".mp4"), "never"),
)


@pytest.mark.parametrize(
    ("counts", "line"),
    [
        ({}, None),
        ({".txt": 3}, None),
        ({".cr2": 1}, "1 raw file was passed over: pip install 'clipsearch[raw]' reads it"),
        (
            {".cr2": 1_200, ".nef": 2, ".svg": 3, ".dng": 1},
            "1,202 raw files, 3 drawings and 1 negative were passed over: pip install 'clipsearch[raw,svg]' reads them",
        ),
        ({".mp4": 2, ".mov": 1}, "3 films (.mov, .mp4) were passed over"),
        (
            {".cr2": 2, ".mov": 1},
            "2 raw files and 1 film (.mov) were passed over: pip install 'clipsearch[raw]' reads the raw files",
        ),
        ({".pdf": 2}, "2 pages were passed over: clipsearch index reads them"),
        (
            {".pdf": 2, ".cr2": 1},
            "1 raw file and 2 pages were passed over: pip install 'clipsearch[raw]' reads the raw file and "
            "clipsearch index reads the pages",
        ),
    ],
)
def test_files_are_told_by_kind(counts: dict[str, int], line: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "KINDS", KINDS)
    assert describe_passed_over(counts) == line
