"""Caption files of every kind, well made, nearly so, or not at all: captions that can be stored, or one clear error."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsearch.captions.files import CAPTION_KEYS, read_caption_file
from clipsearch.errors import InputError
from clipsearch.store import Store
from tests.fuzz.budget import examples

KINDS = ("txt", "csv", "tsv", "jsonl", "json")
TEXTS = st.text(max_size=30) | st.sampled_from(
    ["\0", "\ud800", "\ud83d\ude00", "a\u2028b", "\u202eabc", "\x1b[2J", "\ufeff", "'", '"', "a\rb", "x" * 5000]
)
KEYS = st.sampled_from([*CAPTION_KEYS, "annotations", "Caption", "image_id", ""])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)
ODD_LINES = st.sampled_from(
    [b"[" * 100_000, b'{"caption":' * 50_000, b"1" * 5000, b'"\\ud800"', b'"\\u0000"', b"\xff\xfe"]
)


def as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


@st.composite
def near_valid(draw: st.DrawFn) -> tuple[str, bytes]:
    """A file as a program would have written it, then cut, or with other bytes in it."""
    kind = draw(st.sampled_from(KINDS))
    if kind == "txt":
        content = as_bytes("\n".join(draw(st.lists(TEXTS, max_size=5))))
    elif kind == "jsonl":
        lines = [json.dumps(value, ensure_ascii=draw(st.booleans())) for value in draw(st.lists(VALUES, max_size=5))]
        content = as_bytes("\n".join(lines))
    elif kind == "json":
        document: Any = draw(VALUES | st.builds(lambda rows: {"annotations": rows}, st.lists(VALUES, max_size=5)))
        content = as_bytes(json.dumps(document))
    else:
        table = io.StringIO()
        writer = csv.writer(
            table, delimiter="\t" if kind == "tsv" else ",", lineterminator=draw(st.sampled_from(["\n", "\r\n"]))
        )
        writer.writerow(draw(st.lists(KEYS, min_size=1, max_size=3)))
        writer.writerows(draw(st.lists(st.lists(TEXTS, max_size=3), max_size=5)))
        content = as_bytes(table.getvalue())
    if draw(st.booleans()):
        content = content[: draw(st.integers(0, len(content)))]
    if draw(st.booleans()):
        place = draw(st.integers(0, len(content)))
        content = content[:place] + draw(st.binary(max_size=8) | ODD_LINES) + content[place:]
    return kind, content


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Any:
    opened = Store(tmp_path_factory.mktemp("captions") / "c", create=True)
    yield opened
    opened.close()


def check(path: Path, content: bytes, store: Store) -> None:
    path.write_bytes(content)
    try:
        found = read_caption_file(path)
    except InputError as error:
        assert "\n" not in str(error)
        return
    assert all(number >= 1 and reason.isprintable() for number, reason in found.broken)
    store.captions.remove(None)
    assert store.captions.add(found.texts) == len(set(found.texts))
    assert sorted(store.captions.list_all()) == sorted(set(found.texts))
    for text in found.texts:
        assert text == " ".join(text.split()) != ""


@examples(200)
@given(file=near_valid())
def test_nearly_valid_files(file: tuple[str, bytes], tmp_path: Path, store: Store) -> None:
    check(tmp_path / f"c.{file[0]}", file[1], store)


@examples(200)
@given(kind=st.sampled_from(KINDS), content=st.binary(max_size=300))
def test_any_bytes(kind: str, content: bytes, tmp_path: Path, store: Store) -> None:
    check(tmp_path / f"c.{kind}", content, store)
