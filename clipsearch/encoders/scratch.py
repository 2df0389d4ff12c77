"""Folders to make something in before it is moved to its place in the cache."""

import contextlib
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from clipsearch.encoders.fingerprint import make_cache_dir

# Between two files that are made minutes pass, never so long: after that their process is gone. By age and not by
# process number, since the cache may be shared with other machines or containers.
_ABANDONED_AFTER_S = 3600
_PREFIX = ".new-"


@contextlib.contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """A new folder, deleted whatever happens; those of processes that were killed go with it.

    Args:
        parent: lies in the cache; made for its owner alone.

    Raises:
        OSError: it can't be made.
    """
    make_cache_dir()
    parent.mkdir(exist_ok=True, mode=0o700)
    for path in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            status = path.lstat()
            if stat.S_ISDIR(status.st_mode) and time.time() - status.st_mtime > _ABANDONED_AFTER_S:
                shutil.rmtree(path)  # which follows no link
    scratch = Path(tempfile.mkdtemp(dir=parent, prefix=_PREFIX))
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
