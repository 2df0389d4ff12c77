"""Stop a run early at a safe point: on Ctrl-C, or when another thread sets a token."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Self

from clipsearch.prefetch import Wake


class RunCancelled(Exception):
    """The cancellation token of a run was set."""


class DeferredInterrupt:
    """Context manager in which the first Ctrl-C is deferred until `check`; a second one is raised at once.

    `check` also looks at the cancellation token, in any thread.

    A KeyboardInterrupt that Python raises anywhere can land in a callback of the garbage collector, where it is printed
    and lost. SIGINT is left alone outside of the main thread, or where the host program has its own handler.
    """

    def __init__(self, wake: Wake, *, cancel: threading.Event | None = None) -> None:
        """Set what wakes the waiting thread and what cancels the run.

        Args:
            wake: queue that gets an item on Ctrl-C, to wake the waiting thread.
            cancel: token that cancels the run.
        """
        self._wake = wake
        self._cancel = cancel
        self._is_pending = False
        self._is_installed = False

    def __enter__(self) -> Self:
        self._is_installed = (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        )
        if self._is_installed:
            signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_installed:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def check(self) -> None:
        """Raise a deferred Ctrl-C.

        Raises:
            KeyboardInterrupt: the user has pressed Ctrl-C.
            RunCancelled: the token is set.
        """
        if self._is_pending:
            raise KeyboardInterrupt
        if self._cancel is not None and self._cancel.is_set():
            raise RunCancelled

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._is_pending:
            raise KeyboardInterrupt
        self._is_pending = True
        self._wake.put(None)  # SimpleQueue.put is reentrant
