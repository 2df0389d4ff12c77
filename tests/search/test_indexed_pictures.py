"""Pictures of the catalog that are named by a file or an id."""

import shutil

import pytest

from clipsearch import Catalog
from clipsearch.errors import InputError
from tests.support.command_line import SAMPLES


def test_a_query_without_its_own_pictures(tmp_path, colours):
    shutil.copytree(SAMPLES / "food", tmp_path / "photos")
    donut = tmp_path / "donut.png"
    shutil.copy(SAMPLES / "food" / "donut.png", donut)
    with Catalog.open(tmp_path / "c", model="colours", create=True) as catalog:
        catalog.index(tmp_path / "photos")
        first = catalog.search(donut)[0]
        assert first.path.endswith("donut.png")
        for query in (str(donut), f"id:{first.content_id}", f"red + image:{donut}"):
            hits = catalog.search(catalog.pictures.without_own(query))
            assert len(hits) == 3 and first.content_id not in {hit.content_id for hit in hits}
        assert catalog.pictures.without_own("red") == catalog.understand("red").query
        with pytest.raises(InputError):
            catalog.pictures.without_own(str(tmp_path / "none.png"))
