"""List the hub models that are known to work, with what each finds and costs, and the default of a new catalog."""

from dataclasses import dataclass

# Bytes of a row's id in the index; the row itself is float16. Source: `indexes.flat`, faiss's IDMap,SQfp16.
_ID_BYTES = 8

MANY_LANGUAGES = "100+"
"""`KnownModel.languages` of a multilingual model."""


@dataclass(frozen=True, slots=True)
class KnownModel:
    """Hub model that is known to work.

    Attributes:
        name: hub id.
        revision: commit with safetensors, used when a name has no revision.
        size_bytes: of the weights, nearly all of the download.
        dim: dimensions of an embedding.
        recall: published text-to-image recall@1 on COCO in percent (5,000 pictures of Karpathy's test split, five
            captions each); None: no comparable figure is known.
        languages: of the texts: a language, or `MANY_LANGUAGES`.
        licence: of the weights, else of the code that came with them, an SPDX identifier; None: not known.
            Sources: docs/models.md.
        image_side: of the square crop, in pixels.
        image_gflop: floating-point operations of the image tower for a picture, in billions; a multiply-add counts as
            two.
        description: architecture and training data.
    """

    name: str
    revision: str
    size_bytes: int
    dim: int
    recall: float | None
    languages: str
    licence: str | None
    image_side: int
    image_gflop: float
    description: str

    @property
    def index_bytes(self) -> int:
        """Bytes of a picture in the exact index: its row in float16, and its id."""
        return index_bytes(self.dim)

    @property
    def is_multilingual(self) -> bool:
        """Whether it takes texts in many languages."""
        return self.languages == MANY_LANGUAGES


def index_bytes(dim: int) -> int:
    """Return the bytes of a picture in the exact index of a model with `dim` dimensions."""
    return 2 * dim + _ID_BYTES


# The best recall first, models without a published one last.
#
# Source of revisions and sizes: what public projects pin, several for each model, looked up in 2026-11. OpenAI's main
# branches have pickled weights only; the revision is the hub's own conversion.
# Source of recall: open_clip's docs/openclip_retrieval_results.csv, column "MSCOCO image retr. R@1"; of SigLIP 2:
# big_vision's README_siglip2.md, column "COCO T→I".
# Source of image_gflop: open_clip's docs/model_profile.csv; of SigLIP 2 B/32 the same sum over its layers.
KNOWN_MODELS: tuple[KnownModel, ...] = (
    KnownModel(
        name="google/siglip2-base-patch16-224",
        revision="75de2d55ec2d0b4efc50b3e9ad70dba96a7b2fa2",
        size_bytes=1_500_800_904,
        dim=768,
        recall=52.1,
        languages=MANY_LANGUAGES,
        licence="Apache-2.0",
        image_side=224,
        image_gflop=35.4,
        description="SigLIP 2 ViT-B/16",
    ),
    KnownModel(
        name="google/siglip-base-patch16-224",
        revision="7fd15f0689c79d79e38b1c2e2e2370a7bf2761ed",
        size_bytes=812_672_320,
        dim=768,
        recall=47.8,
        languages="English",
        licence="Apache-2.0",
        image_side=224,
        image_gflop=35.4,
        description="SigLIP ViT-B/16",
    ),
    KnownModel(
        name="google/siglip2-base-patch32-256",
        revision="94dffa8cb1179de3e03f091dbc3917e5d5a9ae84",
        size_bytes=1_507_473_288,
        dim=768,
        recall=47.2,
        languages=MANY_LANGUAGES,
        licence="Apache-2.0",
        image_side=256,
        image_gflop=11.5,
        description="SigLIP 2 ViT-B/32",
    ),
    KnownModel(
        name="laion/CLIP-ViT-B-32-laion2B-s34B-b79K",
        revision="1a25a446712ba5ee05982a381eed697ef9b435cf",
        size_bytes=605_000_000,  # about: the architecture of OpenAI's
        dim=512,
        recall=39.3,
        languages="English",
        licence="MIT",
        image_side=224,
        image_gflop=8.8,
        description="CLIP ViT-B/32 trained on LAION-2B",
    ),
    KnownModel(
        name="openai/clip-vit-large-patch14",
        revision="32bd64288804d66eefd0ccbe215aa642df71cc41",
        size_bytes=1_710_540_580,
        dim=768,
        recall=36.5,
        languages="English",
        licence="MIT",
        image_side=224,
        image_gflop=162.0,
        description="CLIP ViT-L/14 by OpenAI",
    ),
    KnownModel(
        name="openai/clip-vit-base-patch32",
        revision="c237dc49a33fc61debc9276459120b7eac67e7ef",
        size_bytes=605_157_884,
        dim=512,
        recall=30.4,
        languages="English",
        licence="MIT",
        image_side=224,
        image_gflop=8.8,
        description="CLIP ViT-B/32 by OpenAI",
    ),
    KnownModel(
        name="OFA-Sys/chinese-clip-vit-base-patch16",
        revision="f4a64596bbcf9a2a94591b74b9dc39b2e4e77e3e",
        size_bytes=753_106_020,
        dim=512,
        recall=None,
        languages="Chinese",
        licence=None,
        image_side=224,
        image_gflop=35.1,
        description="Chinese-CLIP ViT-B/16",
    ),
)

DEFAULT_MODEL = "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"
"""Model of a new catalog."""

SECOND_DEFAULT_MODEL = "openai/clip-vit-base-patch32"
"""Model of a new catalog where the default one is neither cached nor to be had: the same cost, a lower recall."""


def find_known(name: str) -> KnownModel | None:
    """Find a known model by its hub id, with or without a revision; None when it is not listed."""
    repo_id = name.partition("@")[0]
    return next((known for known in KNOWN_MODELS if known.name == repo_id), None)
