"""Tables and texts as other programs write them: read, or refused in one line; never taken for something else."""

import os
from pathlib import Path

import pytest

from clipsearch.captions.files import read_caption_file
from clipsearch.captions.pairs import read_caption_pairs
from clipsearch.errors import InputError

ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]


def write(tmp_path: Path, name: str, content: bytes | str) -> Path:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def texts(path: Path) -> tuple[str, ...]:
    found = read_caption_file(path)
    assert found.broken == ()
    return found.texts


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_caption_file(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["c.csv", "c.tsv", "c.CSV"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("above", ["", "sep={}\n", '"sep={}"\n'])
def test_the_heading_tells_the_delimiter(tmp_path, name, delimiter, line_end, above):
    rows = [
        ["Score", ' "Caption" '.strip(), "File_Name"],
        ["0,5", "a cat, asleep", "a.jpg"],
        ["1,5", '"two\nlines; and, more | ""so""\tto say"', '"b;,|.jpg"'],
        ["2,5", "naïve ; , | \t".replace(delimiter, " ").strip().join('""'), "c.jpg"],
    ]
    text = above.format(delimiter) + "\n".join(
        delimiter.join(quoted(field, delimiter) for field in row) for row in rows
    )
    path = write(tmp_path, name, text.replace("\n", line_end))
    first, second, third = texts(path)
    assert (first, second) == ("a cat, asleep", 'two lines; and, more | "so" to say')
    assert third.startswith("naïve")
    pairs = read_caption_pairs(path).pairs
    assert [(pair.image.name, pair.caption) for pair in pairs][:2] == [("a.jpg", first), ("b;,|.jpg", second)]


def quoted(field: str, delimiter: str) -> str:
    return f'"{field}"' if delimiter in field and not field.startswith('"') else field


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("c.csv", "image;caption\na.jpg;čeština 猫\nb.jpg;a dog, running\n"),
        ("c.tsv", "image\tcaption\r\na.jpg\tčeština 猫\r\nb.jpg\ta dog, running\r\n"),
        ("c.txt", "čeština 猫\na dog, running\n"),
        ("c.jsonl", '{"caption": "čeština 猫"}\n"a dog, running"'),
        ("c.json", '["čeština 猫", {"Caption": "a dog, running"}]'),
    ],
)
def test_every_encoding_of_unicode_is_read(tmp_path, encoding, name, content):
    assert texts(write(tmp_path, name, content.encode(encoding))) == ("čeština 猫", "a dog, running")


def test_mostly_other_letters_without_a_mark(tmp_path):
    lines = ["一只猫在椅子上睡觉" * 5, "一只狗在雪地里跑步" * 5] * 100
    assert texts(write(tmp_path, "c.txt", "\n".join(lines).encode("utf-16-be"))) == tuple(lines)


@pytest.mark.parametrize("content", [b"a cat\nnul \0 here\n", b"a cat\n" + b"\0" * 9, b"a cat\n\0\0\0a\0"])
def test_stray_zeros_are_no_utf_16(tmp_path, content):
    found = read_caption_file(write(tmp_path, "c.txt", content))
    assert found.texts == ("a cat",)
    assert found.broken == ((2, "holds a NUL character"),)


@pytest.mark.parametrize("content", [b"\xff\xfea", b"\xff\xfe\0\xd8a\0", b"\xff\xfe\0\0\0\0\x11\0"])
def test_half_a_letter_of_utf_16_is_refused(tmp_path, content):
    assert "save it as UTF-8" in refusal(write(tmp_path, "c.txt", content))


def test_old_encodings_are_told_by_line(tmp_path):
    found = read_caption_file(write(tmp_path, "c.csv", "caption;n\na cat;1\ncafé;2\n".encode("cp1252")))
    assert found.texts == ("a cat",)
    assert found.broken == ((3, "not UTF-8"),)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".txt", ".json", ".jsonl"])
