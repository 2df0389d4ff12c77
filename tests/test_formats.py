"""Kinds of files: what is read here, and by which extra."""

from clipsearch.formats import (
    IMAGE_SUFFIXES,
    KINDS,
    UNSUPPORTED_SUFFIXES,
    Extra,
    FileKind,
    count_kinds,
    is_installed,
    is_read,
)


def test_every_suffix_belongs_to_one_kind() -> None:
    suffixes = [suffix for kind in KINDS for suffix in kind.suffixes]
    assert len(suffixes) == len(set(suffixes))
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in suffixes)
    assert set(suffixes) == IMAGE_SUFFIXES | UNSUPPORTED_SUFFIXES
    assert not IMAGE_SUFFIXES & UNSUPPORTED_SUFFIXES


def test_a_kind_is_read_where_its_extra_is_installed() -> None:
    drawing = FileKind("drawing", (".a",), Extra("drawings", "json"))
    missing = FileKind("drawing", (".a",), Extra("drawings", "no_module_of_this_name"))
    assert is_installed(Extra("drawings", "json"))
    assert (is_read(drawing), is_read(missing)) == (True, False)
    assert is_read(missing, is_installed=lambda extra: extra.name == "drawings")
    assert is_read(FileKind("picture", (".b",), "always"))
    assert not is_read(FileKind("film", (".c",), "never"))


def test_files_are_counted_by_kind() -> None:
    counts = count_kinds({".mov": 1, ".cr2": 8, ".nef": 2, ".unknown": 3, ".mp4": 0})
    assert {kind.noun: number for kind, number in counts.items()} == {"camera raw file": 10, "film": 1}
