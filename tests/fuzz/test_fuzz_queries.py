"""Whatever is asked: hits, or one clear error."""

import math
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clipsearch import Catalog
from clipsearch.cli.render import printable
from clipsearch.errors import ClipSearchNotice, ImageReadError, InputError, QuerySyntaxError
from clipsearch.paths import sample_data_folder
from clipsearch.query import parse_query
from clipsearch.search.parsing import parse_local
from tests.fuzz.budget import examples

ODD = [
    "\0",
    "\ud800",
    "\udcff",
    "\u202e",
    "\u200f",
    "\ufeff",
    "\U0001f3f4",
    "\u0301" * 50,
    "\x1b]0;x\x07",
    "﷽",
    "\U0010ffff",
]
TEXTS = st.text(st.characters(), max_size=60) | st.lists(
    st.sampled_from([*ODD, " ", "a", "donut", "/", "~", ".", "\n", ".jpg", "x" * 300, "word " * 100]), max_size=6
).map("".join)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    folder = tmp_path_factory.mktemp("asked")
    with Catalog.open(folder / "c", model="starter", create=True) as opened:
        opened.index(sample_data_folder() / "food")
        yield opened


@examples(150)
@given(text=TEXTS)
@example(text="x" * 20_000)
@example(text="猫" * 3_000)
@example(text="\0")
def test_any_text_gets_hits_or_an_error(text: str, catalog: Catalog) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ClipSearchNotice)  # it was split
        try:
            hits = catalog.search(text, top_k=3)
        except (InputError, ImageReadError) as error:  # the language, or a path that leads nowhere
            assert printable(str(error)).isprintable()
            return
        assert hits == catalog.search(text, top_k=3), "the same from what was kept"
    assert [hit.rank for hit in hits] == [1, 2, 3][: len(hits)]
    assert len(hits) == 3 or parse_query(text).filters
    assert all(math.isfinite(hit.score) and -1.001 <= hit.score <= 1.001 for hit in hits)


@examples(300)
@given(text=TEXTS)
@example(text="~\0")
@example(text="~" + "x" * 5000 + "/a")
@example(text="/" + "a/" * 5000 + "b.jpg")
@example(text="a. " * 5000)
def test_any_text_names_no_file_where_there_is_none(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        meant = parse_local(text)
    except QuerySyntaxError as error:
        assert printable(str(error)).isprintable()
        with pytest.raises(QuerySyntaxError):
            parse_query(text)
    else:
        assert meant == parse_query(text)
