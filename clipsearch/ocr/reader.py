"""Read the text in one picture: find its lines, turn them upright, read each, and tell what is text."""

import threading
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clipsearch.errors import ModelError
from clipsearch.ocr.lines import TextLine, clean_text
from clipsearch.ocr.look import ReadImage, look_of
from clipsearch.ocr.models import OcrModels
from clipsearch.ocr.pieces import Piece, pieces_of
from clipsearch.ocr.recognition import SURE, LineReader, Model
from clipsearch.processes import return_freed_memory
from clipsearch.text import needs_no_blank

# Longer sides at which text is looked for: whether there is any, and where. At 480 pixels a page still shows its lines.
_FIRST_SIDE, _SIDE = 480, 800

# Shares from which a pixel and a box are text, how far a box is grown, and boxes of one picture. Source: rapidocr's
# config.yaml, Det; DBPostProcess.
_PIXEL, _BOX, _GROWN, _MOST_BOXES = 0.3, 0.5, 1.6, 1_000

# Least confidence of a line where surely read ones have `_SURE_LETTERS` together; else only sure ones count. What is
# read in photographs without text are mostly one or two letters and numbers, few of them surely.
_FAIRLY_SURE = 0.6
_SURE_LETTERS = 20
_LEAST_LETTERS, _LEAST_CHARACTERS = 2, 3

_LARGE_BYTES = 4_000_000


class TextReader:
    """Reads text with models that are loaded once. Thread-safe, one picture at a time."""

    def __init__(self, models: OcrModels) -> None:
        """Load the models.

        Raises:
            MissingExtraError: rapidocr is not installed.
            ModelError: a file is missing, or no such model.
        """
        from rapidocr.ch_ppocr_det.utils import DBPostProcess, DetPreProcess

        self._detector = Model(models.detector)
        self._lines = LineReader(models)
        self._prepare = {side: DetPreProcess(side, "max") for side in (_FIRST_SIDE, _SIDE)}
        self._boxes_of = DBPostProcess(_PIXEL, _BOX, _MOST_BOXES, _GROWN, use_dilation=True)
        self._lock = threading.Lock()

    def read(self, image: Image.Image) -> ReadImage:
        """Read a picture, mode "RGB", of a size as `pieces.fit` makes it.

        Raises:
            ModelError: the models are not of this kind: what they return has another shape.
        """
        with self._lock:
            try:
                found = [line for piece in pieces_of(*image.size) for line in self._read_piece(image, piece)]
            except (ValueError, IndexError, TypeError) as error:
                raise ModelError(f"the models that read text do not fit: {error}") from error
        return ReadImage(tuple(_likely(found)), look_of(image, found) if found else None)

    def _read_piece(self, image: Image.Image, piece: Piece) -> Iterator[TextLine]:
        """Yield the lines whose middle lies in the own part of a piece, with boxes in the whole picture."""
        left, top, right, bottom = piece.box
        for line in self._read_picture(image.crop(piece.box)):
            edges = (
                (left + line.box[0] * (right - left)) / image.width,
                (top + line.box[1] * (bottom - top)) / image.height,
                (left + line.box[2] * (right - left)) / image.width,
                (top + line.box[3] * (bottom - top)) / image.height,
            )
            middle = (edges[0] + edges[2]) / 2 if image.width > image.height else (edges[1] + edges[3]) / 2
            if piece.begin <= middle < piece.end:
                yield TextLine(line.text, line.confidence, edges)

    def _read_picture(self, image: Image.Image) -> Sequence[TextLine]:
        """Return all lines that are found, with the text "" where nothing was read."""
        pixels = np.ascontiguousarray(np.asarray(image)[:, :, ::-1])
        if not len(self._find(pixels, _FIRST_SIDE)):
            return ()
        boxes = self._find(pixels, _SIDE)
        read = self._lines.read([_cut_out(pixels, box) for box in boxes])
        return [
            TextLine(clean_text(each.text), each.confidence, _around(box, *pixels.shape[:2]))
            for box, each in zip(boxes, read, strict=True)
        ]

    def _find(self, pixels: NDArray[np.uint8], side: int) -> NDArray[np.float32]:
        """Return the corners (n, 4, 2) of lines, from the upper left one clockwise, in their order."""
        from rapidocr.ch_ppocr_det.main import TextDetector

        prepared = self._prepare[side](pixels)
        if prepared is None:  # a picture of a few pixels
            return np.empty((0, 4, 2), dtype=np.float32)
        boxes, _ = self._boxes_of(self._detector.run(prepared), pixels.shape[:2])
        found: NDArray[np.float32] = TextDetector.sorted_boxes(np.asarray(boxes, dtype=np.float32).reshape(-1, 4, 2))
        return found


@lru_cache(maxsize=1)
def load_reader(models: OcrModels) -> TextReader:
    """Return the reader with some models, the last one from memory; errors as in `TextReader`."""
    # What models compute takes some megabytes, of another size for each picture: a process took 650 MB instead of 540.
    return_freed_memory(from_bytes=_LARGE_BYTES)
    return TextReader(models)


def _cut_out(pixels: NDArray[np.uint8], box: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Cut a line out, level; one that is much higher than wide is turned by a quarter."""
    from rapidocr.utils.process_img import get_rotate_crop_image

    line: NDArray[np.uint8] = get_rotate_crop_image(pixels, box)
    return line


def _around(box: NDArray[np.float32], height: int, width: int) -> tuple[float, float, float, float]:
    left, top = np.clip(box.min(axis=0) / (width, height), 0, 1).tolist()
    right, bottom = np.clip(box.max(axis=0) / (width, height), 0, 1).tolist()
    return left, top, right, bottom


def _likely(lines: Sequence[TextLine]) -> Iterator[TextLine]:
    """Yield the lines that are text: those that are sure, and where there are enough of these, fairly sure ones."""
    letters = sum(_count_letters(each.text) for each in lines if each.confidence >= SURE)
    is_text = letters >= _SURE_LETTERS
    least = _FAIRLY_SURE if is_text else SURE
    for each in lines:
        if each.text and each.confidence >= least and (is_text or _is_word(each.text)):
            yield each


def _is_word(text: str) -> bool:
    if _count_letters(text) < _LEAST_LETTERS:
        return False
    return sum(map(str.isalnum, text)) >= _LEAST_CHARACTERS or any(map(needs_no_blank, text))


def _count_letters(text: str) -> int:
    return sum(each.isalpha() for each in text)
