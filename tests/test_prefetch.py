"""Threads that work ahead: order, bounds, errors, stopping."""

import threading
from queue import SimpleQueue

import pytest

from clipsearch import processes
from clipsearch.prefetch import RunAhead, WorkAhead, default_workers


def take_all(work: WorkAhead, items: list, wake: SimpleQueue) -> list:
    """As the pipeline does: puts what fits, takes what is ready, else waits."""
    results, waiting = [], list(items)
    while waiting or not work.is_empty:
        while waiting and not work.is_full:
            work.put(waiting.pop(0))
        if work.is_ready:
            results.append(work.first())
            work.remove_first()
        else:
            wake.get(timeout=10)
    return results


def test_results_come_in_the_order_of_the_items():
    wake = SimpleQueue()
    released = threading.Event()

    def slow_first(item: int) -> int:
        if item == 0:
            assert released.wait(10)
        elif item == 3:
            released.set()
        return item * item

    work = WorkAhead(slow_first, workers=4, ahead=8, wake=wake)
    assert take_all(work, list(range(50)), wake) == [item * item for item in range(50)]
    work.stop()
    work.join()


def test_no_more_is_begun_than_may_wait():
    begun = []
    wake = SimpleQueue()
    work = WorkAhead(begun.append, workers=2, ahead=5, wake=wake)
    while not work.is_full:
        work.put(1)
    for _ in range(5):
        wake.get(timeout=10)
    assert len(begun) == 5
    assert work.is_full
    work.remove_first()
    assert not work.is_full
    work.stop()
    work.join()


def test_an_error_comes_in_the_place_of_its_result():
    wake = SimpleQueue()

    def odd(item: int) -> int:
        if item == 2:
            raise ValueError("two")
        return item

    work = WorkAhead(odd, workers=2, ahead=9, wake=wake)
    for item in range(4):
        work.put(item)
    work._pool.shutdown(wait=True)
    taken = []
    with pytest.raises(ValueError, match="two"):
        while work.is_ready:
            taken.append(work.first())
            work.remove_first()
    assert taken == [0, 1]


def test_stopping_drops_what_was_not_begun_and_keeps_what_is_done():
    running, released = threading.Event(), threading.Event()
    done = []

    def wait(item: int) -> int:
        running.set()
        assert released.wait(10)
        done.append(item)
        return item

    work = WorkAhead(wait, workers=1, ahead=9, wake=SimpleQueue())
    for item in range(5):
        work.put(item)
    assert running.wait(10)
    work.stop()
    released.set()
    work.join()
    assert done == [0]
    assert work.is_ready
    assert work.first() == 0
    work.remove_first()
    assert not work.is_ready


def test_an_iterator_runs_ahead_of_the_one_who_takes():
    wake = SimpleQueue()
    run = RunAhead(iter(range(1000)), wake=wake)
    run.start()
    run._pool.shutdown(wait=True)
    taken = []
    while not run.is_over:
        taken.append(run.take())
    assert taken == list(range(1000))
    assert run.take() is None


def test_an_iterators_error_comes_after_its_items():
    def items():
        yield 1
        raise OSError("unplugged")

    run = RunAhead(items(), wake=SimpleQueue())
    run.start()
    run._pool.shutdown(wait=True)
    assert not run.is_over
    assert run.take() == 1
    with pytest.raises(OSError, match="unplugged"):
        run.is_over  # noqa: B018


def test_a_stopped_iterator_ends_at_the_next_item():
    drawn = []
    first, released = threading.Event(), threading.Event()

    def items():
        for number in range(1000):
            drawn.append(number)
            first.set()
            assert released.wait(10)
            yield number

    run = RunAhead(items(), wake=SimpleQueue())
    run.start()
    assert first.wait(10)
    run.stop()
    released.set()
    run.join()
    assert drawn == [0]


def test_workers_are_bounded_by_memory(monkeypatch):
    monkeypatch.setattr(processes, "available_bytes", lambda: None)
    unbounded = default_workers()
    assert unbounded >= 1
    for available, expected in ((10**12, unbounded), (450_000_000, min(2, unbounded)), (1000, 1)):
        monkeypatch.setattr(processes, "available_bytes", lambda available=available: available)
        assert default_workers() == expected
