"""Rehearse a release: build wheel and sdist of what is committed, check both, and use the wheel with each extra.

    python tools/release.py [--extras NAME ...]

Prints what is wrong, and a table of the extras as in docs/installation.md. Leaves both files in dist/, and uploads
nothing. Exits with 1 when something is wrong. On Linux, UV_TORCH_BACKEND=cpu installs a CPU build of torch.
"""

import argparse
import hashlib
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[1]
MANUAL = "docs/clipsearch.1"
TOOLS = ("build", "twine", "check-wheel-contents", "uv")

# Folders of the repository, and where they lie in the wheel; a test compares them with pyproject.toml.
IN_WHEEL = {"clipsearch": "clipsearch", "migrations": "clipsearch/migrations", "sample_data": "clipsearch/sample_data"}

# Of dependencies that the base has; those of an extra are imported to see that their libraries are found.
IMPORT_ALL = """\
import importlib, sys
from importlib.metadata import packages_distributions
from pathlib import Path
for module, names in packages_distributions().items():
    if {name.lower().replace("_", "-") for name in names} & set(sys.argv[1:]):
        importlib.import_module(module)
"""


@dataclass(frozen=True, slots=True)
class Installed:
    """The wheel in an environment of its own, with an extra; "" for none."""

    extra: str
    packages: int
    size_bytes: int
    problems: tuple[str, ...]


def version_problems(root: Path) -> list[str]:
    """Compare the version of the package with the changelog and the manual page."""
    version = re.search(r'__version__ = "(.+)"', (root / "clipsearch" / "version.py").read_text(encoding="utf-8"))[1]
    changelog = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## \[(.+?)\](.*)\n((?:(?!^## ).*\n?)*)", changelog, re.MULTILINE)
    problems = []
    if [name for name, _, text in sections if name == "Unreleased" and "\n- " in text]:
        problems.append(f"CHANGELOG.md: Unreleased has entries, which belong below a version newer than {version}")
    newest = next(((name, rest) for name, rest, _ in sections if name != "Unreleased"), ("none", ""))
    if newest[0] != version or not re.fullmatch(r" - \d{4}-\d\d-\d\d", newest[1]):
        problems.append(f"CHANGELOG.md: the newest version is {newest[0]}{newest[1]}, not {version} with its date")
    if f'"clipsearch {version}"' not in (root / MANUAL).read_text(encoding="utf-8"):
        problems.append(f"{MANUAL} is not of version {version}: python tools/docs_cli.py")
    return problems


def committed_files(source: Path) -> set[str]:
    return {path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()}


def wheel_problems(wheel: Path, files: set[str], project: dict[str, object]) -> list[str]:
    """Compare the wheel with the files of the repository: the package, licences and manual, and no more."""
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
    info = "-".join(wheel.name.split("-")[:2])
    expected = {
        str(PurePosixPath(IN_WHEEL[top], rest))
        for top, _, rest in (file.partition("/") for file in files)
        if top in IN_WHEEL
    }
    expected |= {f"{info}.dist-info/licenses/{file}" for file in project["license-files"]}
    expected |= {f"{info}.dist-info/{name}" for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt")}
    expected.add(f"{info}.data/data/share/man/man1/{PurePosixPath(MANUAL).name}")
    return difference(wheel.name, names, expected)


def sdist_problems(sdist: Path, files: set[str], included: list[str]) -> list[str]:
    """Compare the sdist with the files of the repository that pyproject.toml includes."""
    with tarfile.open(sdist) as archive:
        names = {member.name.partition("/")[2] for member in archive if member.isfile()}
    tops = {name.removeprefix("/") for name in included}
    expected = {file for file in files if file in tops or file.partition("/")[0] in tops}
    return difference(sdist.name, names, expected | {"PKG-INFO", "pyproject.toml", ".gitignore"})


def difference(archive: str, names: set[str], expected: set[str]) -> list[str]:
    missing = [f"{archive} lacks {name}" for name in sorted(expected - names)]
    return missing + [f"{archive} has {name}, which is no part of it" for name in sorted(names - expected)]


def same_wheel_problems(from_sdist: Path, from_source: Path) -> list[str]:
    if hashlib.sha256(from_sdist.read_bytes()).digest() == hashlib.sha256(from_source.read_bytes()).digest():
        return []
    return [f"{from_sdist.name}: the sdist builds another wheel than the repository"]


def release_extras(project: dict[str, dict[str, list[str]]]) -> list[str]:
    """The extras that `all` names, and itself."""
    (named,) = project["optional-dependencies"]["all"]
    return [*re.search(r"\[(.*)\]", named)[1].split(","), "all"]


def distributions(requirements: list[str]) -> list[str]:
    """Normalised names of the packages of requirements, without clipsearch itself."""
    names = [re.split(r"[\[<>=!~; ]", each)[0].lower().replace("_", "-") for each in requirements]
    return [name for name in names if name != "clipsearch"]


def install(wheel: Path, extra: str, requirements: list[str], *, uv: Path, scratch: Path) -> Installed:
    """Install the wheel with an extra, measure the environment, and index and search the sample pictures."""
    place = scratch / (extra or "base")
    python, program = place / "bin" / "python", place / "bin" / "clipsearch"
    wanted = f"clipsearch[{extra}] @ {wheel.as_uri()}" if extra else f"clipsearch @ {wheel.as_uri()}"
    environment = {
        **os.environ,
        "CLIPSEARCH_CATALOG": str(place / "catalog"),
        "CLIPSEARCH_CACHE": str(scratch / "cache"),
    }
    problems: list[str] = []

    def call(*command: object, expect: str = "") -> None:
        done = subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, check=False, cwd=scratch, env=environment
        )
        if done.returncode or expect not in done.stdout:
            said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
            shown = " ".join(str(part) for part in command if "\n" not in str(part))
            problems.append(f"with extra {extra or 'none'}: {shown} (exit code {done.returncode}): {said}")

    call(uv, "venv", "--python", sys.executable, place)
    # As pip does, bytecode is compiled.
    pip = (uv, "pip", "install", "--python", python, "--compile-bytecode", "-c", ROOT / "constraints.txt")
    call(*pip, wanted)
    if problems:
        return Installed(extra, 0, 0, tuple(problems))
    size_bytes = sum(path.lstat().st_size for path in place.rglob("*") if path.is_file())
    packages = len(list(place.glob("lib/python*/site-packages/*.dist-info")))
    samples = next(place.glob("lib/python*/site-packages/clipsearch/sample_data"))
    call(uv, "pip", "check", "--python", python)
    call(python, "-c", IMPORT_ALL, *distributions(requirements))
    call(program, "--version", expect=wheel.name.split("-")[1])
    call(program, "index", samples, "--model", "starter", expect="40 indexed")
    call(program, "query", "a glazed donut", "-k", "1", expect="food/donut.png")
    if not (place / "share" / "man" / "man1" / PurePosixPath(MANUAL).name).is_file():
        problems.append(f"with extra {extra or 'none'}: the manual page is not installed")
    return Installed(extra, packages, size_bytes, tuple(problems))


