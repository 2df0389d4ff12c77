"""A catalog's index on a Milvus server: the same answers as files, and SQL stays the truth.

The contract of every index is in test_vector_index.py. The server is milvus-lite's.
"""

import socket
import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipsearch import Catalog
from clipsearch.cli import run
from clipsearch.errors import ClipSearchNotice, IndexMismatchError, InputError, MissingExtraError, VectorIndexError
from clipsearch.indexes.flat import FaissIndex
from clipsearch.indexes.milvus import collection
from clipsearch.indexes.milvus import index as milvus_index
from clipsearch.indexes.milvus.address import parse_index_url
from clipsearch.indexes.milvus.collection import MilvusCollection
from clipsearch.indexes.milvus.index import MilvusIndex
from clipsearch.maintenance.doctor import check_catalog
from clipsearch.maintenance.reports import CheckReport
from clipsearch.session import server_index
from clipsearch.session.server_index import ServerIndex, partition_of
from clipsearch.store.backends.connection import DATABASE_NAME
from tests.support.embedding_rows import unit_rows
from tests.support.fakes import COLOURS
from tests.support.milvus_server import MilvusServer

DIM, COUNT = 64, 4_000


def open_index(url: str, *, dim: int = DIM, expected_rows: int = 0) -> MilvusIndex:
    collection = MilvusCollection(parse_index_url(url, catalog="one"), dim=dim, catalog="one")
    collection.make(expected_rows=expected_rows)
    collection.make_partition("images")
    return MilvusIndex(collection, "images")


@pytest.fixture(scope="module")
def both(milvus_server) -> Iterator[tuple[FaissIndex, MilvusIndex]]:
    """The same rows in both; some are alike."""
    ids = np.random.default_rng(1).permutation(COUNT).astype(np.int64) * 3 + 5
    rows = unit_rows(COUNT, dim=DIM)
    rows[1_000:1_040] = rows[0]
    files = FaissIndex(DIM)
    files.add(ids, rows)
    server = open_index(f"{milvus_server.url}/both")
    server.upsert(ids, rows)
    yield files, server
    server._collection.close()


def assert_same(files: FaissIndex, server: MilvusIndex, queries, top_k: int, among=None) -> None:
    expected_scores, expected = files.search(queries, top_k, among=among)
    scores, found = server.search(queries, top_k, among=among)
    np.testing.assert_allclose(scores, expected_scores, atol=1e-6)
    # Neighbours that differ by less than float32 sums do may change places, and so may the last with the first behind.
    gaps = np.diff(expected_scores, axis=1)
    is_clear = np.ones_like(expected, dtype=bool)
    is_clear[:, 1:] &= gaps < -1e-6
    is_clear[:, :-1] &= gaps < -1e-6
    is_clear[:, -1] = False
    np.testing.assert_array_equal(found[is_clear], expected[is_clear])


@pytest.mark.parametrize("share", [None, 0.5, 0.05, 0.001])
@pytest.mark.parametrize("top_k", [1, 10, 300])
def test_the_same_answers_as_faiss(both, share, top_k):
    queries = unit_rows(20, seed=7, dim=DIM)
    among = None
    if share is not None:
        among = np.random.default_rng(3).permutation(both[0].ids)[: int(COUNT * share)]
    assert_same(*both, queries, top_k, among)


def test_of_many_alike_those_with_lower_ids_come_first(both):
    files, server = both
    query = files.rows(np.array([1_000]))
    alike = np.sort(np.concatenate([files.ids[:1], files.ids[1_000:1_040]]))
    for top_k in (1, 5, 41):
        _, found = server.search(query, top_k)
        np.testing.assert_array_equal(found[0], alike[:top_k])


@pytest.mark.parametrize("part", [200, 1_000])
def test_more_ids_than_fit_into_a_filter_are_looked_for_in_parts(both, monkeypatch, part):
    monkeypatch.setattr(milvus_index, "MAX_LIMIT", part)
    monkeypatch.setattr(milvus_index, "_POST_FILTERED", 20)
    among = np.random.default_rng(3).permutation(both[0].ids)[:2_000]
    queries = unit_rows(3, seed=8, dim=DIM)
    for top_k in (3, 9, 40):
        assert_same(*both, queries, top_k, among)


def test_more_hits_than_the_server_gives_are_found_all_the_same(both, monkeypatch):
    monkeypatch.setattr(milvus_index, "MAX_LIMIT", 1_000)
    assert_same(*both, unit_rows(2, seed=8, dim=DIM), 2_500)


