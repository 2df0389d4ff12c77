"""What a folder lies on."""

import subprocess
import sys

import pytest

from clipsearch.images import volume
from clipsearch.images.volume import find_volume, keeps_change_times


def test_folders_of_one_volume_agree(tmp_path):
    (tmp_path / "a").mkdir()
    assert find_volume(str(tmp_path)) == find_volume(str(tmp_path / "a"))
    assert find_volume(str(tmp_path)) == find_volume(str(tmp_path))


def test_a_folder_that_is_not_there_lies_on_nothing(tmp_path):
    assert find_volume(str(tmp_path / "nothing")) is None


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a tmpfs")
@pytest.mark.parametrize("name", ["drive", "my drive\\2\tof 3"])
def test_a_drive_mounted_on_a_folder_is_another_volume(tmp_path, name):
    place = tmp_path / name
    place.mkdir()
    before = find_volume(str(place))
    mount = subprocess.run(["mount", "-t", "tmpfs", "photos of 2024", str(place)], capture_output=True, check=False)
    if mount.returncode:
        pytest.skip("this user may not mount")
    try:
        assert find_volume(str(place)) == "tmpfs photos of 2024"
        assert find_volume(str(tmp_path)) == before
    finally:
        subprocess.run(["umount", str(place)], check=True)
    assert find_volume(str(place)) == before


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux what is mounted")
@pytest.mark.parametrize(
    ("kind", "keeps"),
    [("ext4", True), ("nfs4", True), ("vfat", False), ("exfat", False), ("fuse.rclone", False), ("cifs", False)],
)
def test_not_every_file_system_keeps_when_a_file_was_changed(tmp_path, monkeypatch, kind, keeps):
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"1 0 8:1 / / rw - squashfs /dev/sda1 rw\n2 1 8:2 / {tmp_path.resolve()} rw - {kind} source rw\n")
    monkeypatch.setattr(volume, "_MOUNTS", mounts)
    assert keeps_change_times(str(tmp_path / "photo.jpg")) is keeps
    assert keeps_change_times("/") is False


def test_a_path_that_is_nowhere_keeps_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr(volume, "_MOUNTS", tmp_path / "nothing")
    assert keeps_change_times(str(tmp_path / "a\0b")) is False
