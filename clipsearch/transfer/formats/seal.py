"""Which exports were made here: what they say of folders can be believed.

An export carries a keyed hash of its description; the key lies in the user's configuration and never leaves it. Whoever
has no key, or can't keep one, makes and reads exports all the same, without this.

Source: BLAKE3's keyed mode, https://github.com/BLAKE3-team/BLAKE3-specs, section 2.3.
"""

import hmac
import json
import os
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

from blake3 import blake3

from clipsearch.files import create_file
from clipsearch.paths import config_dir
from clipsearch.transfer.formats.description import Description

KEY_NAME = "export-key"

_KEY_BYTES = 32


def seal(description: Description) -> Description:
    """The description as this user's own; as it is where no key can be kept."""
    key = _find_key() or _make_key()
    return description if key is None else replace(description, seal=_hash(description, key))


def is_own(description: Description) -> bool:
    """Whether the user has made the export, on this machine."""
    key = _find_key()
    return key is not None and hmac.compare_digest(_hash(description, key).encode(), description.seal.encode())


def _hash(description: Description, key: bytes) -> str:
    said = asdict(description) | {"seal": ""}
    return blake3(json.dumps(said, sort_keys=True).encode("ascii"), key=key).hexdigest()


def _find_key() -> bytes | None:
    with suppress(OSError), (config_dir() / KEY_NAME).open("rb") as file:
        key = file.read(_KEY_BYTES + 1)
        return key if len(key) == _KEY_BYTES else None
    return None


def _make_key() -> bytes | None:
    folder = config_dir()
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Written beside and linked: whoever comes second finds a whole one.
        fresh = folder / f"{KEY_NAME}.{os.getpid()}.new"
        file = create_file(fresh)
        try:
            with file:
                file.write(os.urandom(_KEY_BYTES))
            with suppress(FileExistsError):
                os.link(fresh, folder / KEY_NAME)
        finally:
            Path(fresh).unlink()
    return _find_key()
