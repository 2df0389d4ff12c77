"""The API does what its description says, whatever it is asked."""

import itertools
import json
import shutil

import pytest

pytest.importorskip("schemathesis", reason="schemathesis is not installed: pip install -e '.[services]'")
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from clipsearch import Catalog
from clipsearch.web.app import make_app

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def app(made_catalog, tmp_path_factory):
    directory = tmp_path_factory.mktemp("openapi") / "catalog"
    shutil.copytree(made_catalog, directory)  # requests may make a map, which others would find
    with Catalog.open(directory, shared=True) as catalog:
        yield make_app(catalog, may_index=False)


def _takes_anything(operation):
    return bool(list(operation.iter_parameters()) or operation.body)


# Of each operation of the API; as many lines of the package run as with twice as many.
EXAMPLES = 12


def ask(operation, mode):
    numbers = itertools.count(1)

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    def ask_and_check(case):
        number = next(numbers)
        if mode == GenerationMode.POSITIVE and number % 3 == 0:
            for parameters in (case.path_parameters, case.query):
                if "id" in parameters:
                    parameters["id"] = number  # that of a picture, which chance seldom finds
        # A string may be valid and yet no query, no page of a search, no picture.
        case.call_and_validate(headers={"host": "127.0.0.1"}, excluded_checks=[positive_data_acceptance])

    ask_and_check()


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_every_answer_is_as_described(app, mode):
    schema = schemathesis.openapi.from_asgi("/openapi.json", app, headers={"host": "127.0.0.1"})
    seen = []
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path == "/api/index/events":  # goes on as long as a run does
            continue
        seen.append(operation.label)
        if mode == GenerationMode.NEGATIVE and not _takes_anything(operation):
            continue
        ask(operation, mode)
    there = [(method, path) for path, methods in app.openapi()["paths"].items() for method in methods]
    assert len(seen) == len(there) - 1 > 10


def test_the_description_has_examples_and_no_address_of_others(app):
    described = app.openapi()
    text = json.dumps(described)
    assert "a glazed donut" in text and "http://" not in text and "https://" not in text
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            assert operation.get("summary"), (method, path)
            if path.startswith("/api"):
                assert "application/problem+json" in json.dumps(operation["responses"]), (method, path)
