"""A few of each fault; `python -m tests.faults` does many."""

import os

import pytest

pytest.importorskip("resource", reason="kills and limits of POSIX")

from tests.faults import disks, kills, snapshots, writers
from tests.faults.programs import Light

pytestmark = [pytest.mark.usefixtures("colours"), pytest.mark.migrates]

# How many in one test.
KILLS = 6
PICTURES = 160  # five batches


@pytest.fixture(scope="module")
def light() -> Light:
    return Light()


def test_index_killed_at_any_moment_loses_nothing(tmp_path, light):
    outcome = kills.kill_index(tmp_path, kills=KILLS, seed=os.getpid(), pictures=PICTURES, program=light)
    assert outcome.faults == KILLS
    assert outcome.is_clean, outcome


def test_index_killed_at_one_statement_after_another_loses_nothing(tmp_path, light):
    outcome = kills.kill_at_statements(tmp_path, every=6, pictures=PICTURES, program=light)
    assert outcome.faults >= 8
    assert outcome.is_clean, outcome


@pytest.mark.parametrize("is_killed", [False, True])
def test_files_that_may_not_grow(tmp_path, light, is_killed):
    outcome = disks.fill_disk(tmp_path, steps=6, is_killed=is_killed, pictures=PICTURES, program=light)
    assert outcome.faults == 6
    assert outcome.is_clean, outcome


def test_a_full_disk(tmp_path, light):
    outcome = disks.fill_small_disk(tmp_path, steps=2, pictures=PICTURES, program=light)
    if not outcome.faults:
        pytest.skip("this user may not mount")
    assert outcome.is_clean, outcome


def test_several_writers_at_once(tmp_path, light):
    assert writers.run_at_once(tmp_path, rounds=2, pictures=60, program=light).is_clean


def test_a_snapshot_damaged_anywhere_is_noticed_and_made_anew(tmp_path):
    outcome = snapshots.damage_snapshots(tmp_path, flips=12)
    assert outcome.faults == 48
    assert outcome.is_clean, outcome
