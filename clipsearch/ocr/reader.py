"""Read the text in one picture: find its lines, turn them upright, and read each.

The models are run by OpenVINO, on one thread and without its cache of shapes, which would grow with each size of a
picture; what is before and after them is rapidocr's.
"""

import math
import threading
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clipsearch.errors import ModelError
from clipsearch.ocr.lines import TextLine, clean_text
from clipsearch.ocr.models import OcrModels, Recogniser
from clipsearch.openvino_loader import import_openvino, reason_of
from clipsearch.text import needs_no_blank

SIDE = 2000
"""Pixels of the longer side of a picture that is read; lines are cut out of it."""

# Pictures that are longer than this many times their width are read in pieces of that length, as scrolled screenshots
# are: the share of a piece that it has in common with its neighbours, and the highest number of pieces.
_MOST_ASPECT, _OVERLAP, _MOST_PIECES = 2.5, 0.15, 20

# Longer sides at which text is looked for: whether there is any, and where. At 480 pixels a page still shows its lines.
_FIRST_SIDE, _SIDE = 480, 800

# Height of a line that the models take, and widths: of a line, and of those that are read together.
_HEIGHT, _MOST_WIDTH, _WIDTH_AT_ONCE = 48, 3_200, 1_280
_WIDTH_STEP = 64
_MOST_BLANKS = 2

# Width of what tells whether a line is upside down, lines at once, and how sure it has to be. Source: rapidocr's
# config.yaml, Cls.
_TURN_WIDTH, _TURNS_AT_ONCE, _UPSIDE_DOWN = 192, 8, 0.9

# Shares from which a pixel and a box are text, how far a box is grown, and boxes of one picture. Source: rapidocr's
# config.yaml, Det; DBPostProcess.
_PIXEL, _BOX, _GROWN, _MOST_BOXES = 0.3, 0.5, 1.6, 1_000

# Least confidence of a line, and the lower one that is enough where lines of the first have `_SURE_LETTERS` together.
# What is read in photographs without text are mostly one or two letters and numbers, few of them surely.
_SURE, _FAIRLY_SURE = 0.9, 0.6
_SURE_LETTERS = 20
_LEAST_LETTERS, _LEAST_CHARACTERS = 2, 3


def fit(image: Image.Image) -> Image.Image:
    """Return a picture scaled down to what is read of it; a smaller one stays as it is."""
    long, short = max(image.size), max(1, min(image.size))
    side = round(SIDE * min(_MOST_PIECES, max(1.0, long / short / _MOST_ASPECT)))
    if long > side:
        image = image.copy()
        image.thumbnail((side, side), reducing_gap=3.0)
    return image


class _Piece(NamedTuple):
    """Part of a picture that is read at once.

    Attributes:
        box: in pixels, with what neighbours show too.
        begin, end: of its own part along the longer side, as shares.
    """

    box: tuple[int, int, int, int]
    begin: float
    end: float


def _pieces(width: int, height: int) -> list[_Piece]:
    long, short = max(width, height), max(1, min(width, height))
    count = 1
    if long > _MOST_ASPECT * short:
        count = min(_MOST_PIECES, math.ceil(long / (_MOST_ASPECT * short * (1 - _OVERLAP))))
    found, margin = [], long / count * _OVERLAP / 2
    for number in range(count):
        first, last = (
            max(0, round(long * number / count - margin)),
            min(long, round(long * (number + 1) / count + margin)),
        )
        box = (first, 0, last, height) if width > height else (0, first, width, last)
        end = 2.0 if number == count - 1 else (number + 1) / count  # a line may end at the edge
        found.append(_Piece(box, number / count, end))
    return found


class _Reading(NamedTuple):
    """Text of a line, and the mean probability of its characters."""

    text: str
    confidence: float


