"""Embeddings written for other programs, and embeddings that others have made taken in."""

import contextlib
import json
import os
import signal
import sqlite3
import stat
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipsearch import Catalog, IndexMismatchError, InputError, MissingExtraError, StoreError, check_catalog
from clipsearch.cli import run
from clipsearch.transfer.formats import description
from clipsearch.transfer.formats.reading import open_source
from tests.support.fakes import COLOURS
from tests.transfer.conftest import open_catalog, paint

pa = pytest.importorskip("pyarrow")
import pyarrow.parquet as pq  # noqa: E402

pytestmark = pytest.mark.usefixtures("colours")

posix = pytest.mark.skipif(os.name != "posix", reason="rights and names of POSIX")


def some_colours(number: int) -> dict[str, tuple[int, int, int]]:
    choose = np.random.default_rng(0)
    return {f"p{row:03}": tuple(map(int, choose.integers(0, 255, 3))) for row in range(number)}


def found(catalog: Catalog, words: str) -> list[tuple[str, float]]:
    return [(hit.path, hit.score) for hit in catalog.search(words, top_k=100)]


def embed(files: list[Path]) -> np.ndarray:
    from clipsearch.encoders.embed_image import embed_pictures
    from tests.support.fakes import ColourEncoder

    return embed_pictures(files, encoder=ColourEncoder("colours"))


