"""The API does what its description says, whatever it is asked."""

import json

import pytest
import schemathesis
from hypothesis import HealthCheck, settings

from clipsearch import Catalog
from clipsearch.web.app import make_app

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def app(made_catalog):
    with Catalog.open(made_catalog, shared=True) as catalog:
        yield make_app(catalog, may_index=False)


@pytest.fixture
def api(app):
    return schemathesis.openapi.from_asgi("/openapi.json", app, base_url="http://127.0.0.1")


schema = schemathesis.pytest.from_fixture("api")


@schema.exclude(path="/api/index/events").parametrize()
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_every_answer_is_as_described(case):
    # What JSON can't say is refused all the same: {"folder": ""} is valid, and indexes nothing here.
    case.call_and_validate(headers={"host": "127.0.0.1"})


def test_the_description_has_examples_and_no_address_of_others(app):
    described = app.openapi()
    text = json.dumps(described)
    assert "a glazed donut" in text and "http://" not in text and "https://" not in text
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            assert operation.get("summary"), (method, path)
            if path.startswith("/api"):
                assert "application/problem+json" in json.dumps(operation["responses"]), (method, path)
