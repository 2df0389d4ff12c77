"""What a forked process runs, see `programs.Light`; imported before it is forked."""

import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module

import pytest
from sqlalchemy import Engine, event

from clipsearch import cli
from tests.faults.programs import Fault
from tests.support.fakes import use_colours

# What an index run imports when it needs it.
_LATE = (
    *("alembic.command", "alembic.config", "alembic.ddl", "pillow_heif", "psutil", "pydantic", "typer._adapters"),
    *(f"clipsearch.{name}" for name in ("catalog", "indexing.run", "session.file_index", "store.pictures")),
)
for _name in _LATE:
    import_module(_name)


def run(arguments: Sequence[str], environment: dict[str, str], output: str, fault: Fault) -> None:
    """Run the command line with stdout and stderr in a file, and exit."""
    os.environ.clear()
    os.environ.update(environment)
    with open(output, "wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    use_colours(pytest.MonkeyPatch().setattr)
    if fault.statements is not None:
        _kill_at(fault.statements)
    fault.limit_files()
    sys.argv = ["clipsearch", *arguments]
    sys.exit(cli.main())


def _kill_at(statement: int) -> None:
    """Kill this process before a statement or commit of that number."""
    left = iter(range(statement - 1))

    def count(*_: object) -> None:
        if next(left, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "before_cursor_execute", count)
    event.listen(Engine, "commit", count)
