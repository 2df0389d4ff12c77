"""Every picture is found once, nothing else is, and what could not be looked at is said."""

import os
import random
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from clipsearch.errors import InputError
from clipsearch.formats import IMAGE_SUFFIXES, UNSUPPORTED_SUFFIXES
from clipsearch.images import find, ignore
from clipsearch.images.find import FoundImage, ImageWalk, find_images


def close(path: Path, mode: int = 0) -> None:
    """Takes permissions away; skips the test where that has no effect."""
    path.chmod(mode)
    if os.access(path, os.R_OK if mode == 0 else os.X_OK):
        pytest.skip("root may read everything")


def write(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def found(root: Path, subfolder: str = "") -> list[str]:
    return [image.relative_path for image in find_images(root, subfolder=subfolder).images]


def test_images_come_in_a_fixed_order_with_size_and_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "b.jpg", "a.png", "z/1.gif", "c/d/2.webp", "c/3.tif")
    os.utime(tmp_path / "b.jpg", ns=(0, -5_000_000_000))
    assert found(tmp_path) == ["a.png", "b.jpg", "c/3.tif", "c/d/2.webp", "z/1.gif"]
    status = os.stat(tmp_path / "b.jpg")
    wanted = FoundImage("b.jpg", 1, -5_000_000_000, status.st_ctime_ns, status.st_ino)
    monkeypatch.setattr(find, "keeps_change_times", lambda path: True)
    assert find_images(str(tmp_path)).images[1] == wanted
    monkeypatch.setattr(find, "keeps_change_times", lambda path: False)
    assert find_images(str(tmp_path)).images[1] == FoundImage("b.jpg", 1, -5_000_000_000)


def test_kinds_are_told_by_suffix_in_any_case(tmp_path: Path) -> None:
    write(tmp_path, "A.JPG", "b.Jpeg", "c.HEIC", "jpg", "png", "d.jpg.txt", "e.jpg.", "f", "g.MP3", "double.tar.png")
    assert found(tmp_path) == ["A.JPG", "b.Jpeg", "c.HEIC", "double.tar.png"]
    assert not IMAGE_SUFFIXES & UNSUPPORTED_SUFFIXES


def test_pictures_of_unsupported_kinds_are_counted(tmp_path: Path) -> None:
    write(tmp_path, "a.XCF", "b.xcf", "c/d.exr", "e.txt", "f.wmf", ".hidden.psd", "@eaDir/g.psd")
    (tmp_path / "folder.eps").mkdir()
    assert find_images(tmp_path).unsupported == {".exr": 1, ".wmf": 1, ".xcf": 2}


@pytest.mark.parametrize(
    "name",
    [
        ".hidden.jpg",
        "._a.jpg",
        ".thumbnails/a.jpg",
        "@eaDir/a.jpg",
        "x/#recycle/a.jpg",
        "$RECYCLE.BIN/a.jpg",
        "System Volume Information/a.jpg",
        "__MACOSX/a.jpg",
        "web/node_modules/p/a.png",
        "Catalog Previews.lrdata/a.jpg",
        "Mine.photoslibrary/resources/a.jpg",
    ],
)
def test_hidden_and_junk_is_left_out(tmp_path: Path, name: str) -> None:
    write(tmp_path, name, "ok.jpg", "Mine.photoslibrary/originals/b.jpg", "resources/c.jpg")
    assert found(tmp_path) == ["ok.jpg", "Mine.photoslibrary/originals/b.jpg", "resources/c.jpg"]


def test_the_root_itself_may_be_hidden(tmp_path: Path) -> None:
    write(tmp_path, ".private/@eaDir/a.jpg")
    assert found(tmp_path / ".private/@eaDir") == ["a.jpg"]


