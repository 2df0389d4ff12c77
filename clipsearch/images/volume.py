"""What a folder lies on, so that a drive can be told from another one mounted in its place, or from none."""

import os
import sys
from contextlib import suppress
from pathlib import Path

_BY_UUID = Path("/dev/disk/by-uuid")


def find_volume(folder: str) -> str | None:
    """A name for the volume that a folder lies on, the same after a restart where the system makes that possible.

    On Linux the UUID of the file system, else what is mounted and how, as in "cifs //nas/photos"; elsewhere the
    system's number of the volume. None when the folder is not there.
    """
    with suppress(OSError):
        device = os.stat(folder).st_dev  # noqa: PTH116
        if sys.platform != "linux":
            return f"volume {device:x}"
        return _mounted(os.path.realpath(folder)) or f"device {os.major(device)}:{os.minor(device)}"
    return None


def _mounted(folder: str) -> str | None:
    # Source: Linux, Documentation/filesystems/proc.rst, section 3.5: the fifth field is the mount point, and after the
    # single hyphen come the type and what is mounted.
    best = ""
    found: tuple[str, str] | None = None
    for line in Path("/proc/self/mountinfo").read_bytes().splitlines():
        before, _, after = line.partition(b" - ")
        place = os.fsdecode(_unescaped(before.split()[4]))
        if len(place) >= len(best) and (folder == place or folder.startswith(place.rstrip("/") + "/")):
            best, found = place, (os.fsdecode(after.split()[0]), os.fsdecode(_unescaped(after.split()[1])))
    if found is None:
        return None
    kind, source = found
    return (_uuid(source) if source.startswith("/dev/") else None) or f"{kind} {source}"


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