def test_rows_sent_twice_are_there_once_and_the_last_counts(milvus_url):
    index = open_index(milvus_url)
    ids, rows = np.arange(30, dtype=np.int64), unit_rows(30, dim=DIM)
    for _ in range(2):
        index.upsert(ids, rows)
    index.upsert(ids[:1], rows[9:10])
    assert index.count == 30
    _, found = index.search(rows[9:10], 2)
    assert found.tolist() == [[0, 9]]
    index._collection.close()


@pytest.mark.parametrize("index_type", ["HNSW", "IVF_FLAT"])
def test_an_approximate_index_is_exact_among_ids(milvus_url, index_type):
    index = open_index(f"{milvus_url}?type={index_type}" + ("&nlist=16" if index_type == "IVF_FLAT" else ""))
    ids, rows = np.arange(2_000, dtype=np.int64), unit_rows(2_000, dim=DIM)
    index.upsert(ids, rows)
    assert index._collection.index_type == index_type
    files = FaissIndex(DIM)
    files.add(ids, rows)
    queries = unit_rows(10, seed=9, dim=DIM)
    assert_same(files, index, queries, 10, ids[::3])
    _, expected = files.search(queries, 10)
    _, found = index.search(queries, 10)
    assert np.mean([len(np.intersect1d(*pair)) / 10 for pair in zip(found, expected, strict=True)]) > 0.9
    index._collection.close()


def test_partitions_with_the_same_ids_do_not_touch_each_other(milvus_url):
    images = open_index(milvus_url)
    images._collection.make_partition("captions")
    captions = MilvusIndex(images._collection, "captions")
    ids, rows = np.arange(20, dtype=np.int64), unit_rows(40, dim=DIM)
    images.add(ids, rows[:20])
    captions.add(ids, rows[20:])
    assert captions.remove(ids[:5]) == 5
    assert (images.count, captions.count) == (20, 15)
    _, found = images.search(rows[:5], 1)
    assert found[:, 0].tolist() == [0, 1, 2, 3, 4]
    images._collection.close()


def test_more_rows_than_a_scan_is_good_for_get_another_index(milvus_url):
    index = open_index(milvus_url, expected_rows=collection._MAX_FLAT_ROWS + 1)
    assert index._collection.index_type == "HNSW"
    index._collection.close()


# ---------------------------------------------------------------------- what a URL says


def test_a_url_in_full():
    said = parse_index_url("milvus://db.example:1234/photos/mine?type=hnsw&m=24&ef_search=99&tls=1", catalog="a-b")
    assert (said.server, said.database, said.collection) == ("db.example:1234", "photos", "mine")
    assert (said.index_type, said.build_params, said.search_params) == ("HNSW", {"M": 24}, {"ef": 99})
    assert said.is_secure
    assert said.consistency == "Strong"


def test_a_short_url_names_the_collection_after_the_catalog():
    said = parse_index_url("milvus://localhost", catalog="12-34")
    assert (said.server, said.collection, said.index_type) == ("localhost:19530", "clipsearch_12_34", None)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "file",
        "http://host/a",
        "milvus://",
        "milvus://host:port/",
        "milvus://host:99999/",
        "milvus://ho st/",
        "milvus://host/a/b/c",
        "milvus://host/a-b",
        "milvus://host/a?type=PQ",
        "milvus://host/a?nprobe=3",
        "milvus://host/a?type=HNSW&nprobe=3",
        "milvus://host/a?type=HNSW&m=0",
        "milvus://host/a?colour=red",
        "milvus://host/a#b",
        "milvus://[::1",
    ],
)
def test_other_urls_are_refused(url):
    with pytest.raises(InputError):
        parse_index_url(url, catalog="a")


def test_a_password_is_neither_taken_nor_told():
    with pytest.raises(InputError, match="CLIPSEARCH_MILVUS_TOKEN") as caught:
        parse_index_url("milvus://me:secret@host/a", catalog="a")
    assert "secret" not in str(caught.value)


# ---------------------------------------------------------------------- a catalog on a server


