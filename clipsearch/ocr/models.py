"""Find the models that read text."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from clipsearch.errors import MissingExtraError, ModelError

_DETECTOR, _RECOGNISER, _TURNS = (
    "PP-OCRv6_det_small.onnx",
    "PP-OCRv6_rec_small.onnx",
    "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
)


@dataclass(frozen=True, slots=True)
class OcrModels:
    """ONNX files of one reader of text.

    Attributes:
        name: as it is stored with what it has read.
        detector: finds where text is. recogniser: reads a line; its characters are in its metadata.
        turns: tells whether a line is upside down.
    """

    name: str
    detector: Path
    recogniser: Path
    turns: Path


def bundled_models() -> OcrModels:
    """Return the models in the package rapidocr, which read Latin letters, Chinese and Japanese.

    Raises:
        MissingExtraError: the package is not installed.
        ModelError: it is another version, without these models.
    """
    # Not imported, which takes half a second.
    found = find_spec("rapidocr")
    if found is None or found.origin is None:
        raise MissingExtraError("text in pictures", "rapidocr", "clipsearch[ocr]")
    folder = Path(found.origin).parent / "models"
    files = [folder / name for name in (_DETECTOR, _RECOGNISER, _TURNS)]
    for file in files:
        if not file.is_file():
            raise ModelError(f"this version of rapidocr lacks {file.name}: pip install 'clipsearch[ocr]'")
    return OcrModels("PP-OCRv6 small", *files)
