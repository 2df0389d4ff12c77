"""The command line: parse, call the library, render. The only place that prints.

Exit codes: 0 ok, 1 error, 2 usage, 3 no catalog, 4 model not available, 5 some files were skipped under --strict,
130 interrupted.
"""

import gc
import logging
import sys
import warnings

import typer

from clipsearch.cli import (
    bench,
    captions,
    clusters,
    demo,
    duplicates,
    evaluate,
    explain,
    index,
    labels,
    maintenance,
    models,
    query,
    reindex,
    serve,
    status,
    transfer,
)
from clipsearch.cli.options import INTERRUPTED
from clipsearch.cli.query_arguments import QueryCommand
from clipsearch.cli.render import OutputClosedError, note
from clipsearch.errors import ClipSearchError
from clipsearch.notices import LOGGER

app = typer.Typer(
    name="clipsearch",
    help="Find pictures by words or by pictures, and words for pictures. Everything stays on this machine.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from clipsearch.version import __version__

        typer.echo(f"clipsearch {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True, help="Print the version."),
) -> None:
    pass


app.command("index")(index.index)
app.command("reindex")(reindex.reindex)
app.command("query", cls=QueryCommand)(query.query)
app.command("caption")(captions.caption)
app.command("classify")(captions.classify)
app.add_typer(captions.app, name="captions")
app.command("explain")(explain.explain)
app.command("label")(labels.label)
app.add_typer(labels.app, name="labels")
app.command("cluster")(clusters.cluster)
app.command("dupes")(duplicates.dupes)
app.command("status")(status.status)
app.add_typer(models.app, name="model")
app.command("serve")(serve.serve)
app.command("mcp")(serve.mcp)
app.command("export")(transfer.export)
app.command("import-embeddings")(transfer.import_embeddings)
app.command("forget")(maintenance.forget)
app.command("gc")(maintenance.gc)
app.command("backup")(maintenance.backup)
app.command("restore")(maintenance.restore)
app.command("doctor")(maintenance.doctor)
app.command("demo")(demo.demo)
app.command("bench")(bench.bench)
app.command("eval")(evaluate.evaluate)


class NoticePrinter(logging.Handler):
    """Prints each notice as a line on stderr, in a process that is one command."""

    def emit(self, record: logging.LogRecord) -> None:
        note(f"clipsearch: {record.getMessage()}")


def run(arguments: list[str] | None = None) -> int:
    """Runs one command and returns its exit code; errors become one line on stderr."""
    try:
        result = app(arguments, standalone_mode=False)
    except typer.TyperException as error:
        message, context = error.format_message(), getattr(error, "ctx", None)
        if "\n" in message:  # the help that a command without arguments shows
            print(message, file=sys.stderr)
        else:
            hint = f" (see '{context.command_path} --help')" if context is not None else ""
            note(f"clipsearch: {message}{hint}")
        return error.exit_code
    except ClipSearchError as error:
        note(f"clipsearch: {error}")
        return error.exit_code
    except OutputClosedError:
        return 0
    except OSError as error:
        # Foreseen ones are ClipSearchErrors; what is left is the system's: a full disk, a drive that went away.
        note(f"clipsearch: {error}")
        return ClipSearchError.exit_code
    except (KeyboardInterrupt, typer.Abort):
        note("clipsearch: interrupted")
        return INTERRUPTED
    if result == INTERRUPTED:  # typer has caught it, or the command has ended what it was at
        note("clipsearch: interrupted")
    return result if isinstance(result, int) else 0


def main() -> int:
    """The console script."""
    LOGGER.addHandler(NoticePrinter())
    LOGGER.propagate = False  # whatever handlers other libraries give the root logger
    if not sys.warnoptions:  # what other libraries warn of is for developers, who see it with -W
        warnings.simplefilter("ignore")
    try:
        return run()
    finally:
        # The process ends. Without this the collector looks once more at every object of every library, which
        # takes a tenth of a query's time; the system takes the memory back at once.
        gc.freeze()