def table(installed: list[Installed]) -> str:
    """The rows of docs/installation.md: what an extra adds to the base."""
    base = installed[0]
    lines = ["| extra | packages | on disk |", "|---|---|---|"]
    lines.append(f"| none | {base.packages} | {base.size_bytes / 1e6:,.0f} MB |")
    for each in installed[1:]:
        packages, more_bytes = each.packages - base.packages, each.size_bytes - base.size_bytes
        lines.append(f"| `{each.extra}` | {packages} more | {more_bytes / 1e6:,.0f} MB more |")
    return "\n".join(lines)


def run(*command: object, cwd: Path = ROOT) -> str:
    """Run a command that has to succeed; its output is shown when it does not."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, cwd=cwd)
    if done.returncode:
        raise SystemExit(f"{done.stdout}{done.stderr}\nfailed: {' '.join(map(str, command))}")
    return done.stdout


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extras", nargs="*", metavar="NAME", help="use the wheel with these extras alone")
    chosen = parser.parse_args().extras
    build_folder = ROOT / "build"  # /tmp may be small, or in memory
    build_folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="release-", dir=build_folder) as name:
        return rehearse(Path(name), chosen)


def rehearse(scratch: Path, chosen: list[str] | None) -> int:
    problems = [f"not committed: {line[3:]}" for line in run("git", "status", "--porcelain").splitlines()]
    run("git", "archive", "--output", scratch / "source.tar", "HEAD")
    source = scratch / "source"
    with tarfile.open(scratch / "source.tar") as archive:
        archive.extractall(source, filter="data")
    project = tomllib.loads((source / "pyproject.toml").read_text(encoding="utf-8"))
    problems += version_problems(source)

    venv.create(scratch / "tools", with_pip=True)
    tools = scratch / "tools" / "bin"
    run(tools / "pip", "install", "-q", *TOOLS)
    run(tools / "python", "-m", "build", "--outdir", ROOT / "dist", source)
    run(tools / "python", "-m", "build", "--wheel", "--outdir", scratch / "from-source", source)
    (direct,) = (scratch / "from-source").iterdir()
    wheel = ROOT / "dist" / direct.name
    sdist = ROOT / "dist" / f"{'-'.join(wheel.name.split('-')[:2])}.tar.gz"
    run(tools / "twine", "check", "--strict", wheel, sdist)
    run(tools / "check-wheel-contents", "--config", ROOT / "pyproject.toml", wheel)
    files = committed_files(source)
    problems += wheel_problems(wheel, files, project["project"])
    problems += sdist_problems(sdist, files, project["tool"]["hatch"]["build"]["targets"]["sdist"]["include"])
    problems += same_wheel_problems(wheel, direct)

    requirements = project["project"]["optional-dependencies"]
    installed = []
    for extra in ["", *(release_extras(project["project"]) if chosen is None else chosen)]:
        print(f"with extra {extra or 'none'} …", file=sys.stderr)
        installed.append(install(wheel, extra, requirements.get(extra, []), uv=tools / "uv", scratch=scratch))
        problems += installed[-1].problems
    print(
        "\n".join(
            [f"{wheel.name}  {wheel.stat().st_size / 1e6:.1f} MB", f"{sdist.name}  {sdist.stat().st_size / 1e6:.1f} MB"]
        )
    )
    print(table(installed))
    print("\n".join(problems) or "ready: tag it, and upload both files of dist/ with twine")
    return int(bool(problems))


if __name__ == "__main__":
    raise SystemExit(main())
