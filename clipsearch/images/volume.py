"""Identify the volume of a folder, to detect another drive mounted in its place, or none."""

import os
import sys
from contextlib import suppress
from pathlib import Path

_BY_UUID = Path("/dev/disk/by-uuid")
_MOUNTS = Path("/proc/self/mountinfo")

# File systems of Linux that persist a file's ctime, or pass on that of a server which does.
_CHANGE_TIMES = frozenset(
    {
        *("bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "jfs", "nilfs2", "ntfs3", "reiserfs", "xfs", "zfs"),
        *("nfs", "nfs4", "overlay", "ramfs", "tmpfs", "virtiofs"),
    }
)


def find_volume(folder: str) -> str | None:
    """Return a name for the volume of a folder, stable across restarts where the system makes that possible.

    On Linux the UUID of the file system, else the type and source of the mount, as in "cifs //nas/photos"; elsewhere
    the system's number of the volume. None when the folder is missing.
    """
    with suppress(OSError):
        device = os.stat(folder).st_dev  # noqa: PTH116
        if sys.platform != "linux":
            return f"volume {device:x}"
        return _mounted(os.path.realpath(folder)) or f"device {os.major(device)}:{os.minor(device)}"
    return None


def keeps_change_times(path: str) -> bool:
    """Return whether the file system of a path persists each file's ctime, also across a remount.

    FAT, FUSE mounts and Windows' shares make it up. Where the system does not list its mounts, only the file system of
    the user's own files counts as one that does.
    """
    with suppress(OSError, RuntimeError, ValueError):
        if sys.platform == "linux":
            return find_file_system(path) in _CHANGE_TIMES
        if sys.platform != "win32":
            return os.stat(path).st_dev in {os.stat(place).st_dev for place in ("/", Path.home())}  # noqa: PTH116
    return False


def find_file_system(path: str) -> str | None:
    """Return the type of the file system of a path, as in "ext4" or "fuse.sshfs"; None where Linux does not say it.

    Raises:
        OSError, ValueError: the system does not list its mounts.
    """
    found = _find_mount(os.path.realpath(path))
    return None if found is None else found[0]


def _mounted(folder: str) -> str | None:
    found = _find_mount(folder)
    if found is None:
        return None
    kind, source = found
    return (_uuid(source) if source.startswith("/dev/") else None) or f"{kind} {source}"


def _find_mount(folder: str) -> tuple[str, str] | None:
    """Return type and source of the mount that holds a path."""
    # Source: Linux, Documentation/filesystems/proc.rst, section 3.5: the fifth field is the mount point, and after the
    # single hyphen come the type and the source.
    best = ""
    found: tuple[str, str] | None = None
    for line in _MOUNTS.read_bytes().splitlines():
        before, _, after = line.partition(b" - ")
        place = os.fsdecode(_unescaped(before.split()[4]))
        if len(place) >= len(best) and (folder == place or folder.startswith(place.rstrip("/") + "/")):
            best, found = place, (os.fsdecode(after.split()[0]), os.fsdecode(_unescaped(after.split()[1])))
    return found


def _uuid(device: str) -> str | None:
    with suppress(OSError):
        for link in _BY_UUID.iterdir():
            if link.resolve() == Path(device).resolve():
                return f"uuid {link.name}"
    return None


def _unescaped(name: bytes) -> bytes:
    for code in (b"\\040", b"\\011", b"\\012", b"\\134"):
        name = name.replace(code, bytes([int(code[1:], 8)]))
    return name
