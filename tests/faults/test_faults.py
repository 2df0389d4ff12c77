"""A few of each fault; `python -m tests.faults` does many."""

import os

import pytest

pytest.importorskip("resource", reason="kills and limits of POSIX")

from tests.faults import disks, kills, snapshots, writers

pytestmark = pytest.mark.migrates

# How many in one test.
KILLS = 3


def test_index_killed_at_any_moment_loses_nothing(tmp_path):
    outcome = kills.kill_index(tmp_path, kills=KILLS, seed=os.getpid())
    assert outcome.faults == KILLS
    assert outcome.is_clean, outcome


def test_files_that_may_not_grow(tmp_path):
    outcome = disks.fill_disk(tmp_path, steps=3)
    assert outcome.faults == 3
    assert outcome.is_clean, outcome


def test_a_full_disk(tmp_path):
    outcome = disks.fill_small_disk(tmp_path, steps=1)
    if not outcome.faults:
        pytest.skip("this user may not mount")
    assert outcome.is_clean, outcome


def test_several_writers_at_once(tmp_path):
    assert writers.run_at_once(tmp_path, rounds=1).is_clean


def test_a_snapshot_damaged_anywhere_is_noticed_and_made_anew(tmp_path):
    outcome = snapshots.damage_snapshots(tmp_path, flips=12)
    assert outcome.faults == 48
    assert outcome.is_clean, outcome
