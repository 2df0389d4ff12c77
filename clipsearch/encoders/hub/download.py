"""Download one large file with resume: the next attempt continues where this one stopped.

huggingface_hub 1.14 to 2.4 restart a file from the beginning in every process: the partial file has a random name and
is deleted on failure. Weights of 600 MB and more are downloaded here instead; a test fails once huggingface_hub can
resume. The result is a blob of the hub's cache, named by its SHA-256, which huggingface_hub then links.
"""

import hashlib
import time
from pathlib import Path
from typing import Any

from clipsearch.errors import ModelError

# Read timeout of a connection, after which the download is retried.
READ_TIMEOUT_S = 10.0
ATTEMPTS = 5
_CHUNK_BYTES = 1 << 20


class DownloadBrokenOffError(OSError):
    """Raised when a download failed after all retries."""


def download_blob(repo_id: str, commit: str, file: Any, blobs: Path, *, show_progress: bool) -> None:
    """Download one LFS file into the cache's folder of blobs, resuming a partial download.

    Safe for concurrent processes: both write the same bytes at the same offsets.

    Args:
        repo_id: "org/name".
        commit: 40 hex digits.
        file: huggingface_hub.RepoFile with `path`, `size` and `lfs.sha256`.
        blobs: the folder; the file is named by its SHA-256, with the suffix ".incomplete" while it is partial.
        show_progress: draw a bar on stderr.

    Raises:
        DownloadBrokenOffError: the download broke off; the partial file is resumed next time.
        ModelError: the size or checksum differs from the hub's; the file is deleted.
    """
    from huggingface_hub import hf_hub_url
    from tqdm import tqdm

    sha256, size = str(file.lfs.sha256), int(file.size)
    blob, partial = blobs / sha256, blobs / f"{sha256}.incomplete"
    if blob.is_file():
        return
    blobs.mkdir(parents=True, exist_ok=True)
    partial.touch()
    url = hf_hub_url(repo_id, file.path, revision=commit)
    try:
        with tqdm(total=size, unit="B", unit_scale=True, desc=file.path, disable=not show_progress) as bar:
            _fill(url, partial, size, bar)
        if partial.stat().st_size != size or _sha256_of(partial) != sha256:
            partial.unlink(missing_ok=True)
            raise ModelError(f"{file.path} of {repo_id} was damaged in transfer and deleted: download it again")
        partial.replace(blob)
    except FileNotFoundError:
        if not blob.is_file():  # else another process has just finished the same file
            raise


def _fill(url: str, partial: Path, size: int, bar: Any) -> None:
    """Download the missing part of `size` bytes, with retries as long as there is progress."""
    failures = 0
    while (done := partial.stat().st_size) < size:
        bar.n = done
        error = _append(url, partial, done, bar)
        failures = 0 if partial.stat().st_size > done else failures + 1
        if failures >= ATTEMPTS:
            reason = error or "the server sends fewer bytes than it announced"
            raise DownloadBrokenOffError(
                f"the download broke off after {done:,} of {size:,} bytes: {reason}"
            ) from error
        if error is not None:
            time.sleep(min(1 + failures, 3))


def _append(url: str, partial: Path, done: int, bar: Any) -> Exception | None:
    """Download from byte `done` on and return the connection error that ended it; None at the end of the file."""
    from huggingface_hub import get_session
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.utils import build_hf_headers, hf_raise_for_status  # type: ignore[attr-defined]

    headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
    if done:
        headers["Range"] = f"bytes={done}-"
    try:
        with get_session().stream("GET", url, headers=headers, timeout=READ_TIMEOUT_S) as response:
            hf_raise_for_status(response)
            # A server may ignore the range and send the whole file.
            begin = done if response.status_code == 206 else 0
            with partial.open("r+b") as out:
                out.seek(begin)
                for chunk in response.iter_bytes(_CHUNK_BYTES):
                    out.write(chunk)
                    bar.update(len(chunk))
    except HfHubHTTPError as error:
        if 400 <= error.response.status_code < 500 and error.response.status_code not in {408, 429}:
            raise  # refused: a retry would fail too
        return error
    except OSError as error:
        if error.errno is not None and error.filename is not None:  # an error of the disk, not of the connection
            raise
        return error
    except Exception as error:  # of httpx or httpx2, depending on the version of huggingface_hub  # noqa: BLE001
        return error
    return None


def _sha256_of(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
