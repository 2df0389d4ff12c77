"""A catalog on a PostgreSQL server: several writers, several machines, and what may be wrong with a server."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import warnings
from contextlib import closing

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("psycopg", reason="psycopg is not installed: pip install -e '.[services]'")
import psycopg

from clipsearch import Catalog
from clipsearch.cli import run
from clipsearch.errors import (
    CatalogBusyError,
    CatalogNotFoundError,
    ClipSearchNotice,
    InputError,
    MissingExtraError,
    SchemaOutdatedError,
    StoreError,
)
from clipsearch.maintenance.doctor import check_catalog
from clipsearch.paths import catalog_place, sample_data_folder
from clipsearch.store import ContentRecord, FileRecord, Store
from clipsearch.types import ImageMetadata
from clipsearch.vectors import normalise
from tests.faults.checks import squares

DIM = 8
LIMIT_S = 120

# Stores its own rows and some that the other one stores too, in small transactions.
WRITER = """
import sys
import numpy as np
from clipsearch.paths import catalog_place
from clipsearch.store import ContentRecord, FileRecord, Store
from clipsearch.types import ImageMetadata
from clipsearch.vectors import normalise
from clipsearch.types import ImageMetadata
url, name, first, last = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
with Store(catalog_place(url), create=True) as store, store.writing(alone=False):
    model_id = store.models.add(name="m", fingerprint="ab" * 32, dim=8).model_id
    root_id = store.roots.add("/" + name).root_id
    for start in range(first, last, 10):
        numbers = range(start, start + 10)
        rows = normalise(np.array([[n, 1, 2, 3, 4, 5, 6, 7] for n in numbers], dtype=np.float32))
        contents = [ContentRecord(n.to_bytes(32, "big"), 10, ImageMetadata(4, 3, "PNG"), row)
                    for n, row in zip(numbers, rows)]
        files = [FileRecord(root_id, f"{n}.png", 10, 5, n.to_bytes(32, "big"), None) for n in numbers]
        store.pictures.record(contents, files, model_id=model_id)
