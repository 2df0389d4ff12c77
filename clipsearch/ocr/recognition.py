"""Run ONNX models, and read lines of text that were cut out of a picture and turned upright.

The models are run by OpenVINO, on one thread and without its cache of shapes, which would grow with each size of a
picture; what is before and after them is rapidocr's.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clipsearch.errors import ModelError
from clipsearch.ocr.models import OcrModels, Recogniser
from clipsearch.openvino_loader import import_openvino, reason_of

# Height of a line that the models take, and widths: of a line, and of those that are read together.
_HEIGHT, _MOST_WIDTH, _WIDTH_AT_ONCE = 48, 3_200, 320
_WIDTH_STEP = 64

# Blanks that a recogniser may tell besides the characters that are listed.
_MOST_BLANKS = 2

SURE = 0.9
"""Confidence from which a line is surely read."""

# Width of what tells whether a line is upside down, lines at once, and how sure it has to be. Source: rapidocr's
# config.yaml, Cls.
_TURN_WIDTH, _TURNS_AT_ONCE, _UPSIDE_DOWN = 192, 8, 0.9

# Lines that tell together whether a picture is upside down, and their mean from which it is. Of fewer, as of a sign in
# a photograph, most may be no text.
_FEW_LINES, _MOST = 4, 0.6


class Reading(NamedTuple):
    """Text of a line, and the mean probability of its characters."""

    text: str
    confidence: float


class Model:
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
            raise ModelError(f"can't load the model {path.name}: {reason_of(error)}") from error

    def run(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        try:
            self._request.infer([values])
        except RuntimeError as error:
            raise ModelError(f"can't run the model {self._path.name}: {reason_of(error)}") from error
        return np.array(self._request.get_output_tensor(0).data)

    def characters(self) -> list[str]:
        """Return the characters that a recogniser knows, from its metadata.

        Raises:
            ModelError: they are not there.
        """
        place = ["framework", "character"]
        if not self._model.has_rt_info(place):
            raise ModelError(
                f"the model {self._path.name} does not say which characters it reads: put a list of them beside it, a "
                "character in each line, with the same name and the ending .txt"
            )
        found = self._model.get_rt_info(place).value
        return str(found).splitlines()


class _Recogniser:
    """Model that reads lines, and its characters."""

    def __init__(self, recogniser: Recogniser) -> None:
        """Load the model.

        Raises:
            ModelError: the characters are not those of the model.
        """
        from rapidocr.ch_ppocr_rec.utils import CTCLabelDecode

        self._model = Model(recogniser.model)
        characters = self._model.characters() if recogniser.characters is None else _listed(recogniser.characters)
        # Besides them it tells "no character", and mostly a blank; editors take another one off the end of a list.
        shares = self._model.run(np.zeros((1, 3, _HEIGHT, _WIDTH_STEP), dtype=np.float32))
        blanks = shares.shape[-1] - 1 - len(characters)
        if not 0 <= blanks <= _MOST_BLANKS:
            raise ModelError(
                f"the model {recogniser.model.name} reads {shares.shape[-1] - 2:,} characters, but {len(characters):,} "
                f"are listed{'' if recogniser.characters is None else f' in {recogniser.characters.name}'}"
            )
        self._decode = CTCLabelDecode(character=[*characters, *" " * blanks])

    def read(self, lines: NDArray[np.float32]) -> list[Reading]:
        """Read lines (n, 3, 48, width)."""
        texts, _ = self._decode(self._model.run(lines))
        return [Reading(str(text), float(confidence)) for text, confidence in texts]


class LineReader:
    """Reads lines, by one recogniser or several."""

    def __init__(self, models: OcrModels) -> None:
        """Load the models.

        Raises:
            ModelError: one can't be loaded, or the characters are not those of the model.
        """
        self._recognisers = [_Recogniser(each) for each in models.recognisers]
        self._turns = Model(models.turns)

    def read(self, lines: Sequence[NDArray[np.uint8]]) -> list[Reading]:
        """Read lines, (height, width, 3) in BGR, by the first recogniser, and what it is not sure of by the others.

        Letters that look alike in several scripts are read surely in the wrong one, "MOCKBA": where the first one is
        not sure of most lines, the others are believed first.
        """
        upright = self._turn_upright(lines)
        found = _read_by(self._recognisers[0], upright)
        for other in self._recognisers[1:]:
            unsure = [row for row, each in enumerate(found) if each.confidence < SURE]
            is_other = 2 * len(unsure) > len(found)
            rows = range(len(found)) if is_other else unsure
            for row, each in zip(rows, _read_by(other, [upright[row] for row in rows]), strict=True):
                if each.confidence > found[row].confidence or (is_other and each.confidence >= SURE):
                    found[row] = each
        return found

    def _turn_upright(self, lines: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
        """Turn lines that are upside down: where most of a picture is, also those of which that is less sure."""
        shares = [np.empty((0,), dtype=np.float32)]
        for start in range(0, len(lines), _TURNS_AT_ONCE):
            some = lines[start : start + _TURNS_AT_ONCE]
            shares.append(self._turns.run(np.stack([_prepared(line, _TURN_WIDTH) for line in some]))[:, 1])
        upside_down = np.concatenate(shares)
        widths = np.array([_width(line) for line in lines])
        is_most = len(lines) >= _FEW_LINES and (upside_down * widths).sum() > widths.sum() * _MOST
        least = 1 - _UPSIDE_DOWN if is_most else _UPSIDE_DOWN
        return [
            np.ascontiguousarray(line[::-1, ::-1]) if share > least else line
            for line, share in zip(lines, upside_down.tolist(), strict=True)
        ]


def _read_by(recogniser: _Recogniser, lines: Sequence[NDArray[np.uint8]]) -> list[Reading]:
    """Read upright lines, those of about the same width at once."""
    found = [Reading("", 0.0)] * len(lines)
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
        raise ModelError(f"can't read the list of characters {path.name}: {error}") from error
    return [line.rstrip("\r") for line in (lines if lines[-1] else lines[:-1])]


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