@pytest.fixture
def photos(tmp_path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, (name, colour) in enumerate(COLOURS.items()):
        Image.new("RGB", (16, 12 + number), colour).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def place(tmp_path) -> Path:
    return tmp_path / "catalog"


def names(catalog: Catalog, query: str, top_k: int = 3) -> list[str]:
    return [Path(hit.path).stem for hit in catalog.search(query, top_k=top_k)]


def make_catalog(place: Path, photos: Path, url: str) -> None:
    with Catalog.open(place, model="colours", create=True) as catalog:
        catalog.admin.use_index(url)
        catalog.index(photos)
        catalog.captions.add(["red", "green and blue"])


def peek(place: Path, url: str, kind: str = "images") -> tuple[MilvusCollection, str]:
    """The catalog's collection and the partition in use."""
    with Catalog.open(place) as catalog:
        store, model = catalog._session.store, catalog._session.store.reader.find_current_model()
        collection = MilvusCollection(parse_index_url(url, catalog=store.uuid), dim=model.dim, catalog=store.uuid)
        assert collection.find()
        return collection, partition_of(kind, model)


def wrong(report: CheckReport) -> list[tuple[str, str]]:
    return [(each.check, each.severity) for each in report.findings if each.severity != "info"]


@pytest.mark.usefixtures("colours")
class TestCatalog:
    def test_answers_are_those_of_files(self, place, photos, milvus_url):
        make_catalog(place, photos, milvus_url)
        with Catalog.open(place) as catalog:
            on_server = [(hit.content_id, hit.score) for hit in catalog.search("red", top_k=6)]
            filtered = [hit.content_id for hit in catalog.search("red h:>=14", top_k=6)]
            caption = catalog.caption(photos / "red.png")[0].text
            assert isinstance(catalog._session.vector_index("images"), MilvusIndex)
            catalog.admin.use_index("files")
            assert not isinstance(catalog._session.vector_index("images"), MilvusIndex)
            in_files = [(hit.content_id, hit.score) for hit in catalog.search("red", top_k=6)]
            assert [hit.content_id for hit in catalog.search("red h:>=14", top_k=6)] == filtered
        assert [each for each, _ in on_server] == [each for each, _ in in_files]
        np.testing.assert_allclose([each for _, each in on_server], [each for _, each in in_files], atol=1e-6)
        assert caption == "red"

    def test_what_is_new_is_sent_and_what_is_gone_goes(self, place, photos, milvus_url):
        make_catalog(place, photos, milvus_url)
        with Catalog.open(place) as catalog, Catalog.open(place) as other:
            assert names(other, "red", 1) == ["red"]
            Image.new("RGB", (30, 30), (250, 0, 0)).save(photos / "reddish.png")
            catalog.index()
            assert set(names(other, "red", 2)) == {"red", "reddish"}
            (photos / "red.png").unlink()
            catalog.index()
            catalog.admin.collect_garbage()
            assert names(other, "red", 1) == ["reddish"]
            assert other.admin.index_place().rows == other.admin.index_place().stored == 8
        collection, partition = peek(place, milvus_url)
        assert len([name for name in collection.partitions() if name.startswith("images")]) == 1
        assert collection.count(partition) == 6
        collection.close()

    def test_another_model_gets_a_partition_of_its_own(self, place, photos, milvus_url):
        make_catalog(place, photos, milvus_url)
        with Catalog.open(place) as catalog:
            catalog.use_model("colours again")
            assert names(catalog, "blue", 1) == ["blue"]
        collection, _ = peek(place, milvus_url)
        assert len([name for name in collection.partitions() if name.startswith("images")]) == 2
        collection.close()

    def test_whoever_was_interrupted_goes_on(self, place, photos, milvus_url, monkeypatch):
        with Catalog.open(place, model="colours", create=True) as catalog:
            catalog.index(photos)
            catalog.admin.use_index(milvus_url)

            def interrupt(*arguments: object, **others: object) -> None:
                raise KeyboardInterrupt

            with monkeypatch.context() as patched:  # rows are there, and nothing says so
                patched.setattr(MilvusCollection, "write_progress", interrupt)
                with pytest.raises(KeyboardInterrupt):
                    catalog.search("red")
        with Catalog.open(place) as catalog:
            assert names(catalog, "red", 1) == ["red"]
            assert catalog._session.vector_index("images").count == 6

    def test_the_collection_of_another_catalog_is_refused(self, place, photos, milvus_url, tmp_path):
        make_catalog(place, photos, milvus_url)
        with Catalog.open(tmp_path / "other", model="colours", create=True) as other:
            other.index(photos)
            with pytest.raises(IndexMismatchError, match="another catalog"):
                other.admin.use_index(milvus_url)
            assert other.admin.index_place().url is None

    def test_a_collection_that_is_gone_is_made_anew(self, place, photos, milvus_url):
        make_catalog(place, photos, milvus_url)
        with Catalog.open(place) as catalog:
            assert names(catalog, "red", 1) == ["red"]
            collection, _ = peek(place, milvus_url)
            collection.drop()
            collection.close()
            assert names(catalog, "red", 1) == ["red"]

    def test_a_restored_catalog_asks_for_its_own_rows(self, place, photos, milvus_url, tmp_path):
        from clipsearch.maintenance.backups import restore_catalog

        make_catalog(place, photos, milvus_url)
        with Catalog.open(place) as catalog:
            catalog.admin.backup(tmp_path / "backup.sqlite3")
            Image.new("RGB", (30, 30), (250, 0, 0)).save(photos / "reddish.png")
            catalog.index()
        restore_catalog(tmp_path / "backup.sqlite3", place)
        with Catalog.open(place) as catalog:
            assert names(catalog, "red", 2)[0] == "red"
            assert catalog._session.vector_index("images").count == 6
        assert check_catalog(place, full=True).is_sound

    @pytest.mark.parametrize("full", [False, True])
    @pytest.mark.parametrize("fault", ["missing", "extra", "changed"])
    def test_doctor_finds_what_differs_and_mends_it(self, place, photos, milvus_url, fault, full):
        make_catalog(place, photos, milvus_url)
        assert check_catalog(place, full=full).is_sound
        collection, partition = peek(place, milvus_url)
        some = np.array([1], dtype=np.int64)
        if fault == "missing":
            collection.delete(partition, some)
        else:
            ids = some if fault == "changed" else some + 1_000
            collection.upsert(partition, ids, unit_rows(1, seed=77, dim=4))
        collection.close()
        assert wrong(check_catalog(place, full=full)) == [("collection", "error")]
        mended = check_catalog(place, full=full, fix=True)
        assert mended.is_sound
        assert [each.is_fixed for each in mended.findings if each.severity != "info"] == [True]
        report = check_catalog(place, full=full)
        assert (report.is_sound, report.index_rows, report.compared_rows) == (True, 8, 8)

    def test_reindex_makes_the_collection_anew_with_the_index_that_was_asked_for(self, place, photos, milvus_url):
        make_catalog(place, photos, milvus_url)
        with Catalog.open(place) as catalog:
            assert catalog.admin.index_place().index_type == "FLAT"
            with pytest.warns(ClipSearchNotice, match="is still"):
                catalog.admin.use_index(milvus_url + "?type=HNSW")
            assert catalog.admin.reindex().index_type == "HNSW"
            assert catalog.admin.index_place().rows == 8
            assert names(catalog, "green", 1) == ["green"]

    def test_reindex_makes_index_files_anew(self, place, photos):
        with Catalog.open(place, model="colours", create=True) as catalog:
            catalog.index(photos)
            for file in (place / "indexes").iterdir():
                file.unlink()
            assert catalog.admin.reindex().url is None
        assert len(list((place / "indexes").glob("*.faiss"))) == 1
        assert check_catalog(place, full=True).is_sound

    def test_the_server_is_started_again(self, place, photos, tmp_path, milvus_server):
        server = MilvusServer(tmp_path / "milvus")
        server.start()
        try:
            make_catalog(place, photos, server.url)
            with Catalog.open(place) as catalog:
                assert names(catalog, "red", 1) == ["red"]
                server.stop()
                server.start()
                assert names(catalog, "red", 1) == ["red"]
                assert catalog.admin.index_place().rows == 8
        finally:
            server.stop()


def free_port() -> int:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.mark.usefixtures("colours", "milvus_server")
class TestNoServer:
    def test_a_query_says_so_in_one_line(self, place, photos, milvus_url, capsys):
        make_catalog(place, photos, milvus_url)
        nowhere = f"milvus://127.0.0.1:{free_port()}/a"
        with closing(sqlite3.connect(place / DATABASE_NAME)) as database:
            database.execute("UPDATE catalog SET index_url = ?", (nowhere,))
            database.commit()
        capsys.readouterr()
        assert run(["query", "red", "--catalog", str(place)]) == 1
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.count("\n") == 1
        assert f"can't reach Milvus at {nowhere[9:-2]}" in said.err
        assert run(["status", "--catalog", str(place)]) == 0
        assert "can't reach Milvus" in capsys.readouterr().out
        assert wrong(check_catalog(place)) == [("server", "error")]
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert not check_catalog(place, fix=True).is_sound
            with Catalog.open(place) as catalog:
                (photos / "red.png").unlink()
                catalog.admin.index_place()
                catalog.admin.use_index("files")
                catalog.index()
        assert [str(each.message) for each in caught if issubclass(each.category, ResourceWarning)] == []

    def test_it_is_not_taken_for_the_index(self, place, photos):
        with Catalog.open(place, model="colours", create=True) as catalog:
            catalog.index(photos)
            with pytest.raises(VectorIndexError, match="can't reach Milvus"):
                catalog.admin.use_index(f"milvus://127.0.0.1:{free_port()}/a")
            assert catalog.admin.index_place().url is None
            assert names(catalog, "red", 1) == ["red"]


@pytest.mark.usefixtures("colours")
def test_the_command_line_from_one_end_to_the_other(place, photos, milvus_url, capsys):
    options = ["--catalog", str(place)]
    url = milvus_url + "?type=HNSW"
    assert run(["index", str(photos), "--model", "colours", "--index", url, *options]) == 0
    assert run(["query", "red", "-k", "1", "--paths", *options]) == 0
    assert run(["status", *options]) == 0
    assert run(["reindex", *options]) == 0
    assert run(["doctor", "--full", *options]) == 0
    said = capsys.readouterr().out
    assert "red.png" in said
    assert f"index     {url}, HNSW, 6 of 6 rows\n" in said
    assert f"index rebuilt from 6 embeddings: {url}, HNSW, 6 of 6 rows\n" in said
    assert "nothing is wrong; 6 of 6 embeddings and 6 of 6 rows of the index checked\n" in said
    assert run(["index", "--index", "milvus://me:secret@host/a", *options]) == 2
    assert "secret" not in capsys.readouterr().err
    assert run(["index", "--index", "files", *options]) == 0
    capsys.readouterr()
    assert run(["status", *options]) == 0
    assert "milvus" not in capsys.readouterr().out


@pytest.mark.usefixtures("colours")
def test_without_pymilvus_it_says_what_to_install(place, photos, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pymilvus", None)
    with Catalog.open(place, model="colours", create=True) as catalog:
        catalog.index(photos)
        with pytest.raises(MissingExtraError, match=r"pip install 'clipsearch\[milvus\]'"):
            catalog.admin.use_index("milvus://127.0.0.1/a")


@pytest.mark.usefixtures("colours")
def test_rows_are_sent_in_parts_and_the_last_note_says_how_far(place, photos, milvus_url, monkeypatch):
    monkeypatch.setattr(collection, "_BATCH_BYTES", 1)
    monkeypatch.setattr(server_index, "_MANY_ROWS", 1)
    make_catalog(place, photos, milvus_url)
    with Catalog.open(place) as catalog:
        model = catalog._session.store.reader.find_current_model()
        with ServerIndex("images", store=catalog._session.store, model_id=model.model_id, url=milvus_url) as index:
            assert index.get().count == 6
        assert names(catalog, "red", 1) == ["red"]


@pytest.mark.usefixtures("colours")
def test_parts_are_found_as_in_files(tmp_path, milvus_url):
    photos = tmp_path / "pictures"
    photos.mkdir()
    cover, *others = [Image.new("RGB", (40, 30), COLOURS[colour]) for colour in ("red", "green", "blue")]
    cover.save(photos / "pages.tif", save_all=True, append_images=others)
    Image.new("RGB", (16, 12), "yellow").save(photos / "yellow.png")
    for name, spot in (("long", "red"), ("longer", "yellow")):
        image = Image.new("RGB", (1600, 200), "blue")
        image.paste(spot, (0, 0, 200, 200))
        image.save(photos / f"{name}.png")
    queries = ("red", "blue", "yellow", "green -red", "red type:tiff", "yellow path:long")
    with Catalog.open(tmp_path / "parts", model="colours", create=True) as catalog:
        catalog.index(photos)

        def found() -> list[list[tuple]]:
            return [
                [(hit.content_id, hit.part, pytest.approx(hit.score, abs=1e-5)) for hit in catalog.search(words)]
                for words in queries
            ]

        in_files = found()
        assert {part is None or part.kind for hits in in_files for _, part, _ in hits} == {True, "page", "crop"}
        catalog.admin.use_index(milvus_url)
        assert found() == in_files
        assert catalog.admin.index_place().rows == catalog.admin.index_place().stored > 4
        (photos / "long.png").unlink()
        catalog.index(photos)
        catalog.admin.collect_garbage()
        on_server = found()
        catalog.admin.use_index("files")
        assert found() == on_server
        assert all(len(hits) <= 3 for hits in on_server)
