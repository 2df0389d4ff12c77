"""Caption files of every kind; broken lines are told with their number and the others kept."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipsearch.captions.files import CaptionFile, read_caption_file
from clipsearch.errors import InputError


def read(tmp_path, name: str, content: bytes | str) -> CaptionFile:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_caption_file(path)


def test_a_text_file_has_a_caption_a_line(tmp_path):
    found = read(tmp_path, "c.txt", "\ufeffa cat\r\n\n  a   red\tcar \nlast without newline")
    assert found == CaptionFile(("a cat", "a red car", "last without newline"), ())


def test_broken_lines_are_told_by_number(tmp_path):
    found = read(tmp_path, "c.txt", b"a cat\n\xff\xfe bad\na dog\nnul \0 here\n")
    assert found.texts == ("a cat", "a dog")
    assert found.broken == ((2, "not UTF-8"), (4, "holds a NUL character"))


def test_jsonl_takes_objects_and_strings(tmp_path):
    lines = [
        '{"image": "a.jpg", "caption": "a cat"}',
        '"a dog"',
        "{broken",
        '{"text": "a bird"}',
        '{"n": 1}',
        "[1]",
        "7",
    ]
    found = read(tmp_path, "c.jsonl", "\n".join(lines))
    assert found.texts == ("a cat", "a dog", "a bird")
    assert [number for number, _ in found.broken] == [3, 5, 6, 7]
    assert found.broken[0][1] == "not JSON"


@pytest.mark.parametrize("heading", ["file,caption", "caption,file", "id,Text,extra", "FILE, caption "])
def test_csv_finds_its_column(tmp_path, heading):
    names = [name.strip().lower() for name in heading.split(",")]
    row = ",".join('"a cat, asleep"' if name in ("caption", "text") else "x" for name in names)
    found = read(tmp_path, "c.csv", f"{heading}\n{row}\n")
    assert found == CaptionFile(("a cat, asleep",), ())


def test_csv_with_one_column_needs_no_heading(tmp_path):
    assert read(tmp_path, "c.csv", "a cat\na dog\n").texts == ("a cat", "a dog")
    assert read(tmp_path, "c.csv", "caption\na cat\n").texts == ("a cat",)


def test_csv_tells_rows_of_another_width_by_their_first_line(tmp_path):
    found = read(tmp_path, "c.csv", b'file,caption\na,one\nb,"two\nlines"\nonly\nc,three,more\nx,\xff\nd,four\n')
    assert found.texts == ("one", "two lines", "four")
    assert [number for number, _ in found.broken] == [5, 6, 7]


def test_tsv(tmp_path):
    assert read(tmp_path, "c.tsv", "file\tcaption\na\tone, two\n").texts == ("one, two",)


def test_csv_without_a_known_column_is_refused(tmp_path):
    with pytest.raises(InputError, match="no column named"):
        read(tmp_path, "c.csv", "a,b\n1,2\n")


def test_coco_annotations(tmp_path):
    coco = {
        "images": [{"id": 1}],
        "annotations": [{"image_id": 1, "caption": "a cat"}, {"image_id": 1}, {"caption": 5}],
    }
    found = read(tmp_path, "captions_val2017.json", json.dumps(coco))
    assert found.texts == ("a cat",)
    assert [number for number, _ in found.broken] == [2, 3]
    found = read(
        tmp_path, "bad.json", b'{"annotations": [{"caption": "caf\xe9"}, {"caption": "tea"}, {"caption": "\\ud800"}]}'
    )
    assert found == CaptionFile(("tea",), ((1, "not UTF-8"), (3, "not UTF-8")))


def test_a_quote_that_is_never_closed(tmp_path):
    found = read(tmp_path, "c.csv", 'caption\none\n"two\nthree\n')
    assert found.texts == ("one",)
    assert [number for number, _ in found.broken] == [3]


@pytest.mark.parametrize("content", ["", "{", "3", '{"a": 1}', '"text"', "[" * 100_000])
def test_json_of_another_shape_is_refused(tmp_path, content):
    with pytest.raises(InputError):
        read(tmp_path, "c.json", content)


def test_unknown_endings_and_missing_files(tmp_path):
    with pytest.raises(InputError, match="unsupported file type for captions"):
        read(tmp_path, "c.xml", "a")
    with pytest.raises(InputError, match="No such file"):
        read_caption_file(tmp_path / "no.txt")
    (tmp_path / "folder.txt").mkdir()
    with pytest.raises(InputError, match="directory"):
        read_caption_file(tmp_path / "folder.txt")


def test_a_tab_is_named(tmp_path):
    found = read(tmp_path, "c.tsv", 'caption\na cat\n""b\n')
    assert [reason for _, reason in found.broken] == ["a tab expected after '\"'"]


@settings(deadline=None)
@given(st.sampled_from(["txt", "csv", "tsv", "jsonl", "json"]), st.binary(max_size=200))
def test_any_bytes_give_captions_or_one_error(tmp_path_factory, suffix, content):
    path = tmp_path_factory.mktemp("any") / f"c.{suffix}"
    path.write_bytes(content)
    try:
        found = read_caption_file(path)
    except InputError:
        return
    assert all(text.strip() == text and text for text in found.texts)
    assert all(number >= 1 and reason for number, reason in found.broken)
