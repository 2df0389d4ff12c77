"""Assemble the command line, or the part of it that one call needs: every command is in a module of its own.

To import all of them and describe all their options takes a tenth of the time of a query.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import typer

from clipsearch.cli.examples import epilog_of
from clipsearch.cli.logs import set_up
from clipsearch.cli.plain_values import PlainGroup
from clipsearch.cli.query_arguments import QueryCommand

# Name → module and attribute in it, a function or a `typer.Typer` of further commands, in the order of `--help`.
_COMMANDS = {
    "index": "index.index",
    "watch": "watch.watch",
    "service": "service.app",
    "ocr": "ocr.ocr",
    "reindex": "reindex.reindex",
    "query": "query.query",
    "caption": "captions.caption",
    "classify": "captions.classify",
    "captions": "captions.app",
    "explain": "explain.explain",
    "label": "labels.label",
    "labels": "labels.app",
    "concept": "concepts.app",
    "save": "saved.save",
    "saved": "saved.app",
    "album": "albums.app",
    "favourite": "albums.favourite",
    "cluster": "clusters.cluster",
    "map": "map.map_pictures",
    "unusual": "curation.unusual",
    "representative": "curation.representative",
    "dupes": "duplicates.dupes",
    "status": "status.status",
    "model": "models.app",
    "config": "config.app",
    "serve": "serve.serve",
    "mcp": "serve.mcp",
    "export": "transfer.export",
    "import-embeddings": "transfer.import_embeddings",
    "forget": "maintenance.forget",
    "gc": "maintenance.gc",
    "backup": "maintenance.backup",
    "restore": "maintenance.restore",
    "doctor": "maintenance.doctor",
    "demo": "demo.demo",
    "bench": "bench.bench",
    "eval": "evaluate.evaluate",
}

# What other programs call a command; not in `--help`.
_OTHER_NAMES = {"search": "query", "find": "query", "albums": "album", "favorite": "favourite"}

COMMAND_NAMES = frozenset({*_COMMANDS, *_OTHER_NAMES})
"""Names of all commands."""

ROOT_OPTIONS = frozenset({"-h", "--help", "--version", "--install-completion", "--show-completion"})
"""Options that go before a command, and end the program."""

LOG_OPTIONS = {"-q": False, "--quiet": False, "-v": False, "--verbose": False, "--log-file": True}
"""Options that go before a command or after it → whether they take a value."""

# Commands with words that may begin with a sign.
_QUERIES = {"query", "save", "unusual", "representative"}


def make_app(arguments: Sequence[str] = ()) -> typer.Typer:
    """Return the command line with the command that the arguments begin with, else with all commands."""
    app = typer.Typer(
        name="clipsearch",
        cls=PlainGroup,
        help="Search pictures by text or image, and caption pictures. Everything stays on this machine.",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog='Without a command: clipsearch "a cat" is a query. Help of a command: clipsearch help query',
    )
    app.callback()(_options)
    is_one = bool(arguments) and arguments[0] in COMMAND_NAMES
    for name in [arguments[0]] if is_one else _COMMANDS:
        known = _OTHER_NAMES.get(name, name)
        module, _, attribute = _COMMANDS[known].partition(".")
        command: Any = getattr(import_module(f"clipsearch.cli.{module}"), attribute)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name, cls=PlainGroup, epilog=epilog_of(known))
        else:
            app.command(name, epilog=epilog_of(known), cls=QueryCommand if known in _QUERIES else None)(command)
    return app


def _print_version(is_requested: bool) -> None:
    if is_requested:
        from clipsearch.version import __version__

        typer.echo(f"clipsearch {__version__}")
        raise typer.Exit


def _options(
    quiet: bool = typer.Option(False, "-q", "--quiet", help="Print results and errors only: no notices, no progress."),
    verbose: bool = typer.Option(False, "-v", "--verbose", help="Print what is done: models, devices, seconds."),
    log_file: str | None = typer.Option(
        None, "--log-file", metavar="FILE", help="Append that to FILE, with times.", show_default=False
    ),
    version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True, help="Print the version."),
) -> None:
    set_up(is_quiet=quiet, is_verbose=verbose, log_file=log_file)
