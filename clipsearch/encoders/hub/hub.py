"""Find, probe and download models of the Hugging Face hub; only `probe` and `pull` use the network.

The cache is Hugging Face's own (HF_HOME, HF_HUB_CACHE), shared with other programs. `huggingface_hub` is imported
lazily, as it reads its environment variables once, on import.
"""

import contextlib
import os
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from clipsearch.encoders.hub import model_files
from clipsearch.encoders.hub.download import download_blob
from clipsearch.encoders.hub.known_models import find_known
from clipsearch.errors import ModelError, ModelUnavailableError, first_line
from clipsearch.files import atomic_write
from clipsearch.notices import notify

# Timeout of listing a model's files on the hub, name resolution and all retries included.
ANSWER_TIMEOUT_S = 5.0

_COMMIT = re.compile(r"[0-9a-f]{40}")
_REPO_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
_REVISION = re.compile(r"[\w][\w./-]{0,199}", re.ASCII)
_SHARD = re.compile(r"model-\d+-of-\d+\.safetensors")

_T = TypeVar("_T")


def parse_model_name(name: str) -> tuple[str, str | None]:
    """Parse "org/name@revision" into ("org/name", "revision"); without a revision into ("org/name", None).

    Raises:
        ModelError: the name is not of that form.
    """
    repo_id, separator, revision = name.partition("@")
    is_safe = ".." not in name and (not separator or _REVISION.fullmatch(revision))
    if not _REPO_ID.fullmatch(repo_id) or not is_safe:
        raise ModelError(f"invalid model name {name!r}: write org/name or org/name@revision")
    return repo_id, revision or None


def resolve_revision(name: str) -> tuple[str, str]:
    """Return (repository, revision) of a name: its own revision, else that of the known model, else "main"."""
    repo_id, revision = parse_model_name(name)
    if revision is None:
        known = find_known(repo_id)
        revision = "main" if known is None else known.revision
    return repo_id, revision


def find_cached(name: str) -> Path | None:
    """Find the model's directory in the local cache; None when it is incomplete. Never uses the network."""
    repo_id, revision = resolve_revision(name)
    folder = _repo_folder(repo_id)
    commit = revision
    if not _COMMIT.fullmatch(revision):
        try:
            commit = (folder / "refs" / revision).read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            return None
    snapshot = folder / "snapshots" / commit
    return snapshot if _COMMIT.fullmatch(commit) and snapshot.is_dir() and model_files.is_complete(snapshot) else None


def probe(name: str, *, timeout_s: float = ANSWER_TIMEOUT_S) -> int | None:
    """Return the download size of a model in bytes; None when offline or the hub does not answer in time.

    Raises:
        ModelError: the hub has no such model, or it can't be loaded.
    """
    repo_id, revision = resolve_revision(name)
    try:
        return _list_files(repo_id, revision, timeout_s).size_bytes
    except ModelUnavailableError:
        return None


def pull(name: str, *, show_progress: bool = False) -> Path:
    """Download a model into the local cache, resuming an earlier download that broke off.

    The small files come first and the weights last, so that existing weights imply a complete model.

    Args:
        name: "org/name" or "org/name@revision".
        show_progress: draw a bar on stderr; for terminals.

    Returns:
        The model's directory. A complete revision named by its commit is returned without a request.

    Raises:
        ModelUnavailableError: offline, or the hub does not answer.
        ModelError: no such model, access denied, or no safetensors.
    """
    repo_id, revision = resolve_revision(name)
    cached = find_cached(name)
    if cached is not None and _COMMIT.fullmatch(revision):
        return cached
    try:
        listing = _list_files(repo_id, revision, ANSWER_TIMEOUT_S)
    except ModelUnavailableError as error:
        if cached is None:
            raise
        notify(f"{error}; using the cached copy")
        return cached
    with _errors_of(repo_id, revision), _quiet():
        return _download(listing, revision, show_progress)


@dataclass(frozen=True, slots=True)
class _Listing:
    repo_id: str
    commit: str
    small: tuple[Any, ...]  # huggingface_hub.RepoFile: path, size, lfs
    weights: tuple[Any, ...]

    @property
    def size_bytes(self) -> int:
        return sum(int(file.size) for file in (*self.small, *self.weights))


def _list_files(repo_id: str, revision: str, timeout_s: float) -> _Listing:
    """List the files of a model that are to be downloaded.

    Raises:
        ModelUnavailableError: offline, or no answer within the timeout.
        ModelError: no such model, or no safetensors.
    """
    if is_offline():
        raise ModelUnavailableError(
            f"{repo_id} is not in the local cache and HF_HUB_OFFLINE is set; "
            f"unset it, then run 'clipsearch model pull {repo_id}'"
        )

    def ask() -> tuple[str, list[Any]]:
        from huggingface_hub import HfApi

        api = HfApi()
        commit = revision
        if not _COMMIT.fullmatch(revision):
            commit = str(api.repo_info(repo_id, revision=revision, timeout=timeout_s).sha)
        return commit, list(api.list_repo_tree(repo_id, revision=commit))

    with _errors_of(repo_id, revision), _quiet():
        commit, entries = _within(timeout_s, ask)
    files = {entry.path: entry for entry in entries if hasattr(entry, "blob_id")}
    small = tuple(files[path] for path in model_files.SMALL_FILES if path in files)
    weights = _choose_weights(files)
    if not weights:
        raise ModelError(
            f"{repo_id}@{revision} has no safetensors weights, and no other format is loaded. Look for a conversion in "
            f"its pull requests on the hub and name it: {repo_id}@refs/pr/N"
        )
    return _Listing(repo_id, commit, small, weights)


