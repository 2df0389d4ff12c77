"""Choose the manager of services of this system."""

import os
import sys
from pathlib import Path

from clipsearch.configuration import config_dir
from clipsearch.errors import InputError
from clipsearch.service.launchd import Launchd
from clipsearch.service.managers import Manager
from clipsearch.service.systemd import Systemd
from clipsearch.service.task_scheduler import TaskScheduler


def find_manager() -> Manager:
    """Return the manager of this system.

    Raises:
        InputError: there is none that is known.
    """
    if sys.platform == "linux":
        folder = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
        return Systemd(Path(folder) / "systemd" / "user")
    if sys.platform == "darwin":
        return Launchd(Path.home() / "Library", os.getuid())
    if sys.platform == "win32":
        user = "\\".join(filter(None, map(os.environ.get, ("USERDOMAIN", "USERNAME"))))
        return TaskScheduler(config_dir() / "services", user)
    raise InputError("services can be installed on Linux with systemd, macOS and Windows")
