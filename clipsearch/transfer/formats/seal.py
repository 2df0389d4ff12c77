"""Seal exports, to trust the folders of those that this user made on this machine.

An export carries a keyed hash of its description; the key lies in the user's configuration and never leaves it. Without
a key, or where none can be stored, exports are written and read all the same, without a seal.

Source: BLAKE3's keyed mode, https://github.com/BLAKE3-team/BLAKE3-specs, section 2.3.
"""

import hmac
import json
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from blake3 import blake3

from clipsearch.configuration import config_dir
from clipsearch.files import create_file
from clipsearch.transfer.formats.description import Description

KEY_NAME = "export-key"

_KEY_BYTES = 32


def seal(description: Description) -> Description:
    """Return the description sealed as this user's own; unchanged when no key can be stored."""
    key = _find_key() or _make_key()
    return description if key is None else replace(description, seal=_hash(description, key))


def is_own(description: Description) -> bool:
    """Return whether the user has made the export, on this machine."""
    key = _find_key()
    return key is not None and hmac.compare_digest(_hash(description, key).encode(), description.seal.encode())


def _hash(description: Description, key: bytes) -> str:
    fields = description.fields() | {"seal": ""}
    return blake3(json.dumps(fields, sort_keys=True).encode("ascii"), key=key).hexdigest()


def _find_key() -> bytes | None:
    with suppress(OSError), (config_dir() / KEY_NAME).open("rb") as file:
        key = file.read(_KEY_BYTES + 1)
        return key if len(key) == _KEY_BYTES else None
    return None


def _make_key() -> bytes | None:
    folder = config_dir()
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Atomic: written to a scratch file and linked, so that a second process finds a complete key.
        scratch = folder / f"{KEY_NAME}.{os.getpid()}.new"
        file = create_file(scratch)
        try:
            with file:
                file.write(os.urandom(_KEY_BYTES))
            with suppress(FileExistsError):
                os.link(scratch, folder / KEY_NAME)
        finally:
            Path(scratch).unlink()
    return _find_key()
