"""Run dual encoders through transformers: CLIP, SigLIP and all others, see `families`.

Model files are untrusted data: loaded from a local directory, safetensors only, without remote code.
"""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from clipsearch.encoders.adapter import Adapter, frame_of, head_of, simplify_pooling
from clipsearch.encoders.base import MIN_COSINE, Crops
from clipsearch.encoders.devices import choose_device
from clipsearch.encoders.families import Family, family_of
from clipsearch.encoders.fingerprint import fingerprint_of
from clipsearch.encoders.hub import model_files
from clipsearch.encoders.long_text import Offsets, chunk_texts, mean_of_chunks
from clipsearch.encoders.transformers_files import load_model, load_tokenizer, quiet, safe_weights
from clipsearch.errors import ModelError
from clipsearch.images.preprocess import Preprocess, from_processor_config
from clipsearch.vectors import normalise

# Rows of a batch. On a CPU: enough to use all cores, and less than 2 GB of memory with a large model. On other devices:
# halved when out of memory.
IMAGE_BATCH = 32
DEVICE_IMAGE_BATCH = 256
TEXT_BATCH = 64

# Settings that change the rows but not the shapes of the weights.
_SETTINGS = (
    "hidden_act",
    "layer_norm_eps",
    "num_attention_heads",
    "eos_token_id",
    "bos_token_id",
    "pad_token_id",
    "vision_use_head",
)


