"""Find and check the files of a model directory in the hub's layout."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from clipsearch.errors import ModelError
from clipsearch.files import read_regular_file

# Far above the largest JSON files, vocabularies of some megabytes.
_MAX_JSON_BYTES = 200_000_000

# Characters of a prompt.
_MAX_PROMPT = 200

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
WEIGHTS_INDEX = "model.safetensors.index.json"

# Either of the two contains the image processor; processor_config.json nests it under "image_processor".
PREPROCESSOR_CONFIG = "preprocessor_config.json"
PROCESSOR_CONFIG = "processor_config.json"

# Prompts of models that are published for sentence-transformers.
PROMPTS = "config_sentence_transformers.json"

# Each entry alone is enough to tokenise.
TOKENIZER_SETS = (
    ("tokenizer.json",),
    ("vocab.json", "merges.txt"),
    ("vocab.txt",),
    ("spiece.model",),
    ("sentencepiece.bpe.model",),
    ("tokenizer.model",),
)

# Everything a tokenizer may read; all files present count for the fingerprint.
TOKENIZER_FILES = (
    *(name for names in TOKENIZER_SETS for name in names),
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
)

# Files downloaded in addition to the weights. An allow-list, not "*.json", which would include the indexes of pickled
# weights; open_clip's repositories also have a second copy of the weights under another name.
SMALL_FILES = (CONFIG, PREPROCESSOR_CONFIG, PROCESSOR_CONFIG, PROMPTS, WEIGHTS_INDEX, *TOKENIZER_FILES)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        ModelError: the file is missing, unreadable or not a JSON object.
    """
    try:
        content = json.loads(read_regular_file(path, max_bytes=_MAX_JSON_BYTES))
    except FileNotFoundError:
        raise ModelError(f"{path.parent} has no {path.name}: is it the directory of a model?") from None
    except (OSError, ValueError, RecursionError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or error
        raise ModelError(f"{path} can't be read: {reason}") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} does not hold a JSON object")
    return content


def read_prompt(directory: Path, names: Sequence[str]) -> str:
    """Return the first prompt of these names in config_sentence_transformers.json; "" when there is none.

    Raises:
        ModelError: the file is unreadable, or a prompt is not a text.
    """
    if not names or not (directory / PROMPTS).is_file():
        return ""
    prompts = read_json(directory / PROMPTS).get("prompts")
    found = next((prompts[name] for name in names if name in prompts), "") if isinstance(prompts, dict) else ""
    if not isinstance(found, str) or len(found) > _MAX_PROMPT:
        raise ModelError(f"{directory / PROMPTS} has a prompt that is not a short text")
    return found


def find_weights(directory: Path) -> tuple[Path, ...]:
    """Find the safetensors files of a model, sorted; empty when there are none or a shard is missing."""
    single = directory / WEIGHTS
    if single.is_file():
        return (single,)
    index = directory / WEIGHTS_INDEX
    if not index.is_file():
        return ()
    shards = tuple(directory / name for name in shard_names(read_json(index)))
    return shards if shards and all(shard.is_file() for shard in shards) else ()


def shard_names(index: dict[str, Any]) -> tuple[str, ...]:
    """Return the file names in a model.safetensors.index.json, sorted.

    Raises:
        ModelError: the index is invalid, or a name leads out of the directory.
    """
    weight_map = index.get("weight_map")
    if not isinstance(weight_map, dict):
        raise ModelError(f"{WEIGHTS_INDEX} has no weight_map")
    names = sorted({str(name) for name in weight_map.values()})
    for name in names:
        if "/" in name or "\\" in name or not name.endswith(".safetensors"):
            raise ModelError(f"{WEIGHTS_INDEX} lists {name!r}, which is not a safetensors file in the same folder")
    return tuple(names)


def find_tokenizer_files(directory: Path) -> tuple[Path, ...]:
    """Find the files that a tokenizer may read, sorted by name; empty when no set of them is complete."""
    if not has_tokenizer(path.name for path in directory.iterdir() if path.is_file()):
        return ()
    return tuple(sorted(path for name in TOKENIZER_FILES if (path := directory / name).is_file()))


def has_tokenizer(names: Iterable[str]) -> bool:
    """Return whether a complete set of tokenizer files is among `names`."""
    present = set(names)
    return any(present.issuperset(needed) for needed in TOKENIZER_SETS)


def is_complete(directory: Path) -> bool:
    """Return whether a directory has everything needed to load a model: config, weights, tokenizer, image processor."""
    if not (directory / CONFIG).is_file() or not find_tokenizer_files(directory):
        return False
    has_processor = any((directory / name).is_file() for name in (PREPROCESSOR_CONFIG, PROCESSOR_CONFIG))
    return has_processor and bool(find_weights(directory))


def read_processor_config(directory: Path) -> dict[str, Any]:
    """Read the image processor's settings, from preprocessor_config.json or the newer processor_config.json.

    Raises:
        ModelError: both are missing.
    """
    if (directory / PREPROCESSOR_CONFIG).is_file():
        return read_json(directory / PREPROCESSOR_CONFIG)
    if (directory / PROCESSOR_CONFIG).is_file():
        nested = read_json(directory / PROCESSOR_CONFIG).get("image_processor")
        if isinstance(nested, dict):
            return nested
    raise ModelError(f"{directory} has no {PREPROCESSOR_CONFIG}: the preprocessing of pictures is unknown")
