"""The stages of an index run overlap, stay within their bounds, and can be interrupted anywhere."""

import itertools
import os
import signal
import threading
import time
import weakref
from pathlib import Path

import numpy as np
import pytest

from clipsearch.errors import StoreError
from clipsearch.images import reading
from clipsearch.images.picture_reader import PictureReader
from clipsearch.images.shared_crops import MOST_FILES
from clipsearch.indexing import batches, pipeline, scan
from clipsearch.prefetch import default_workers
from tests.support.fakes import ColourEncoder
from tests.support.library import BATCH, Library, counts

WAIT_S = 20.0


@pytest.fixture
def library(tmp_path):
    with Library(tmp_path) as library:
        yield library


def paint(library: Library, number: int, folder: str = "") -> list[Path]:
    """Many small pictures that all differ."""
    paths = []
    (library.photos / folder).mkdir(exist_ok=True)
    for index in range(number):
        path = library.photos / folder / f"{index:05}.ppm"
        path.write_bytes(b"P6 1 1 255\n" + bytes([index % 256, index // 256, sum(folder.encode()) % 256]))
        paths.append(path)
    return paths


def assert_consistent(library: Library, report, total: int) -> None:
    """What was counted is what is stored, and the next run does the rest."""
    assert library.store.pictures.counts() == (report.embedded, report.embedded, 0)
    assert library.store.embeddings.count("images", model_id=library.model_id) == report.embedded
    rest = library.index()
    assert (rest.unchanged, rest.embedded) == (report.embedded, total - report.embedded)


def threads() -> list[threading.Thread]:
    """Those that go on; one that was started in the very moment of Ctrl-C ends by itself."""
    end = time.monotonic() + WAIT_S
    while ours := [thread for thread in threading.enumerate() if thread.name.startswith("clipsearch")]:
        if time.monotonic() > end:
            break
        time.sleep(0.01)
    return ours


class TestOverlap:
    def test_reading_begins_before_the_listing_is_over(self, library, monkeypatch):
        paint(library, 3, "a")
        paint(library, 3, "b")
        was_read = threading.Event()
        walk, open_file = scan.ImageWalk, reading.open_regular_file

        def waiting_walk(root, **options):
            found = walk(root, **options)

            def parts():
                for images in iter(found):
                    yield images
                    assert not images or was_read.wait(WAIT_S)

            # Iterating is looked up on the class.
            return type("Waiting", (), {**vars(found), "__iter__": lambda self: parts()})()

        def opened(path):
            was_read.set()
            return open_file(path)

        monkeypatch.setattr(scan, "_COMPARED_AFTER_S", 0.0)
        monkeypatch.setattr(scan, "ImageWalk", waiting_walk)
        monkeypatch.setattr(reading, "open_regular_file", opened)
        assert counts(library.index()) == {"found": 6, "embedded": 6}

    def test_pictures_are_stored_before_the_listing_is_over(self, library, monkeypatch):
        paint(library, 3, "a")
        paint(library, 3, "b")
        was_stored = threading.Event()
        record, known_files = library.store.pictures.record, library.store.pictures.known_files

        def recorded(*arguments, **options):
            record(*arguments, **options)
            was_stored.set()

        def known(scope, paths):
            assert not any(path.startswith("b/") for path in paths) or was_stored.wait(WAIT_S)
            return known_files(scope, paths)

        monkeypatch.setattr(pipeline, "_MAX_WAIT_S", 0.0)
        monkeypatch.setattr(scan, "_COMPARED_AFTER_S", 0.0)
        monkeypatch.setattr(library.store.pictures, "record", recorded)
        monkeypatch.setattr(library.store.pictures, "known_files", known)
        assert counts(library.index()) == {"found": 6, "embedded": 6}

    def test_one_batch_is_encoded_while_others_are_read_and_stored(self, library, monkeypatch):
        total = 6 * BATCH
        paint(library, total)
        decoded, stored = threading.Semaphore(0), threading.Event()
        crop, record, encode = (
            reading.resize_and_crop,
            library.store.pictures.record,
            library.encoder.encode_images,
        )

        def cropped(*arguments, **options):
            decoded.release()
            return crop(*arguments, **options)

        def recorded(*arguments, **options):
            record(*arguments, **options)
            stored.set()

        def encoded(crops):
            batch = len(library.encoder.batches)
            if batch == 0:  # while it is encoded, two more batches are decoded
                for _ in range(3 * BATCH):
                    assert decoded.acquire(timeout=WAIT_S)
            elif batch == 1:  # while it is encoded, the first is stored
                assert stored.wait(WAIT_S)
            return encode(crops)

        monkeypatch.setattr(reading, "resize_and_crop", cropped)
        monkeypatch.setattr(library.store.pictures, "record", recorded)
        monkeypatch.setattr(library.encoder, "encode_images", encoded)
        assert counts(library.index()) == {"found": total, "embedded": total}
        assert library.encoder.batches == [BATCH] * 6

    def test_pictures_are_stored_in_the_order_they_were_listed(self, library):
        paint(library, 3 * BATCH + 7)
        library.index()
        paths = library.store.reader.paths(range(1, 3 * BATCH + 8))
        assert [Path(paths[content_id][0]).name for content_id in sorted(paths)] == sorted(os.listdir(library.photos))
        assert library.encoder.batches == [BATCH, BATCH, BATCH, 7]


def test_only_a_few_batches_of_pictures_are_in_memory(library, monkeypatch):
    paint(library, 50 * BATCH)
    alive, most = 0, 0
    lock, many_decoded = threading.Lock(), threading.Event()
    crop, encode = reading.resize_and_crop, library.encoder.encode_images

    def count(change: int) -> None:
        nonlocal alive, most
        with lock:
            alive += change
            most = max(most, alive)
            if alive >= 2 * BATCH:
                many_decoded.set()

    def cropped(*arguments, **options):
        made = crop(*arguments, **options)
        count(1)
        weakref.finalize(made, count, -1)
        return made

    def encoded(crops):
        # The first one waits until all that is before it is full.
        assert many_decoded.wait(WAIT_S)
        return encode(crops)

    monkeypatch.setattr(reading, "resize_and_crop", cropped)
    monkeypatch.setattr(library.encoder, "encode_images", encoded)
    assert library.index().embedded == 50 * BATCH
    # Those of two lists a worker that are read ahead, and of batches that are collected, wait, and are encoded.
    assert 2 * BATCH <= most <= 2 * MOST_FILES * default_workers() + 3 * (BATCH + MOST_FILES)


def test_batches_of_a_slow_model_are_smaller(library, monkeypatch):
    """So that a crash never loses much work: the first ones tell how long a picture takes."""
    paint(library, 5 * BATCH)
    encode = library.encoder.encode_images

    def encoded(crops):
        time.sleep(0.02 * len(crops))
        return encode(crops)

    monkeypatch.setattr(batches, "_MAX_ENCODING_S", 0.2)
    monkeypatch.setattr(library.encoder, "encode_images", encoded)
    assert counts(library.index()) == {"found": 5 * BATCH, "embedded": 5 * BATCH}
    assert library.encoder.batches[0] == BATCH
    assert max(library.encoder.batches[4:]) <= 10


def test_an_encoder_that_is_not_needed_is_not_touched(library):
    paint(library, 5)
    library.index()

    class Untouchable(ColourEncoder):
        @property
        def preprocess(self):
            raise AssertionError("the encoder was asked how it wants its pictures")

        def encode_images(self, crops):
            raise AssertionError("the encoder was used")

    library.encoder = Untouchable()
    assert counts(library.index()) == {"found": 5, "unchanged": 5}
    assert threads() == []


class TestInterruption:
    """Ctrl-C while a stage works: the signal has arrived in the main thread before the stage goes on."""

    @pytest.mark.parametrize("call", [1, 3])
    @pytest.mark.parametrize("stage", ["list", "compare", "read", "decode", "encode", "record", "mark", "progress"])
    def test_what_is_counted_is_stored_and_the_next_run_does_the_rest(self, library, monkeypatch, stage, call):
        folders = 4
        for folder in range(folders):
            paint(library, 2 * BATCH, f"{'x' * folder}y")
        total = folders * 2 * BATCH
        arrived, calls = threading.Event(), itertools.count(1)  # whose next() is atomic

        def interrupt() -> None:
            if next(calls) == call:
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
                assert arrived.wait(WAIT_S)

        def interrupting(function):
            def called(*arguments, **options):
                # `os.scandir` is the whole process's: only the run's threads count, and its caller's.
                thread = threading.current_thread()
                if thread is threading.main_thread() or thread.name.startswith("clipsearch"):
                    interrupt()
                return function(*arguments, **options)

            return called

        def handler(*_: object) -> None:
            arrived.set()
            if is_running.is_set():  # anywhere else it would end the session
                raise KeyboardInterrupt

        is_running = threading.Event()

        store = library.store.pictures
        holder, name = {
            "list": (os, "scandir"),
            "compare": (store, "known_files"),
            "read": (reading, "open_regular_file"),
            "decode": (reading, "decode_image"),
            "encode": (library.encoder, "encode_images"),
            "record": (store, "record"),
            "mark": (PictureReader, "mark_stored"),
            "progress": (self, "on_progress"),
        }[stage]
        monkeypatch.setattr(scan, "_COMPARED_AFTER_S", 0.0)
        before = signal.signal(signal.SIGINT, handler)
        try:
            with monkeypatch.context() as patched:
                patched.setattr(holder, name, interrupting(getattr(holder, name)))
                is_running.set()
                report = library.index(on_progress=lambda done, total: self.on_progress())
                is_running.clear()
        finally:
            signal.signal(signal.SIGINT, before)
        assert report.interrupted
        assert threads() == []
        assert library.store.runs.find_last().finished is False
        assert report.embedded < total
        assert_consistent(library, report, total)

    def on_progress(self) -> None:
        pass


class TestErrors:
    def test_an_error_while_listing_ends_the_run_and_keeps_what_was_stored(self, library, monkeypatch):
        paint(library, 2 * BATCH, "a")
        paint(library, 2 * BATCH, "b")
        known_files = library.store.pictures.known_files
        stored = threading.Event()

        def failing(scope, paths):
            if any(path.startswith("b/") for path in paths):
                assert stored.wait(WAIT_S)
                raise StoreError("the disk is gone")
            return known_files(scope, paths)

        monkeypatch.setattr(scan, "_COMPARED_AFTER_S", 0.0)
        with monkeypatch.context() as patched:
            patched.setattr(library.store.pictures, "known_files", failing)
            with pytest.raises(StoreError, match="the disk is gone"):
                library.index(on_progress=lambda done, total: stored.set())
        assert threads() == []
        files = library.store.pictures.counts()[0]
        assert files >= BATCH
        assert counts(library.index()) == {"found": 4 * BATCH, "embedded": 4 * BATCH - files, "unchanged": files}

    def test_an_error_while_encoding_ends_the_run(self, library, monkeypatch):
        paint(library, 5 * BATCH)
        encode = library.encoder.encode_images

        def failing(crops):
            if len(library.encoder.batches) == 2:
                raise ValueError("no such device")
            return encode(crops)

        with monkeypatch.context() as patched:
            patched.setattr(library.encoder, "encode_images", failing)
            with pytest.raises(ValueError, match="no such device"):
                library.index()
        assert threads() == []
        assert library.store.pictures.counts()[0] == 2 * BATCH

    def test_a_folder_that_fails_in_the_middle_is_told_and_forgets_nothing(self, library, monkeypatch):
        for folder in "abc":
            paint(library, 5, folder * (1 + ord(folder) % 7))
        library.index()
        open_folder = os.open

        def failing(path, *options, **others):
            if os.path.basename(path).startswith("b"):
                raise OSError(5, "Input/output error")
            return open_folder(path, *options, **others)

        for path in library.photos.glob("c*/00001.ppm"):
            path.unlink()
        with monkeypatch.context() as patched:
            patched.setattr(os, "open", failing)
            report = library.index()
        assert counts(report) == {"found": 10, "unchanged": 9, "removed": 1, "skipped": 1}
        assert report.skipped[0].reason == "Input/output error"
        assert counts(library.index()) == {"found": 14, "unchanged": 14}


def test_copies_wait_for_a_picture_that_is_slow_to_encode(library, monkeypatch):
    """More copies than a batch may hold, all read while the content they share is still encoded."""
    for number in range(700):
        (library.photos / f"{number:05}.ppm").write_bytes(b"P6 1 1 255\nabc")
    paint(library, 2 * BATCH, "z")
    all_read = threading.Semaphore(0)
    open_file, encode = reading.open_regular_file, library.encoder.encode_images

    def opened(path):
        all_read.release()
        return open_file(path)

    def encoded(crops):
        if not library.encoder.batches:
            for _ in range(600):
                assert all_read.acquire(timeout=WAIT_S)
        return encode(crops)

    monkeypatch.setattr(reading, "open_regular_file", opened)
    monkeypatch.setattr(library.encoder, "encode_images", encoded)
    report = library.index()
    assert counts(report) == {"found": 700 + 2 * BATCH, "embedded": 1 + 2 * BATCH, "reused": 699}
    assert np.sum(library.encoder.batches) == 1 + 2 * BATCH
