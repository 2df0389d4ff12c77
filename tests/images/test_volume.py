"""What a folder lies on."""

import subprocess
import sys

import pytest

from clipsearch.images.volume import find_volume


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
