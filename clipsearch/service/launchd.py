"""Write agents of launchd.

Source: launchd.plist(5) and launchctl(1) of macOS.
"""

import plistlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clipsearch.service.definition import Service
from clipsearch.service.managers import ManagerCommand, ServiceState


@dataclass(frozen=True, slots=True)
class Launchd:
    """`Manager` of macOS; `library`: the user's folder Library, `user_id`: of the session that it runs in."""

    library: Path
    user_id: int
    encoding: str = "utf-8"

    def path(self, name: str) -> Path:
        return self.library / "LaunchAgents" / f"{name}.plist"

    def text(self, service: Service) -> str:
        agent = {
            "Label": service.name,
            "ProgramArguments": list(service.command),
            "EnvironmentVariables": dict(service.environment),
            "RunAtLoad": True,
            "KeepAlive": {"SuccessfulExit": False},
            "ThrottleInterval": 30,
            "ProcessType": "Background",
            "LowPriorityIO": True,
            "Nice": 10,
            "StandardErrorPath": str(self.library / "Logs" / f"{service.name}.log"),
        }
        return plistlib.dumps(agent, sort_keys=False).decode()

    def start_commands(self, name: str) -> Sequence[ManagerCommand]:
        return (
            ManagerCommand(("launchctl", "bootout", self._target(name)), may_fail=True),
            ManagerCommand(("launchctl", "bootstrap", f"gui/{self.user_id}", str(self.path(name)))),
        )

    def stop_commands(self, name: str) -> Sequence[ManagerCommand]:
        return (ManagerCommand(("launchctl", "bootout", self._target(name))),)

    def state_command(self, name: str) -> ManagerCommand:
        return ManagerCommand(("launchctl", "print", self._target(name)))

    def parse_state(self, output: str) -> ServiceState:
        pid = re.search(r"^\s*pid = (\d+)$", output, re.MULTILINE)
        is_running = re.search(r"^\s*state = running$", output, re.MULTILINE) is not None
        return ServiceState(is_running, int(pid[1]) if is_running and pid else None)

    def _target(self, name: str) -> str:
        return f"gui/{self.user_id}/{name}"
