"""A clock that is set back by a day, and files that become something else between the listing and the reading."""

import os
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from clipsearch import Catalog, restore_catalog
from clipsearch.images.reading import open_regular_file
from clipsearch.store import records
from tests.faults.checks import Outcome, check, squares, stored_contents

DAY_S = 86_400


def set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on everything in this process that asks for the time gets that of yesterday."""
    now, utc_now = time.time, records.utc_now
    monkeypatch.setattr(time, "time", lambda: now() - DAY_S)
    for name, module in list(sys.modules.items()):
        if name.startswith("clipsearch.") and getattr(module, "utc_now", None) is utc_now:
            monkeypatch.setattr(module, "utc_now", lambda: utc_now() - timedelta(days=1))


def test_a_clock_set_back_by_a_day_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos, directory = squares(tmp_path / "photos", 6), tmp_path / "catalog"
    outcome = Outcome("clock", 1, 0, 0, [])
    with Catalog.open(directory, model="starter", create=True) as catalog:
        catalog.index(photos)
        catalog.admin.backup(tmp_path / "copy.sqlite3")
        (photos / "00000.png").unlink()
        catalog.index(photos)
    before = stored_contents(directory)
    set_back(monkeypatch)
    squares(photos, 9)  # the one that was deleted comes back
    with Catalog.open(directory) as catalog:
        report = catalog.index(photos)
        assert (report.embedded, report.reused, report.removed) == (3, 1, 0)
        assert catalog.admin.collect_garbage().pictures == 0
    check(directory, outcome, before=before, expected=9)
    restore_catalog(tmp_path / "copy.sqlite3", directory)
    check(directory, outcome, expected=6)
    with Catalog.open(directory) as catalog:
        assert catalog.index(photos).embedded == 3
    check(directory, outcome, expected=9)
    assert outcome.is_clean, outcome


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_file_swapped_for_a_pipe_after_it_was_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file.jpg").write_bytes(b"content")
    as_listed = os.stat(tmp_path / "file.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    monkeypatch.setattr(os, "stat", lambda _, **__: as_listed)
    with pytest.raises(OSError, match="not a regular file"):  # at once: nobody writes into the pipe
        open_regular_file(str(tmp_path / "pipe.jpg"))
