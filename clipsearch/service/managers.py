"""Describe managers of services, and run their commands."""

import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from clipsearch.errors import ServiceError
from clipsearch.files import atomic_write
from clipsearch.service.definition import Service

# A manager that does not answer, as one of another session, is given up.
_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class ManagerCommand:
    """Command of a manager; `may_fail`: it undoes what may not be there."""

    words: Sequence[str]
    may_fail: bool = False

    def __str__(self) -> str:
        """Return the command as it is typed in a shell."""
        return subprocess.list2cmdline(self.words) if sys.platform == "win32" else shlex.join(self.words)


@dataclass(frozen=True, slots=True)
class ServiceState:
    """State of a service, as its manager tells.

    Attributes:
        pid: process id; None where it does not run, or the manager does not tell.
    """

    is_running: bool
    pid: int | None = None


class Manager(Protocol):
    """System that starts services when the user logs in, and again when they fail."""

    @property
    def encoding(self) -> str:
        """Return the encoding of the file."""

    def path(self, name: str) -> Path:
        """Return where the file of a service lies."""

    def text(self, service: Service) -> str:
        """Return the file of a service."""

    def start_commands(self, name: str) -> Sequence[ManagerCommand]:
        """Return what starts a service, or starts it again, once its file is written."""

    def stop_commands(self, name: str) -> Sequence[ManagerCommand]:
        """Return what stops a service for good, before its file is deleted."""

    def state_command(self, name: str) -> ManagerCommand:
        """Return what tells the state of a service."""

    def parse_state(self, output: str) -> ServiceState:
        """Return the state from what that has written to stdout."""


def install(service: Service, manager: Manager) -> Path:
    """Write the file of a service, whichever is there; return its path.

    Raises:
        OSError: it can't be written.
    """
    path = manager.path(service.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, manager.text(service).encode(manager.encoding), mode=0o644)
    return path


def run_commands(commands: Sequence[ManagerCommand]) -> str:
    """Run commands of a manager, one after the other; return what the last one has written to stdout.

    Raises:
        ServiceError: the manager is missing, or one has failed; it names the commands that are left.
    """
    output = ""
    for number, command in enumerate(commands):
        try:
            done = subprocess.run(  # noqa: S603
                command.words,
                capture_output=True,
                stdin=subprocess.DEVNULL,
                text=True,
                errors="replace",
                check=False,
                timeout=_TIMEOUT_S,
            )
        except FileNotFoundError:
            reason = f"there is no {command.words[0]} here"
        except (OSError, subprocess.TimeoutExpired) as error:
            reason = f"{command.words[0]} can't be run: {error}"
        else:
            output = done.stdout
            if command.may_fail or done.returncode == 0:
                continue
            said = (done.stderr or done.stdout).strip().splitlines()
            reason = f"{command.words[0]} has failed: {said[-1] if said else f'exit code {done.returncode}'}"
        left = " && ".join(str(each) for each in commands[number:] if not each.may_fail)
        raise ServiceError(f"{reason}. Where it works, run: {left}")
    return output
