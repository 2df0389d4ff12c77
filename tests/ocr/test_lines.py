"""Lines of text as they are stored, also by an untrusted database."""

import json

import pytest

from clipsearch.ocr.lines import MOST_CHARACTERS, MOST_LINES, MOST_PACKED, TextLine, pack_lines, unpack_lines

BOX = (0.1, 0.2, 0.3, 0.4)


@pytest.mark.parametrize(
    "lines",
    [
        (),
        (TextLine("Total 4.50", 0.9876, BOX),),
        (TextLine("第一章", 1.0, BOX, page=3), TextLine("Ünï \U0001f600", 0.0, (0.0, 0.0, 1.0, 1.0))),
    ],
    ids=str,
)
def test_lines_come_back_as_they_were_stored(lines):
    packed = pack_lines(lines)
    assert packed.isascii() and unpack_lines(packed) == lines


@pytest.mark.parametrize(
    "text",
    [
        *(None, 7, b"[]", "", "[", "{}", "null", "7", '"x"', "[[]]", "[7]", "[null]", "[" * 100_000),
        json.dumps([["x", 0.5, 0.1, 0.2, 0.3]]),
        json.dumps([["x", 0.5, *BOX, 1, 1]]),
        json.dumps([[7, 0.5, *BOX]]),
        json.dumps([["  ", 0.5, *BOX]]),
        json.dumps([["x", "0.5", *BOX]]),
        json.dumps([["x", 1.5, *BOX]]),
        json.dumps([["x", -1, *BOX]]),
        '[["x", NaN, 0.1, 0.2, 0.3, 0.4]]',
        '[["x", 0.5, 0.1, 0.2, Infinity, 0.4]]',
        json.dumps([["x", 0.5, 0.3, 0.2, 0.1, 0.4]]),
        json.dumps([["x", 0.5, *BOX, 0]]),
        json.dumps([["x", 0.5, *BOX, "1"]]),
        json.dumps([["x", 0.5, *BOX, 1.5]]),
    ],
    ids=lambda text: str(text)[:30],
)
def test_what_is_no_line_is_left_out(text):
    assert unpack_lines(text) == ()
    if isinstance(text, str) and text.startswith("[[") and text.endswith("]]"):
        assert len(unpack_lines(f'[["kept", 0.5, 0.1, 0.2, 0.3, 0.4], {text[1:-1]}]')) == 1


def test_there_is_an_end_to_lines_and_characters():
    found = unpack_lines(json.dumps([["x" * 10, 0.5, *BOX]] * (MOST_LINES + 1)))
    assert len(found) == MOST_LINES
    (line,) = unpack_lines(json.dumps([["x" * (MOST_CHARACTERS + 1), 0.5, *BOX]]))
    assert len(line.text) == MOST_CHARACTERS
    assert unpack_lines("[" + " " * MOST_PACKED + "]") == ()


@pytest.mark.parametrize("text", ["x", "第", "\U0001f600"])
def test_the_first_lines_of_very_much_text_are_kept(text):
    many = [TextLine(text * MOST_CHARACTERS, 1.0, (0.12345, 0.12345, 0.99999, 0.99999), page=200)] * (MOST_LINES + 5)
    found = unpack_lines(pack_lines(many))
    assert 1_000 < len(found) < len(many) and len(pack_lines(many)) <= MOST_PACKED
    assert len(unpack_lines(pack_lines([TextLine("x", 1.0, BOX)] * (MOST_LINES + 5)))) == MOST_LINES


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a\x1b[31mb", "a[31mb"),
        ("a\u202eb", "ab"),
        ("a\ud800b", "ab"),
        ("a\x00\x07b", "ab"),
        (" a \n\t b ", "a b"),
        ("\x1b", None),
    ],
    ids=ascii,
)
def test_what_controls_a_terminal_is_left_out(text, kept):
    found = unpack_lines(json.dumps([[text, 0.5, *BOX]]))
    assert [line.text for line in found] == ([] if kept is None else [kept])


@pytest.mark.parametrize(
    ("text", "script"),
    [("Total 4.50", "latin"), ("第一章 a", "cjk"), ("Привет", "cyrillic"), ("4.50", ""), ("ひらがな漢", "hiragana")],
)
def test_the_script_is_that_of_most_letters(text, script):
    assert TextLine(text, 1.0, BOX).script == script
