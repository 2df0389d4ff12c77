"""Ctrl-C is kept for the moment it is asked for."""

import os
import signal
import threading
from queue import SimpleQueue

import pytest

from clipsearch.indexing.interrupt import DeferredInterrupt, RunCancelled


def press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_the_first_one_waits_and_wakes_whoever_waits():
    wake = SimpleQueue()
    with DeferredInterrupt(wake) as interrupt:
        interrupt.check()
        press_ctrl_c()
        assert wake.get(timeout=5) is None
        with pytest.raises(KeyboardInterrupt):
            interrupt.check()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_second_one_does_not_wait():
    with DeferredInterrupt(SimpleQueue()):
        press_ctrl_c()
        with pytest.raises(KeyboardInterrupt):
            press_ctrl_c()


def test_a_cancel_token_is_told_from_ctrl_c():
    cancel = threading.Event()
    with DeferredInterrupt(SimpleQueue(), cancel=cancel) as interrupt:
        interrupt.check()
        cancel.set()
        with pytest.raises(RunCancelled):
            interrupt.check()
        press_ctrl_c()
        with pytest.raises(KeyboardInterrupt):
            interrupt.check()


def test_a_handler_of_the_program_around_stays():
    seen = []
    before = signal.signal(signal.SIGINT, lambda number, frame: seen.append(number))
    try:
        with DeferredInterrupt(SimpleQueue()) as interrupt:
            press_ctrl_c()
            interrupt.check()
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == [signal.SIGINT]


def test_another_thread_has_no_say():
    failures = []

    def enter() -> None:
        try:
            with DeferredInterrupt(SimpleQueue()) as interrupt:
                interrupt.check()
        except ValueError as error:  # what signal.signal raises there
            failures.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert failures == []