def _choose_weights(files: dict[str, Any]) -> tuple[Any, ...]:
    """Choose model.safetensors, else its shards; other sets of weights (half precision, open_clip's) are ignored."""
    if model_files.WEIGHTS in files:
        return (files[model_files.WEIGHTS],)
    if model_files.WEIGHTS_INDEX in files:
        return tuple(file for path, file in sorted(files.items()) if _SHARD.fullmatch(path))
    return ()


def _download(listing: _Listing, revision: str, show_progress: bool) -> Path:
    from huggingface_hub import snapshot_download
    from tqdm import tqdm

    class NoBar(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **options: Any) -> None:
            options.pop("name", None)  # an option of huggingface_hub's own bars
            super().__init__(*args, **{**options, "disable": True})

    def fetch(files: Sequence[Any]) -> Path:
        paths = [file.path for file in files]
        found = snapshot_download(
            listing.repo_id,
            revision=listing.commit,
            allow_patterns=paths,
            tqdm_class=NoBar,
            etag_timeout=ANSWER_TIMEOUT_S,
        )
        return Path(found)

    folder = _repo_folder(listing.repo_id)
    fetch(listing.small)
    for file in listing.weights:
        # Files without LFS are small: snapshot_download below fetches them, and links the blobs downloaded here.
        if file.lfs is not None:
            download_blob(listing.repo_id, listing.commit, file, folder / "blobs", show_progress=show_progress)
    snapshot = fetch(listing.weights)
    if not model_files.is_complete(snapshot):
        raise ModelError(
            f"{listing.repo_id}@{revision} lacks its config, tokenizer or image processor; it can't be used"
        )
    if not _COMMIT.fullmatch(revision):
        # Last, so that a branch refers to the old, complete snapshot until the new one is complete.
        ref = folder / "refs" / revision
        ref.parent.mkdir(parents=True, exist_ok=True)
        # The mode is huggingface_hub's: the cache may be shared.
        atomic_write(ref, listing.commit.encode("ascii"), mode=0o666)
    return snapshot


def _within(timeout_s: float, ask: Callable[[], _T]) -> _T:
    """Call `ask` with a timeout, in a thread, because name resolution has no timeout of its own."""
    answers: list[_T] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            answers.append(ask())
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True, name="clipsearch-hub")
    thread.start()
    thread.join(timeout_s)
    if answers:
        return answers[0]
    if errors:
        raise errors[0]
    raise TimeoutError(f"no answer within {timeout_s:g} seconds")


@contextlib.contextmanager
def _errors_of(repo_id: str, revision: str) -> Iterator[None]:
    """Convert errors of huggingface_hub and the connection to ModelError and ModelUnavailableError, of one line."""
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

    try:
        yield
    except ModelError:
        raise
    except GatedRepoError as error:
        raise ModelError(
            f"{repo_id} is gated: accept its terms on its page on the hub, then run 'hf auth login'"
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelError(
            f"the hub has no model {repo_id}, or it is private: check the spelling, or run 'hf auth login'"
        ) from error
    except RevisionNotFoundError as error:
        raise ModelError(f"{repo_id} has no revision {revision!r}: leave it out or look it up on the hub") from error
    except Exception as error:
        is_local = isinstance(error, OSError) and error.errno is not None and error.filename is not None
        if is_local and not isinstance(error, HfHubHTTPError):
            raise ModelError(f"{repo_id} can't be stored: {error}") from error
        raise ModelUnavailableError(
            f"{repo_id} can't be downloaded from the hub ({first_line(error)}); once the hub can be reached, "
            f"'clipsearch model pull {repo_id}' resumes the download"
        ) from error


_quieting = threading.Lock()
_saved_verbosity: list[int] = []  # the verbosity to restore, and a copy of it for each thread in `_quiet`


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppress log lines of huggingface_hub on stderr.

    Its verbosity is global to the process: the first thread turns it off, and the last one restores it.
    """
    from huggingface_hub.utils import logging

    with _quieting:
        if not _saved_verbosity:
            _saved_verbosity.append(logging.get_verbosity())
            logging.set_verbosity(50)  # critical
        _saved_verbosity.append(_saved_verbosity[0])
    is_over = True
    try:
        yield
    except TimeoutError:
        is_over = False  # the abandoned thread may still log
        raise
    finally:
        if is_over:
            with _quieting:
                _saved_verbosity.pop()
                if len(_saved_verbosity) == 1:
                    logging.set_verbosity(_saved_verbosity.pop())


def is_offline() -> bool:
    """Return whether HF_HUB_OFFLINE is set, now or when huggingface_hub was imported."""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
        return True
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def cache_folder() -> Path:
    """Return the folder that models are downloaded to; it may not exist yet."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def _repo_folder(repo_id: str) -> Path:
    # Source: huggingface_hub's guide "Understand caching": models--{org}--{name}/{blobs,refs,snapshots}.
    return cache_folder() / f"models--{repo_id.replace('/', '--')}"
