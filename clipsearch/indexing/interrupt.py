"""Ctrl-C at a moment of our choosing."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Self

from clipsearch.prefetch import Wake


class DeferredInterrupt:
    """While it is entered, the first Ctrl-C is noted and raised by `check`; a second one is raised at once.

    Raised anywhere, as Python does it, a KeyboardInterrupt can land in a callback of the garbage collector, where it is
    printed and lost. Does nothing outside of the main thread, or where the program around has a handler of its own.
    """

    def __init__(self, wake: Wake) -> None:
        """`wake`: gets a token, for whoever waits."""
        self._wake = wake
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
            KeyboardInterrupt: the user has asked for it.
        """
        if self._has_come:
            raise KeyboardInterrupt

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._has_come:
            raise KeyboardInterrupt
        self._has_come = True
        self._wake.put(None)  # SimpleQueue.put may be called in the middle of itself
