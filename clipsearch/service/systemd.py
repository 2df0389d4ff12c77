"""Write units of systemd for the user.

Source: https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html, "Command lines", and
systemd.syntax(7), "Quoting".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clipsearch.errors import InputError
from clipsearch.service.definition import Service
from clipsearch.service.managers import ManagerCommand, ServiceState

_SYSTEMCTL = ("systemctl", "--user")


@dataclass(frozen=True, slots=True)
class Systemd:
    """`Manager` of Linux; `folder`: of the user's units."""

    folder: Path
    encoding: str = "utf-8"

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.service"

    def text(self, service: Service) -> str:
        program, *arguments = service.command
        if set(program) & set("\\\"'"):
            raise InputError(f"systemd runs no program whose path has quotes or backslashes: {program}")
        # In arguments "$" begins a variable, which the program's path has none of.
        command = " ".join([_quote(program), *(_quote(each).replace("$", "$$") for each in arguments)])
        variables = [f"Environment={_quote(f'{name}={value}')}" for name, value in service.environment.items()]
        lines = [
            "[Unit]",
            f"Description=clipsearch keeps a catalog current ({service.name})",
            "",
            "[Service]",
            f"ExecStart={command}",
            *variables,
            "Restart=on-failure",
            "RestartSec=30",
            "KillMode=mixed",
            "Nice=10",
            "IOSchedulingClass=idle",
            "",
            "[Install]",
            "WantedBy=default.target",
            "",
        ]
        return "\n".join(lines)

    def start_commands(self, name: str) -> Sequence[ManagerCommand]:
        return (
            ManagerCommand((*_SYSTEMCTL, "daemon-reload")),
            ManagerCommand((*_SYSTEMCTL, "enable", f"{name}.service")),
            ManagerCommand((*_SYSTEMCTL, "restart", f"{name}.service")),
        )

    def stop_commands(self, name: str) -> Sequence[ManagerCommand]:
        return (ManagerCommand((*_SYSTEMCTL, "disable", "--now", f"{name}.service")),)

    def state_command(self, name: str) -> ManagerCommand:
        return ManagerCommand((*_SYSTEMCTL, "show", f"{name}.service", "--property=ActiveState,MainPID"))

    def parse_state(self, output: str) -> ServiceState:
        values = dict(line.partition("=")[::2] for line in output.splitlines())
        pid = values.get("MainPID", "")
        is_running = values.get("ActiveState") == "active"
        return ServiceState(is_running, int(pid) if is_running and pid.isdecimal() and pid != "0" else None)


def _quote(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'
