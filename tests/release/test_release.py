"""The rehearsal of a release notices what a wheel, an sdist or the changelog lacks."""

import io
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from tools import release

FILES = {
    "LICENSE",
    "README.md",
    "pyproject.toml",
    "clipsearch/__init__.py",
    "clipsearch/data/labels/coco.txt",
    "migrations/versions/0001_initial_schema.py",
    "sample_data/food/donut.png",
    "tests/test_files.py",
    "docs/clipsearch.1",
}
PROJECT = {"license-files": ["LICENSE"]}
IN_WHEEL = {
    "clipsearch/__init__.py",
    "clipsearch/data/labels/coco.txt",
    "clipsearch/migrations/versions/0001_initial_schema.py",
    "clipsearch/sample_data/food/donut.png",
    "clipsearch-1.0.data/data/share/man/man1/clipsearch.1",
    *(f"clipsearch-1.0.dist-info/{name}" for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt")),
    "clipsearch-1.0.dist-info/licenses/LICENSE",
}


def wheel_of(names: set[str], folder: Path) -> Path:
    path = folder / "clipsearch-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name in sorted(names):
            archive.writestr(name, name)
    return path


def sdist_of(names: set[str], folder: Path) -> Path:
    path = folder / "clipsearch-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name in sorted(names):
            archive.addfile(tarfile.TarInfo(f"clipsearch-1.0/{name}"), io.BytesIO())
    return path


def test_a_complete_wheel_passes(tmp_path):
    assert release.wheel_problems(wheel_of(IN_WHEEL, tmp_path), FILES, PROJECT) == []


@pytest.mark.parametrize("name", sorted(IN_WHEEL))
def test_what_a_wheel_lacks_is_named(tmp_path, name):
    (problem,) = release.wheel_problems(wheel_of(IN_WHEEL - {name}, tmp_path), FILES, PROJECT)
    assert problem == f"clipsearch-1.0-py3-none-any.whl lacks {name}"


def test_tests_are_no_part_of_a_wheel(tmp_path):
    (problem,) = release.wheel_problems(wheel_of({*IN_WHEEL, "tests/test_files.py"}, tmp_path), FILES, PROJECT)
    assert problem.endswith("has tests/test_files.py, which is no part of it")


def test_an_sdist_has_what_is_included_and_no_more(tmp_path):
    included = ["/LICENSE", "/README.md", "/clipsearch", "/docs", "/migrations", "/sample_data", "/tests"]
    complete = {*FILES, "PKG-INFO", ".gitignore"}
    assert release.sdist_problems(sdist_of(complete, tmp_path), FILES, included) == []
    changed = {*complete, "build/notes.txt"} - {"migrations/versions/0001_initial_schema.py"}
    assert release.sdist_problems(sdist_of(changed, tmp_path), FILES, included) == [
        "clipsearch-1.0.tar.gz lacks migrations/versions/0001_initial_schema.py",
        "clipsearch-1.0.tar.gz has build/notes.txt, which is no part of it",
    ]


def test_another_wheel_from_the_sdist_is_noticed(tmp_path):
    first = wheel_of(IN_WHEEL, tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    assert release.same_wheel_problems(first, wheel_of(IN_WHEEL, other)) == []
    assert len(release.same_wheel_problems(first, wheel_of({*IN_WHEEL, "more"}, other))) == 1


@pytest.mark.parametrize(
    ("changelog", "manual", "expected"),
    [
        ("## [Unreleased]\n\n## [1.2.0] - 2026-11-30\n\n- x\n\n## [1.1.0] - 2026-11-01\n", "1.2.0", []),
        ("## [1.2.0] - 2026-11-30\n\n### Added\n- x\n", "1.2.0", []),
        ("## [Unreleased]\n\n### Added\n- y\n\n## [1.2.0] - 2026-11-30\n", "1.2.0", ["Unreleased has entries"]),
        ("## [Unreleased]\n\n## [1.1.0] - 2026-11-01\n", "1.2.0", ["newest version is 1.1.0"]),
        ("## [1.2.0]\n", "1.2.0", ["newest version is 1.2.0, not 1.2.0 with its date"]),
        ("# Changelog\n", "1.2.0", ["newest version is none"]),
        ("## [1.2.0] - 2026-11-30\n", "1.1.0", ["docs/clipsearch.1 is not of version 1.2.0"]),
    ],
)
def test_version_changelog_and_manual_agree(tmp_path, changelog, manual, expected):
    for folder in ("clipsearch", "docs"):
        (tmp_path / folder).mkdir()
    (tmp_path / "clipsearch" / "version.py").write_text('__version__ = "1.2.0"\n')
    (tmp_path / "CHANGELOG.md").write_text(changelog)
    (tmp_path / "docs" / "clipsearch.1").write_text(f'.TH CLIPSEARCH 1 "" "clipsearch {manual}"\n')
    problems = release.version_problems(tmp_path)
    assert len(problems) == len(expected)
    assert all(part in problem for part, problem in zip(expected, problems, strict=True))


def test_the_layout_is_that_of_the_project(repository):
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert {name: name for name in wheel["packages"]} | wheel["force-include"] == release.IN_WHEEL
    assert wheel["shared-data"] == {release.MANUAL: "share/man/man1/clipsearch.1"}
    extras = release.release_extras(project["project"])
    assert {"web", "ocr", "all"} <= set(extras) <= project["project"]["optional-dependencies"].keys()
    assert release.distributions(["psycopg[binary]>=3.2", "Ray[data]>=2", "clipsearch[web]", "a_b<2"]) == [
        "psycopg",
        "ray",
        "a-b",
    ]


def test_the_table_says_what_an_extra_adds():
    installed = [release.Installed("", 53, 1_514_000_000, ()), release.Installed("web", 59, 1_518_000_000, ())]
    assert release.table(installed).splitlines()[2:] == ["| none | 53 | 1,514 MB |", "| `web` | 6 more | 4 MB more |"]


def test_the_table_of_the_documentation_has_every_extra(repository):
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    page = (repository / "docs" / "installation.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1].strip(" `") for line in page.splitlines() if line.endswith("MB more |")]
    assert sorted(rows) == sorted(release.release_extras(project))
