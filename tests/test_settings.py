"""Options from the environment and from names."""

import pytest

from clipsearch import settings
from clipsearch.types import ModelOptions


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("starter@int8", ("starter", "int8")),
        ("org/name@main@bf16", ("org/name@main", "bf16")),
        ("org/name@main", ("org/name@main", "f32")),
        ("starter", ("starter", "f32")),
        ("@int8", ("@int8", "f32")),
        (None, (None, "f32")),
    ],
)
def test_name_may_end_in_a_precision(name, found):
    options = settings.with_suffix(ModelOptions(name, precision="f32"))
    assert (options.name, options.precision) == found


def test_precision_of_the_environment_is_the_default(monkeypatch):
    monkeypatch.setenv("CLIPSEARCH_PRECISION", "int8")
    assert settings.with_environment(ModelOptions()).precision == "int8"
    assert settings.with_environment(ModelOptions(precision="auto")).precision == "auto"
