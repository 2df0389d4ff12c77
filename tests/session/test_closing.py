"""What is closed gives everything back: models, index files, workers, connections."""

import gc
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from clipsearch import Catalog, InputError, ModelError, StoreError
from clipsearch.encoders import load
from clipsearch.paths import sample_data_folder
from clipsearch.types import ModelOptions
from tests.support.fakes import ColourEncoder
from tests.support.sample_catalog import SampleCatalog

CAT = sample_data_folder() / "animals" / "cat.jpg"

ROUNDS = """
import gc, sys
from pathlib import Path
from clipsearch import Catalog

def megabytes():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) // 1024

for _ in range(8):
    try:
        with Catalog.open(sys.argv[1]) as catalog:
            catalog.search("a cat")
            catalog.search(Path(sys.argv[2]))
            raise ValueError
    except ValueError as error:
        kept = error
    print(megabytes())
"""


@pytest.fixture
def catalog_folder(indexed_samples: SampleCatalog, tmp_path: Path) -> Path:
    folder = indexed_samples.copy_to(tmp_path / "catalog")
    with Catalog.open(folder) as catalog:
        catalog.captions.add(["a cat"])
    return folder


def native_holders() -> list[object]:
    """Objects of other libraries that hold what Python's own garbage collector does not see."""
    names = {"AsyncInferQueue", "CompiledModel", "InferRequest", "Tokenizer", "Popen", "Connection"}
    gc.collect()
    return [
        each for each in gc.get_objects() if type(each).__name__ in names and not isinstance(each, weakref.ProxyType)
    ]


def mapped_index_files() -> list[str]:
    try:
        return [line for line in Path("/proc/self/maps").read_text().splitlines() if line.endswith(".faiss")]
    except FileNotFoundError:
        return []


def use_everything(catalog: Catalog) -> None:
    catalog.search("a cat at home")
    catalog.search(CAT)
    catalog.caption(CAT)
    catalog.labels.assign(CAT, ["cat", "dog"])
    catalog.heat_map(CAT, "a cat")
    catalog.duplicates()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="how much memory it has is read from /proc")
def test_memory_stays_flat_over_catalogs_that_are_opened_one_after_another(catalog_folder):
    run = [sys.executable, "-W", "ignore", "-c", ROUNDS, str(catalog_folder), str(CAT)]
    done = subprocess.run(run, capture_output=True, text=True, check=True, env=os.environ | {"PYTHONPATH": os.getcwd()})
    megabytes = [int(line) for line in done.stdout.split()]
    # A model that stays is some 90 MB: five of them would be 450.
    assert megabytes[-1] - megabytes[2] < 200, megabytes


def test_nothing_native_is_left_of_a_closed_catalog(catalog_folder):
    before, mapped = {id(each) for each in native_holders()}, mapped_index_files()
    with Catalog.open(catalog_folder) as catalog:
        use_everything(catalog)
        encoder = weakref.ref(catalog.encoder)
    del catalog
    assert encoder() is None
    assert [each for each in native_holders() if id(each) not in before] == []
    assert mapped_index_files() == mapped


@pytest.mark.parametrize("count", [1, 100])
def test_nothing_native_is_left_while_somebody_keeps_the_error(count, catalog_folder):
    before, mapped = {id(each) for each in native_holders()}, mapped_index_files()
    kept = []
    with (
        pytest.raises(ModelError, match="image model of starter failed") as raised,
        Catalog.open(catalog_folder) as one,
    ):
        use_everything(one)
        one.encoder.encode_images(np.zeros((count, 3, 3, 3), dtype=np.uint8))
    kept.append(raised.value)
    with pytest.raises(InputError) as missing, Catalog.open(catalog_folder) as other:
        use_everything(other)
        other.search(catalog_folder / "none.jpg")
    kept.append(missing.value)
    assert [each for each in native_holders() if id(each) not in before] == []
    assert mapped_index_files() == mapped


def test_nothing_native_is_left_of_a_catalog_that_was_never_closed(catalog_folder):
    before = {id(each) for each in native_holders()}
    catalog = Catalog.open(catalog_folder, shared=True)
    encoder = weakref.ref(catalog.encoder)
    catalog.encoder.encode_images(np.zeros((0, 0, 0, 3), dtype=np.uint8))
    catalog.encoder.encode_texts(["a cat"])
    del catalog
    assert encoder() is None
    names = {type(each).__name__ for each in native_holders() if id(each) not in before}
    assert names <= {"Connection"}  # whose file the system closes