def test_odd_names_are_found_and_lead_to_their_files(tmp_path: Path) -> None:
    names = [
        "new\nline.jpg",
        "tab\t.jpg",
        "glob[1]*?.jpg",
        "back\\slash.jpg",
        "\u202egpj.jpg",
        "🍩.jpg",
        "x" * 240 + ".jpg",
    ]
    write(tmp_path, *names)
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/latin1_\xe9.jpg")).write_bytes(b"x")
    paths = found(tmp_path)
    assert sorted(paths) == sorted([*names, "latin1_\udce9.jpg"])
    assert all((tmp_path / path).read_bytes() == b"x" for path in paths)


class TestLinks:
    def test_linked_files_and_folders_are_followed(self, tmp_path: Path) -> None:
        write(tmp_path, "elsewhere/a.jpg", "elsewhere/deep/b.jpg", "root/c.jpg")
        (tmp_path / "root/link.jpg").symlink_to(tmp_path / "elsewhere/a.jpg")
        (tmp_path / "root/folder").symlink_to("../elsewhere")
        assert found(tmp_path / "root") == ["c.jpg", "link.jpg", "folder/a.jpg", "folder/deep/b.jpg"]
        assert find_images(tmp_path / "root").images[1].size_bytes == 1

    def test_the_real_path_of_a_folder_wins(self, tmp_path: Path) -> None:
        write(tmp_path, "z/real/a.jpg")
        (tmp_path / "a").symlink_to("z/real")
        (tmp_path / "b").symlink_to("z")
        assert found(tmp_path) == ["z/real/a.jpg"]

    def test_two_links_to_one_folder_list_it_once(self, tmp_path: Path) -> None:
        write(tmp_path, "elsewhere/a.jpg", "root/ok.jpg")
        (tmp_path / "root/one").symlink_to(tmp_path / "elsewhere")
        (tmp_path / "root/two").symlink_to(tmp_path / "elsewhere")
        assert found(tmp_path / "root") == ["ok.jpg", "one/a.jpg"]

    def test_loops_end(self, tmp_path: Path) -> None:
        write(tmp_path, "root/a/a.jpg", "elsewhere/b.jpg")
        (tmp_path / "root/self").symlink_to(".")
        (tmp_path / "root/a/up").symlink_to("..")
        (tmp_path / "elsewhere/back").symlink_to(tmp_path / "root")
        (tmp_path / "elsewhere/round").symlink_to(tmp_path / "elsewhere")
        (tmp_path / "root/out").symlink_to(tmp_path / "elsewhere")
        assert found(tmp_path / "root") == ["a/a.jpg", "out/b.jpg"]

    def test_a_link_to_what_holds_the_root_is_not_followed(self, tmp_path: Path) -> None:
        write(tmp_path, "beside/a.jpg", "root/sub/b.jpg")
        (tmp_path / "root/sub/up").symlink_to(tmp_path)
        (tmp_path / "root/sub/top").symlink_to("/")
        (tmp_path / "root/sub/here").symlink_to(tmp_path / "root")
        assert found(tmp_path / "root") == ["sub/b.jpg"]
        assert found(tmp_path / "root", "sub") == ["sub/b.jpg"]

    def test_links_that_lead_nowhere_are_skipped_silently(self, tmp_path: Path) -> None:
        (tmp_path / "dangling.jpg").symlink_to("missing.jpg")
        (tmp_path / "self.jpg").symlink_to("self.jpg")
        (tmp_path / "gone").symlink_to("missing")
        write(tmp_path, "a.jpg")
        (tmp_path / "through.jpg").symlink_to("a.jpg/b.jpg")
        result = find_images(tmp_path)
        assert [image.relative_path for image in result.images] == ["a.jpg"]
        assert result.unseen == ()

    def test_pipes_and_devices_are_never_hits(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe.jpg")
        (tmp_path / "zero.png").symlink_to("/dev/zero")
        (tmp_path / "folder.jpg").mkdir()
        os.mkfifo(tmp_path / "pipe.mov")
        result = find_images(tmp_path)
        assert (result.images, result.unseen, result.unsupported) == ((), (), {})


class TestUnseen:
    def test_a_folder_that_cannot_be_listed_is_reported(self, tmp_path: Path) -> None:
        write(tmp_path, "a.jpg", "closed/b.jpg")
        try:
            close(tmp_path / "closed")
            result = find_images(tmp_path)
        finally:
            (tmp_path / "closed").chmod(0o700)
        assert [image.relative_path for image in result.images] == ["a.jpg"]
        assert [(path.relative_path, path.reason) for path in result.unseen] == [("closed", "Permission denied")]

    def test_files_that_cannot_be_looked_at_are_reported(self, tmp_path: Path) -> None:
        write(tmp_path, "names only/b.jpg", "names only/c.txt")
        try:
            close(tmp_path / "names only", 0o400)
            result = find_images(tmp_path)
        finally:
            (tmp_path / "names only").chmod(0o700)
        assert result.images == ()
        assert "names only" in result.unseen[0].relative_path

    def test_a_failing_listing_is_reported(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The same without permissions, for a test run by root."""
        write(tmp_path, "a.jpg", "broken/b.jpg", "c/d.jpg")
        open_folder = os.open

        def failing(path: Path, flags: int) -> int:
            if path.name == "broken":
                raise OSError(5, "Input/output error")
            return open_folder(path, flags)

        with monkeypatch.context() as patch:
            patch.setattr(os, "open", failing)
            result = find_images(tmp_path)
        assert [image.relative_path for image in result.images] == ["a.jpg", "c/d.jpg"]
        assert [(path.relative_path, path.reason) for path in result.unseen] == [("broken", "Input/output error")]

    @pytest.mark.parametrize("root", ["missing", "file.jpg", "nul\0"])
    def test_a_root_that_is_no_folder_is_an_input_error(self, tmp_path: Path, root: str) -> None:
        write(tmp_path, "file.jpg")
        with pytest.raises(InputError, match="can't list the folder"):
            find_images(f"{tmp_path}/{root}")


class TestSubfolder:
    def test_paths_stay_relative_to_the_root_and_rules_hold(self, tmp_path: Path) -> None:
        write(tmp_path, "a.jpg", "2024/b.jpg", "2024/trip/c.jpg", "2024/trip/no.jpg")
        (tmp_path / ".clipsearchignore").write_text("no.jpg\n")
        assert found(tmp_path, "2024/trip") == ["2024/trip/c.jpg"]
        assert found(tmp_path, "./2024//trip/") == ["2024/trip/c.jpg"]
        assert found(tmp_path, "2024") == ["2024/b.jpg", "2024/trip/c.jpg"]

    @pytest.mark.parametrize(
        "subfolder", ["..", "2024/../..", "/", "missing", "2024/b.jpg", ".hidden", "@eaDir/x", "no/x"]
    )
    def test_what_a_search_of_the_root_would_not_list_is_an_input_error(self, tmp_path: Path, subfolder: str) -> None:
        write(tmp_path, "2024/b.jpg", ".hidden/c.jpg", "@eaDir/x/d.jpg", "no/x/e.jpg")
        (tmp_path / ".clipsearchignore").write_text("no/\n")
        with pytest.raises(InputError):
            find_images(tmp_path, subfolder=subfolder)


IGNORE_CASES: dict[str, tuple[dict[str, str], str]] = {
    "names and suffixes": ({"": "*.png\nb.jpg\n"}, "a.jpg x/d.jpg x/y/e.jpg"),
    "comments, blanks, windows line ends, byte order mark": (
        {"": "\ufeff# no\r\n\r\nb.jpg \r\n*.png\r\nx\r\n"},
        "a.jpg",
    ),
    "anchored": ({"": "/b.jpg\n"}, "a.jpg c.png x/b.jpg x/d.jpg x/y/e.jpg"),
    "folder": ({"": "x/\n"}, "a.jpg b.jpg c.png"),
    "nothing below an ignored folder comes back": ({"": "x/\n!x/b.jpg\n"}, "a.jpg b.jpg c.png"),
    "all but one suffix": ({"": "*\n!*/\n!*.png\n"}, "c.png"),
    "contents, with one taken back": ({"": "x/**\n!x/b.jpg\n"}, "a.jpg b.jpg c.png x/b.jpg"),
    "deeper file takes back": ({"": "*.jpg\n", "x": "!b.jpg\n"}, "c.png x/b.jpg"),
    "deeper file leaves out": ({"x": "*\n"}, "a.jpg b.jpg c.png"),
    "deeper file is relative to its folder": ({"x": "/y\n/a.jpg\n"}, "a.jpg b.jpg c.png x/b.jpg x/d.jpg"),
    "two stars": ({"": "**/y/*.jpg\n"}, "a.jpg b.jpg c.png x/b.jpg x/d.jpg"),
    "ranges, broken ones too": ({"": "[ab].jpg\n[z-a.jpg\n"}, "c.png x/d.jpg x/y/e.jpg"),
    "a file named like a folder": ({"": "b.jpg/\n"}, "a.jpg b.jpg c.png x/b.jpg x/d.jpg x/y/e.jpg"),
}


def random_pattern(rng: random.Random) -> str:
    names = ["a", "b", "ab", "*", "**", "a*", "?", "[ab]", "a.jpg", "*.jpg", "b.jpg"]
    middle = "/".join(rng.choices(names, k=rng.choice([1, 1, 2, 3])))
    return rng.choice(["", "", "!"]) + rng.choice(["", "", "/"]) + middle + rng.choice(["", "", "/"])


class TestIgnoreFile:
    @pytest.mark.parametrize(("ignore_files", "expected"), IGNORE_CASES.values(), ids=IGNORE_CASES.keys())
    def test_syntax(self, tmp_path: Path, ignore_files: dict[str, str], expected: str) -> None:
        write(tmp_path, "a.jpg", "b.jpg", "c.png", "x/b.jpg", "x/d.jpg", "x/y/e.jpg")
        for folder, text in ignore_files.items():
            (tmp_path / folder / ".clipsearchignore").write_text(text, newline="")
        assert found(tmp_path) == expected.split()

    @pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
    @pytest.mark.parametrize("seed", range(30))
    def test_agrees_with_git_on_random_patterns(self, tmp_path: Path, seed: int) -> None:
        rng = random.Random(seed)
        folders = ["", "a/", "b/", "a/b/", "a/a/", "b/ab/", "a/b/a/"]
        write(tmp_path, *(folder + name for folder in folders for name in ("a.jpg", "b.jpg", "ab.jpg")))
        for folder in rng.sample(folders[:4], 2):
            patterns = "".join(random_pattern(rng) + "\n" for _ in range(rng.randint(1, 4)))
            (tmp_path / folder / ".gitignore").write_text(patterns)
            (tmp_path / folder / ".clipsearchignore").write_text(patterns)

        subprocess.run(["git", "init", "-q", tmp_path], check=True)
        list_files = ["git", "ls-files", "-z", "--others", "--exclude-per-directory=.gitignore"]
        listing = subprocess.run(list_files, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
        expected = sorted(path for path in listing.split("\0") if path.endswith(".jpg"))
        rules = {str(path): path.read_text() for path in tmp_path.rglob(".clipsearchignore")}
        assert sorted(found(tmp_path)) == expected, rules

    def test_names_that_are_not_utf8_or_hold_newlines_match(self, tmp_path: Path) -> None:
        write(tmp_path, "ok.jpg", "new\nline/a.png", "new\nline/b.jpg")
        (tmp_path / os.fsdecode(b"\xe9.jpg")).write_bytes(b"x")
        (tmp_path / ".clipsearchignore").write_bytes(b"\xe9.jpg\n*.png\n")
        assert found(tmp_path) == ["ok.jpg", "new\nline/b.jpg"]

    def test_many_stars_in_a_line_take_no_time(self, tmp_path: Path) -> None:
        write(tmp_path, "a" * 200 + ".jpg", "a/" * 50 + "b.jpg")
        (tmp_path / ".clipsearchignore").write_text("*a" * 30 + "*b\n" + "**/a/" * 30 + "c.jpg\n")
        start = time.monotonic()
        assert len(found(tmp_path)) == 2
        assert time.monotonic() - start < 5

    def test_a_class_of_characters_matches_no_slash(self, tmp_path: Path) -> None:
        write(tmp_path, "x/a/c.jpg", "x/abc.jpg", "x/a-c.jpg")
        (tmp_path / ".clipsearchignore").write_text("x/a[!b]c.jpg\n")
        assert found(tmp_path) == ["x/abc.jpg", "x/a/c.jpg"]

    @pytest.mark.parametrize("text", ["!\n", "a\n!\n", "[z-a]\n"])
    def test_a_broken_line_makes_the_folder_unseen(self, tmp_path: Path, text: str) -> None:
        write(tmp_path, "a.jpg", "x/b.jpg", "x/y/c.jpg", "z/d.jpg")
        (tmp_path / "x/.clipsearchignore").write_text(text)
        result = find_images(tmp_path)
        assert [image.relative_path for image in result.images] == ["a.jpg", "z/d.jpg"]
        assert [path.relative_path for path in result.unseen] == ["x"]
        assert f"line {text.count(chr(10))} is not a pattern" in result.unseen[0].reason
        assert find_images(tmp_path, subfolder="x/y").images == ()
        assert find_images(tmp_path, subfolder="x/y").unseen == result.unseen

    def test_an_unreadable_file_makes_the_folder_unseen(self, tmp_path: Path) -> None:
        write(tmp_path, "a.jpg", "x/b.jpg", "x/.clipsearchignore")
        close(tmp_path / "x/.clipsearchignore")
        result = find_images(tmp_path)
        assert [path.relative_path for path in result.unseen] == ["x"]

    def test_what_is_no_file_or_far_too_long_makes_the_folder_unseen(self, tmp_path: Path) -> None:
        write(tmp_path, "pipe/b.jpg", "long/b.jpg", "folder/.clipsearchignore/x", "ok/a.jpg")
        os.mkfifo(tmp_path / "pipe/.clipsearchignore")
        (tmp_path / "long/.clipsearchignore").write_text("x\n" * 600_000)
        result = find_images(tmp_path)
        assert sorted(path.relative_path for path in result.unseen) == ["folder", "long", "pipe"]
        assert [image.relative_path for image in result.images] == ["ok/a.jpg"]

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
    def test_a_byte_order_mark_tells_the_encoding(self, tmp_path: Path, encoding: str) -> None:
        write(tmp_path, "a.jpg", "b.png", "\u00e4.jpg", "x/c.png")
        (tmp_path / ".clipsearchignore").write_bytes("*.png\r\n\u00e4.jpg\r\n".encode(encoding))
        assert found(tmp_path) == ["a.jpg"]
        (tmp_path / ".clipsearchignore").write_bytes(b"\xff\xfea")
        assert [unseen.relative_path for unseen in find_images(tmp_path).unseen] == [""]

    def test_a_long_list_of_names_is_looked_up(self, tmp_path: Path) -> None:
        write(tmp_path, "a.jpg", "n7.jpg", "x/n7.jpg", "x/b.jpg", "y/c.jpg", "z.jpg/d.jpg", "e.jpg")
        names = [f"n{number}.jpg" for number in range(20_000)]
        (tmp_path / ".clipsearchignore").write_text(
            "\n".join(["x/b.jpg", "e.jpg/", "z.jpg/", *names, "!x/n7.jpg", "/c.jpg"])
        )
        assert found(tmp_path) == ["a.jpg", "e.jpg", "x/n7.jpg", "y/c.jpg"]

    @pytest.mark.parametrize(
        ("above", "text", "reason"),
        [
            ("", "".join(f"a{number}*.jpg\n" for number in range(20_000)), "more than 2,000 wildcards"),
            ("", "*a" * 1_000 + "\n" + "?" * 1_000, "more than 2,000 wildcards"),
            ("", "*a" * 180_000, "line 1 is longer than 4,096 characters"),
            ("", "x" * 1_000_001, "larger than 1 MB"),
            ("", "".join(f"{number}\n" for number in range(100_001)), "more than 100,000 names"),
            ("*.no\n" * 600, "*.png\n" * 600, "more than 2,000 wildcards, with those in folders above"),
            (
                "".join(f"a{number}\n" for number in range(60_000)),
                "".join(f"/b{number}\n" for number in range(60_000)),
                "more than 100,000 names, with those in folders above",
            ),
        ],
    )
    def test_what_would_take_long_makes_the_folder_unseen(
        self, tmp_path: Path, above: str, text: str, reason: str
    ) -> None:
        write(tmp_path, "a.jpg", "x/b.jpg")
        (tmp_path / ".clipsearchignore").write_text(above)
        (tmp_path / "x/.clipsearchignore").write_text(text)
        result = find_images(tmp_path)
        assert [image.relative_path for image in result.images] == ["a.jpg"]
        (unseen,) = result.unseen
        assert unseen.relative_path == "x"
        assert unseen.reason.startswith("its .clipsearchignore can't be used: ")
        assert reason in unseen.reason

    def test_many_files_have_a_limit_together(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ignore, "_MAX_WILDCARDS_OF_WALK", 100)
        monkeypatch.setattr(ignore, "_MAX_LINES_OF_WALK", 400)
        for number in range(100):
            write(tmp_path, f"{number:03}/a.jpg", f"{number:03}/b.png")
            (tmp_path / f"{number:03}/.clipsearchignore").write_text("*.png\n")  # the same line is compiled once
        assert len(find_images(tmp_path).images) == 100
        for number in range(60):
            (tmp_path / f"{number:03}/.clipsearchignore").write_text(f"*.{number}\n")
        result = find_images(tmp_path)
        assert (len(result.images), len(result.unseen)) == (100, 50)
        assert "more than 100 wildcards together" in result.unseen[0].reason
        for number in range(100):
            (tmp_path / f"{number:03}/.clipsearchignore").write_text("a.jpg\n" * 10)
        assert "more than 400 lines together" in find_images(tmp_path).unseen[-1].reason


@pytest.mark.parametrize("name", ["d", "folder name"])
def test_a_tree_of_1500_levels_is_walked_as_far_as_paths_reach(tmp_path: Path, name: str) -> None:
    """A path may have 4,096 bytes on Linux: 1,500 short names fit, long ones end in a report, not in a crash."""
    here = os.open(".", os.O_RDONLY)
    try:
        os.chdir(tmp_path)
        for _ in range(1500):
            os.mkdir(name)
            os.chdir(name)
        Path("deep.jpg").write_bytes(b"x")
        result = find_images(tmp_path)
        os.unlink("deep.jpg")
        for _ in range(1500):
            os.chdir("..")
            os.rmdir(name)
    finally:
        os.chdir(here)
        os.close(here)
    if name == "d":
        assert [image.relative_path for image in result.images] == ["d/" * 1500 + "deep.jpg"]
        assert result.unseen == ()
    else:
        assert [path.reason for path in result.unseen] == ["File name too long"]


def test_a_walk_comes_in_parts_that_are_never_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clipsearch.images.find.PART_IMAGES", 3)
    write(tmp_path, *(f"{number}.jpg" for number in range(7)), "empty/a.txt", "sub/8.jpg")
    parts = [[image.relative_path for image in part] for part in ImageWalk(tmp_path)]
    assert [len(part) for part in parts] == [3, 3, 1, 0, 1]
    assert [path for part in parts for path in part] == found(tmp_path)
