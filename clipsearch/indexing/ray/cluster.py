"""The connection to Ray: to a cluster that is there, or to one of our own on this machine."""

import logging
import os
import re
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from clipsearch import processes
from clipsearch.errors import InputError, MissingExtraError, RunnerError, first_line
from clipsearch.processes import environment

# Of shared memory, for a Ray of our own: crops on their way take some ten megabytes a process.
_OBJECT_STORE_BYTES = 1 << 30

# Sockets lie below it, whose paths may have 107 characters. Source: Linux, unix(7).
_LONGEST_FOLDER = 40

_CONNECT_S = 10.0

_VARIABLES = {
    "RAY_USAGE_STATS_ENABLED": "0",  # it would report to its makers
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # as later versions will do; without, it warns
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # what its C++ says goes to the terminal
}


def load_ray() -> Any:
    """Ray with Ray Data.

    Raises:
        MissingExtraError: it is not installed.
    """
    with _variables():
        try:
            import ray
            import ray.data
        except ImportError as error:
            raise MissingExtraError(
                "sharing the work among machines needs the package ray: pip install 'clipsearch[scale]'"
            ) from error
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return ray


def check_address(address: str | None) -> str | None:
    """The address given, else the one in RAY_ADDRESS, else None: a Ray of our own.

    Raises:
        InputError: it is none that can be connected to.
    """
    address = address or os.environ.get("RAY_ADDRESS") or None
    if address in (None, "local"):
        return None
    if address != "auto" and not re.fullmatch(r"([\w.-]+|\[[0-9a-fA-F:]+\]):\d{1,5}", address):
        raise InputError(
            f"{address!r} is no address of a Ray cluster; use HOST:6379 of its head, or 'auto' (--address)"
        )
    return address


class RayCluster:
    """Connected until `close`; a program around that is connected already stays so."""

    def __init__(self, address: str | None) -> None:
        """
        Args:
            address: as `check_address` gives it.

        Raises:
            MissingExtraError: Ray is not installed.
            RunnerError: it can't be reached or started.
        """
        self.ray = load_ray()
        self._folder: str | None = None
        self._is_ours = not self.ray.is_initialized()
        if not self._is_ours:
            return
        if address not in (None, "auto"):
            _check_is_there(str(address))
        options: dict[str, Any] = {"address": address}
        if address is None:
            self._folder = tempfile.mkdtemp(prefix="clipsearch-ray-")
            options = {
                "address": "local",
                "num_cpus": processes.core_count(),
                "include_dashboard": False,
                "object_store_memory": _OBJECT_STORE_BYTES,
            }
            if len(self._folder) <= _LONGEST_FOLDER:
                options["_temp_dir"] = self._folder
        try:
            with _variables(), _own_signals(), _quiet_start():
                self.ray.init(
                    **options,
                    job_config=_job_config(),
                    configure_logging=False,
                    log_to_driver=False,
                    logging_level=logging.CRITICAL,
                )
        except Exception as error:  # of several kinds, built-in ones too
            self.close()
            where = "Ray can't be started" if address is None else f"no Ray cluster can be reached at {address}"
            raise RunnerError(f"{where}: {first_line(error)}") from error

    def count(self, resource: str) -> list[float]:
        """How much of a resource, "CPU" or "GPU", each machine has that has any."""
        found = [node["Resources"].get(resource, 0.0) for node in self.ray.nodes() if node["Alive"]]
        return [count for count in found if count]

    def close(self) -> None:
        """It may be called again."""
        if self._is_ours:
            with suppress(Exception):
                self.ray.shutdown()
            self._is_ours = False
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


def _check_is_there(address: str) -> None:
    """Ray itself would try for minutes.

    Raises:
        RunnerError: nobody answers.
    """
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_S).close()
    except (OSError, OverflowError) as error:
        raise RunnerError(f"no Ray cluster can be reached at {address}: {first_line(error)}") from error


def _job_config() -> Any:
    from ray.job_config import JobConfig

    class Job(JobConfig):
        def _runtime_env_has_working_dir(self) -> bool:
            # Else workers look for modules in the current folder first: a torch.py among pictures would be run.
            return True

    return Job()


@contextmanager
def _variables() -> Iterator[None]:
    """Ray, and the processes it starts, read these when they start."""
    wanted = {**_VARIABLES, "PYTHONPATH": environment()["PYTHONPATH"]}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _quiet_start() -> Iterator[None]:
    """Leaves out that Ray was told to be quiet, which it says on stderr itself, past Python; the rest comes later."""
    with suppress(OSError, ValueError):
        sys.stderr.flush()
    try:
        own = os.dup(2)
    except OSError:  # there is none
        yield
        return
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(own, 2)
            os.close(own)
            said.seek(0)
            for line in said:
                if b"Set ray log level" not in line:
                    with suppress(OSError):
                        os.write(2, line)


@contextmanager
def _own_signals() -> Iterator[None]:
    """What `ray.init` sets for SIGTERM is taken back."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)