class TransformersEncoder:
    """`Encoder` of a transformers model; create it with `TransformersEncoder.load`.

    Attributes:
        model: the transformers model, in evaluation mode; float32 on a CPU, else float16 if its rows agree.
        tokenizer: the transformers tokenizer.
        device: device of the model.
    """

    def __init__(
        self,
        *,
        name: str,
        model: Any,
        tokenizer: Any,
        adapter: Adapter,
        prompt: str,
        fingerprint: str,
        device: torch.device,
        half: bool,
    ) -> None:
        self.name = name
        self.model = model.to(device)
        self.tokenizer = tokenizer
        self.adapter = adapter
        self.prompt = prompt
        self.preprocess = adapter.preprocess
        self.fingerprint = fingerprint
        self.device = device
        self.batch_size = IMAGE_BATCH if device.type == "cpu" else DEVICE_IMAGE_BATCH
        self.head = head_of(model, adapter.family, name)
        self.lower_case = adapter.family.lower_case
        self.patch_grid = adapter.patch_grid(model)
        self.context_length = _context_length(model, tokenizer, adapter.family, name)
        self.dim = self._text_features(["a"]).shape[1]
        if half:
            self._try_half_precision()

    @classmethod
    def load(
        cls, directory: Path, *, name: str | None = None, device: str | None = None, half: bool | None = None
    ) -> Self:
        """Load a model from a local directory in the hub's layout; never uses the network.

        Args:
            directory: with config.json, safetensors, tokenizer and image processor.
            name: as the user gave it; the directory when None.
            device: "cpu", "cuda", "cuda:1", "mps"; None: the best one available.
            half: use float16 unless the rows then differ; None: on all devices but a CPU.

        Raises:
            ModelError: files are missing or inconsistent, or loading would need untrusted code or pickled weights.
        """
        directory = Path(directory)
        name = name or str(directory)
        target = choose_device(device)
        config = model_files.read_json(directory / model_files.CONFIG)
        weights = safe_weights(directory)
        tokenizer_files = model_files.find_tokenizer_files(directory)
        if not tokenizer_files:
            raise ModelError(
                f"{directory} has no tokenizer files (tokenizer.json, vocab.json and merges.txt, vocab.txt)"
            )
        preprocess = from_processor_config(model_files.read_processor_config(directory))
        family = family_of(config)
        _check_shape(family, preprocess, name)
        with quiet():
            model = load_model(directory, config, family, name)
            tokenizer = load_tokenizer(directory, name)
        _check_image_size(model, family, preprocess, name)
        simplify_pooling(model, family)
        frame = frame_of(model.config, tokenizer) if family.image_call == "tokens" else ((), ())
        prompt = model_files.read_prompt(directory, family.prompt_names)
        fingerprint = fingerprint_of(
            weights=weights,
            tokenizer_files=tokenizer_files,
            preprocess=preprocess,
            settings=_settings(model.config, family) | ({"prompt": prompt} if prompt else {}),
        )
        return cls(
            name=name,
            model=model,
            tokenizer=tokenizer,
            adapter=Adapter(family, preprocess, frame),
            prompt=prompt,
            fingerprint=fingerprint,
            device=target,
            half=target.type != "cpu" if half is None else half,
        )

    def encode_images(self, crops: Crops) -> NDArray[np.float32]:
        """Embed crops, see `Encoder.encode_images`."""
        expected = (self.preprocess.height, self.preprocess.width, 3)
        for crop in crops:
            if crop.shape != expected or crop.dtype != np.uint8:
                found = (len(crops), *crop.shape)
                raise ValueError(f"crops must be uint8 (n, {', '.join(map(str, expected))}), not {crop.dtype} {found}")
        rows = np.empty((len(crops), self.dim), dtype=np.float32)
        begin = 0
        while begin < len(crops):
            part = crops[begin : begin + self.batch_size]
            try:
                features = self._image_features(part)
            except torch.OutOfMemoryError as error:
                if self.batch_size == 1:
                    raise ModelError(
                        f"{self.name} needs more memory than {self.device} has: use --device cpu"
                    ) from error
                self.batch_size //= 2
                torch.cuda.empty_cache()
                continue
            rows[begin : begin + len(part)] = self._unit_norm(features, "picture")
            begin += len(part)
        return rows

    def encode_patches(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed patches, see `PatchEncoder.encode_patches`; only with a `patch_grid`."""
        if self.patch_grid is None:
            raise ModelError(f"the patches of {self.name} are not aligned with texts")
        self.require_open()
        parts = []
        with torch.inference_mode():
            for begin in range(0, len(crops), IMAGE_BATCH):
                part = torch.from_numpy(crops[begin : begin + IMAGE_BATCH]).to(self.device)
                _, patches = self.adapter.patch_features(self.model, part)
                parts.append(self._unit_norm(patches.flatten(0, 1), "patch"))
        rows = np.concatenate(parts) if parts else np.empty((0, self.dim), np.float32)
        return rows.reshape(len(crops), *self.patch_grid, self.dim)

    def close(self) -> None:
        """Release the model, see `Encoder.close`."""
        self.model = self.tokenizer = None
        if self.device.type == "cuda":
            torch.cuda.empty_cache()  # PyTorch's allocator caches freed memory

    def require_open(self) -> None:
        if self.model is None:
            raise ModelError(f"the model {self.name} is closed: load it again")

    def _image_features(self, crops: Crops) -> torch.Tensor:
        """Return projected image features (n, dim), not normalised; copies uint8 crops to the device, not floats."""
        self.require_open()
        joined = torch.from_numpy(crops) if isinstance(crops, np.ndarray) else self._join(crops)
        with torch.inference_mode():
            return self.adapter.image_features(self.model, joined.to(self.device, non_blocking=joined.is_pinned()))

    def _join(self, crops: Sequence[NDArray[np.uint8]]) -> torch.Tensor:
        """Copy crops that lie apart to (n, height, width, 3), from where a GPU reads them itself."""
        is_cuda = self.device.type == "cuda"
        joined = torch.empty((len(crops), *crops[0].shape), dtype=torch.uint8, pin_memory=is_cuda)
        np.stack(crops, out=joined.numpy())
        return joined

    def _try_half_precision(self) -> None:
        crops = random_crops(4, self.preprocess)
        single = np.concatenate([self.encode_images(crops), self.encode_texts(["a cat", "snow"])])
        model, self.model = self.model, copy.deepcopy(self.model).half()
        try:
            half = np.concatenate([self.encode_images(crops), self.encode_texts(["a cat", "snow"])])
        except ModelError:  # overflow of float16
            self.model = model
            return
        if float((single * half).sum(axis=1).min()) < MIN_COSINE:
            self.model = model

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts, see `Encoder.encode_texts`."""
        if not texts:
            return np.empty((0, self.dim), dtype=np.float32)
        self.require_open()
        chunks = chunk_texts(
            [self._normalised(text) for text in texts],
            self._offsets,
            context_length=self.context_length,
            special_tokens=self._added_tokens(),
        )
        # Sorted by length to minimise padding; a stable sort makes batches deterministic.
        order = np.argsort(chunks.lengths, kind="stable")
        rows = np.empty((len(order), self.dim), dtype=np.float32)
        for begin in range(0, len(order), TEXT_BATCH):
            batch = order[begin : begin + TEXT_BATCH]
            rows[batch] = self._unit_norm(self._text_features([chunks.texts[row] for row in batch]), "text")
        return mean_of_chunks(rows, chunks.counts)

    def tokenize(self, text: str) -> list[int]:
        """Return the token ids of a text, start and end tokens and padding included, not truncated."""
        ids = self.inputs_of([text])["input_ids"][0].tolist()
        return [int(token_id) for token_id in ids]

    def count_tokens(self, text: str) -> int:
        """Count the tokens of a text, see `Encoder.count_tokens`."""
        self.require_open()
        return len(self._offsets([self._normalised(text)])[0]) + self._added_tokens()

    def _added_tokens(self) -> int:
        """Return the number of start and end tokens, and of those of the prompt, which every text gets."""
        prompt = len(self._offsets([self.prompt])[0]) if self.prompt else 0
        return int(self.tokenizer.num_special_tokens_to_add(pair=False)) + prompt

    def inputs_of(self, texts: Sequence[str]) -> dict[str, torch.Tensor]:
        """Return the text tower's inputs for texts that fit: input_ids (n, length) and, for most, attention_mask."""
        texts = [self.prompt + self._normalised(text) for text in texts]
        fixed = self.adapter.family.text_padding == "context"
        encoded = self.tokenizer(
            texts,
            padding="max_length" if fixed else "longest",
            max_length=self.context_length if fixed else None,
            truncation=False,
            return_tensors="pt",
            verbose=False,
        )
        ids, mask = encoded["input_ids"], encoded.get("attention_mask")
        if ids.shape[1] == 0:
            ids = torch.full((len(texts), 1), int(self.tokenizer.pad_token_id or 0))
            mask = torch.zeros_like(ids)
        if ids.shape[1] > self.context_length:
            raise ModelError(f"{self.name} takes {self.context_length} tokens of text, not {ids.shape[1]}: shorten it")
        vocab_size = getattr(getattr(self.model.config, "text_config", None), "vocab_size", None)
        if vocab_size is not None and int(ids.max()) >= vocab_size:
            raise ModelError(
                f"{self.name}: the tokenizer gives ids beyond the model's vocabulary of {vocab_size}; the files belong "
                "to different models"
            )
        if fixed or mask is None:
            return {"input_ids": ids.to(self.device)}
        # A text without any token, start and end tokens included, is one padding token.
        mask[mask.sum(dim=1) == 0, 0] = 1
        return {"input_ids": ids.to(self.device), "attention_mask": mask.to(self.device)}

    def _normalised(self, text: str) -> str:
        return text.lower() if self.lower_case else text

    def _offsets(self, texts: Sequence[str]) -> list[Offsets]:
        encoded = self.tokenizer(
            list(texts), add_special_tokens=False, return_offsets_mapping=True, truncation=False, verbose=False
        )
        return [[(int(start), int(end)) for start, end in offsets] for offsets in encoded["offset_mapping"]]

    def _text_features(self, texts: Sequence[str]) -> torch.Tensor:
        """Return projected text features (n, dim), not normalised."""
        self.require_open()
        with torch.inference_mode():
            return self.adapter.text_features(self.model, self.inputs_of(texts))

    def _unit_norm(self, features: torch.Tensor, what: str) -> NDArray[np.float32]:
        rows: NDArray[np.float32] = features.float().cpu().numpy()
        if rows.shape[1] != self.dim:
            raise ModelError(f"{self.name} gives {rows.shape[1]} numbers for a {what} but {self.dim} for a text")
        try:
            return normalise(rows)
        except ModelError as error:
            raise ModelError(f"{self.name}, a {what}: {error}; the model's files may be damaged") from error


def random_crops(count: int, spec: Preprocess) -> NDArray[np.uint8]:
    """Generate uint8 crops (count, height, width, 3) of noise; where the model takes patches, of several shapes."""
    rng = np.random.default_rng(0)
    if spec.patches is None:
        return rng.integers(0, 256, (count, spec.height, spec.width, 3), dtype=np.uint8)
    shapes = [spec.patches.shape_for(*rng.integers(1, 9, 2)) for _ in range(count)]
    side = spec.patches.size
    return np.stack(
        [
            spec.patches.pack(rng.integers(0, 256, (rows * side, columns * side, 3), dtype=np.uint8))
            for rows, columns in shapes
        ]
    )


def _context_length(model: Any, tokenizer: Any, family: Family, name: str) -> int:
    """Return the context length: the tokenizer's and the family's limit, at most the number of position embeddings."""
    lengths = [int(tokenizer.model_max_length)]
    if family.text_tokens is not None:
        lengths.append(family.text_tokens)
    for module_name, module in model.named_modules():
        if (
            isinstance(module, torch.nn.Embedding)
            and "position_embedding" in module_name
            and "vision" not in module_name
        ):
            # RoBERTa's positions start at padding_idx + 1; see AltRobertaEmbeddings in modeling_altclip.py.
            first = 0 if module.padding_idx is None else module.padding_idx + 1
            lengths.append(module.num_embeddings - first)
    if len(lengths) == 1:  # positions that are not learnt
        lengths += [int(getattr(getattr(model.config, "text_config", None), "max_position_embeddings", lengths[0]))]
    if min(lengths) > 1 << 20:  # transformers uses 1e30 for "unknown"
        raise ModelError(f"{name}: neither the tokenizer nor the model has a context length")
    return min(lengths)


def _check_shape(family: Family, preprocess: Preprocess, name: str) -> None:
    takes_patches = family.image_call != "pixels"
    if takes_patches != (preprocess.patches is not None):
        model, processor = ("variable (NaFlex)", "fixed") if takes_patches else ("fixed", "variable")
        raise ModelError(
            f"{name} takes pictures of {model} resolution, its image processor makes those of {processor} resolution: "
            "the files belong to different models"
        )


def _check_image_size(model: Any, family: Family, preprocess: Preprocess, name: str) -> None:
    vision = getattr(model.config, "vision_config", None)
    patch_size = getattr(vision, "patch_size", None)
    if preprocess.patches is not None and patch_size != preprocess.patches.size:
        raise ModelError(
            f"{name}: the image processor makes patches of {preprocess.patches.size} pixels, "
            f"the model takes {patch_size}"
        )
    size = getattr(vision, "image_size", None)
    if family.has_fixed_size and isinstance(size, int) and (size, size) != (preprocess.height, preprocess.width):
        raise ModelError(
            f"{name}: the image processor gives {preprocess.height}×{preprocess.width} pixels, "
            f"the model takes {size}×{size}"
        )


def _settings(config: Any, family: Family) -> dict[str, Any]:
    """Return model_type and the fields of `_SETTINGS` and of the family, of the whole model and of both towers."""
    towers = {
        "": config,
        "text": getattr(config, "text_config", None),
        "vision": getattr(config, "vision_config", None),
    }
    found = {
        f"{tower}.{field}": getattr(part, field)
        for tower, part in towers.items()
        for field in _SETTINGS
        if isinstance(getattr(part, field, None), (str, int, float))
    }
    for tower, part in towers.items():
        for field in family.settings:
            if getattr(part, field, None) is not None:
                found[f"{tower}.{field}"] = getattr(part, field)
    return {"model_type": config.model_type, **found}
