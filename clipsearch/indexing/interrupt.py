"""End a run early at a safe point: by Ctrl-C, or by a token that another thread sets."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Self

from clipsearch.prefetch import Wake


class RunCancelled(Exception):
    """The cancel token of a run was set."""


class DeferredInterrupt:
    """While it is entered, the first Ctrl-C is noted and raised by `check`; a second one is raised at once.

    `check` also looks at the cancel token, in any thread.

    Raised anywhere, as Python does it, a KeyboardInterrupt can land in a callback of the garbage collector, where it is
    printed and lost. Does nothing outside of the main thread, or where the program around has a handler of its own.
    """

    def __init__(self, wake: Wake, *, cancel: threading.Event | None = None) -> None:
        """
        Args:
            wake: gets an item at Ctrl-C, for whoever waits.
            cancel: the token that cancels the run.
        """
        self._wake = wake
        self._cancel = cancel
        self._has_come = False
        self._is_ours = False

    def __enter__(self) -> Self:
        self._is_ours = (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        )
        if self._is_ours:
            signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def check(self) -> None:
        """
        Raises:
            KeyboardInterrupt: Ctrl-C was pressed.
            RunCancelled: the token is set.
        """
        if self._has_come:
            raise KeyboardInterrupt
        if self._cancel is not None and self._cancel.is_set():
            raise RunCancelled

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._has_come:
            raise KeyboardInterrupt
        self._has_come = True
        self._wake.put(None)  # SimpleQueue.put may be called in the middle of itself
