"""Folders behind URLs are those that the user has named on this machine."""

import pytest

from clipsearch.errors import InputError
from clipsearch.indexing.named_folders import require_named_folders
from clipsearch.store import Store


@pytest.fixture
def roots(tmp_path):
    with Store(tmp_path / "catalog", create=True) as store:
        yield store.roots


@pytest.mark.parametrize(
    "url", ["s3://bucket/photos", "http://169.254.169.254/latest", "https://host:8080/a", "az://box/a"]
)
def test_what_only_the_catalog_names_is_not_asked(roots, url):
    roots.add(url)
    with pytest.raises(InputError, match="never named on this machine"):
        require_named_folders((), roots)
    require_named_folders((url,), roots)
    require_named_folders((), roots)


@pytest.mark.parametrize("named", ["s3://other/photos", "http://bucket/photos", "s3://bucket.evil.example/photos"])
def test_another_bucket_or_server_is_not_named_by_it(roots, named):
    roots.add("s3://bucket/photos")
    require_named_folders((named,), roots)
    with pytest.raises(InputError, match="s3://bucket was never named"):
        require_named_folders((), roots)


def test_folders_of_this_machine_need_no_naming(roots, tmp_path):
    roots.add(str(tmp_path))
    require_named_folders((), roots)
    require_named_folders((tmp_path, str(tmp_path), tmp_path.as_uri()), roots)
