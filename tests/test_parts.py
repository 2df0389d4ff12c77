"""Parts of contents: their values, and their text."""

import json

import pytest

from clipsearch.parts import MOST_PARTS, Part, locate, pack_parts, unpack_parts

SCENE = Part("scene", start_s=83.5, end_s=90.25)
PAGE = Part("page", page=3)
CROP = Part("crop", box=(0.5, 0.0, 1.0, 0.5))


@pytest.mark.parametrize("parts", [(), (None,), (None, CROP), (PAGE,), (SCENE, Part("scene", start_s=0.0, end_s=1.0))])
def test_parts_come_back_from_their_json(parts):
    assert unpack_parts(pack_parts(parts)) == parts


@pytest.mark.parametrize(
    ("part", "path", "label"),
    [
        (None, "a.jpg", None),
        (SCENE, "a.jpg#t=83.5", "1:23"),
        (Part("scene", start_s=3725.0, end_s=3725.0), "a.jpg#t=3725", "1:02:05"),
        (PAGE, "a.jpg#page=3", "page 3"),
        (CROP, "a.jpg#xywh=percent:50,0,50,50", "detail"),
    ],
)
def test_a_part_is_the_fragment_of_a_path(part, path, label):
    assert locate("a.jpg", part) == path
    assert (part.label if part else None) == label


@pytest.mark.parametrize(
    "value",
    [
        {"kind": "leg"},
        {"kind": ["page"]},
        {"kind": "page"},
        {"kind": "page", "page": 0},
        {"kind": "page", "page": True},
        {"kind": "page", "page": "3"},
        {"kind": "page", "page": 1 << 40},
        {"kind": "page", "page": 1, "box": [0, 0, 1, 1]},
        {"kind": "scene", "start_s": 1},
        {"kind": "scene", "start_s": 2, "end_s": 1},
        {"kind": "scene", "start_s": -1, "end_s": 1},
        {"kind": "scene", "start_s": float("nan"), "end_s": 1},
        {"kind": "scene", "start_s": 1, "end_s": float("inf")},
        {"kind": "scene", "start_s": "1", "end_s": "2"},
        {"kind": "crop", "box": [0, 0, 1]},
        {"kind": "crop", "box": [0, 0, 1, 2]},
        {"kind": "crop", "box": [0.5, 0, 0.5, 1]},
        {"kind": "crop", "box": [None, 0, 1, 1]},
        {"kind": "crop", "box": "0011"},
        {"kind": "crop", "box": [0, 0, 1, 1], "more": 1},
        [],
        "crop",
        3,
    ],
)
def test_anything_else_is_no_part(value):
    with pytest.raises(ValueError, match="invalid"):
        unpack_parts(json.dumps([value]))


@pytest.mark.parametrize("text", ["", "{}", "3", "[", "[[" * 100_000, json.dumps([None] * (MOST_PARTS + 1))])
def test_a_text_that_is_no_list_of_parts(text):
    with pytest.raises(ValueError, match=r"invalid parts|Expecting value"):
        unpack_parts(text)