def write_part(folder: Path, vectors: np.ndarray, columns: dict, number: str = "0") -> None:
    """A part as clip-retrieval writes it."""
    for name in ("img_emb", "metadata"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    np.save(folder / "img_emb" / f"img_emb_{number}.npy", vectors)
    pq.write_table(pa.table(columns), folder / "metadata" / f"metadata_{number}.parquet")


def foreign_folder(folder: Path, files: list[Path], *, vectors: np.ndarray | None = None, **columns) -> Path:
    """Of pictures, float32, not normalised."""
    if vectors is None:
        vectors = embed(files) * np.linspace(3, 9, len(files), dtype=np.float32)[:, np.newaxis]
    write_part(folder, vectors, {"image_path": [str(file) for file in files]} | columns)
    return folder


class TestExport:
    def test_others_can_read_it(self, catalog, tmp_path, photos):
        report = catalog.export(tmp_path / "out")
        vectors = np.load(tmp_path / "out" / "img_emb" / "img_emb_0.npy")
        table = pq.read_table(tmp_path / "out" / "metadata" / "metadata_0.parquet")
        assert (vectors.dtype, vectors.shape, table.num_rows) == (np.float16, (4, 4), 4)
        assert np.linalg.norm(vectors.astype(np.float32), axis=1) == pytest.approx(1, abs=2e-3)
        rows = table.to_pylist()
        for row, vector in zip(rows, vectors, strict=True):
            assert catalog.pictures.embedding(row["content_id"]) == pytest.approx(vector.astype(np.float32))
            details = catalog.pictures.get(row["content_id"])
            assert [row["image_path"], *row["copies"]] == sorted(details.paths)
            assert (row["blake3"], row["size_bytes"]) == (details.blake3, details.size_bytes)
            for name in ("width", "height", "format", "taken_at", "camera", "latitude", "sharpness", "brightness"):
                assert row[name] == getattr(details.metadata, name)
        assert sorted(len(row["copies"]) for row in rows) == [0, 0, 0, 1]
        said = json.loads((tmp_path / "out" / "clipsearch.json").read_text())
        assert (said["model"], said["dim"], said["pictures"], said["folders"]) == ("colours", 4, 4, [str(photos)])
        assert (report.pictures, report.parts, report.captions, report.model) == (4, 1, 0, "colours")
        assert report.size_bytes == sum(file.stat().st_size for file in (tmp_path / "out").rglob("*.*"))

    def test_parts_are_numbered_as_clip_retrieval_does(self, tmp_path):
        paint(tmp_path / "many", **some_colours(23))
        with open_catalog(tmp_path / "c") as catalog:
            catalog.index(tmp_path / "many")
            assert catalog.export(tmp_path / "out", part_rows=2).parts == 12
        names = sorted(file.name for file in (tmp_path / "out" / "img_emb").iterdir())
        assert names == [f"img_emb_{number:02}.npy" for number in range(12)]
        parts = [np.load(tmp_path / "out" / "img_emb" / name) for name in names]
        assert [len(part) for part in parts] == [2] * 11 + [1]
        for number in range(12):
            path = tmp_path / "out" / "metadata" / f"metadata_{number:02}.parquet"
            assert pq.read_metadata(path).num_rows == len(parts[number])

    def test_what_is_gone_is_left_out(self, catalog, tmp_path, photos):
        (photos / "blue.png").unlink()
        catalog.index(photos)
        assert catalog.export(tmp_path / "out").pictures == 3
        for file in photos.rglob("*.png"):
            file.unlink()
        catalog.index(photos, prune=True)
        with pytest.raises(StoreError, match="nothing to export"):
            catalog.export(tmp_path / "none")
        assert not (tmp_path / "none").exists()

    def test_one_file_has_it_all(self, catalog, tmp_path):
        catalog.export(tmp_path / "all.parquet")
        table = pq.read_table(tmp_path / "all.parquet")
        assert table.schema.field("embedding").type == pa.list_(pa.float16(), 4)
        rows = np.stack(table["embedding"].to_numpy())
        assert (rows.dtype, rows.shape) == (np.float16, (4, 4))
        with pytest.raises(InputError, match="no place in a single file"):
            catalog.export(tmp_path / "other.parquet", captions=True)

    def test_captions_have_a_folder_of_their_own(self, catalog, tmp_path):
        catalog.captions.add(["a red thing", "a blue thing"])
        assert catalog.export(tmp_path / "out", captions=True).captions == 2
        folder = tmp_path / "out" / "captions"
        assert np.load(folder / "text_emb" / "text_emb_0.npy").shape == (2, 4)
        assert pq.read_table(folder / "metadata" / "metadata_0.parquet")["caption"].to_pylist() == [
            "a red thing",
            "a blue thing",
        ]
        catalog.export(tmp_path / "out")  # takes the place of it
        assert not folder.exists()

    @posix
    def test_only_the_owner_may_read_it(self, catalog, tmp_path):
        catalog.captions.add("red")
        catalog.export(tmp_path / "out", captions=True)
        catalog.export(tmp_path / "one.parquet")
        for path in (tmp_path / "out", *(tmp_path / "out").rglob("*"), tmp_path / "one.parquet"):
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path

    def test_other_things_are_not_replaced(self, catalog, tmp_path):
        mine = tmp_path / "mine"
        (mine / "metadata").mkdir(parents=True)
        (mine / "letter.txt").write_text("dear")
        with pytest.raises(InputError, match="not part of an export"):
            catalog.export(mine)
        catalog.export(mine, force=True)
        catalog.export(mine)  # an export now
        assert (mine / "letter.txt").read_text() == "dear"
        assert {path.name for path in mine.iterdir()} == {"letter.txt", "img_emb", "metadata", "clipsearch.json"}
        (tmp_path / "some.parquet").write_text("no parquet")
        for target in (tmp_path / "some.parquet", mine / "letter.txt"):
            with pytest.raises(InputError, match="exists and is not"):
                catalog.export(target)
        catalog.export(tmp_path / "some.parquet", force=True)
        catalog.export(tmp_path / "some.parquet")
        (tmp_path / "empty").mkdir()
        catalog.export(tmp_path / "empty")
        with pytest.raises(InputError, match="no folder"):
            catalog.export(tmp_path / "not" / "there")

    @pytest.mark.parametrize("name", ["out", "out.parquet"])
    def test_a_failure_leaves_what_was_there(self, catalog, tmp_path, monkeypatch, name):
        catalog.export(tmp_path / name)
        before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if "catalog" not in path.parts[-2:]}

        def fail(*numbers):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            catalog.export(tmp_path / name, on_progress=fail)
        after = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if "catalog" not in path.parts[-2:]}
        assert {path: time for path, time in after.items() if path.is_file()} == {
            path: time for path, time in before.items() if path.is_file()
        }

    def test_without_pyarrow_it_says_what_to_install(self, catalog, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
        for attempt in (catalog.export, catalog.import_embeddings):
            with pytest.raises(MissingExtraError, match=r"pip install 'pyarrow>=18'"):
                attempt(tmp_path)


class TestRoundTrip:
    @pytest.mark.parametrize("name", ["out", "out.parquet"])
    def test_a_fresh_catalog_finds_the_same_and_embeds_nothing(self, catalog, tmp_path, photos, name):
        catalog.export(tmp_path / name)
        with open_catalog(tmp_path / "other") as other:
            report = other.import_embeddings(tmp_path / name)
            assert (report.rows, report.added, report.files, report.without_file) == (4, 4, 5, 0)
            for words in ("red", "blue", "yellow"):
                assert found(other, words) == found(catalog, words)
            for content_id in (1, 2, 3, 4):
                assert np.array_equal(other.pictures.embedding(content_id), catalog.pictures.embedding(content_id))
            assert other.admin.status().folders == (str(photos),)
            assert other.pictures.get(1).paths == catalog.pictures.get(1).paths
            again = other.index(photos)
            assert (again.embedded, again.reused, again.unchanged) == (0, 0, 5)
            more = other.import_embeddings(tmp_path / name)
            assert (more.added, more.known) == (0, 4)

    def test_pictures_that_are_not_here_cost_nothing_when_they_come(self, catalog, tmp_path, photos):
        catalog.export(tmp_path / "out", part_rows=3)
        photos.rename(tmp_path / "moved")
        with open_catalog(tmp_path / "other") as other:
            report = other.import_embeddings(tmp_path / "out")
            assert (report.added, report.missing, report.without_file, report.files) == (4, 0, 4, 0)
            assert other.admin.status().folders == ()
            assert found(other, "red") == []
            later = other.index(tmp_path / "moved")
            assert (later.embedded, later.reused) == (0, 5)
            assert len(found(other, "red")) == 4

    def test_pictures_without_a_file_hide_none_that_has_one(self, tmp_path, photos):
        paint(tmp_path / "many", **{name: (255, 1, row) for row, name in enumerate(some_colours(200))})
        with open_catalog(tmp_path / "c") as catalog:
            catalog.index(tmp_path / "many")
            catalog.export(tmp_path / "out")
        (tmp_path / "many").rename(tmp_path / "moved")
        with open_catalog(tmp_path / "other") as other:
            other.index(photos)
            assert other.import_embeddings(tmp_path / "out").without_file == 200
            assert len(other.search("red", top_k=4)) == 4
            assert check_catalog(tmp_path / "other", full=True).is_sound
            # Nothing tells them from pictures whose files are gone.
            assert other.admin.collect_garbage().pictures == 200
            assert other.index(tmp_path / "moved").embedded == 200

    def test_a_file_that_has_changed_is_not_taken_for_its_picture(self, catalog, tmp_path, photos):
        catalog.export(tmp_path / "out")
        paint(photos, green="white")
        with open_catalog(tmp_path / "other") as other:
            report = other.import_embeddings(tmp_path / "out")
            assert (report.added, report.files, report.without_file) == (4, 4, 1)
            assert str(photos / "green.png") not in dict(found(other, "green"))
            assert other.index(photos).embedded == 1

    def test_captions_come_along_when_they_are_asked_for(self, catalog, tmp_path, monkeypatch):
        catalog.captions.add(["red", "a thing"])
        catalog.export(tmp_path / "out", captions=True)
        with open_catalog(tmp_path / "other") as other:
            assert other.import_embeddings(tmp_path / "out").captions == 0
            assert other.import_embeddings(tmp_path / "out", captions=True).captions == 2
            assert other.captions.list() == ["red", "a thing"]
            assert other.caption(tmp_path / "photos" / "red.png")[0].text == "red"

    def test_a_new_catalog_takes_the_model_of_the_export(self, catalog, tmp_path):
        catalog.export(tmp_path / "out")
        with open_catalog(tmp_path / "other", model=None) as other:
            assert other.import_embeddings(tmp_path / "out").model == "colours"

    def test_embeddings_of_another_model_are_refused(self, catalog, tmp_path):
        catalog.export(tmp_path / "out")
        with open_catalog(tmp_path / "other", model="colours-2") as other:
            with pytest.raises(IndexMismatchError, match="exported with the model colours, and this is colours-2"):
                other.import_embeddings(tmp_path / "out", trust=True)
            assert other.admin.status().model is None
        said = json.loads((tmp_path / "out" / "clipsearch.json").read_text())
        (tmp_path / "out" / "clipsearch.json").write_text(json.dumps(said | {"fingerprint": "0" * 64}))
        with open_catalog(tmp_path / "other") as other, pytest.raises(IndexMismatchError, match="another version"):
            other.import_embeddings(tmp_path / "out")

    @posix
    def test_names_that_are_no_text(self, tmp_path):
        folder = os.fsencode(tmp_path) + b"/caf\xe9"
        os.mkdir(folder)
        for name, colour in ((b"r\xff.png", "red"), (b"x.png", "red"), (b"b\xfe.png", "blue")):
            Image.new("RGB", (16, 12), COLOURS[colour]).save(tmp_path / "picture.png")
            os.rename(tmp_path / "picture.png", folder + b"/" + name)
        with open_catalog(tmp_path / "c") as catalog:
            catalog.index(os.fsdecode(folder))
            catalog.export(tmp_path / "out")
            hits = found(catalog, "red")
        rows = pq.read_table(tmp_path / "out" / "metadata" / "metadata_0.parquet").to_pylist()
        assert all("\N{REPLACEMENT CHARACTER}" in row["image_path"] for row in rows)
        with open_catalog(tmp_path / "other") as other:
            assert other.import_embeddings(tmp_path / "out").files == 3
            assert found(other, "red") == hits
            assert other.index().embedded == 0

    def test_ctrl_c_keeps_what_is_stored(self, tmp_path, monkeypatch):
        paint(tmp_path / "many", **some_colours(250))
        with open_catalog(tmp_path / "c") as catalog:
            catalog.index(tmp_path / "many")
            catalog.export(tmp_path / "out", part_rows=50)
        monkeypatch.setattr("clipsearch.transfer.rows._LOOKED_UP_AT_ONCE", 20)

        def interrupt(done: int, total: int) -> None:
            if done == 100:
                os.kill(os.getpid(), signal.SIGINT)

        assert threading.current_thread() is threading.main_thread()
        with open_catalog(tmp_path / "other") as other:
            report = other.import_embeddings(tmp_path / "out", on_progress=interrupt)
            assert report.interrupted
            assert (report.rows, report.added) == (100, 100)
            assert len(found(other, "red")) == 100
            rest = other.import_embeddings(tmp_path / "out")
            assert (rest.rows, rest.added, rest.known, rest.interrupted) == (250, 150, 100, False)


def foreign_export(folder: Path, *folders: object) -> Path:
    """An export as if somebody else had made it, who says that these folders were indexed."""
    path = folder / description.DESCRIPTION_NAME
    said = json.loads(path.read_text())
    path.write_text(json.dumps(said | {"folders": [str(each) for each in folders], "seal": "0" * 64}))
    return folder


class TestFoldersOfAnExport:
    """What somebody else's file says is no reason to index a folder."""

    @pytest.fixture
    def exported(self, catalog, tmp_path) -> Path:
        catalog.export(tmp_path / "out")
        return tmp_path / "out"

    @pytest.mark.parametrize(
        "said",
        [
            *("/", "//", "{tmp}", "{photos}", "{photos}/..", "{photos}/../photos/more/..", "photos", ".", "", "~"),
            *("file://{photos}", "s3://bucket/photos", "C:\\photos", "\\\\host\\photos", "/proc", "{photos}\udcff"),
        ],
    )
    def test_nobody_has_named_it(self, exported, tmp_path, photos, said, monkeypatch):
        monkeypatch.chdir(tmp_path)
        foreign_export(exported, said.format(tmp=tmp_path, photos=photos))
        with open_catalog(tmp_path / "other") as other:
            report = other.import_embeddings(exported)
            assert other.admin.status().folders == ()
            assert (report.added, report.files, report.outside) == (4, 0, 4)
            assert other.index(photos).embedded == 0

    @pytest.mark.parametrize("said", ["/", "{tmp}", "{photos}"])
    def test_what_lies_below_a_named_one_counts(self, exported, tmp_path, photos, said):
        foreign_export(exported, said.format(tmp=tmp_path, photos=photos))
        with open_catalog(tmp_path / "other") as other:
            report = other.import_embeddings(exported, roots=[photos])
            assert other.admin.status().folders == (str(photos),)
            assert (report.files, report.outside) == (5, 0)

    def test_a_named_one_around_it_is_not_indexed_whole(self, exported, tmp_path, photos):
        foreign_export(exported, photos, "/", tmp_path.parent)
        with open_catalog(tmp_path / "other") as other:
            other.import_embeddings(foreign_export(exported, photos / "more"), roots=[tmp_path])
            assert other.admin.status().folders == (str(photos / "more"),)

    def test_a_folder_that_is_indexed_is_not_swallowed(self, exported, tmp_path, photos):
        for said in ("/", tmp_path, photos):
            foreign_export(exported, said)
            with open_catalog(tmp_path / "other") as other:
                other.index(photos / "more")
                assert other.import_embeddings(exported).files == 1
                assert other.admin.status().folders == (str(photos / "more"),)

    def test_not_even_by_an_own_export(self, exported, tmp_path, photos):
        with open_catalog(tmp_path / "other") as other:
            other.index(photos / "more")
            other.import_embeddings(exported)
            assert other.admin.status().folders == (str(photos / "more"),)

    def test_a_seal_of_another_user_is_none(self, exported, tmp_path, monkeypatch):
        monkeypatch.setenv("CLIPSEARCH_CONFIG", str(tmp_path / "config of another"))
        with open_catalog(tmp_path / "other") as other:
            assert other.import_embeddings(exported).files == 0

    def test_where_no_key_can_be_kept_the_folders_are_to_be_named(self, catalog, tmp_path, photos, monkeypatch):
        (tmp_path / "file").touch()
        monkeypatch.setenv("CLIPSEARCH_CONFIG", str(tmp_path / "file"))
        catalog.export(tmp_path / "out")
        assert json.loads((tmp_path / "out" / "clipsearch.json").read_text())["seal"] == ""
        with open_catalog(tmp_path / "other") as other:
            assert other.import_embeddings(tmp_path / "out").files == 0
            assert other.import_embeddings(tmp_path / "out", roots=[photos]).files == 5

    @posix
    def test_the_key_is_the_owners_alone(self, exported, tmp_path):
        folder = Path(os.environ["CLIPSEARCH_CONFIG"])
        assert (folder / "export-key").stat().st_size == 32
        assert all(file.stat().st_mode & 0o077 == 0 for file in folder.iterdir())


class TestForeignFolders:
    def test_rows_that_are_not_normalised(self, catalog, tmp_path, photos):
        files = sorted(photos.rglob("*.png"))
        folder = foreign_folder(tmp_path / "laion", files, caption=["a"] * len(files), NSFW=["no"] * len(files))
        with open_catalog(tmp_path / "other") as other:
            report = other.import_embeddings(folder, images=photos)
            assert (report.added, report.known, report.files, report.checked) == (4, 1, 5, 5)
            assert report.cosine == pytest.approx(1, abs=1e-3)
            assert report.captions == 0
            for words in ("red", "yellow"):
                assert found(other, words) == [(path, pytest.approx(s, abs=1e-3)) for path, s in found(catalog, words)]
            for path in files:
                details = [each.pictures.get(each.search(path)[0].content_id) for each in (catalog, other)]
                for name in ("blake3", "size_bytes", "paths"):
                    assert getattr(details[0], name) == getattr(details[1], name)
                # Foreign rows are not decoded, only described.
                assert details[1].metadata == replace(details[0].metadata, sharpness=None, brightness=None)
            again = other.index(photos)
            assert (again.embedded, again.reused, again.unchanged) == (0, 0, 5)

    def test_relative_paths_start_from_the_folder_of_pictures(self, tmp_path, photos):
        names = [Path("red.png"), Path("more/yellow.png"), Path("../photos/blue.png"), Path("gone.png")]
        vectors = embed([photos / "red.png", photos / "more/yellow.png", photos / "blue.png", photos / "red.png"])
        folder = foreign_folder(tmp_path / "laion", names, vectors=vectors.astype(np.float16))
        with open_catalog(tmp_path / "other") as other:
            with pytest.raises(InputError, match=r"no picture of .* is here to check"):
                other.import_embeddings(folder)
            report = other.import_embeddings(folder, images=photos)
            assert (report.added, report.missing, report.checked) == (2, 2, 2)
            assert other.index(photos).embedded == 2  # what is outside of DIR is not looked at, not even by ".."

    def test_without_a_folder_of_pictures_they_are_found_when_they_are_indexed(self, tmp_path, photos):
        folder = foreign_folder(tmp_path / "laion", [photos / "red.png", photos / "blue.png"])
        with open_catalog(tmp_path / "other") as other:
            report = other.import_embeddings(folder)
            assert (report.added, report.files, report.without_file, report.outside) == (2, 0, 2, 2)
            assert other.admin.status().folders == ()
            again = other.index(photos)
            assert (again.embedded, again.reused) == (2, 3)

    def test_trust_where_nothing_can_be_compared(self, tmp_path, photos):
        write_part(tmp_path / "laion", embed([photos / "red.png"]), {"url": ["https://example.org/a.jpg"]})
        with open_catalog(tmp_path / "other") as other:
            with pytest.raises(InputError, match="--trust"):
                other.import_embeddings(tmp_path / "laion")
            report = other.import_embeddings(tmp_path / "laion", trust=True)
            assert (report.rows, report.added, report.missing, report.checked) == (1, 0, 1, 0)

    def test_embeddings_of_another_model_are_refused_trusted_or_not(self, tmp_path, photos):
        files = sorted(photos.rglob("*.png"))
        vectors = np.random.default_rng(0).normal(size=(len(files), 4)).astype(np.float32)
        folder = foreign_folder(tmp_path / "laion", files, vectors=vectors)
        with open_catalog(tmp_path / "other") as other:
            with pytest.raises(IndexMismatchError, match="don't come from the model colours"):
                other.import_embeddings(folder, trust=True)
            assert other.admin.status().pictures == 0

    def test_another_dimension_is_refused(self, tmp_path, photos):
        folder = foreign_folder(tmp_path / "laion", [photos / "red.png"], vectors=np.ones((1, 5), np.float32))
        with open_catalog(tmp_path / "other") as other, pytest.raises(IndexMismatchError, match=r"5 numbers.* makes 4"):
            other.import_embeddings(folder, images=photos)

    def test_rows_without_a_direction_are_left_out(self, tmp_path, photos):
        files = sorted(photos.rglob("*.png"))
        vectors = embed(files)
        vectors[0] = np.nan
        vectors[1] = 0
        vectors[2, 1] = np.inf
        folder = foreign_folder(tmp_path / "laion", files, vectors=vectors)
        with open_catalog(tmp_path / "other") as other:
            report = other.import_embeddings(folder, images=photos)
            assert (report.rows, report.broken, report.added, report.known) == (5, 3, 2, 0)
            assert other.index(photos).embedded == 2

    def test_files_that_are_no_pictures_are_skipped(self, tmp_path, photos):
        (photos / "bad.png").write_text("no picture")
        files = sorted(photos.glob("*.png"))
        folder = foreign_folder(tmp_path / "laion", files, vectors=embed([files[-1]] * len(files)))
        with open_catalog(tmp_path / "other") as other, pytest.raises(IndexMismatchError):
            other.import_embeddings(folder, images=photos)
        paint(photos, **{file.stem: "red" for file in files if file.stem != "bad"})
        with open_catalog(tmp_path / "other") as other:
            report = other.import_embeddings(folder, images=photos)
            assert [(each.path, each.reason) for each in report.skipped] == [
                (str(photos / "bad.png"), "not a picture of a kind that can be read")
            ]
            assert (report.added, report.known, report.checked) == (1, 3, 4)

    def test_captions_of_rows(self, tmp_path, photos):
        files = [photos / "red.png", photos / "blue.png", photos / "green.png"]
        folder = foreign_folder(tmp_path / "laion", files, caption=["something red ", None, "  "])
        with open_catalog(tmp_path / "other") as other:
            assert other.import_embeddings(folder, images=photos, captions=True).captions == 1
            assert other.captions.list() == ["something red"]
            assert other.caption(photos / "red.png")[0].text == "something red"

    def test_several_parts_match_by_their_numbers(self, tmp_path, photos):
        files = sorted(photos.rglob("*.png"))
        for number, file in enumerate(files):
            write_part(tmp_path / "laion", embed([file]), {"image_path": [str(file)]}, number=f"{number + 7:04}")
        folder = tmp_path / "laion"
        (folder / "metadata" / "metadata_0008.parquet").rename(folder / "metadata" / "metadata_8.parquet")
        with open_catalog(tmp_path / "other") as other:
            assert other.import_embeddings(folder, images=photos).added == 4
            (folder / "metadata" / "metadata_0009.parquet").unlink()
            with pytest.raises(InputError, match=r"img_emb_0009\.npy has no matching part 9"):
                other.import_embeddings(folder, images=photos)

    def test_text_of_other_types(self, tmp_path, photos):
        files = [str(photos / "red.png"), str(photos / "blue.png")]
        for number, column in enumerate(
            (
                pa.array(files).dictionary_encode(),
                pa.array(files, pa.large_string()),
                pa.array([os.fsencode(file) for file in files]),
            )
        ):
            write_part(tmp_path / f"l{number}", embed([Path(file) for file in files]), {"image_path": column})
            with open_catalog(tmp_path / f"c{number}") as other:
                assert other.import_embeddings(tmp_path / f"l{number}", images=photos).files == 2
        raw = pa.Array.from_buffers(pa.string(), 1, pa.array([b"/\xff\xfe.png"]).buffers())  # no UTF-8 at all
        for column in (raw, pa.array([1]), pa.array(["a\0b"])):
            write_part(tmp_path / "odd", embed([photos / "red.png"]), {"image_path": column})
            with open_catalog(tmp_path / "c9") as other:
                assert other.import_embeddings(tmp_path / "odd", images=photos, trust=True).missing == 1

    def test_a_single_file_of_others(self, tmp_path, photos):
        files = [photos / "red.png", photos / "blue.png", photos / "green.png"]
        rows = [*embed(files).tolist()[:2], None]
        for kind in (pa.list_(pa.float32()), pa.list_(pa.float64(), 4)):
            table = pa.table({"image_path": [str(file) for file in files], "embedding": pa.array(rows, kind)})
            pq.write_table(table, tmp_path / "all.parquet")
            with open_catalog(tmp_path / f"c{kind}") as other:
                report = other.import_embeddings(tmp_path / "all.parquet", images=photos)
                assert (report.added, report.broken) == (2, 1)
        pq.write_table(table.set_column(1, "embedding", [[[1.0, 2, 3, 4], [1.0], None]]), tmp_path / "all.parquet")
        with open_catalog(tmp_path / "c") as other, pytest.raises(InputError, match="several lengths"):
            other.import_embeddings(tmp_path / "all.parquet", images=photos)


class TestBrokenFolders:
    """One line that names the file, and nothing stored."""

    @pytest.fixture
    def folder(self, catalog, tmp_path) -> Path:
        catalog.export(tmp_path / "out", part_rows=2)
        return tmp_path / "out"

    def refused(self, folder: Path, tmp_path: Path) -> str:
        with open_catalog(tmp_path / "other") as other:
            with pytest.raises(InputError) as caught:
                other.import_embeddings(folder, trust=True)
            assert other.admin.status().pictures == 0
        assert "\n" not in str(caught.value)
        return str(caught.value)

    def test_nothing_there(self, tmp_path):
        assert "no folder or file" in self.refused(tmp_path / "none", tmp_path)
        (tmp_path / "empty").mkdir()
        assert "holds no embeddings" in self.refused(tmp_path / "empty", tmp_path)
        (tmp_path / "text.parquet").write_text("no parquet")
        assert "not a Parquet file" in self.refused(tmp_path / "text.parquet", tmp_path)
        pq.write_table(pa.table({"a": [1]}), tmp_path / "text.parquet")
        assert "no column 'embedding'" in self.refused(tmp_path / "text.parquet", tmp_path)
        for column in ([1.0], ["text"]):
            pq.write_table(pa.table({"embedding": column}), tmp_path / "text.parquet")
            self.refused(tmp_path / "text.parquet", tmp_path)
        pq.write_table(pa.table({"embedding": pa.array([], pa.list_(pa.float32()))}), tmp_path / "text.parquet")
        assert "holds no embeddings" in self.refused(tmp_path / "text.parquet", tmp_path)

    @pytest.mark.parametrize("name", ["clipsearch.json", "img_emb/img_emb_0.npy", "metadata/metadata_0.parquet"])
    def test_a_pipe_in_the_place_of_a_file(self, folder, tmp_path, name):
        (folder / name).unlink()
        os.mkfifo(folder / name)
        self.refused(folder, tmp_path)

    def test_a_part_is_missing(self, folder, tmp_path):
        (folder / "img_emb" / "img_emb_1.npy").unlink()
        assert "metadata_1.parquet has no matching part 1" in self.refused(folder, tmp_path)
        (folder / "metadata" / "metadata_1.parquet").unlink()
        assert "incomplete export: 2 of 4 rows" in self.refused(folder, tmp_path)

    def test_numbers_of_rows_differ(self, folder, tmp_path):
        np.save(folder / "img_emb" / "img_emb_1.npy", np.ones((3, 4), np.float16))
        assert "don't belong together: 3 embeddings, 2 rows" in self.refused(folder, tmp_path)
        np.save(folder / "img_emb" / "img_emb_1.npy", np.ones((2, 3), np.float16))
        assert "several models: [3, 4]" in self.refused(folder, tmp_path)

    @pytest.mark.parametrize(
        "vectors", [np.ones(2), np.ones((2, 4), int), np.array([None, {}], object), np.ones((2, 0)), np.ones((2, 4, 1))]
    )
    def test_numbers_of_other_kinds(self, folder, tmp_path, vectors):
        np.save(folder / "img_emb" / "img_emb_1.npy", vectors, allow_pickle=True)
        assert "img_emb_1.npy" in self.refused(folder, tmp_path)

    @pytest.mark.parametrize(
        ("header", "words"),
        [
            ("{'descr': '<f2', 'fortran_order': False, 'shape': (-3, 4)}", "no rows"),
            ("{'descr': '<f2', 'fortran_order': False, 'shape': (3, -4)}", "no rows"),
            ("{'descr': '<f2', 'fortran_order': False, 'shape': (-3, -4)}", "no rows"),
            (
                "{'descr': '<f2', 'fortran_order': False, 'shape': (4611686018427387904, 4611686018427387904)}",
                "truncated",
            ),
            ("{'descr': '<f2', 'fortran_order': False, 'shape': (18446744073709551619, 4)}", "truncated"),
            ("{'descr': '<f2', 'fortran_order': True, 'shape': (1" + "0" * 400 + ", 4)}", "truncated"),
            ("{'descr': '<f2', 'fortran_order': False, 'shape': (0, 1" + "0" * 40 + ")}", "can't be read"),
            ("{'descr': '<f2', 'fortran_order': False, 'shape': (True, 4)}", "no rows"),
            ("{'descr': '<f2', 'fortran_order': False, 'shape': (3.0, 4)}", "can't be read"),
            ("{'descr': '<f2', 'fortran_order': False, 'shape': (12,)}", "no rows"),
            ("{'descr': '<f2', 'fortran_order': False, 'shape': (3, 0)}", "no rows"),
            ("{'descr': '<f2', 'fortran_order': False, 'shape': None}", "can't be read"),
            ("{'descr': '|O', 'fortran_order': False, 'shape': (3, 4)}", "no rows"),
            ("{'descr': '<i8', 'fortran_order': False, 'shape': (3, 4)}", "no rows"),
            ("{'descr': '<c8', 'fortran_order': False, 'shape': (3, 4)}", "no rows"),
            ("{'descr': '<U8', 'fortran_order': False, 'shape': (3, 4)}", "no rows"),
            ("{'descr': [('a', '<f2')], 'fortran_order': False, 'shape': (3, 4)}", "no rows"),
            ("{'descr': {'a': 1}, 'fortran_order': False, 'shape': (3, 4)}", "can't be read"),
            ("{'descr': '<f99999999999', 'fortran_order': False, 'shape': (3, 4)}", "can't be read"),
            ("{'descr': '\\ud800', 'fortran_order': False, 'shape': (3, 4)}", "can't be read"),
            ("{'descr': '<f2', 'fortran_order': 1, 'shape': (3, 4)}", "can't be read"),
            ("{'descr': '<f2'}", "can't be read"),
            ("[1, 2]", "can't be read"),
            ("__import__('os').getpid()", "can't be read"),
            ("(" * 4000 + ")" * 4000, "can't be read"),
            ("{'descr': '<f2', 'fortran_order': False, 'shape': (3, 4), 'x': '" + "a" * 60_000 + "'}", "can't be read"),
            ("{'descr': '<f2', 'fortran_order': False, 'shape': (4, 4)}", "truncated"),
        ],
    )
    @pytest.mark.parametrize("version", [1, 2, 3])
    def test_headers_of_arrays_that_make_no_sense(self, tmp_path, header, words, version):
        folder, text = tmp_path / "others", header.encode()
        length = len(text).to_bytes(2 if version == 1 else 4, "little")
        write_part(folder, np.zeros((3, 4), "<f2"), {"image_path": ["a", "b", "c"]})
        (file,) = (folder / "img_emb").iterdir()
        file.write_bytes(b"\x93NUMPY" + bytes([version, 0]) + length + text + bytes(3 * 4 * 2))
        with pytest.raises(InputError, match=words) as raised:
            open_source(folder)
        assert "\n" not in str(raised.value)

    @pytest.mark.parametrize("order", ["C", "F"])
    @pytest.mark.parametrize("kind", ["<f2", ">f4", "<f8"])
    def test_arrays_of_all_floating_point_numbers_are_read(self, tmp_path, order, kind):
        vectors = np.asarray([[3, 4, 0], [0, 3, 4]], dtype=kind, order=order)
        write_part(tmp_path / "others", vectors, {"image_path": ["a", "b"]})
        (rows,) = open_source(tmp_path / "others").batches()
        assert np.allclose([row.embedding for row in rows], [[0.6, 0.8, 0], [0, 0.6, 0.8]])

    def test_damaged_files(self, folder, tmp_path):
        for path in sorted(folder.rglob("*.*")):
            content = path.read_bytes()
            for damaged in (b"", content[:20], content[:-5], b"no such thing" * 9):
                path.write_bytes(damaged)
                assert str(path) in self.refused(folder, tmp_path)
            path.write_bytes(content)
        with open_catalog(tmp_path / "other") as other:
            assert other.import_embeddings(folder).added == 4

    def test_a_newer_format_and_two_of_one_number(self, folder, tmp_path):
        said = (folder / description.DESCRIPTION_NAME).read_text()
        (folder / description.DESCRIPTION_NAME).write_text(said.replace('"version": 1', '"version": 2'))
        assert "version 2" in self.refused(folder, tmp_path)
        (folder / description.DESCRIPTION_NAME).write_text(said)
        (folder / "img_emb" / "img_emb_01.npy").write_bytes((folder / "img_emb" / "img_emb_1.npy").read_bytes())
        assert "the same number" in self.refused(folder, tmp_path)

    def test_a_description_that_lies_is_no_way_in(self, folder, tmp_path):
        path = folder / "metadata" / "metadata_0.parquet"
        table = pq.read_table(path)
        odd = {"width": [-1, 1 << 40], "latitude": [1e9, float("nan")], "camera": ["x" * 500, None]}
        for name, values in odd.items():
            table = table.set_column(table.schema.get_field_index(name), name, [values])
        table = table.set_column(table.schema.get_field_index("image_path"), "image_path", [["/gone", "/gone"]])
        pq.write_table(table, path)
        with open_catalog(tmp_path / "other") as other:
            report = other.import_embeddings(folder)
            assert (report.added, report.missing) == (2, 2)


def change(place: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(place / "catalog.sqlite3")) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


@pytest.mark.parametrize("target", ["export", "export.parquet"])
def test_a_picture_whose_folder_is_unknown_is_left_out(catalog, tmp_path, target):
    change(tmp_path / "catalog", "UPDATE files SET root_id = 99 WHERE file_id = 1")
    report = catalog.export(tmp_path / target)
    assert report.pictures == 3
    source = open_source(tmp_path / target)
    assert sum(len(rows) for rows in source.batches()) == 3
    change(tmp_path / "catalog", "DELETE FROM roots")
    with pytest.raises(StoreError, match="nothing to export"):
        catalog.export(tmp_path / target)


def test_a_picture_whose_path_leads_nowhere_is_told(catalog, tmp_path):
    change(tmp_path / "catalog", "UPDATE files SET relative_path = CAST('../../x' AS BLOB) WHERE file_id = 1")
    with pytest.raises(StoreError, match=r"has no valid path.*doctor --fix"):
        catalog.export(tmp_path / "export")
    assert not (tmp_path / "export").exists()


@pytest.mark.parametrize(
    "statement", ["UPDATE files SET root_id = 99", "UPDATE files SET content_id = 99", "DELETE FROM contents"]
)
def test_what_points_at_nothing_stops_no_command(catalog, tmp_path, statement, capfd):
    change(tmp_path / "catalog", f"{statement} WHERE content_id = 1")
    for command in (
        ["query", "red"], ["query", "id:1"], ["query", "taken:2000.. or type:png"], ["dupes"], ["cluster", "-n", "2"],
        ["label"], ["status"], ["reindex"], ["export", str(tmp_path / "out")], ["doctor"],
    ):  # fmt: skip
        code = run([*command, "--catalog", str(tmp_path / "catalog")])
        assert code in (0, 1, 2) and len(capfd.readouterr().err.splitlines()) <= 1, command
