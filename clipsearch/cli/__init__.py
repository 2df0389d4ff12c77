"""Define the command line: parse, call the library, render; the only package that prints.

Exit codes: 0 ok, 1 error, 2 usage, 3 no catalog, 4 model not available, 5 some files were skipped under --strict,
130 interrupted.
"""

import gc
import sys
import warnings
from contextlib import suppress

import typer

from clipsearch.cli.commands import make_app
from clipsearch.cli.completion import command_words, is_completing
from clipsearch.cli.help_topics import describe_topic
from clipsearch.cli.logs import NoticePrinter, report_error, restored
from clipsearch.cli.options import INTERRUPTED, Invocation
from clipsearch.cli.plain_query import read_command_line
from clipsearch.cli.render import OutputClosedError, out
from clipsearch.errors import ClipSearchError
from clipsearch.notices import LOGGER


def run(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code; errors become one line on stderr, and in the log file."""
    if is_completing():
        return _complete()
    with restored():
        return _run(arguments)


def _complete() -> int:
    """Answer a shell that completes a command line; whatever fails completes nothing."""
    with suppress(Exception):
        make_app(command_words())(prog_name="clipsearch")
    return 0


def _run(arguments: list[str] | None) -> int:
    try:
        result = _call(arguments)
    except typer.TyperException as error:
        # Of pydantic's.
        message, context = error.format_message().replace("Value error, ", ""), getattr(error, "ctx", None)
        if "\n" in message:  # the help that a command without arguments shows
            print(message, file=sys.stderr)
        else:
            hint = f" (see '{context.command_path} --help')" if context is not None else ""
            report_error(f"{message}{hint}")
        return error.exit_code
    except ClipSearchError as error:
        report_error(str(error))
        return error.exit_code
    except OutputClosedError:
        return 0
    except OSError as error:
        # Expected ones are ClipSearchErrors; the rest are the system's: a full disk, an unmounted drive.
        report_error(str(error))
        return ClipSearchError.exit_code
    except (KeyboardInterrupt, typer.Abort):
        report_error("interrupted")
        return INTERRUPTED
    if result == INTERRUPTED:  # caught by typer, or by the command for a clean stop
        report_error("interrupted")
    return result if isinstance(result, int) else 0


def _call(arguments: list[str] | None) -> object:
    """Call the command, or print help that is of none; return what the command returns."""
    line = read_command_line(sys.argv[1:] if arguments is None else arguments)
    if line.topic is not None:
        out(describe_topic())
        return 0
    # Without arguments given here, typer reads those of the process, on Windows with patterns expanded.
    given = line.arguments if line.is_changed else arguments
    return make_app(line.words)(given, standalone_mode=False, obj=Invocation(line.is_plain))


def main() -> int:
    """Run the console script."""
    LOGGER.addHandler(NoticePrinter())
    LOGGER.propagate = False  # independent of handlers that other libraries add to the root logger
    if not sys.warnoptions:  # warnings of other libraries are for developers, who enable them with -W
        warnings.simplefilter("ignore")
    try:
        return run()
    finally:
        # At exit the garbage collector would traverse every object of every library, which takes a tenth of a
        # query's time; the system frees the memory anyway.
        gc.freeze()
