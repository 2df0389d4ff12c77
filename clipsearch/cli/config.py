"""Implement clipsearch config [get | set | unset | path]."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clipsearch import configuration, paths, settings
from clipsearch.cli.options import JsonOption
from clipsearch.cli.render import note, out, print_json, printable
from clipsearch.errors import InputError
from clipsearch.files import read_regular_file, write_file

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

app = typer.Typer(invoke_without_command=True, rich_markup_mode=None)

_MAX_BYTES = 1 << 20

KeyArgument = Annotated[str, typer.Argument(metavar="KEY", help=f"One of {', '.join(configuration.VARIABLES)}.")]

_VALUE_HELP = (
    "catalog: a folder, or postgresql+psycopg://HOST/DATABASE. model: starter, a directory, or a hub id. "
    f"device: cpu, cuda, cuda:1 or mps. runtime: {' or '.join(settings.RUNTIMES)}. "
    f"precision: {', '.join(settings.PRECISIONS[:-1])} or {settings.PRECISIONS[-1]}. cache: a folder. "
    "allow_url: 1, 0 or HOST:PORT,... index_servers: milvus://HOST[:PORT],..."
)


@app.callback()
def show(context: typer.Context, json: JsonOption = False) -> None:
    """Show and change the settings of config.toml.

    Alone, it prints every setting with where it comes from: an environment variable, the file, or the default. An
    option of a command goes before all of them.
    """
    if context.invoked_subcommand is not None:
        if json:
            raise InputError(f"'config {context.invoked_subcommand}' prints no JSON: leave --json out")
        return
    found = [configuration.find_setting(key) for key in configuration.VARIABLES]
    if json:
        print_json([asdict(setting) | {"value": _shown(setting.key, setting.value)} for setting in found])
        return
    for setting in found:
        out(f"{setting.key:<14} {printable(_shown(setting.key, setting.value) or '-')}  ({printable(setting.origin)})")


@app.command("get")
def get(key: KeyArgument) -> None:
    """Print the value of a setting; an empty line for the default."""
    configuration.check_key(key)
    out(_shown(key, configuration.find(key)) or "")


@app.command("set")
def set_value(
    key: KeyArgument,
    value: Annotated[str, typer.Argument(metavar="VALUE", help=_VALUE_HELP)],
) -> None:
    """Write a setting to config.toml, which keeps its comments."""
    configuration.check_key(key)
    is_path = key in {"catalog", "cache"} and not paths.is_folder_url(value)
    if value and (is_path or (key == "model" and paths.expand_user(value).is_dir())):
        value = os.path.abspath(paths.expand_user(value))  # noqa: PTH100 (without following links)
        if Path(value).exists() and not Path(value).is_dir():
            raise InputError(f"{key} takes a folder, and {value} is none")
    elif key == "catalog" and value:
        paths.catalog_place(value)
    settings.check(key, configuration.check_value(key, value))
    if key == "index_servers":
        from clipsearch.indexes.milvus.address import parse_index_url

        for url in value.replace(",", " ").split():
            parse_index_url(url, catalog="")
    document = _load()
    document[key] = value
    _save(document)
    out(f"{key} = {printable(value)} in {printable(str(configuration.config_file()))}")
    variable = configuration.VARIABLES[key]
    if os.environ.get(variable):
        note(f"clipsearch: {variable} is set and goes before it")


@app.command("unset")
def unset(key: Annotated[str, typer.Argument(metavar="KEY", help="A key of the file.")]) -> None:
    """Remove a setting from config.toml: its default applies again."""
    document = _load()
    if key not in document:
        configuration.check_key(key)
        return
    del document[key]
    _save(document)


@app.command("path")
def path() -> None:
    """Print the path of config.toml, which need not exist."""
    out(str(configuration.config_file()))


def _shown(key: str, value: str | None) -> str | None:
    """Return a value for display: the folder of the catalog and of the cache also by default, no password."""
    if key == "catalog":
        return str(paths.catalog_place())
    return str(paths.cache_dir()) if key == "cache" else value


def _load() -> "TOMLDocument":
    """Read the file for a change, valid or not as to its keys.

    Raises:
        InputError: it can't be read, or is not TOML.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    file = configuration.config_file()
    try:
        return tomlkit.parse(read_regular_file(file, max_bytes=_MAX_BYTES).decode("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return tomlkit.document()
    except TOMLKitError as error:
        raise InputError(f"{file}: {error}") from error
    except (OSError, ValueError) as error:
        raise InputError(f"can't read {file}: {getattr(error, 'strerror', None) or error}") from error


def _save(document: Any) -> None:
    import tomlkit

    file = Path(os.path.realpath(configuration.config_file()))  # it may be a link to a file under version control
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_file(file, tomlkit.dumps(document).encode("utf-8"))
    except OSError as error:
        raise InputError(f"can't write {file}: {error.strerror or error}") from error
