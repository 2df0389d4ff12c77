"""Connect to Ray: to an existing cluster, or to a local one started on this machine."""

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
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from typing import Any

from clipsearch import processes
from clipsearch.errors import InputError, MissingExtraError, RunnerError, first_line
from clipsearch.processes import environment

# Shared memory of a local Ray: crops in flight take some ten megabytes per process.
_OBJECT_STORE_BYTES = 1 << 30

# The paths of sockets below it may have 107 characters. Source: Linux, unix(7).
_MAX_FOLDER_CHARACTERS = 40

_CONNECT_S = 10.0

_VARIABLES = {
    "RAY_USAGE_STATS_ENABLED": "0",  # no telemetry
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # the default of later versions; else it warns
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # its C++ logs to the terminal
}


def load_ray() -> Any:
    """Import Ray with Ray Data.

    Raises:
        MissingExtraError: it is not installed.
    """
    with _start_variables():
        try:
            import ray
            import ray.data
        except ImportError as error:
            raise MissingExtraError("sharing the work among machines", "ray", "clipsearch[scale]") from error
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return ray


def check_address(address: str | None) -> str | None:
    """Return the given address, else that of RAY_ADDRESS, else None: a local Ray.

    Raises:
        InputError: the address is invalid.
    """
    address = address or os.environ.get("RAY_ADDRESS") or None
    if address in (None, "local"):
        return None
    if address != "auto" and not re.fullmatch(r"([\w.-]+|\[[0-9a-fA-F:]+\]):\d{1,5}", address):
        raise InputError(f"invalid Ray cluster address {address!r}: use HOST:6379 of its head, or 'auto' (--address)")
    return address


class RayCluster:
    """Connection to Ray until `close`; a connection of the host program is reused and stays open."""

    def __init__(self, address: str | None) -> None:
        """Connect to the cluster, or start a local one.

        Args:
            address: as `check_address` returns it.

        Raises:
            MissingExtraError: Ray is not installed.
            RunnerError: the cluster can't be reached or started.
        """
        self.ray = load_ray()
        self._folder: str | None = None
        # Ray Data decides at each execution; its collector is an actor, in a process of its own.
        self._without_usage = ExitStack()
        self._without_usage.enter_context(_variables(RAY_DATA_USAGE_DISABLED="1"))
        self._owns_connection = not self.ray.is_initialized()
        if not self._owns_connection:
            return
        if address not in (None, "auto"):
            try:
                _check_reachable(str(address))
            except RunnerError:
                self._without_usage.close()
                raise
        options: dict[str, Any] = {"address": address}
        if address is None:
            self._folder = tempfile.mkdtemp(prefix="clipsearch-ray-")
            options = {
                "address": "local",
                "num_cpus": processes.core_count(),
                "include_dashboard": False,
                "object_store_memory": _OBJECT_STORE_BYTES,
            }
            if len(self._folder) <= _MAX_FOLDER_CHARACTERS:
                options["_temp_dir"] = self._folder
        try:
            with _start_variables(), _keep_signal_handlers(), _quiet_start():
                self.ray.init(
                    **options,
                    job_config=_job_config(),
                    configure_logging=False,
                    log_to_driver=False,
                    logging_level=logging.CRITICAL,
                )
        except Exception as error:  # of several types, built-in ones too
            self.close()
            where = "Ray can't be started" if address is None else f"no Ray cluster can be reached at {address}"
            raise RunnerError(f"{where}: {first_line(error)}") from error

    def count(self, resource: str) -> list[float]:
        """Return the amount of a resource, "CPU" or "GPU", of each machine that has any."""
        found = [node["Resources"].get(resource, 0.0) for node in self.ray.nodes() if node["Alive"]]
        return [count for count in found if count]

    def close(self) -> None:
        """Disconnect. Idempotent."""
        if self._owns_connection:
            with suppress(Exception):
                self.ray.shutdown()
            self._owns_connection = False
        self._without_usage.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


def _check_reachable(address: str) -> None:
    """Check that the head answers; Ray itself would retry for minutes.

    Raises:
        RunnerError: there is no answer.
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
            # Else workers import modules from the current folder first: an untrusted torch.py among pictures would run.
            return True

    return Job()


def _start_variables() -> AbstractContextManager[None]:
    """Set the environment variables that Ray, and the processes it starts, read at startup."""
    return _variables(**_VARIABLES, PYTHONPATH=environment()["PYTHONPATH"])


@contextmanager
def _variables(**wanted: str) -> Iterator[None]:
    """Set environment variables of this process."""
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
    """Drop Ray's notice about its log level, which bypasses Python, from stderr; the rest is printed afterwards."""
    with suppress(OSError, ValueError):
        sys.stderr.flush()
    try:
        original = os.dup(2)
    except OSError:  # stderr is closed
        yield
        return
    with tempfile.TemporaryFile() as captured:
        os.dup2(captured.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(original, 2)
            os.close(original)
            captured.seek(0)
            for line in captured:
                if b"Set ray log level" not in line:
                    with suppress(OSError):
                        os.write(2, line)


@contextmanager
def _keep_signal_handlers() -> Iterator[None]:
    """Restore the SIGTERM handler that `ray.init` replaces."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)
