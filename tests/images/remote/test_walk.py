"""Folders behind URLs: what is taken for one, how it is listed, and that nothing secret is kept."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from clipsearch.errors import ImageReadError, InputError, MissingExtraError
from clipsearch.images.file_stamp import signed_64
from clipsearch.images.remote.files import check_folder_url, fetched_file, open_file_system, reason_of
from clipsearch.images.remote.walk import UrlWalk, change_number, size_of
from tests.support.listing_server import serving

pytest.importorskip("fsspec")
pytest.importorskip("aiohttp")


class TestAddress:
    @pytest.mark.parametrize(
        ("url", "kept"),
        [
            ("s3://Bucket/photos/", "s3://Bucket/photos"),
            ("S3://bucket", "s3://bucket"),
            ("HTTP://Host:8000/a%20b/", "http://host:8000/a%20b"),
            ("abfs://container@account.dfs.core.windows.net/x", "abfs://container@account.dfs.core.windows.net/x"),
        ],
    )
    def test_is_kept_plain(self, url, kept):
        assert check_folder_url(url) == kept

    @pytest.mark.parametrize(
        "url",
        [
            "s3://key:secret@bucket/photos",
            "https://token@host/photos",
            "https://me:secret@host/photos",
            "https://host/photos?signature=secret",
            "https://host/photos#secret",
            "abfs://me:secret@account/x",
        ],
    )
    def test_with_a_secret_is_refused_without_saying_it(self, url):
        with pytest.raises(InputError) as raised:
            check_folder_url(url)
        assert "secret" not in str(raised.value)
        assert "token" not in str(raised.value)

    @pytest.mark.parametrize(
        "url", ["ftp://host/x", "memory://x", "s3://", "s3://b/a/../c", "s3://b//c", "http://[::/x"]
    )
    def test_that_is_none_is_refused(self, url):
        with pytest.raises(InputError):
            check_folder_url(url)

    def test_without_its_package_says_what_to_install(self, monkeypatch):
        import sys

        monkeypatch.setitem(sys.modules, "adlfs", None)
        with pytest.raises(MissingExtraError, match="abfs:// needs adlfs, which is not installed: pip install adlfs"):
            open_file_system("abfs://container/x")

    def test_what_a_server_says_is_told_without_signatures(self):
        said = reason_of(OSError("403, url='https://me:secret@host/a.jpg?X-Signature=secret'\nmore"))
        assert said == "403, url='https://host/a.jpg?…'"


class TestListing:
    def test_is_that_of_a_folder(self, tmp_path):
        for name in (
            "a.jpg",
            "b c.PNG",
            "text.txt",
            "drawing.xcf",
            ".hidden.jpg",
            "deep/d.webp",
            ".git/e.jpg",
            "@eaDir/f.jpg",
            "no/g.jpg",
            "x/no.jpg",
        ):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(name.encode())
        (tmp_path / ".clipsearchignore").write_text("no/\n/x/no.jpg\n")
        with serving(tmp_path) as url:
            walk = UrlWalk(url)
            found = [image for part in walk for image in part]
            part = [image.relative_path for images in UrlWalk(url, subfolder="deep") for image in images]
        assert [image.relative_path for image in found] == ["a.jpg", "b%20c.PNG", "deep/d.webp"]
        assert part == ["deep/d.webp"]
        status = (tmp_path / "a.jpg").stat()
        assert found[0].size_bytes == status.st_size
        assert found[0].mtime_ns == int(status.st_mtime) * 1_000_000_000
        assert (walk.unseen, dict(walk.unsupported)) == ([], {".xcf": 1})

    def test_that_fails_is_an_error(self, tmp_path):
        with serving(tmp_path) as url, pytest.raises(FileNotFoundError):
            UrlWalk(f"{url}/missing")
        with pytest.raises(InputError, match=f"can't list the folder {url}: "):
            UrlWalk(url)

    def test_of_one_folder_that_fails_leaves_it_unseen(self, tmp_path):
        (tmp_path / "a").mkdir()
        (tmp_path / "b.jpg").write_bytes(b"1")
        with serving(tmp_path) as url:
            walk = UrlWalk(url)
            parts = iter(walk)
            assert [image.relative_path for image in next(parts)] == ["b.jpg"]
            (tmp_path / "a").rmdir()
            assert list(parts) == []
        assert [unseen.relative_path for unseen in walk.unseen] == ["a"]

    def test_change_numbers(self):
        at = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
        ns = 1_767_323_045_000_006_000
        assert change_number({"LastModified": at}) == ns
        assert change_number({"mtime": at.timestamp()}) == pytest.approx(ns, abs=1000)
        assert change_number({"updated": "2026-01-02T03:04:05.000006Z"}) == ns
        assert change_number({"Last-Modified": "Fri, 02 Jan 2026 03:04:05 GMT"}) == ns - 6000
        tags = {change_number({"ETag": tag}) for tag in ("one", "two")}
        assert len(tags) == 2 and all(0 < number < 1 << 63 for number in tags)
        assert change_number({"size": 3}) == 0


class TestFetching:
    def test_gives_a_copy_for_a_while(self, tmp_path):
        (tmp_path / "a b.jpg").write_bytes(b"content")
        with serving(tmp_path) as url, fetched_file(f"{url}/a%20b.jpg") as copy:
            assert Path(copy).read_bytes() == b"content"
        assert not Path(copy).exists()

    def test_stops_at_what_is_too_large(self, tmp_path):
        (tmp_path / "a.jpg").write_bytes(bytes(100))
        with (
            serving(tmp_path) as url,
            pytest.raises(ImageReadError, match="too large"),
            fetched_file(f"{url}/a.jpg", max_bytes=99),
        ):
            pass

    def test_says_what_is_not_there(self, tmp_path):
        with serving(tmp_path) as url, pytest.raises(FileNotFoundError), fetched_file(f"{url}/a.jpg"):
            pass


@pytest.mark.parametrize(
    ("entry", "number"),
    [
        ({"mtime": float("inf")}, 0),
        ({"mtime": float("nan"), "ETag": ""}, 0),
        ({"mtime": 1e300}, None),
        ({"mtime": 10**400}, None),
        ({"LastModified": datetime(9999, 12, 31, tzinfo=UTC)}, None),
        ({"LastModified": "0001-01-01T00:00:00+23:59"}, None),
        ({"Last-Modified": "Fri, 99 Foo 99999999999999999999 99:99:99 GMT"}, 0),
        ({"Last-Modified": "Thu, 01 Jan 2400 00:00:00 GMT"}, signed_64(13_569_465_600 * 10**9)),
        ({"Last-Modified": ""}, 0),
    ],
)
def test_whatever_a_server_says_of_times_is_a_number_of_64_bits(entry, number):
    found = change_number(entry)
    assert -(1 << 63) <= found < 1 << 63
    assert number is None or found == number


@pytest.mark.parametrize(
    ("size", "kept"),
    [
        (None, -1),
        (5, 5),
        ("17", 17),
        (-3, -1),
        (float("nan"), -1),
        (float("inf"), -1),
        ("a lot", -1),
        (1 << 70, (1 << 63) - 1),
    ],
)
def test_whatever_a_server_says_of_sizes(size, kept):
    assert size_of({"size": size}) == kept
    assert size_of({}) == -1
