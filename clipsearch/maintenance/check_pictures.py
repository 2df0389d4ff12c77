"""Compare picture files with the hashes of what was indexed, to find changes and bit rot.

Files are read whole, and not decoded.
"""

import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from typing import Literal, TypeAlias

from clipsearch.images.file_stamp import is_elsewhere, stamp_of
from clipsearch.images.reading import hash_file
from clipsearch.images.volume import keeps_change_times
from clipsearch.maintenance.reports import Finding
from clipsearch.paths import is_folder_url
from clipsearch.prefetch import default_workers
from clipsearch.quantities import count
from clipsearch.store.recovery.integrity import Inspection, RecordedFile, choose

Progress: TypeAlias = Callable[[int, int], None]
"""Called with (files compared, files to compare)."""

# Files that are read before a Ctrl-C is seen.
_AT_ONCE = 32

Outcome: TypeAlias = Literal[
    "same", "rotten", "differs", "unreadable", "changed", "missing", "offline", "elsewhere", "url"
]

_ACCEPT_HINT = "'clipsearch index --again' accepts it as it is"

# One finding for each file: severity, message and remedy.
_FINDINGS: dict[Outcome, tuple[Literal["error", "warning"], str, str]] = {
    "rotten": (
        "error",
        "{path} has rotted: its bytes are not those that were indexed, and nothing has written to it since",
        f"restore it from a backup, and see whether its drive is failing; {_ACCEPT_HINT}",
    ),
    "differs": (
        "warning",
        "{path} has other bytes than were indexed, with the same size and time: changed by a program that keeps both, "
        "or rotted",
        f"compare it with a backup; {_ACCEPT_HINT}",
    ),
    "unreadable": (
        "warning",
        "{path} can't be read: {reason}",
        "check its permissions, and whether its drive is failing",
    ),
}
# One finding for all files.
_SUMMARIES: dict[Outcome, tuple[str, str]] = {
    "changed": ("changed since the last 'clipsearch index'", "the next one reads them again"),
    "missing": ("missing", "the next 'clipsearch index' sees that"),
    "offline": ("in a missing folder, as on a drive that is not mounted", "compared when the drive is mounted"),
    "elsewhere": ("not compared: a cloud service has the content", "compared when that is on this machine"),
    "url": ("not compared, because of their URL", "'clipsearch index --again --runner ray' reads what is there"),
}


@dataclass(frozen=True, slots=True)
class ComparedPictures:
    """Result of comparing picture files.

    Attributes:
        files: that are indexed.
        compared: of these, read and compared.
        is_interrupted: stopped by the user before the end.
    """

    files: int = 0
    compared: int = 0
    findings: list[Finding] = field(default_factory=list)
    is_interrupted: bool = False


def compare_pictures(
    inspection: Inspection, *, sample: int | None, on_progress: Progress | None = None
) -> ComparedPictures:
    """Compare picture files with their hashes.

    Args:
        sample: number of files, chosen at random each time; None: all.
        on_progress: called while it runs.
    """
    numbers = inspection.picture_files()
    chosen = choose(numbers, sample)
    outcomes: Counter[Outcome] = Counter()
    examples: dict[Outcome, str] = {}
    findings: list[Finding] = []
    is_interrupted, done = False, 0
    comparison = _Comparison()
    try:
        with ThreadPoolExecutor(default_workers(), thread_name_prefix="clipsearch") as threads:
            for files in inspection.recorded_files(chosen):
                for start in range(0, len(files), _AT_ONCE):
                    part = files[start : start + _AT_ONCE]
                    for file, (outcome, reason) in zip(part, threads.map(comparison.compare, part), strict=True):
                        outcomes[outcome] += 1
                        examples.setdefault(outcome, file.path)
                        if outcome in _FINDINGS:
                            severity, message, remedy = _FINDINGS[outcome]
                            text = message.format(path=file.path, reason=reason)
                            findings.append(Finding(severity, "pictures", text, remedy))
                    done += len(part)
                    if on_progress is not None:
                        on_progress(done, len(chosen))
    except KeyboardInterrupt:
        is_interrupted = True
    for outcome, (what, remedy) in _SUMMARIES.items():
        if outcomes[outcome]:
            subject = count(outcomes[outcome], "picture file is", "picture files are")
            message = f"{subject} {what}, such as {examples[outcome]}"
            findings.append(Finding("info", "pictures", message, remedy))
    compared = outcomes["same"] + outcomes["rotten"] + outcomes["differs"]
    return ComparedPictures(len(numbers), compared, findings, is_interrupted)


class _Comparison:
    """Comparison of files, with a cache for what is the same for each folder or device."""

    def __init__(self) -> None:
        self._is_folder = cache(os.path.isdir)
        self._keeps: dict[int, bool] = {}

    def compare(self, file: RecordedFile) -> tuple[Outcome, str]:
        """Return the outcome for a file, and why it can't be read."""
        if is_folder_url(file.root):
            return "url", ""
        try:
            return self._read(file), ""
        except (FileNotFoundError, NotADirectoryError):
            return ("missing" if self._is_folder(file.root) else "offline"), ""
        except (OSError, ValueError) as error:
            return "unreadable", getattr(error, "strerror", None) or str(error)

    def _read(self, file: RecordedFile) -> Outcome:
        status = os.stat(file.path)  # noqa: PTH116
        before = stamp_of(status)
        if is_elsewhere(status):
            return "elsewhere"
        if before[:2] != (file.size_bytes, file.mtime_ns):
            return "changed"
        after, digest = hash_file(file.path)
        if digest == file.blake3:
            return "same"
        if file.ctime_ns is None or before.ctime_ns is None or not self._keeps_change_times(status.st_dev, file.path):
            return "differs"
        if after != before or before.ctime_ns != file.ctime_ns:
            return "changed"
        # Another inode with the very same times is another file, as on a drive that was copied.
        return "rotten" if before.inode == file.inode else "differs"

    def _keeps_change_times(self, device: int, path: str) -> bool:
        if device not in self._keeps:
            self._keeps[device] = keeps_change_times(path)
        return self._keeps[device]
