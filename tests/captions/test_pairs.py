"""Files of pictures with their captions, of every kind; broken entries are told and the others kept."""

import json
from pathlib import Path

import pytest

from clipsearch.captions.pairs import CaptionPairs, read_caption_pairs
from clipsearch.errors import InputError

COCO = {
    "info": {"year": 2017},
    "images": [{"id": 7, "file_name": "a.jpg"}, {"id": 9, "file_name": "b/c.jpg"}, {"id": 11}],
    "annotations": [
        {"id": 1, "image_id": 9, "caption": "a dog"},
        {"id": 2, "image_id": 7, "caption": "a cat\n"},
        {"id": 3, "image_id": 9, "caption": "a  big dog"},
    ],
}


def read(tmp_path: Path, name: str, content: bytes | str, **options) -> CaptionPairs:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_caption_pairs(path, **options)


def shown(found: CaptionPairs, folder: Path) -> list[tuple[str, str]]:
    return [(pair.image.relative_to(folder).as_posix(), pair.caption) for pair in found.pairs]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("c.jsonl", '{"image": "b/c.jpg", "caption": "a dog"}\n\n{"caption": " a cat ", "image": "a.jpg", "n": 1}\n'),
        ("c.jsonl", '\ufeff{"file_name": "b/c.jpg", "text": "a dog"}\r\n{"file_name": "a.jpg", "text": "a cat"}'),
        ("c.csv", "image,caption\nb/c.jpg,a dog\n\na.jpg,a cat\n"),
        ("c.csv", 'n,Caption, Image\n1,"a\ndog",b/c.jpg\n2,a cat,a.jpg\n'),
        ("c.tsv", "image\tcaption\nb/c.jpg\ta dog\na.jpg\ta cat\n"),
        ("c.json", json.dumps(COCO | {"annotations": COCO["annotations"][:2]})),
    ],
)
def test_all_kinds_give_the_same_pairs(tmp_path, name, content):
    found = read(tmp_path, name, content)
    assert shown(found, tmp_path) == [("b/c.jpg", "a dog"), ("a.jpg", "a cat")]
    assert found.broken == ()


def test_a_picture_may_have_several_captions(tmp_path):
    found = read(tmp_path, "c.json", json.dumps(COCO))
    assert shown(found, tmp_path) == [("b/c.jpg", "a dog"), ("a.jpg", "a cat"), ("b/c.jpg", "a big dog")]


def test_pictures_may_lie_in_another_folder(tmp_path):
    found = read(tmp_path, "c.json", json.dumps(COCO), folder=tmp_path / "val2017")
    assert shown(found, tmp_path / "val2017")[1] == ("a.jpg", "a cat")


def test_broken_lines_of_jsonl_are_told_by_number(tmp_path):
    lines = [
        b'{"image": "a.jpg", "caption": "a cat"}',
        b"{broken",
        b'"a dog"',
        b'{"image": "a.jpg"}',
        b'{"image": "a.jpg", "caption": "  "}',
        b'{"image": "", "caption": "a cat"}',
        b'{"image": "a.jpg", "caption": "\xff"}',
        b'{"image": "a\\u0000.jpg", "caption": "a cat"}',
        b'{"image": 5, "caption": "a cat"}',
    ]
    found = read(tmp_path, "c.jsonl", b"\n".join(lines))
    assert shown(found, tmp_path) == [("a.jpg", "a cat")]
    assert found.broken == (
        (2, "not JSON"),
        (3, "no picture under image or file_name"),
        (4, "no text under caption, text, title, sentence, description"),
        (5, "the caption is empty"),
        (6, "the picture's name is empty"),
        (7, "not UTF-8"),
        (8, "holds a NUL character"),
        (9, "no picture under image or file_name"),
    )


def test_broken_rows_of_csv_are_told_by_number(tmp_path):
    found = read(tmp_path, "c.csv", 'image,caption\na.jpg,a cat\nb.jpg\nc.jpg,one,more\n"d.jpg,never closed\n')
    assert shown(found, tmp_path) == [("a.jpg", "a cat")]
    assert [number for number, _ in found.broken] == [3, 4, 5]


def test_broken_annotations_of_coco_are_told_by_number(tmp_path):
    annotations = [
        *COCO["annotations"],
        {"image_id": 8, "caption": "x"},
        {"caption": "x"},
        7,
        {"image_id": 7},
        {"image_id": 11, "caption": "without a name"},
    ]
    found = read(tmp_path, "c.json", json.dumps(COCO | {"annotations": annotations}))
    assert len(found.pairs) == 3
    assert [number for number, _ in found.broken] == [4, 5, 6, 7, 8]
    assert found.broken[0][1] == "'images' has no file_name for its image_id, 8"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("c.txt", "a cat", "unsupported file type for captions: use .csv, .json, .jsonl, .tsv"),
        ("c.json", "{", "is not JSON"),
        ("c.json", "[]", "expected COCO's 'images' and 'annotations'"),
        ("c.json", '{"annotations": []}', "expected COCO's 'images' and 'annotations'"),
        ("c.json", '{"images": [], "annotations": []}', "has no picture with a caption$"),
        ("c.jsonl", "", "has no picture with a caption$"),
        ("c.jsonl", "\n{broken\n", r"has no picture with a caption \(line 2: not JSON\)"),
        ("c.csv", "a.jpg,a cat\n", "the first line must name the columns"),
        ("c.csv", "image,caption\n", "has no picture with a caption$"),
    ],
)
def test_a_file_that_is_of_no_use_is_one_error(tmp_path, name, content, reason):
    with pytest.raises(InputError, match=reason):
        read(tmp_path, name, content)


def test_a_missing_file_is_one_error(tmp_path):
    with pytest.raises(InputError, match=r"can't read .*no.jsonl: No such file"):
        read_caption_pairs(tmp_path / "no.jsonl")