class TextReader:
    """Reads text with models that are loaded once. Thread-safe, one picture at a time."""

    def __init__(self, models: OcrModels) -> None:
        """Load the models.

        Raises:
            MissingExtraError: rapidocr is not installed.
            ModelError: a file is missing, or no such model.
        """
        from rapidocr.ch_ppocr_det.utils import DBPostProcess, DetPreProcess

        self._detector = _Model(models.detector)
        self._recognisers = [_LineModel(each) for each in models.recognisers]
        self._turns = _Model(models.turns)
        self._prepare = {side: DetPreProcess(side, "max") for side in (_FIRST_SIDE, _SIDE)}
        self._boxes_of = DBPostProcess(_PIXEL, _BOX, _MOST_BOXES, _GROWN, use_dilation=True)
        self._lock = threading.Lock()

    def read(self, image: Image.Image) -> tuple[TextLine, ...]:
        """Read the lines of a picture, mode "RGB", of a size as `fit` makes it, from top to bottom."""
        with self._lock:
            lines = [line for piece in _pieces(*image.size) for line in self._read_piece(image, piece)]
        return tuple(_likely(lines))

    def _read_piece(self, image: Image.Image, piece: "_Piece") -> Iterator[TextLine]:
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
        pixels = np.ascontiguousarray(np.asarray(image)[:, :, ::-1])
        if not len(self._find(pixels, _FIRST_SIDE)):
            return ()
        boxes = self._find(pixels, _SIDE)
        texts = self._read([_cut_out(pixels, box) for box in boxes])
        return [
            TextLine(cleaned, confidence, _around(box, *pixels.shape[:2]))
            for box, (text, confidence) in zip(boxes, texts, strict=True)
            if (cleaned := clean_text(text))
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

    def _read(self, lines: Sequence[NDArray[np.uint8]]) -> list[_Reading]:
        """Read lines by the first recogniser, and what it is not sure of by the others.

        Letters that look alike in several scripts are read surely in the wrong one, "MOCKBA": where the first one is
        not sure of most lines, the others are believed first.
        """
        upright = self._turn_upright(lines)
        found = _read_by(self._recognisers[0], upright)
        for other in self._recognisers[1:]:
            unsure = [row for row, each in enumerate(found) if each.confidence < _SURE]
            is_other = 2 * len(unsure) > len(found)
            rows = range(len(found)) if is_other else unsure
            for row, each in zip(rows, _read_by(other, [upright[row] for row in rows]), strict=True):
                if each.confidence > found[row].confidence or (is_other and each.confidence >= _SURE):
                    found[row] = each
        return found

    def _turn_upright(self, lines: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
        turned = list(lines)
        for start in range(0, len(lines), _TURNS_AT_ONCE):
            some = lines[start : start + _TURNS_AT_ONCE]
            shares = self._turns.run(np.stack([_prepared(line, _TURN_WIDTH) for line in some]))
            for row in np.flatnonzero(shares[:, 1] > _UPSIDE_DOWN).tolist():
                turned[start + row] = np.ascontiguousarray(some[row][::-1, ::-1])
        return turned


@lru_cache(maxsize=1)
def load_reader(models: OcrModels) -> TextReader:
    """Return the reader with some models, the last one from memory; errors as in `TextReader`."""
    return TextReader(models)


class _Model:
    """One ONNX model."""

    def __init__(self, path: Path) -> None:
        self._path = path
        openvino = import_openvino()
        # Threads that are pinned would share one core with those of other processes.
        threads = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "ENABLE_CPU_PINNING": False}
        options = {**threads, "CPU_RUNTIME_CACHE_CAPACITY": "0"}
        try:
            self._model = openvino.Core().read_model(str(path))
            self._request = openvino.Core().compile_model(self._model, "CPU", options).create_infer_request()
        except RuntimeError as error:
            raise ModelError(f"can't load the model {path}: {reason_of(error)}") from error

    def run(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        try:
            self._request.infer([values])
        except RuntimeError as error:
            raise ModelError(f"can't run the model {self._path}: {reason_of(error)}") from error
        return np.array(self._request.get_output_tensor(0).data)

    def characters(self) -> list[str]:
        """Return the characters that a recogniser knows, from its metadata.

        Raises:
            ModelError: they are not there.
        """
        place = ["framework", "character"]
        if not self._model.has_rt_info(place):
            raise ModelError(
                f"the model {self._path} does not say which characters it reads: put a list of them beside it, a "
                "character in each line, with the same name and the ending .txt"
            )
        found = self._model.get_rt_info(place).value
        return str(found).splitlines()


class _LineModel:
    """Model that reads lines, and its characters."""

    def __init__(self, recogniser: Recogniser) -> None:
        """Load the model.

        Raises:
            ModelError: the characters are not those of the model.
        """
        from rapidocr.ch_ppocr_rec.utils import CTCLabelDecode

        self._model = _Model(recogniser.model)
        characters = self._model.characters() if recogniser.characters is None else _listed(recogniser.characters)
        # Besides them it tells "no character", and mostly a blank; editors take another one off the end of a list.
        shares = self._model.run(np.zeros((1, 3, _HEIGHT, _WIDTH_STEP), dtype=np.float32))
        blanks = shares.shape[-1] - 1 - len(characters)
        if not 0 <= blanks <= _MOST_BLANKS:
            raise ModelError(
                f"the model {recogniser.model} reads {shares.shape[-1] - 2:,} characters, but {len(characters):,} are "
                f"listed{'' if recogniser.characters is None else f' in {recogniser.characters}'}"
            )
        self._decode = CTCLabelDecode(character=[*characters, *" " * blanks])

    def read(self, lines: NDArray[np.float32]) -> list[_Reading]:
        """Read lines (n, 3, 48, width)."""
        texts, _ = self._decode(self._model.run(lines))
        return [_Reading(str(text), float(confidence)) for text, confidence in texts]


def _read_by(recogniser: _LineModel, lines: Sequence[NDArray[np.uint8]]) -> list[_Reading]:
    """Read upright lines, those of about the same width at once."""
    found = [_Reading("", 0.0)] * len(lines)
    for rows in _batches([_width(line) for line in lines]):
        width = -(-max(_width(lines[row]) for row in rows) // _WIDTH_STEP) * _WIDTH_STEP
        batch = np.stack([_prepared(lines[row], width) for row in rows])
        for row, reading in zip(rows, recogniser.read(batch), strict=True):
            found[row] = reading
    return found


def _listed(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"can't read the list of characters {path}: {error}") from error
    return [line.rstrip("\r") for line in (lines if lines[-1] else lines[:-1])]


def _cut_out(pixels: NDArray[np.uint8], box: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Cut a line out, level; one that is much higher than wide is turned by a quarter."""
    from rapidocr.utils.process_img import get_rotate_crop_image

    line: NDArray[np.uint8] = get_rotate_crop_image(pixels, box)
    return line


def _width(line: NDArray[np.uint8]) -> int:
    height, width = map(int, line.shape[:2])
    return min(_MOST_WIDTH, max(1, round(width * _HEIGHT / height)))


def _prepared(line: NDArray[np.uint8], width: int) -> NDArray[np.float32]:
    """Scale a line to the height of the models, (3, height, width) from -1 to 1, with zeros to the right of it."""
    import cv2

    own = min(width, _width(line))
    target = np.zeros((3, _HEIGHT, width), dtype=np.float32)
    target[:, :, :own] = cv2.resize(line, (own, _HEIGHT)).transpose(2, 0, 1) / 127.5 - 1
    return target


def _batches(widths: Sequence[int]) -> Iterator[list[int]]:
    """Yield the rows of lines that are read together, of about the same width."""
    batch: list[int] = []
    for row in np.argsort(widths, kind="stable").tolist():
        if batch and (len(batch) + 1) * widths[row] > _WIDTH_AT_ONCE:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _around(box: NDArray[np.float32], height: int, width: int) -> tuple[float, float, float, float]:
    left, top = np.clip(box.min(axis=0) / (width, height), 0, 1).tolist()
    right, bottom = np.clip(box.max(axis=0) / (width, height), 0, 1).tolist()
    return left, top, right, bottom


def _likely(lines: Sequence[TextLine]) -> Iterator[TextLine]:
    """Yield the lines that are text: those that are sure, and where there are enough of these, fairly sure ones."""
    letters = sum(_count_letters(each.text) for each in lines if each.confidence >= _SURE)
    is_text = letters >= _SURE_LETTERS
    least = _FAIRLY_SURE if is_text else _SURE
    for each in lines:
        if each.confidence >= least and (is_text or _is_word(each.text)):
            yield each


def _is_word(text: str) -> bool:
    if _count_letters(text) < _LEAST_LETTERS:
        return False
    return sum(map(str.isalnum, text)) >= _LEAST_CHARACTERS or any(map(needs_no_blank, text))


def _count_letters(text: str) -> int:
    return sum(each.isalpha() for each in text)
