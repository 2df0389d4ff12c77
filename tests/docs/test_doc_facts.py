"""What else the documentation names exists, and what exists is named: links, files, variables, public names, layers."""

import re
import tomllib

import pytest

import clipsearch
from clipsearch import Catalog
from clipsearch.captions.collection import CaptionCollection
from clipsearch.concepts.collection import ConceptCollection
from clipsearch.gallery.albums import AlbumCollection
from clipsearch.gallery.collection import PictureCollection
from clipsearch.labels.collection import LabelCollection
from clipsearch.maintenance.admin import CatalogAdmin
from clipsearch.search.saved import SavedSearches
from tests.docs.pages import anchors, code_of, links, slug
from tests.test_architecture import LAYERS


def broken_links(pages, repository) -> list[str]:
    wrong = []
    for name, text in pages.items():
        for target in links(text):
            path, _, anchor = target.partition("#")
            file = (repository / name).parent / path if path else repository / name
            if not file.exists():
                wrong.append(f"{name}: {target}")
                continue
            page = pages.get(file.resolve().relative_to(repository).as_posix())
            if anchor and (page is None or anchor not in anchors(page)):
                wrong.append(f"{name}: {target}")
    return wrong


def test_links_lead_somewhere(pages, repository):
    assert broken_links(pages, repository) == []


@pytest.mark.parametrize("link", ["[x](nowhere.md)", "[x](README.md#nowhere)", '<img src="nowhere.png">', "[x](#no)"])
def test_a_link_that_leads_nowhere_is_noticed(repository, link):
    assert len(broken_links({"README.md": f"# Some words\n\n{link}\n"}, repository)) == 1


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("HTTP API", "http-api"),
        ("Assistants (MCP)", "assistants-mcp"),
        ("Speed, ViT-B/32", "speed-vit-b32"),
    ],
)
def test_anchors_are_those_of_the_site(heading, anchor):
    assert slug(heading) == anchor


def test_every_page_is_in_the_index(pages):
    index = pages["docs/index.md"]
    names = {name.removeprefix("docs/") for name in pages if name.startswith("docs/")} - {"index.md"}
    (tree,) = re.findall(r"^```\{toctree\}\n:hidden:\n\n(.*?)^```", index, re.MULTILINE | re.DOTALL)
    assert sorted(f"{line}.md" for line in tree.split()) == sorted(names)
    assert names <= {link.partition("#")[0] for link in links(index)}
    from_readme = {link.partition("#")[0].removeprefix("docs/") for link in links(pages["README.md"])}
    assert names <= from_readme


def test_files_of_the_repository_that_pages_name_exist(pages, repository):
    named = {
        span
        for text in pages.values()
        for span in code_of(text)[1]
        if re.fullmatch(r"(clipsearch|docs|migrations|sample_data|tests|tools)/[\w./-]*", span)
    }
    assert len(named) > 30
    assert [name for name in sorted(named) if not (repository / name).exists()] == []


def test_every_environment_variable_is_in_the_pages_and_the_other_way_round(pages, repository):
    package = "\n".join(path.read_text(encoding="utf-8") for path in (repository / "clipsearch").rglob("*.py"))
    tests = "\n".join(path.read_text(encoding="utf-8") for path in (repository / "tests" / "fuzz").glob("*.py"))
    settings = (repository / "clipsearch" / "settings.py").read_text(encoding="utf-8")
    variables = set(re.findall(r"\bCLIPSEARCH_[A-Z_]+\b", package))
    assert variables <= set(re.findall(r"\bCLIPSEARCH_[A-Z_]+\b", settings))
    table = re.search(r"## Environment variables\n(.*?)\n## ", pages["docs/cli.md"], re.DOTALL)[1]
    assert variables == {name for name in re.findall(r"^\| `(\w+)`", table, re.MULTILINE) if name.startswith("CLIPS")}
    written = {name for text in pages.values() for name in re.findall(r"\bCLIPSEARCH_[A-Z_]+\b", text)}
    assert {name for name in written - variables if name not in tests} == set()


def test_every_public_name_is_in_the_python_api(pages):
    names = {part for span in code_of(pages["docs/python-api.md"])[1] for part in re.findall(r"\w+", span)}
    tree = re.search(r"^```\n(ClipSearchError\n.*?)^```", pages["docs/python-api.md"], re.MULTILINE | re.DOTALL)[1]
    names |= set(re.findall(r"\w+", tree))
    assert set(clipsearch.__all__) - names == set()


COLLECTIONS = {
    "captions": CaptionCollection,
    "labels": LabelCollection,
    "concepts": ConceptCollection,
    "pictures": PictureCollection,
    "albums": AlbumCollection,
    "saved": SavedSearches,
    "admin": CatalogAdmin,
}


def test_what_the_pages_call_on_a_catalog_exists_and_the_other_way_round(pages):
    public = {name for name in dir(Catalog) if not name.startswith("_")}
    for collection, kind in COLLECTIONS.items():
        public |= {f"{collection}.{name}" for name in dir(kind) if not name.startswith("_")}
    call = re.compile(rf"\b[Cc]atalog\.((?:(?:{'|'.join(COLLECTIONS)})\.)?[a-z_]+)\b")
    written = {name for text in pages.values() for name in call.findall(text)}
    # Names of files and databases, and of the collections themselves.
    written -= {"sqlite", "before", "schema", *COLLECTIONS}
    assert sorted(written - public) == []
    assert sorted(public - set(call.findall(pages["docs/python-api.md"]))) == []


def test_the_layers_drawn_are_those_that_are_checked(pages, repository):
    drawing = re.search(r"^```text\n(cli .*?)^```", pages["docs/architecture.md"], re.MULTILINE | re.DOTALL)[1]
    drawn = [set(line.partition("  ")[0].split(" · ")) for line in drawing.splitlines()]
    assert drawn == [set(layer) for layer in reversed(LAYERS)]
    places = {path.name.removesuffix(".py") for path in (repository / "clipsearch").iterdir()}
    places -= {"__init__", "__main__", "__pycache__", "py.typed"}
    assert set().union(*drawn) == places


def test_the_tables_named_are_those_of_the_schema(pages):
    from clipsearch.store.tables import metadata

    section = re.search(r"## The schema\n(.*?)\n## ", pages["docs/architecture.md"], re.DOTALL)[1]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == set(metadata.tables)


def test_the_extras_named_exist(pages, repository):
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = set(project["optional-dependencies"])
    written = {name for text in pages.values() for each in re.findall(r"(?:clipsearch|\.)\[([\w,]+)\]'", text)
               for name in each.split(",")}  # fmt: skip
    assert written - {"NAME"} <= extras
    assert {"web", "mcp", "milvus", "postgres", "scale", "docs"} <= written | set(code_of(pages["docs/index.md"])[1])


def test_the_readme_is_short(repository):
    assert (repository / "README.md").stat().st_size <= 10_240


def test_continuous_integration_runs_the_commands_of_the_readme_and_builds_the_site(pages, repository):
    commands = re.findall(r"^python3 -m venv .*$", pages["README.md"], re.MULTILINE)
    assert len(commands) == 2
    assert commands[0].endswith("clipsearch demo")
    assert commands[1].endswith("pytest")
    assert all("-c constraints.txt" in command for command in commands)
    checks = (repository / ".ci" / "run").read_text()
    assert "readme_command 'pytest'" in checks
    # As the page says it, but for where the site is written.
    (build,) = re.findall(r"sphinx-build -W --keep-going .* docs\b", pages["docs/architecture.md"])
    assert build in checks
