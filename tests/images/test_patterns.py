"""Patterns as texts mean in the root what they meant in the folder."""

import subprocess

import pytest

from clipsearch.errors import InputError
from clipsearch.images.exclude import Exclusion
from clipsearch.images.patterns import check_pattern, folder_pattern, is_pattern_below, pattern_below

NAMES = [
    "plain",
    "with space",
    "a*b",
    "a?b",
    "a[b]c",
    "back\\slash",
    "!bang",
    "#hash",
    "new\nline",
    " ends ",
    "caf\udce9",
    "ü",
    "%20",
]


@pytest.mark.parametrize("name", [*NAMES, "\udce9"])
def test_a_folder_of_a_single_name_is_left_out_and_no_other(name):
    exclusion = Exclusion([folder_pattern(name)])
    assert exclusion.excludes_file(f"{name}/cat.jpg")
    for other in ("x/cat.jpg", "\udce8/cat.jpg", f"above/{name}/cat.jpg"):
        assert not exclusion.excludes_file(other), other


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_of_any_name_is_left_out_and_no_other(name):
    exclusion = Exclusion([folder_pattern(f"above/{name}")])
    assert exclusion.excludes_file(f"above/{name}/cat.jpg")
    assert exclusion.excludes_file(f"above/{name}/deeper/cat.jpg")
    for other in (
        f"above/{name}",
        f"{name}/cat.jpg",
        f"above/{name}x/cat.jpg",
        f"x/above/{name}/cat.jpg",
        "above/axb/cat.jpg",
        "above/x/cat.jpg",
        "above/caf\udce8/cat.jpg",
    ):
        assert not exclusion.excludes_file(other), other


PATTERNS = [
    "*.png",
    "private",
    "/private",
    "private/",
    "a/b",
    "a/**",
    "**/b",
    "!keep.png",
    "\\!x",
    "\\#x",
    "[ab].png",
    "/a/*/c",
]
PATHS = [
    "cat.png",
    "private/a.jpg",
    "a/private/b.jpg",
    "a/b/c.jpg",
    "a/x/c",
    "b/b.png",
    "keep.png",
    "!x",
    "#x",
    "x/a/b/c.jpg",
    "a.png",
]


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("folder", ["sub", "sub/[odd] *name"])
def test_a_pattern_means_the_same_below_a_larger_folder(pattern, folder):
    inside, around = (
        Exclusion(["*.png", pattern]),
        Exclusion([pattern_below(each, folder) for each in ("*.png", pattern)]),
    )
    for path in PATHS:
        assert around.excludes_file(f"{folder}/{path}") == inside.excludes_file(path), path
        assert not around.excludes_file(path)
    assert is_pattern_below(pattern_below(pattern, folder), folder)
    assert not is_pattern_below(pattern, folder)


def test_git_agrees(tmp_path):
    """The patterns that are made of others are looked up in git itself."""
    if subprocess.run(["git", "init", "-q", str(tmp_path)], check=False, capture_output=True).returncode:
        pytest.skip("needs git")
    made = [pattern_below(pattern, "sub") for pattern in PATTERNS] + [folder_pattern("a*b")]
    (tmp_path / ".gitignore").write_text("\n".join(made))
    asked = [f"sub/{path}" for path in PATHS] + ["a*b/cat.jpg", "axb/cat.jpg", *PATHS]
    command = ["git", "-C", str(tmp_path), "check-ignore", "--no-index", "--stdin"]
    done = subprocess.run(command, input="\n".join(asked), capture_output=True, text=True, check=False)
    exclusion = Exclusion(made)
    assert [path for path in asked if exclusion.excludes_file(path)] == done.stdout.splitlines()


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("", "invalid exclude pattern"),
        ("  ", "invalid exclude pattern"),
        ("# all", "invalid exclude pattern"),
        ("!", "invalid exclude pattern"),
        ("/", "invalid exclude pattern"),
        ("a\nb", "invalid exclude pattern"),
        ("./private", "write '/private'"),
        ("../private", "without '.' and '..'"),
        ("a/../b", "without '.' and '..'"),
        ("/photos/private", "write '/private'"),
        ("!/photos/private", "write '/private'"),
        ("/photos", "write '/\\*'"),
        ("a[", "bracket is not closed"),
        ("[]", "bracket is not closed"),
        ("[!]", "bracket is not closed"),
        ("[a-c]/x[y", "bracket is not closed"),
        ("a[\\]", "bracket is not closed"),
    ],
)
def test_what_can_match_nothing_is_refused_with_the_right_form(pattern, said):
    with pytest.raises(InputError, match=said):
        check_pattern(pattern, "/photos")


@pytest.mark.parametrize("pattern", ["a\\[", "[a-c]x", "[]]", "[!]x]", "[\\]]", "x]", "[[]", "a\\\\[b]"])
def test_brackets_that_are_closed_or_escaped_are_accepted(pattern):
    assert check_pattern(pattern, "/photos") == pattern


def test_bytes_that_are_no_text_are_kept_apart():
    assert check_pattern("caf\udce9", "/photos") == "caf\uf7e9"
