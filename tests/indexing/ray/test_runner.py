"""Reading and encoding on a Ray cluster gives what this machine alone gives, whatever dies meanwhile."""

import os
import signal
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from sqlite3 import connect

import numpy as np
import pytest
from PIL import Image

from clipsearch import Catalog, check_catalog
from clipsearch.encoders.load import load_encoder
from clipsearch.encoders.spec import EncoderRecipe
from clipsearch.errors import IndexMismatchError, InputError, MissingExtraError, ModelError, RunnerError
from clipsearch.indexing import index_folders
from clipsearch.indexing.ray.cluster import RayCluster
from clipsearch.store import Store
from clipsearch.store.backends.connection import DATABASE_NAME
from clipsearch.types import IndexReport
from tests.support.library import counts
from tests.support.listing_server import serving
from tests.support.ray_cluster import BROKEN, COPIES, NODE, paint, running_cluster

# What Ray says about its own settings.
pytestmark = pytest.mark.filterwarnings(r"ignore:.use_\w+. is deprecated:DeprecationWarning")

pytest.importorskip("ray", reason="ray, of the extra 'scale', is not installed")

TOTAL = 60


@pytest.fixture(scope="class")
def cluster():
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="class")
def connected(cluster):
    """The cluster, with a connection of the host program: one job for all runs, whose processes are reused."""
    with closing(RayCluster(cluster.address)):
        yield cluster


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    paint(folder, TOTAL)
    return folder


def index(folder: Path | str, catalog: Path, **options) -> IndexReport:
    with Catalog.open(catalog, model="starter", create=True) as opened:
        return opened.index(folder, **options)


def records(catalog: Path) -> tuple[dict[str, tuple], dict[bytes, tuple]]:
    """Files by path, and contents by blake3 with all that is known of them."""
    with closing(connect(catalog / DATABASE_NAME)) as connection:
        files = {
            os.fsdecode(row[0]): row[1:]
            for row in connection.execute(
                "SELECT relative_path, files.size_bytes, mtime_ns, blake3, skip_reason FROM files "
                "LEFT JOIN contents USING (content_id)"
            )
        }
        contents = {
            row[0]: row[1:]
            for row in connection.execute(
                "SELECT blake3, size_bytes, width, height, format, taken_at, camera, embedding FROM contents "
                "JOIN image_embeddings ON part_id = content_id"
            )
        }
    return files, contents


def assert_same(one: Path, other: Path) -> None:
    (files, contents), (other_files, other_contents) = records(one), records(other)
    assert files == other_files
    assert contents.keys() == other_contents.keys()
    for digest, (*known, embedding) in contents.items():
        *other_known, other_embedding = other_contents[digest]
        assert known == other_known
        rows = [np.frombuffer(row, dtype="<f2").astype(np.float32) for row in (embedding, other_embedding)]
        np.testing.assert_allclose(rows[0], rows[1], atol=2e-3)


@pytest.fixture(scope="module")
def alone(photos, tmp_path_factory) -> Path:
    """The catalog that this machine makes alone."""
    catalog = tmp_path_factory.mktemp("alone")
    index(photos, catalog)
    return catalog