@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"PK\x03\x04\x14\0\x06\0\x08\0", "zip file"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0", "Office"),
        (b"{\\rtf1\\ansi a cat}", "rich text"),
        (b"\x1f\x8b\x08\0a cat", "gzip"),
        (b"PAR1\x15\x04", "Parquet"),
        (b"\n<html><table><tr><td>caption</td></tr></table>", "HTML"),
        ('<?xml version="1.0"?><Workbook>'.encode("utf-16"), "XML"),
        (b"<!DOCTYPE HTML>\na cat", "HTML"),
    ],
)
def test_what_is_no_text_is_named(tmp_path, suffix, content, kind):
    assert kind in refusal(write(tmp_path, f"c{suffix}", content))


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("c.csv", "Bild;Beschreibung\na.jpg;a cat\n", "a table delimited by semicolons"),
        ("c.csv", "a.jpg\ta cat\nb.jpg\ta dog\n", "a table delimited by tabs"),
        ("c.csv", "a.jpg|a cat\n", "a table delimited by bars"),
        ("c.tsv", "a.jpg,a cat\nb.jpg,a dog\n", "a table delimited by commas"),
        ("c.csv", "sep=;\na.jpg;a cat\n", "no column named"),
        ("c.csv", "sep=;\nBild;Beschreibung\n", "no column named"),
        ("c.csv", "n;image\n1;a.jpg\n", "a table delimited by semicolons"),
        ("c.csv", '{"caption": "a cat"}\n{"caption": "a dog"}\n', "contains JSON: rename it to .jsonl"),
        ("c.csv", '{\n"caption": "a cat"}\n', "contains JSON: rename it to .json"),
        ("c.csv", '["a cat", "a dog"]\n', "contains JSON"),
        ("c.txt", '{"image": "a.jpg", "caption": "a cat"}\n', "contains JSON: rename it to .jsonl"),
        ("c.txt", '[\n"a cat"\n]', "contains JSON: rename it to .json"),
        ("c.txt", "image,caption\na.jpg,a cat\n", "its first line names columns"),
        ("c.txt", "# mine\n\nImage;Caption\na.jpg;a cat\n", "its first line names columns"),
        ("c.txt", "a.jpg#0\ta cat\na.jpg#1\ta big cat\n", "with tabs in each line"),
    ],
)
def test_a_table_or_json_is_never_taken_for_a_list(tmp_path, name, content, reason):
    assert reason in refusal(write(tmp_path, name, content))


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("c.csv", "caption\na cat; asleep\nb | c\n", ("a cat; asleep", "b | c")),
        ("c.csv", "a cat; asleep\na dog\n", ("a cat; asleep", "a dog")),
        ("c.csv", "[a cat]\n{a dog}\n", ("[a cat]", "{a dog}")),
        ("c.txt", "a cat; asleep\na dog; awake\n[1\n", ("a cat; asleep", "a dog; awake", "[1")),
        ("c.txt", "title, text and a cat\nb\n", ("title, text and a cat", "b")),
        ("c.txt", "a\tcat\n", ("a cat",)),
        ("c.csv", "sep=;\ncaption;n\na, b;1\n", ("a, b",)),
    ],
)
def test_lists_stay_lists(tmp_path, name, content, expected):
    assert texts(write(tmp_path, name, content)) == expected


def test_ragged_rows_are_told_by_number(tmp_path):
    found = read_caption_file(write(tmp_path, "c.csv", "sep=;\nimage;caption\na;one\nb\nc;d;e\n\nf;two\n"))
    assert found.texts == ("one", "two")
    assert [number for number, _ in found.broken] == [4, 5]


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "9" * 10_000, '{"annotations": 1}'])
def test_json_bombs_are_one_error(tmp_path, text):
    for read in (read_caption_file, read_caption_pairs):
        with pytest.raises(InputError) as caught:
            read(write(tmp_path, "c.json", text))
        assert len(str(caught.value)) < 500
    assert len(read_caption_file(write(tmp_path, "c.jsonl", f'{text}\n"a cat"')).broken) == 1


def test_an_object_of_many_keys(tmp_path):
    entry = "{" + ",".join(f'"{number}": 1' for number in range(100_000)) + ', "TEXT": "a cat"}'
    assert texts(write(tmp_path, "c.jsonl", entry)) == ("a cat",)


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "huge"])
@pytest.mark.parametrize("suffix", [".txt", ".csv", ".json", ".jsonl"])
def test_what_is_no_file_is_not_opened(tmp_path, kind, suffix):
    path = tmp_path / f"c{suffix}"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    else:
        with path.open("wb") as file:
            file.truncate(600_000_000)
    reason = {"pipe": "a named pipe", "device": "a device", "folder": "a directory", "huge": "larger than 500 MB"}[kind]
    assert reason in refusal(path)
