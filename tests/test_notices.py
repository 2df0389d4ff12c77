"""Notices: lines of a logger, which no other library's filters of warnings can swallow, in any number of threads."""

import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from clipsearch import ClipSearchNotice
from clipsearch.encoders.batching import SharedEncoder
from clipsearch.encoders.text_cache import encode_set
from clipsearch.images.pillow_settings import decoding_settings
from clipsearch.notices import muted, notify
from tests.support.fakes import ColourEncoder

LONG = "red " * 20


def python(code: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *options, "-c", code], capture_output=True, text=True, check=True)


def test_a_program_that_has_set_up_nothing_sees_each_notice_on_stderr():
    done = python("from clipsearch.notices import notify\nfor _ in range(2): notify('100 % of it')", "-W", "ignore")
    assert done.stderr.splitlines() == ["100 % of it"] * 2


def test_a_program_can_turn_them_off_or_take_them_as_warnings():
    off = "import logging; logging.getLogger('clipsearch').setLevel('ERROR')\n"
    assert python(off + "from clipsearch.notices import notify; notify('a')").stderr == ""
    taken = "import logging; from clipsearch.notices import *; LOGGER.addHandler(WarningsHandler())\nnotify('a')"
    assert "ClipSearchNotice: a" in python(taken).stderr


def test_the_command_line_says_each_once_whatever_handlers_other_libraries_set_up():
    code = (
        "import logging, warnings, sys; logging.basicConfig(level=logging.CRITICAL)\n"
        "from clipsearch import cli; from clipsearch.notices import notify\n"
        "cli.run = lambda: [notify('one'), notify('one'), warnings.warn('of a library'), 0][-1]\n"
        "sys.exit(cli.main())"
    )
    assert python(code).stderr.splitlines() == ["clipsearch: one"] * 2


def test_the_level_of_the_root_logger_is_that_of_others():
    code = "import logging; logging.getLogger().setLevel('ERROR'); from clipsearch.notices import notify; notify('a')"
    assert python(code).stderr == "a\n"
    chosen = code.replace("getLogger()", "getLogger('clipsearch')")
    assert python(chosen).stderr == ""


def test_filters_that_another_library_leaves_behind_swallow_no_notice():
    code = (
        "import warnings; from clipsearch.notices import notify\n"
        "first, second = warnings.catch_warnings(), warnings.catch_warnings()\n"
        "first.__enter__(); warnings.simplefilter('ignore'); second.__enter__()\n"
        "first.__exit__(None, None, None); second.__exit__(None, None, None)\n"
        "assert ('ignore', None, Warning, None, 0) in warnings.filters\n"
        "notify('still told')"
    )
    assert python(code).stderr.splitlines() == ["still told"]


def test_rows_made_in_two_threads_at_once_leave_the_filters_as_they_are():
    before = list(warnings.filters)
    meeting = threading.Barrier(2, timeout=30)

    def encode(texts, encoder):
        meeting.wait()
        return encoder.encode_texts(texts)

    def make(name: str) -> np.ndarray:
        return encode_set([LONG, name], fingerprint=name, dim=4, load_encoder=ColourEncoder, encode=encode)

    with ThreadPoolExecutor(2) as pool:
        assert [rows.shape for rows in pool.map(make, ("one", "two"))] == [(2, 4)] * 2
    assert warnings.filters == before
    with pytest.warns(ClipSearchNotice, match="longer"):
        ColourEncoder().encode_texts([LONG])


def test_a_model_that_is_loaded_for_cached_rows_may_say_so():
    def load() -> ColourEncoder:
        notify("using the small one")
        return ColourEncoder()

    with pytest.warns(ClipSearchNotice, match="small one"):
        encode_set(
            [LONG],
            fingerprint="a",
            dim=4,
            load_encoder=load,
            encode=lambda texts, it: it.encode_texts(texts),
        )


def test_muting_is_of_one_thread_and_ends_with_its_block():
    with muted():
        notify("nobody hears")
        with ThreadPoolExecutor(1) as pool, pytest.warns(ClipSearchNotice, match="elsewhere"):
            pool.submit(notify, "elsewhere").result()
    with pytest.warns(ClipSearchNotice, match="again"):
        notify("again")


def test_texts_that_are_encoded_together_are_muted_each_as_its_thread_has_it():
    is_running, may_end = threading.Event(), threading.Event()

    class Waiting(ColourEncoder):
        def encode_texts(self, texts):
            if "first" in texts:
                is_running.set()
                assert may_end.wait(30)
            return super().encode_texts(texts)

    shared = SharedEncoder(Waiting())

    def quietly() -> None:
        with muted():
            shared.encode_texts([LONG])

    with pytest.warns(ClipSearchNotice) as caught, ThreadPoolExecutor(3) as pool:
        first = pool.submit(shared.encode_texts, ["first"])
        assert is_running.wait(30)
        others = [pool.submit(quietly), pool.submit(shared.encode_texts, [LONG])]
        may_end.set()
        for each in (first, *others):
            each.result()
    assert len(caught) == 1


def test_pictures_decoded_while_others_change_the_filters_leave_nothing_behind():
    before = list(warnings.filters)
    others = warnings.catch_warnings()
    with decoding_settings(10):
        others.__enter__()
    others.__exit__(None, None, None)
    with decoding_settings(10):
        pass
    assert warnings.filters == before
