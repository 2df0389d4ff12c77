"""Files that clipsearch wrote and that hold something else by now: one ModelError or made anew, never another error."""

import copy
import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clipsearch.encoders import fingerprint, text_cache
from clipsearch.encoders.fingerprint import hash_file
from clipsearch.encoders.hub.model_files import read_json
from clipsearch.encoders.load import STARTER_DIRECTORY
from clipsearch.encoders.openvino import cache as compile_cache
from clipsearch.encoders.openvino.encoder import CompiledEncoder
from clipsearch.encoders.openvino.spec import SPEC_NAME, read_spec
from clipsearch.errors import ModelError, VectorIndexError
from clipsearch.indexes.flat import FaissIndex
from clipsearch.indexes.snapshot import Sidecar, index_path, load_snapshot, save_snapshot, sidecar_path
from clipsearch.paths import cache_dir
from tests.fuzz.budget import examples

DEEP = b"[" * 100_000
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=10)
    | st.sampled_from([10**400, -1, "../x", "\0", "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FINGERPRINT = "0123456789abcdef" * 4


def specs() -> dict[int, dict[str, Any]]:
    """model.json of both formats, for the same three files."""
    starter = json.loads((STARTER_DIRECTORY / SPEC_NAME).read_text())
    spec = read_spec(STARTER_DIRECTORY)
    names = {"image_file": starter["image"]["file"], "text_file": starter["text"]["file"]}
    second = {
        "format": 2,
        "fingerprint": FINGERPRINT,
        "dim": spec.dim,
        "context_length": spec.context_length,
        "preprocess": {
            "height": 224, "width": 224, "shortest_edge": 224, "resample": 3, "rescale_factor": 1 / 255,
            "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5],
        },
        "head": {"kind": "softmax", "logit_scale": 100.0, "logit_bias": 0.0},
        **names,
        "tokenizer_file": starter["text"]["tokenizer"],
        "takes_crops": True,
        "pad_id": 0,
        "pads_to_context": False,
        "lower_case": False,
        "precision": "f32",
        "files": {},
    }  # fmt: skip
    return {1: starter, 2: second}


SPECS = specs()


@st.composite
def changed(draw: st.DrawFn, document: dict[str, Any]) -> dict[str, Any]:
    """The document with a few of its values replaced, removed or added, at any depth."""
    document = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        place: dict[str, Any] = document
        while True:
            key = draw(st.sampled_from([*place, "more"]))
            if isinstance(place.get(key), dict) and place[key] and draw(st.booleans()):
                place = place[key]
                continue
            break
        if draw(st.booleans()) or key not in place:
            place[key] = draw(VALUES)
        else:
            del place[key]
    return document


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with files of the right names and nothing in them."""
    folder = tmp_path_factory.mktemp("model")
    for name in ("image_file", "text_file", "tokenizer_file"):
        (folder / SPECS[2][name]).write_text("nothing")
        SPECS[2]["files"][SPECS[2][name]] = hash_file(folder / SPECS[2][name])
    return folder


def check_spec(model: Path, content: bytes) -> None:
    (model / SPEC_NAME).write_bytes(content)
    try:
        encoder = CompiledEncoder(model, name="odd")
    except ModelError as error:
        assert "\n" not in str(error)
        return
    # What is taken is of use: sizes are sizes.
    assert encoder.encode_texts([]).shape == (0, encoder.dim)
    assert (
        encoder.encode_images(np.empty((0, encoder.preprocess.height, encoder.preprocess.width, 3), np.uint8)).size == 0
    )
    assert 0 < encoder.dim < 1 << 20
    assert encoder.context_length > 2
    assert len(encoder.fingerprint) == 64
    assert len(encoder.preprocess.scale) == len(encoder.preprocess.shift) == 3


@examples(200)
@given(data=st.data(), number=st.sampled_from([1, 2]))
def test_a_changed_description_of_a_model(data: st.DataObject, number: int, model: Path) -> None:
    check_spec(model, json.dumps(data.draw(changed(SPECS[number]))).encode())


@examples(100)
@given(content=st.binary(max_size=100) | VALUES.map(json.dumps).map(str.encode))
@example(content=DEEP)
def test_any_description_of_a_model(content: bytes, model: Path) -> None:
    check_spec(model, content)


@examples(100)
@given(content=st.binary(max_size=100) | VALUES.map(json.dumps).map(str.encode))
@example(content=DEEP)
def test_any_config_and_any_note_of_a_refusal(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(content)
    try:
        assert isinstance(read_json(tmp_path / "config.json"), dict)
    except ModelError as error:
        assert "\n" not in str(error)
    source = tmp_path / "source"
    source.mkdir(exist_ok=True)
    target = cache_dir() / "compiled" / compile_cache.source_key(source)
    target.mkdir(parents=True, exist_ok=True)
    (target / "refused.json").write_bytes(content)
    assert compile_cache.find_refusal(source) is None
    assert compile_cache.find_compiled(source) is None


SIDECAR = Sidecar("uuid", FINGERPRINT, "images", 4, "inner_product", 2, 1, 2)


@examples(100)
@given(content=st.binary(max_size=100) | VALUES.map(json.dumps).map(str.encode))
@example(content=DEEP)
def test_any_sidecar(content: bytes, tmp_path: Path) -> None:
    index = FaissIndex(4)
    index.add(np.arange(2), np.eye(2, 4, dtype=np.float32))
    checksum = save_snapshot(index, tmp_path, SIDECAR)
    sidecar_path(index_path(tmp_path, SIDECAR, checksum)).write_bytes(content)
    with pytest.raises(VectorIndexError):
        load_snapshot(tmp_path, SIDECAR, checksum)


@examples(100)
@given(content=st.binary(max_size=100) | VALUES.map(json.dumps).map(str.encode))
@example(content=DEEP)
@example(
    content=json.dumps({"x" * 5000: [1, 2, "0" * 64], "\0": [1, 2, "0" * 64], "\ud800": [1, 2, "0" * 64]}).encode()
)
def test_any_file_of_hashes(content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprint, "MEMO_MIN_BYTES", 1)
    monkeypatch.setattr(fingerprint, "_RACY_NS", 0)
    (tmp_path / "weights").write_bytes(b"weights")
    cache_dir().mkdir(exist_ok=True, parents=True)
    (cache_dir() / fingerprint.MEMO_NAME).write_bytes(content)
    first = hash_file(tmp_path / "weights")
    assert hash_file(tmp_path / "weights") == first == "" or len(first) == 64
    assert str(tmp_path / "weights") in json.loads((cache_dir() / fingerprint.MEMO_NAME).read_text())


ROWS = np.array([[0.6, 0.8, 0.0, 0.0]], dtype=np.float32)
SET = [f"label {number}" for number in range(2_000)]
SET_ROWS = np.repeat(ROWS, len(SET), axis=0)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A cache with a few texts, and a set whose rows fill pages of their own."""
    monkeypatch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("texts")
    monkeypatch.setenv("CLIPSEARCH_CACHE", str(folder))
    for text in ("a cat", "a dog", "snow"):
        text_cache.put_embeddings([text], ROWS, fingerprint=FINGERPRINT)
    text_cache.put_embeddings(SET, SET_ROWS, fingerprint=FINGERPRINT)
    monkeypatch.undo()
    return (folder / text_cache.FILE_NAME).read_bytes()


@examples(150)
@given(
    changes=st.lists(st.tuples(st.integers(0, 1 << 16), st.binary(min_size=1, max_size=4)), max_size=6),
    cut=st.none() | st.integers(0, 1 << 16),
    start=st.booleans(),
)
def test_any_file_of_cached_texts(
    changes: list[tuple[int, bytes]], cut: int | None, start: bool, database: bytes
) -> None:
    content = bytearray(database)
    for place, written in changes:
        begin = place % (100 if start else len(content))
        content[begin : begin + len(written)] = written
    shutil.rmtree(cache_dir(), ignore_errors=True)
    cache_dir().mkdir(parents=True)
    path = cache_dir() / text_cache.FILE_NAME
    path.write_bytes(bytes(content[:cut]))
    for texts in (["a cat"], ["a bird"], SET):
        rows = text_cache.find_embeddings(texts, fingerprint=FINGERPRINT, dim=4)
        assert rows is None or rows.shape == (len(texts), 4)
        assert rows is None or float(np.abs(np.linalg.norm(rows, axis=1) - 1).max()) < 1e-3
    # Cached at the second try at the latest: the first may be what finds the damage.
    for texts, rows in ((["a bird"], ROWS), (SET, SET_ROWS)):
        for _ in range(2):
            text_cache.put_embeddings(texts, rows, fingerprint=FINGERPRINT)
        assert is_cached(texts, rows) or is_another_database(path)


def is_cached(texts: list[str], expected: np.ndarray) -> bool:
    rows = text_cache.find_embeddings(texts, fingerprint=FINGERPRINT, dim=4)
    return rows is not None and bool((rows == expected).all())


def is_another_database(path: Path) -> bool:
    """Such as one of a newer SQLite, which is not for us to write."""
    try:
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE new (a)")
        connection.close()
    except sqlite3.Error:
        return True
    return False
