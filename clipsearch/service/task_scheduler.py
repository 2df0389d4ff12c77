"""Write tasks of Windows' Task Scheduler.

Source: https://learn.microsoft.com/windows/win32/taskschd/task-scheduler-schema.
"""

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from clipsearch.errors import InputError
from clipsearch.service.definition import Service
from clipsearch.service.managers import ManagerCommand, ServiceState

# Nothing escapes it, and quotes do not protect it.
_VARIABLE = re.compile(r"%[^%]+%")

# Priority 8 is below normal, with low priority of input and output; a task may run for ever.
_TASK = """<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>clipsearch keeps a catalog current ({name})</Description>
  </RegistrationInfo>
  <Triggers>
    <LogonTrigger>
      <UserId>{user}</UserId>
    </LogonTrigger>
  </Triggers>
  <Principals>
    <Principal id="Author">
      <UserId>{user}</UserId>
      <LogonType>InteractiveToken</LogonType>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <Priority>8</Priority>
    <RestartOnFailure>
      <Interval>PT1M</Interval>
      <Count>999</Count>
    </RestartOnFailure>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>{command}</Command>
      <Arguments>{arguments}</Arguments>
    </Exec>
  </Actions>
</Task>
"""


@dataclass(frozen=True, slots=True)
class TaskScheduler:
    r"""`Manager` of Windows; `folder`: of the files, `user`: DOMAIN\NAME of the user at whose logon it starts."""

    folder: Path
    user: str
    encoding: str = "utf-16"

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.xml"

    def text(self, service: Service) -> str:
        for word in service.command:
            if _VARIABLE.search(word):
                raise InputError(f"{word}: what is between two percent signs is a variable in tasks of Windows")
        if service.environment:
            names = ", ".join(service.environment)
            raise InputError(
                f"a task of Windows has no variables of its own, such as {names}: put them into config.toml "
                "('clipsearch config set'), or set them for the user and unset them here"
            )
        program, *arguments = service.command
        return _TASK.format(
            name=escape(service.name),
            user=escape(self.user),
            command=escape(program),
            arguments=escape(subprocess.list2cmdline(arguments)),
        )

    def start_commands(self, name: str) -> Sequence[ManagerCommand]:
        return (
            ManagerCommand(("schtasks", "/End", "/TN", name), may_fail=True),
            ManagerCommand(("schtasks", "/Create", "/TN", name, "/XML", str(self.path(name)), "/F")),
            ManagerCommand(("schtasks", "/Run", "/TN", name)),
        )

    def stop_commands(self, name: str) -> Sequence[ManagerCommand]:
        return (
            ManagerCommand(("schtasks", "/End", "/TN", name), may_fail=True),
            ManagerCommand(("schtasks", "/Delete", "/TN", name, "/F")),
        )

    def state_command(self, name: str) -> ManagerCommand:
        # What schtasks prints is translated.
        return ManagerCommand(("powershell", "-NoProfile", "-Command", f"(Get-ScheduledTask -TaskName '{name}').State"))

    def parse_state(self, output: str) -> ServiceState:
        return ServiceState(output.strip() == "Running")
