"""Settings of the environment and of config.toml."""

import os
from pathlib import Path

import pytest

from clipsearch import Catalog, configuration, paths, settings
from clipsearch.errors import InputError
from clipsearch.types import ModelOptions


@pytest.fixture
def file(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("CLIPSEARCH_CONFIG", str(tmp_path / "my.toml"))
    for variable in configuration.VARIABLES.values():
        monkeypatch.delenv(variable, raising=False)
    return tmp_path / "my.toml"


def test_the_environment_goes_before_the_file_and_an_option_before_both(file, monkeypatch):
    assert configuration.find_setting("device") == configuration.Setting("device", None, "default")
    file.write_text('# mine\ndevice = "cuda"\nprecision = "int8"\n')
    assert configuration.find_setting("device") == configuration.Setting("device", "cuda", f"{file}, line 2")
    monkeypatch.setenv("CLIPSEARCH_DEVICE", "cpu")
    assert configuration.find_setting("device") == configuration.Setting("device", "cpu", "CLIPSEARCH_DEVICE")
    found = settings.with_environment(ModelOptions(precision="f32"))
    assert (found.device, found.precision) == ("cpu", "f32")
    file.write_text('device = "cuda:1"\n')  # another size: it is read again
    monkeypatch.delenv("CLIPSEARCH_DEVICE")
    assert settings.with_environment(ModelOptions()).device == "cuda:1"


def test_the_library_uses_the_catalog_of_the_file(file, tmp_path):
    file.write_text(f'catalog = "{tmp_path}/c"\ncache = "~/rebuilt"\nallow_url = true\n')
    with Catalog.open(create=True) as catalog:
        assert catalog.directory == tmp_path / "c"
    assert paths.cache_dir() == Path("~/rebuilt").expanduser()
    assert settings.is_url_allowed("https://example.org/cat.jpg")
    file.write_text('allow_url = ["example.org:8000"]')
    assert settings.allowed_hosts() == {"example.org:8000"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('\nmodl = "x"', "line 2: no key 'modl': did you mean model?"),
        ("[device]\nname = 1", "line 1: device takes a text in quotes, not {'name': 1}"),
        ('# device\n"device" = 5', "line 2: device takes a text in quotes, not 5"),
        ('cache = "here"', "line 1: cache takes an absolute path, not 'here'"),
        ("index_servers = [1]", "line 1: index_servers takes a text in quotes or a list of texts, not [1]"),
        ('device = "', "Unterminated string"),
        ('device = "gpu"', "line 1: invalid device 'gpu'"),
        ('precision = "f16"', "line 1: invalid precision 'f16'"),
    ],
)
def test_what_is_wrong_in_the_file_is_told_with_its_line(file, text, said):
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        Catalog.open(create=True)
    assert str(caught.value).startswith(str(file)) and said in str(caught.value)


def test_a_file_that_is_not_text_is_told(file):
    file.write_bytes(b"\xff")
    with pytest.raises(InputError, match="can't read"):
        configuration.find("device")


def test_the_folder_of_decisions_is_that_of_the_file(file, monkeypatch):
    assert configuration.config_dir() == file.parent
    monkeypatch.setenv("CLIPSEARCH_CONFIG", str(file.parent / "folder"))
    assert configuration.config_file() == file.parent / "folder" / "config.toml"
    monkeypatch.delenv("CLIPSEARCH_CONFIG")
    assert configuration.config_file().name == "config.toml"
    assert configuration.find("device") is None


def test_every_variable_of_the_file_is_read_in_one_place(repository):
    pattern = [f'"{variable}"' for variable in configuration.VARIABLES.values()]
    reading = {
        path.name
        for path in (repository / "clipsearch").rglob("*.py")
        if any(f"environ.get({each}" in path.read_text() or f"environ[{each}" in path.read_text() for each in pattern)
    }
    assert reading == set()
    assert os.environ.get("CLIPSEARCH_CACHE") is not None
