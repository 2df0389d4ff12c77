"""Which module may know which, and what a cold start may load."""

import ast
import subprocess
import sys
from collections.abc import Container
from pathlib import Path

import pytest

from clipsearch import Catalog
from clipsearch.paths import sample_data_folder

# From the ground up: a module imports only from lower layers. Places of one layer ignore each other.
LAYERS = (
    {"description"},
    {"errors", "formats", "types", "parts", "quantities", "data", "version", "renamed"},
    {"configuration"},
    {"settings", "paths", "text", "vectors", "processes", "notices", "openvino_loader"},
    {"files", "prefetch", "places"},
    {"trust", "service"},
    {"indexes", "ocr"},
    {"images", "query", "scoring"},
    {"encoders", "store", "columns", "written"},
    {"session"},
    {"search", "captions", "labels"},
    {"concepts", "gallery", "indexing"},
    {"transfer", "maintenance"},
    {"catalog"},
    {"web", "mcp_server", "evaluation"},
    {"cli"},
)
# Heavy libraries, and the only places that may import them.
ONLY_IN = {
    "faiss": {
        "indexes/flat.py",
        "indexes/ivf.py",
        "indexes/ivf_codes.py",
        "indexes/hamming.py",
        "indexes/neighbours.py",
    },
    "pymilvus": {"indexes/milvus/collection.py"},
    "grpc": {"indexes/milvus/collection.py"},
    "torch": {
        "encoders/adapter.py",
        "encoders/torch_encoder.py",
        "encoders/transformers_files.py",
        "encoders/openvino/compile.py",
        "encoders/devices.py",
        "encoders/plain_loop.py",
    },
    "transformers": {"encoders/transformers_files.py"},
    "openvino": {"openvino_loader.py"},
    "rapidocr": {"ocr/reader.py", "ocr/recognition.py"},
    "cv2": {"ocr/recognition.py"},
    "sqlalchemy": {"store"},
    "typer": {"cli"},
    "rich": {"cli/terminal_images.py"},
    "textual_image": {"cli/terminal_images.py"},
    "jinja2": {"gallery/contact_sheet.py", "web/templating.py"},
    "mcp": {"mcp_server/"},
    "pyarrow": {"transfer/formats"},
    "ray": {"indexing/ray/"},
    "av": {"images/films/"},
    "watchfiles": {"indexing/watch.py"},
    "fsspec": {"images/remote/files.py"},
    "rawpy": {"images/raw/libraw.py"},
    "defusedxml": {"images/xmp/"},
    "pypdfium2": {"images/documents.py"},
    "resvg_py": {"images/readers/svg.py"},
    "imagecodecs": {"images/readers/jpeg_xl.py"},
    "fastapi": {"web"},
    "starlette": {"web"},
    "uvicorn": {"web/server.py", "web/connections.py"},
    "prometheus_client": {"web/metrics.py"},
    # The network is asked in one place, behind its checks; the model hub is huggingface_hub's.
    "http": {"images/remote/fetch.py", "web"},
    "socket": {"images/remote/fetch.py", "web/server.py", "indexing/ray/cluster.py"},
    "ssl": {"images/remote/fetch.py"},
}


def modules(repository: Path) -> list[Path]:
    return sorted(path for path in (repository / "clipsearch").rglob("*.py") if "migrations" not in path.parts)


def test_no_module_touches_what_the_whole_process_warns_of(repository):
    # Filters of warnings are one list for all threads: see `notices`. The command line and the compiler are processes
    # of their own; Pillow's filter is put in and taken out under a lock; `renamed` only warns.
    allowed = {
        "cli/__init__.py",
        "encoders/openvino/compile.py",
        "images/pillow_settings.py",
        "notices.py",
        "renamed.py",
    }
    for path in modules(repository):
        names = {name.partition(".")[0] for name in imports(path)}
        assert "warnings" not in names or path.relative_to(repository / "clipsearch").as_posix() in allowed, path


