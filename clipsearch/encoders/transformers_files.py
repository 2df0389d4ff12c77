"""Load a transformers model and its tokenizer from a local directory: safetensors only, without remote code."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from clipsearch.encoders.families import Family
from clipsearch.encoders.hub import model_files
from clipsearch.errors import ModelError, first_line

_loading = threading.Lock()


def safe_weights(directory: Path) -> tuple[Path, ...]:
    """Return the safetensors files of a model.

    Raises:
        ModelError: there are none, or not all of them; pickled weights are rejected.
    """
    weights = model_files.find_weights(directory)
    if weights:
        return weights
    pickled = sorted(path.name for path in directory.iterdir() if path.suffix in {".bin", ".pt", ".pth", ".ckpt"})
    if pickled:
        raise ModelError(
            f"{directory} has only pickled weights ({pickled[0]}), which can run code; "
            "clipsearch loads safetensors only"
        )
    raise ModelError(f"{directory} has no complete safetensors weights ({model_files.WEIGHTS})")


def load_model(directory: Path, config: dict[str, Any], family: Family, name: str) -> Any:
    """Load a transformers model in float32 and evaluation mode.

    Args:
        directory: in the hub's layout.
        config: its config.json.
        family: of the model.
        name: for messages.

    Raises:
        ModelError: the model is not a supported dual encoder, or its files are damaged or incomplete.
    """
    from transformers import CONFIG_MAPPING, MODEL_MAPPING, AutoModel  # takes seconds

    model_type = str(config.get("model_type"))
    if model_type not in CONFIG_MAPPING:
        remedy = "needs code of its own, which is not run" if "auto_map" in config else "is not one transformers knows"
        raise ModelError(f"{name}: the model type {model_type!r} {remedy}")
    model_class = MODEL_MAPPING.get(CONFIG_MAPPING[model_type], None)
    takes_texts = family.text_call == "mean" or hasattr(model_class, "get_text_features")
    if not (takes_texts and hasattr(model_class, "get_image_features")):
        raise ModelError(f"{name} ({model_type}) does not embed pictures and texts in one space; take a CLIP or SigLIP")
    attention = {} if family.text_attention is None else {"attn_implementation": {"text_config": family.text_attention}}
    try:
        model, info = AutoModel.from_pretrained(
            directory,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
            dtype=torch.float32,
            **attention,
        )
    except Exception as error:  # transformers raises many types for invalid files
        is_misshapen = "mismatched_sizes" in str(error)
        reason = "its weights have other shapes than its config says" if is_misshapen else first_line(error)
        raise ModelError(f"{name} can't be loaded: {reason}") from error
    # transformers initialises missing parameters randomly, with only a log line.
    absent = sorted({*info["missing_keys"], *(str(key) for key in info["mismatched_keys"])})
    if absent or info.get("error_msgs"):
        raise ModelError(
            f"{name}: the weights lack {len(absent)} of the model's parameters, such as {absent[:1]}; "
            "the files are damaged or belong to another model"
        )
    return model.eval()


def load_tokenizer(directory: Path, name: str) -> Any:
    """Load a fast tokenizer, which gives the character positions of tokens.

    Raises:
        ModelError: the tokenizer can't be loaded, or is not a fast one.
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerFast  # takes seconds

    where: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
    try:
        tokenizer = AutoTokenizer.from_pretrained(directory, **where)
        if tokenizer.is_fast:
            return tokenizer
        failure: Exception | None = None
    except Exception as error:  # as above  # noqa: BLE001
        failure = error
    # SigLIP's own tokenizer class needs sentencepiece and has no offsets; its tokenizer.json works without.
    if (directory / "tokenizer.json").is_file():
        try:
            return PreTrainedTokenizerFast.from_pretrained(directory, **where)
        except Exception as error:  # as above  # noqa: BLE001
            failure = failure or error
    reason = first_line(failure) if failure else "it gives no character positions, a tokenizer.json is needed"
    raise ModelError(f"{name}: the tokenizer can't be loaded: {reason}") from failure


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Suppress progress bars and log lines of transformers, for one thread at a time, and restore them afterwards.

    Both settings are global to the process.
    """
    from transformers.utils import logging  # takes seconds

    with _loading:
        verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
        logging.set_verbosity(50)  # critical
        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            yield
        finally:
            logging.set_verbosity(verbosity)
            if bars:
                logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def load_image_processor(directory: Path, name: str) -> Any:
    """Load the image processor of transformers, only to compare with: pictures are prepared by `images.preprocess`.

    Raises:
        ModelError: it can't be loaded.
    """
    from transformers import AutoImageProcessor  # takes seconds

    load: Any = AutoImageProcessor.from_pretrained
    try:
        with quiet():
            return load(directory, trust_remote_code=False, local_files_only=True)
    except Exception as error:  # as above
        raise ModelError(f"can't load the image processor of {name}: {first_line(error)}") from error