QUESTIONS: dict[str, Callable[[Catalog], object]] = {
    "search": lambda catalog: catalog.search("a cat"),
    "search by a picture": lambda catalog: catalog.search(CAT),
    "search page": lambda catalog: catalog.search_page("a cat"),
    "index": lambda catalog: catalog.index(CAT.parent),
    "use model": lambda catalog: catalog.use_model("starter"),
    "encoder": lambda catalog: catalog.encoder,
    "model": lambda catalog: catalog.model,
    "classify": lambda catalog: catalog.classify(CAT, ["a cat"]),
    "caption": lambda catalog: catalog.caption(CAT),
    "add captions": lambda catalog: catalog.captions.add("a dog"),
    "list captions": lambda catalog: catalog.captions.list(),
    "label": lambda catalog: catalog.labels.assign(CAT, ["cat"]),
    "clusters": lambda catalog: catalog.clusters(labels="lvis"),
    "duplicates": lambda catalog: catalog.duplicates(),
    "status": lambda catalog: catalog.admin.status(),
    "reindex": lambda catalog: catalog.admin.reindex(),
    "warm up": lambda catalog: catalog.admin.warm_up(),
    "explain": lambda catalog: catalog.heat_map(CAT, "a cat"),
    "use index": lambda catalog: catalog.admin.use_index("files"),
    "export": lambda catalog: catalog.export(CAT.with_name("none")),
    "suggest": lambda catalog: catalog.suggest("a ct"),
    "thumbnail": lambda catalog: catalog.pictures.thumbnail(1),
    "facets": lambda catalog: catalog.pictures.facets(),
    "backup": lambda catalog: catalog.admin.backup(CAT.with_name("none.sqlite3")),
    "garbage": lambda catalog: catalog.admin.collect_garbage(dry_run=True),
}


def outcome(question: Callable[[Catalog], object], catalog: Catalog) -> object:
    try:
        return question(catalog)
    except StoreError as error:
        return str(error)


@pytest.mark.parametrize("was_used", [False, True])
def test_a_closed_catalog_says_so(was_used, tmp_path, colours):
    catalog = Catalog.open(tmp_path / "catalog", model="colours", create=True)
    if was_used:
        catalog.index(CAT.parent)
        catalog.search("red")
    catalog.close()
    catalog.close()
    answers = {name: outcome(question, catalog) for name, question in QUESTIONS.items()}
    assert answers == dict.fromkeys(QUESTIONS, f"the catalog {tmp_path / 'catalog'} is closed")


def test_a_model_that_another_thread_is_loading_while_the_catalog_is_closed_is_closed_too(tmp_path, monkeypatch):
    is_loading, may_go_on = threading.Event(), threading.Event()
    encoder = ColourEncoder()

    def load_slowly(options: ModelOptions) -> ColourEncoder:
        is_loading.set()
        assert may_go_on.wait(30)
        return encoder

    monkeypatch.setattr(load, "load_encoder", load_slowly)
    catalog = Catalog.open(tmp_path / "catalog", model="colours", create=True, shared=True)
    errors: list[StoreError] = []

    def warm_up() -> None:
        try:
            catalog.admin.warm_up()
        except StoreError as error:
            errors.append(error)

    thread = threading.Thread(target=warm_up)
    thread.start()
    assert is_loading.wait(30)
    catalog.close()
    may_go_on.set()
    thread.join(30)
    assert encoder.is_closed
    assert "is closed" in str(errors[0])


def test_a_catalog_is_closed_also_where_one_of_its_parts_fails_to(tmp_path, colours, monkeypatch):
    catalog = Catalog.open(tmp_path / "catalog", model="colours", create=True)
    catalog.index(CAT.parent)
    encoder = catalog.encoder

    def fail() -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(encoder, "close", fail)
    with pytest.raises(RuntimeError):
        catalog.close()
    with pytest.raises(StoreError, match="is closed"):
        catalog.admin.status()