def imports(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return found


def layer(name: str) -> int:
    """The layer of a module; names in the package itself (`clipsearch.__version__`) lie below all."""
    return next((number for number, names in enumerate(LAYERS) if name in names), -1)


def test_imports_go_downward_only(repository):
    wrong = []
    for path in modules(repository):
        part = path.relative_to(repository / "clipsearch").parts[0].removesuffix(".py")
        if part in ("__init__", "__main__"):
            continue
        assert layer(part) >= 0, f"{path} stands in no layer"
        for name in imports(path):
            other = name.split(".")[1:2]
            if name.startswith("clipsearch.") and other[0] != part and layer(other[0]) >= layer(part):
                wrong.append(f"{path.name} imports {name}")
    assert wrong == []


def test_no_modules_import_each_other_in_a_circle(repository):
    known = {module_name(path, repository): path for path in modules(repository)}
    below = {name: imported_modules(path, known) - {name, "clipsearch"} for name, path in known.items()}
    # What imports nothing that is left is taken away, until only circles are left.
    while leaves := {name for name, others in below.items() if not others & below.keys()}:
        below = {name: others for name, others in below.items() if name not in leaves}
    assert sorted(below) == []


def imported_modules(path: Path, known: Container[str]) -> set[str]:
    """Of `from package import name`, the module `package.name` where there is one, else the package."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {name if name in known else node.module for name in names}
    return {name for name in found if name in known}


def module_name(path: Path, repository: Path) -> str:
    return ".".join(path.relative_to(repository).with_suffix("").parts).removesuffix(".__init__")


def test_heavy_libraries_are_imported_in_one_place(repository):
    for path in modules(repository):
        inside = path.relative_to(repository / "clipsearch").as_posix()
        for name in imports(path):
            allowed = ONLY_IN.get(name.split(".")[0])
            assert allowed is None or any(inside.startswith(place) for place in allowed), f"{inside} imports {name}"


def test_only_the_command_line_prints(repository):
    for path in modules(repository):
        if "cli" in path.parts:
            continue
        calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        assert not [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"], path


def test_python_is_started_in_one_place(repository):
    found = [path.name for path in modules(repository) if "sys.executable" in path.read_text()]
    assert found == ["processes.py"]


def test_files_stay_small_and_have_telling_names(repository):
    for path in modules(repository):
        assert len(path.read_text().splitlines()) <= 400, path
        assert path.stem not in ("utils", "helpers", "common", "misc")


@pytest.mark.parametrize("arguments", [["--help"], ["index", "--help"], ["status"]])
def test_a_light_command_loads_nothing_heavy(tmp_path, arguments):
    code = (
        "import sys; from clipsearch.cli import run; run(sys.argv[1:]); "
        "print(*[name for name in ('torch', 'transformers', 'faiss', 'openvino', 'PIL', 'alembic', 'huggingface_hub') "
        "if name in sys.modules])"
    )
    if arguments == ["status"]:
        subprocess.run(
            [
                sys.executable,
                "-c",
                "from clipsearch.store import Store; from pathlib import Path; "
                f"Store(Path({str(tmp_path)!r}), create=True)",
            ],
            check=True,
        )
        arguments = ["status", "--catalog", str(tmp_path)]
    found = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[-1] == ""


def test_a_query_with_the_starter_loads_no_torch(tmp_path):
    code = (
        "import sys; from clipsearch import Catalog\n"
        "with Catalog.open(sys.argv[1], model='starter', create=True) as catalog: catalog.captions.add(['a cat'])\n"
        "print(*[name for name in ('torch', 'transformers', 'huggingface_hub') if name in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "c")], capture_output=True, text=True, check=True
    )
    assert found.stdout == "\n"


def test_a_query_asked_before_loads_next_to_nothing(tmp_path):
    code = (
        "import sys; from clipsearch.cli import run; run(sys.argv[1:]); "
        "print(*[name for name in ('torch', 'transformers', 'openvino', 'sqlalchemy', 'alembic', 'PIL', 'tokenizers', "
        "'huggingface_hub', 'pydantic', 'clipsearch.cli.serve') if name in sys.modules])"
    )
    catalog = str(tmp_path / "c")
    with Catalog.open(catalog, model="starter", create=True) as opened:
        opened.index(sample_data_folder() / "food")
    query = [sys.executable, "-c", code, "query", "a glazed donut", "--catalog", catalog]
    first, second = (subprocess.run(query, capture_output=True, text=True, check=True).stdout for _ in range(2))
    *hits, loaded = second.splitlines()
    assert hits == first.splitlines()[:-1]
    assert loaded == ""
    assert first.splitlines()[-1] == "openvino tokenizers"
