"""Tell screenshots, receipts, documents and whiteboards from other pictures with text.

A linear model of a few measures: of the text, of the look, and how relevant some labels are. Its numbers are in
`data/kinds.json`, which `python -m tests.benchmarks.kinds FOLDER --write` fits.
"""

import json
import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from clipsearch.data import kind_model
from clipsearch.formats import TEXT_KINDS
from clipsearch.ocr.lines import TextLine
from clipsearch.ocr.look import Look

OTHER = "other"
"""What the model calls everything else."""

LABELS = (
    "screenshot",
    "a screenshot of a web page",
    "computer screen",
    "document",
    "handwritten notes on paper",
    "a whiteboard with writing",
    "a photo of a page with text",
    "text on a white background",
    "a table of numbers",
    "chart or graph",
    "photo",
)
"""Labels whose relevance is measured, chosen of 45 by cross-validation."""

FARTHEST = 3.0
"""Standard deviations that a measure counts up to: what is farther out was in no picture that the model knows."""

LIKELY = 0.5
"""Least probability of a kind."""

# A price: a number with two digits after a point or a comma.
_PRICE = re.compile(r"(?<![\d.,])\d{1,6}[.,]\d{2}(?!\d)")

# Logarithm of height by width of upright pages: Letter has 1.29, A4 1.41; of screens few.
_PAPER = math.log(1.25), math.log(1.45)

# How systems name screenshots in English, German, French, Spanish, Portuguese, Italian, Dutch, Swedish, Danish, Polish,
# Russian, Chinese, Japanese and Korean.
_SCREENSHOT = re.compile(
    r"(screen ?shot|bildschirmfoto|capture d.[ée]cran|captura de (pantalla|tela|ecr[ãa])|schermata|schermafbeelding|"
    r"sk[äa]rmavbild|sk[æa]rmbillede|zrzut ekranu|снимок экрана|屏幕截图|屏幕快照|截屏|截圖|螢幕截圖|"
    r"スクリーンショット|스크린샷)(?![^\W\d_])",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class TextPicture:
    """What is known of a picture in which text was looked for.

    Attributes:
        lines: that were read, on all pages.
        look: None where no line was found.
        width, height: pixels.
        has_camera: a camera has written its name into it.
        has_pages: it is a document, or another file of several pages.
        name: of a file.
    """

    lines: Sequence[TextLine]
    look: Look | None
    width: int
    height: int
    has_camera: bool = False
    has_pages: bool = False
    name: str = ""


def kind_of(picture: TextPicture, relevances: NDArray[np.float64] | None) -> str | None:
    """Return which of `TEXT_KINDS` a picture is; None: none of them.

    Args:
        relevances: of `LABELS`; None: unknown, and only pages and names tell.
    """
    if (
        not picture.has_pages
        and not picture.has_camera
        and _SCREENSHOT.match(unicodedata.normalize("NFC", picture.name))
    ):
        return "screenshot"
    found = None
    if picture.look is not None and relevances is not None:
        shares = _load_model().shares(measures_of(picture, relevances))
        found = max(shares, key=shares.__getitem__)
        found = None if found == OTHER or shares[found] < LIKELY else found
    if picture.has_pages and picture.lines:
        return "receipt" if found == "receipt" else "document"
    return None if found == "screenshot" and picture.has_camera else found


def _is_named_screenshot(name: str) -> bool:
    return _SCREENSHOT.match(unicodedata.normalize("NFC", name)) is not None


def measures_of(picture: TextPicture, relevances: NDArray[np.float64]) -> dict[str, float]:
    """Return what the model takes, by name.

    Raises:
        ValueError: the picture has no look.
    """
    if picture.look is None:
        raise ValueError("no line was found in the picture")
    look = picture.look
    turn = math.log(max(1, picture.height) / max(1, picture.width))
    return {
        "lines": math.log1p(look.lines),
        "area": look.area,
        "confidence": look.confidence,
        "flat": look.flat,
        "even": look.even,
        "commonest": look.commonest,
        "luma": look.luma,
        "contrast": look.contrast,
        "saturation": look.saturation,
        "bright": look.bright,
        "dark": look.dark,
        "letters a line": _per_line(picture.lines),
        "prices": math.log1p(sum(_PRICE.search(line.text) is not None for line in picture.lines)),
        "height": turn,
        "aspect": abs(turn),
        "paper": float(_PAPER[0] <= turn <= _PAPER[1]),
        **dict(zip(LABELS, relevances.tolist(), strict=True)),
    }


def _per_line(lines: Sequence[TextLine]) -> float:
    return sum(map(str.isalnum, "".join(line.text for line in lines))) / max(1, len(lines))


@dataclass(frozen=True, slots=True)
class KindModel:
    """Softmax regression.

    Attributes:
        measures: names of the m measures; means, scales: (m,) of each, which are subtracted and divided by.
        kinds: the k kinds; weights: (k, m); biases: (k,).
    """

    measures: tuple[str, ...]
    means: NDArray[np.float64]
    scales: NDArray[np.float64]
    kinds: tuple[str, ...]
    weights: NDArray[np.float64]
    biases: NDArray[np.float64]

    def shares(self, measures: Mapping[str, float]) -> dict[str, float]:
        """Return the probability of each kind."""
        values = np.array([measures[name] for name in self.measures])
        values = np.clip((values - self.means) / self.scales, -FARTHEST, FARTHEST)
        logits = self.weights @ values + self.biases
        powers = np.exp(logits - logits.max())
        return dict(zip(self.kinds, (powers / powers.sum()).tolist(), strict=True))


@lru_cache(maxsize=1)
def _load_model() -> KindModel:
    found = json.loads(kind_model())
    kinds = (*TEXT_KINDS, OTHER)
    return KindModel(
        measures=tuple(found["measures"]),
        means=np.array(found["means"]),
        scales=np.array(found["scales"]),
        kinds=kinds,
        weights=np.array([found["weights"][kind] for kind in kinds]),
        biases=np.array([found["biases"][kind] for kind in kinds]),
    )