class TestCluster:
    def test_a_moved_file_is_not_embedded_again(self, connected, tmp_path):
        import ray

        folder = tmp_path / "photos"
        paint(folder, 20)
        with Catalog.open(tmp_path / "catalog", model="starter", create=True) as catalog:
            catalog.index(folder)
            (folder / "0001.jpg").rename(folder / "moved.jpg")
            (folder / "0003.jpg").write_bytes((folder / "0005.jpg").read_bytes() + b"more")
            report = catalog.index(folder, runner="ray", address=connected.address)
        assert (report.embedded, report.reused, report.moved, report.removed) == (1, 1, 1, 0)
        # Nobody counts how Ray Data is used.
        actors = {actor["name"] for actor in ray.util.list_named_actors(all_namespaces=True)}
        assert not {name for name in actors if "usage" in name.lower()}

    def test_another_model_of_that_name_is_refused(self, connected, photos, tmp_path):
        from clipsearch.indexing.ray.runner import RayRunner

        encoder = load_encoder("starter")
        with Store(tmp_path, create=True) as store:
            model = store.models.add(name="starter", fingerprint=encoder.fingerprint, dim=encoder.dim)
            runner = RayRunner(EncoderRecipe("starter", "0" * 64), address=connected.address)
            with pytest.raises(ModelError, match="the model starter there is not the one here"):
                index_folders(
                    [store.roots.add(str(photos))],
                    store=store,
                    encoder=encoder,
                    model_id=model.model_id,
                    runner=runner,
                )

    def test_a_folder_on_a_web_server(self, connected, photos, alone, tmp_path):
        with serving(photos) as url:
            report = index(url, tmp_path, runner="ray", address=connected.address)
            assert counts(report)["embedded"] == TOTAL
            assert {path for path, _ in skipped(report)} == {f"{url}/broken-{number}.png" for number in range(BROKEN)}
            # What is there is known: nothing is fetched again, with whatever runner.
            with Catalog.open(tmp_path) as catalog:
                again = catalog.index(runner="ray", address=connected.address)
                assert (again.unchanged, again.embedded, len(again.skipped)) == (TOTAL + COPIES, 0, BROKEN)
                with pytest.warns(match=f"{url}: not scanned, since only --runner ray can read URLs"):
                    assert counts(catalog.index()) == {}
                assert catalog.search("a red thing", top_k=1)[0].path.startswith(url)
        # The server is gone, its pictures are not.
        with Catalog.open(tmp_path) as catalog:
            report = catalog.index(runner="ray", address=connected.address)
            assert report.removed == 0
            assert report.skipped[0].reason.startswith(f"can't list the folder {url}: ")
        found, known = records(tmp_path)[1], records(alone)[1]
        assert found.keys() == known.keys()

    def test_parts_are_embedded_as_here(self, connected, tmp_path):
        folder = tmp_path / "parts"
        folder.mkdir()
        cover, *others = [Image.new("RGB", (40, 30), colour) for colour in ("red", "green", "blue")]
        cover.save(folder / "pages.tif", save_all=True, append_images=others)
        image = Image.new("RGB", (1600, 200), "blue")
        image.paste("red", (0, 0, 200, 200))
        image.save(folder / "long.png")
        cover.save(folder / "red.png")
        index(folder, tmp_path / "alone")
        index(folder, tmp_path / "there", runner="ray", address=connected.address)
        found = []
        for catalog in ("alone", "there"):
            with Catalog.open(tmp_path / catalog) as opened:
                hits = opened.search("red", top_k=9)
                found.append({(hit.path, hit.part, round(hit.score, 3)) for hit in hits})
            assert check_catalog(tmp_path / catalog, full=True).is_sound
        assert found[0] == found[1]
        assert any(part is not None for _, part, _ in found[0])

    def test_ctrl_c_keeps_what_was_done(self, connected, photos, tmp_path):
        def press(done: int, total: int) -> None:
            if done < total // 2:
                os.kill(os.getpid(), signal.SIGINT)

        report = index(photos, tmp_path, runner="ray", address=connected.address, on_progress=press)
        assert report.interrupted
        assert 0 < report.embedded < TOTAL
        assert len(records(tmp_path)[1]) == report.embedded
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("clipsearch")]

    def test_whoever_goes_on_does_the_rest(self, connected, photos, alone, tmp_path):
        code = (
            "import os, signal, sys\n"
            "from clipsearch import Catalog\n"
            "def stop(done, total):\n"
            "    if done >= total // 3: os.kill(os.getpid(), signal.SIGKILL)\n"
            "with Catalog.open(sys.argv[1], model='starter', create=True) as catalog:\n"
            "    catalog.index(sys.argv[2], runner='ray', on_progress=stop)\n"
        )
        arguments = [sys.executable, "-c", code, str(tmp_path), str(photos)]
        environment = {**os.environ, "RAY_ADDRESS": connected.address}
        assert subprocess.run(arguments, env=environment, check=False).returncode == -signal.SIGKILL
        before = len(records(tmp_path)[1])
        assert 0 < before < TOTAL
        report = index(photos, tmp_path, runner="ray", address=connected.address)
        assert report.embedded == TOTAL - before
        assert_same(tmp_path, alone)

    def test_a_node_that_is_killed_half_way_takes_nothing_with_it(self, connected, photos, alone, tmp_path):
        node = connected.add_node(**NODE)
        killed = []

        def kill(done: int, total: int) -> None:
            if not killed and done >= total // 3:
                connected.remove_node(node, allow_graceful=False)
                killed.append(done)

        report = index(photos, tmp_path, runner="ray", address=connected.address, on_progress=kill)
        assert 0 < killed[0] < TOTAL
        assert counts(report) == {
            "found": TOTAL + COPIES + BROKEN,
            "embedded": TOTAL,
            "reused": COPIES,
            "skipped": BROKEN,
        }
        assert_same(tmp_path, alone)


def skipped(report: IndexReport) -> list[tuple[str, str]]:
    return [(each.path, each.reason) for each in report.skipped]


class TestWithoutCluster:
    def test_without_the_package_one_line_says_what_to_install(self, photos, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "ray", None)
        with pytest.raises(MissingExtraError, match=r"pip install 'clipsearch\[scale\]'"):
            index(photos, tmp_path, runner="ray")

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"runner": "spark"}, "invalid runner 'spark': use local or ray"),
            ({"address": "auto"}, "--address names a Ray cluster"),
            ({"runner": "ray", "address": "ray://head:10001"}, "invalid Ray cluster address 'ray://head:10001'"),
            ({"runner": "ray", "address": "head"}, "invalid Ray cluster address 'head'"),
        ],
    )
    def test_what_can_not_be_is_refused(self, photos, tmp_path, options, said):
        with pytest.raises(InputError, match=said):
            index(photos, tmp_path, **options)

    def test_a_cluster_that_is_not_there(self, photos, tmp_path):
        with pytest.raises(RunnerError, match=r"no Ray cluster can be reached at 127\.0\.0\.1:9"):
            index(photos, tmp_path, runner="ray", address="127.0.0.1:9")

    def test_a_url_needs_ray(self, tmp_path):
        said = "only Ray can read the URL s3://bucket/photos: clipsearch index s3://bucket/photos --runner ray"
        with pytest.raises(InputError, match=said):
            index("s3://bucket/photos", tmp_path)

    def test_a_model_that_is_not_there_any_more(self):
        with pytest.raises(IndexMismatchError, match="put the same files everywhere"):
            EncoderRecipe("starter", "0" * 64).load()
        with pytest.raises(ModelError, match="install the same everywhere"):
            EncoderRecipe("starter", "0" * 64, version="0.0.1").load()