"""


@pytest.fixture
def url(postgres) -> str:
    return postgres.make_database()


def start_writer(url: str, name: str, first: int, last: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", WRITER, url, name, str(first), str(last)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def sql(url: str) -> "psycopg.Connection[tuple[object, ...]]":
    return psycopg.connect(catalog_place(url).server or "", autocommit=True)


def record(number: int) -> ContentRecord:
    row = normalise(np.array([[number, 1, 2, 3, 4, 5, 6, 7]], dtype=np.float32))[0]
    return ContentRecord(number.to_bytes(32, "big"), 10, ImageMetadata(4, 3, "PNG"), row)


def test_two_writers_at_once_lose_no_row_and_a_reader_misses_none(url):
    # Both make the tables too, at the same time.
    writers = [start_writer(url, "one", 0, 500), start_writer(url, "two", 400, 900)]
    seen: list[int] = []
    last = 0
    with closing(_open_soon(url)) as store:
        while True:
            is_over = all(writer.poll() is not None for writer in writers)
            model = store.models.find("ab" * 32)
            if model is not None:
                for rows in store.reader.rows_after("images", model_id=model.model_id, dim=DIM, embedding_id=last):
                    seen += rows.ids.tolist()
                    last = rows.last_embedding_id
            if is_over:
                break
            time.sleep(0.01)
        assert [writer.communicate()[1] for writer in writers] == ["", ""]
        assert store.pictures.counts() == (1_000, 900, 0)
        assert store.embeddings.count("images", model_id=model.model_id) == 900
        # Whoever asks for what came after the last row that he knows has seen each of them once.
        assert len(seen) == len(set(seen)) == 900


def _open_soon(url: str) -> Store:
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        try:
            return Store(catalog_place(url))
        except CatalogNotFoundError:
            time.sleep(0.05)
    raise AssertionError("nobody made the tables")


def test_a_transaction_waits_for_the_one_before(url):
    with closing(Store(catalog_place(url), create=True)) as one, closing(Store(catalog_place(url))) as other:
        model_id = one.models.add(name="m", fingerprint="ab" * 32, dim=DIM).model_id
        done = threading.Event()

        def write() -> None:
            other.pictures.record([record(2)], [], model_id=model_id)
            done.set()

        with one._database.write() as connection:
            waiting = threading.Thread(target=write)
            waiting.start()
            assert not done.wait(0.5)
            # Readers don't wait.
            assert other.embeddings.count("images", model_id=model_id) == 0
            connection.rollback()
        assert done.wait(LIMIT_S)
        waiting.join()


def test_runs_go_on_beside_each_other_but_not_beside_what_needs_to_be_alone(url, capsys):
    with closing(Store(catalog_place(url), create=True)) as store:
        with store.writing(alone=False), store.writing(alone=False):
            with pytest.raises(CatalogBusyError, match="--wait"), store.writing():
                pass
            assert run(["model", "use", "starter", "--catalog", url]) == 1
            assert "another clipsearch is changing the catalog postgresql://postgres@/" in capsys.readouterr().err
        with store.writing():
            assert run(["index", str(sample_data_folder() / "food"), "--catalog", url, "--model", "starter"]) == 1
            with pytest.raises(CatalogBusyError), store.writing(alone=False):
                pass
        with store.writing(), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            waiting = threading.Thread(target=_write_once, args=(url,))
            waiting.start()
            while not caught:
                time.sleep(0.01)
            assert "waiting for it" in str(caught[0].message)
        waiting.join(LIMIT_S)
        assert not waiting.is_alive()


def _write_once(url: str) -> None:
    with closing(Store(catalog_place(url))) as store, store.writing(wait=True):
        pass


def test_a_killed_run_leaves_no_lock_and_the_next_one_goes_on(url, tmp_path):
    photos = squares(tmp_path / "photos", 80)
    command = [sys.executable, "-m", "clipsearch", "index", str(photos), "--catalog", url, "--model", "starter"]
    with closing(Store(catalog_place(url), create=True)) as store:
        running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while store.pictures.counts()[0] == 0 and running.poll() is None:
            time.sleep(0.02)
        running.send_signal(signal.SIGKILL)
        running.wait(LIMIT_S)
        stored = store.pictures.counts()[0]
        assert stored > 0
        with Catalog.open(url) as catalog:
            report = catalog.index(photos, wait=True)
        assert (report.found, report.unchanged) == (80, stored)
        assert store.pictures.counts() == (80, 80, 0)


def test_answers_are_those_of_a_catalog_in_a_folder(url, tmp_path, indexed_samples):
    answers = []
    with Catalog.open(url, model="starter", create=True) as catalog:
        catalog.index(sample_data_folder())
    for place in (url, indexed_samples.copy_to(tmp_path / "c")):
        with Catalog.open(place) as catalog:
            catalog.captions.add(["a donut", "ein Hündchen", "a truck"])
            donut = sample_data_folder() / "food" / "donut.png"
            answers.append(
                [
                    [(hit.path, hit.score) for hit in catalog.search("a glazed donut", top_k=40)],
                    [(hit.path, hit.score) for hit in catalog.search("-path:*food* type:jpeg a cat", top_k=40)],
                    [(hit.text, hit.probability) for hit in catalog.caption(donut)],
                    [(info.images, info.captions) for info in catalog.admin.status().models],
                ]
            )
    assert answers[0] == answers[1]


def test_two_machines_have_index_files_of_their_own(url, monkeypatch, tmp_path, model_cache):
    def on(machine: str) -> None:
        monkeypatch.setenv("CLIPSEARCH_CACHE", str(tmp_path / machine))

    for machine in ("one", "two"):
        model_cache.link_into(tmp_path / machine)

    def best() -> str:
        with warnings.catch_warnings():
            warnings.simplefilter("error", ClipSearchNotice)  # of files that are missing
            with Catalog.open(url) as catalog:
                return os.path.basename(catalog.search("a glazed donut", top_k=1)[0].path)

    on("one")
    with Catalog.open(url, model="starter", create=True) as catalog:
        catalog.index(sample_data_folder() / "food")
    assert best() == "donut.png"
    on("two")
    assert best() == "donut.png"
    with Catalog.open(url) as catalog:
        catalog.index(sample_data_folder() / "animals")
        catalog.admin.collect_garbage()
    on("one")
    assert best() == "donut.png"
    with Catalog.open(url) as catalog:
        assert len(catalog.search("an animal", top_k=100)) == catalog.admin.status().pictures
    kept = [len(list(tmp_path.glob(f"{machine}/catalogs/*/indexes/*.faiss"))) for machine in ("one", "two")]
    assert kept[0] == 1
    assert kept[1] <= 1
    with sql(url) as connection:
        assert connection.execute("SELECT count(DISTINCT machine) FROM snapshots").fetchone() in ((1,), (2,))


def test_a_lost_connection_is_made_again(url):
    with Catalog.open(url, model="starter", create=True) as catalog:
        catalog.index(sample_data_folder() / "food")
        first = catalog.search("a donut")
        with sql(url) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid != pg_backend_pid()"
            )
        assert catalog.search("a donut") == first
        assert catalog.index().unchanged == len(list((sample_data_folder() / "food").iterdir()))


def test_doctor_finds_and_mends_an_embedding(url):
    with Catalog.open(url, model="starter", create=True) as catalog:
        catalog.index(sample_data_folder() / "food")
        pictures = catalog.admin.status().pictures
    assert check_catalog(url, full=True).is_sound
    with sql(url) as connection:
        connection.execute("UPDATE image_embeddings SET embedding = '\\x00' WHERE embedding_id = 2")
    assert not check_catalog(url).is_sound
    mended = check_catalog(url, fix=True)
    assert mended.is_sound
    assert next(finding.check for finding in mended.findings if finding.is_fixed) == "embeddings"
    with Catalog.open(url) as catalog:
        assert len(catalog.search("food", top_k=100)) == pictures - 1
        assert catalog.index().embedded == 1
        assert len(catalog.search("food", top_k=100)) == pictures


def test_what_is_for_files_says_so(url, tmp_path):
    Store(catalog_place(url), create=True).close()
    with Catalog.open(url) as catalog, pytest.raises(InputError, match="pg_dump"):
        catalog.admin.backup(tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_garbage_of_a_server_is_collected(url, tmp_path):
    photos = squares(tmp_path / "photos", 5)
    with Catalog.open(url, model="starter", create=True) as catalog:
        catalog.index(photos)
        (photos / "00001.png").unlink()
        catalog.index()
        assert catalog.admin.collect_garbage(dry_run=True).pictures == 1
        report = catalog.admin.collect_garbage()
        assert (report.files, report.pictures, report.embeddings) == (1, 1, 1)
        assert len(catalog.search("a colour", top_k=10)) == 4


def test_a_server_learns_concepts(url, tmp_path):
    photos = shutil.copytree(sample_data_folder() / "animals", tmp_path / "photos")
    first, second, third = (photos / name for name in ("cat.jpg", "rabbit.webp", "fox.webp"))
    with Catalog.open(url, model="starter", create=True) as catalog:
        catalog.index(photos)
        made = catalog.concepts.add("rex", [first, second], negatives=[third])
        assert catalog.search("@rex", top_k=1)[0].content_id in made.positives
        assert catalog.concepts.add("rex", negatives=[second]).positives == made.positives[:1]
        first.unlink()
        catalog.index()
        catalog.admin.collect_garbage()
        assert catalog.concepts.get("rex").positives == ()
        assert catalog.concepts.remove("rex") and catalog.concepts.list() == []


def test_a_server_keeps_albums_and_saved_searches(url, tmp_path):
    photos = shutil.copytree(sample_data_folder() / "animals", tmp_path / "photos")
    cat, rabbit, fox = (photos / name for name in ("cat.jpg", "rabbit.webp", "fox.webp"))
    with Catalog.open(url, model="starter", create=True) as catalog:
        catalog.index(photos)
        assert catalog.albums.add("Pets", [cat, rabbit]) == 2
        assert catalog.albums.add("PETS", [rabbit, fox]) == 1
        assert [album.count for album in catalog.albums.list()] == [3]
        assert len(catalog.search("album:pets")) == catalog.pictures.facets().albums["Pets"] == 3
        catalog.saved.add("pets", "an animal album:pets")
        assert list(catalog.saved.new_matches("pets")) == []
        assert len(catalog.search("@pets")) == 3
        with Image.open(cat) as image:
            image.save(cat, quality=60)  # edited
        catalog.index()
        assert catalog.albums.get("pets").count == len(catalog.search("album:pets")) == 3
        assert catalog.albums.remove("pets", [fox]) == 1
        assert catalog.albums.rename("pets", "Beasts").count == 2
        assert catalog.albums.delete("beasts") and catalog.saved.remove("pets")


# ------------------------------------------------------------------ what may be wrong with a server


def test_no_catalog_and_another_application(url):
    with pytest.raises(CatalogNotFoundError, match="make one"):
        Store(catalog_place(url))
    with sql(url) as connection:
        assert connection.execute("SELECT to_regclass('contents')").fetchone() == (None,)
        connection.execute("CREATE TABLE files (theirs text)")
    with pytest.raises(StoreError, match="can't make or upgrade"):
        Store(catalog_place(url), create=True)
    with sql(url) as connection:  # all or nothing
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        assert tables == [("files",)]
        connection.execute("CREATE TABLE alembic_version (version_num text)")
    with pytest.raises(StoreError, match="another application"):
        Store(catalog_place(url), create=True)


def test_a_newer_schema_is_left_alone(url):
    Store(catalog_place(url), create=True).close()
    with sql(url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaOutdatedError, match="newer clipsearch"):
        Store(catalog_place(url))


def test_a_database_of_other_texts_is_refused(postgres):
    url = postgres.make_database("ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'")
    with pytest.raises(StoreError, match="UTF8"):
        Store(catalog_place(url), create=True)


@pytest.mark.parametrize(
    "url", ["postgresql://me:secret@127.0.0.1:1/photos", "postgresql://me@127.0.0.1:1/photos?password=secret"]
)
def test_a_server_that_is_away_is_one_line_without_the_password(url, capsys):
    assert run(["query", "a cat", "--catalog", url]) == 1
    said = capsys.readouterr().err
    assert said.startswith("clipsearch: can't open the catalog postgresql://me@127.0.0.1:1/photos: ")
    assert said.count("\n") == 1
    assert "secret" not in said


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:se cret@127.0.0.1:1/d",
        "postgresql://me:%zzcret@127.0.0.1:1/d",
        "postgresql://me:cret@[::1/d",
        "postgresql://me:s@cret@127.0.0.1:1/d",
        "postgresql://me:p@ss/cret@127.0.0.1:1/d",
    ],
)
def test_a_password_that_makes_the_url_unclear_is_not_shown(url, capsys):
    assert run(["query", "a cat", "--catalog", url]) == 1
    said = capsys.readouterr().err
    assert said.startswith("clipsearch: the catalog's URL is invalid") and said.count("\n") == 1
    assert "cret" not in said and "ss" not in said.replace("passwords", "")


@pytest.mark.parametrize(
    "url", ["mysql://me:secret@host/photos", "sqlite:///catalog.sqlite3", "postgresql+asyncpg://h/d"]
)
def test_urls_of_other_databases_are_refused(url, capsys):
    assert run(["status", "--catalog", url]) == 2
    said = capsys.readouterr().err
    assert "postgresql+psycopg://" in said
    assert "secret" not in said


def test_the_password_makes_no_other_place():
    places = [
        catalog_place(f"postgresql{driver}://me{word}@host/d") for driver in ("", "+psycopg") for word in ("", ":a")
    ]
    assert len({place.directory for place in places}) == 1
    assert {str(place) for place in places} == {"postgresql://me@host/d"}
    assert catalog_place("postgresql://me@host/other").directory != places[0].directory


def test_without_psycopg_it_says_what_to_install(url, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingExtraError, match=r"clipsearch\[postgres\]"):
        Store(catalog_place(url))


def test_file_numbers_that_can_not_be_are_found_and_mended(url):
    with Store(catalog_place(url), create=True) as store:
        model_id = store.models.add(name="m", fingerprint="ab" * 32, dim=DIM).model_id
        root_id = store.roots.add("/photos").root_id
        files = [FileRecord(root_id, f"{number}.png", 10, 5, number.to_bytes(32, "big"), None) for number in range(3)]
        store.pictures.record([record(number) for number in range(3)], files, model_id=model_id)
    with sql(url) as connection:
        connection.execute("UPDATE files SET file_id = 1::bigint << 40 WHERE file_id = 1")
        connection.execute("UPDATE files SET file_id = -4 WHERE file_id = 2")
    with Store(catalog_place(url)) as store, pytest.raises(StoreError, match="invalid id"):
        store.pictures.last_file_id()
    assert "2 rows of files" in " ".join(finding.message for finding in check_catalog(url).findings)
    check_catalog(url, fix=True)
    with Store(catalog_place(url)) as store:
        assert store.pictures.last_file_id() == 3
