"""Decode large pictures one at a time."""

import contextlib
import ctypes
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TypeAlias

Turn: TypeAlias = Callable[[], contextlib.AbstractContextManager[None]]
"""Entered while a large picture is decoded."""

_one_big_picture = threading.Lock()


@contextlib.contextmanager
def turn_of_a_big_picture() -> Iterator[None]:
    """Wait until no other thread of this process decodes a large picture."""
    with _one_big_picture:
        # glibc keeps freed memory per thread: four threads would hold on to four large pictures.
        if sys.platform == "linux":
            with contextlib.suppress(AttributeError):  # another libc
                ctypes.CDLL(None).malloc_trim(0)
        yield
