"""Draw reliability diagrams: share of right pictures by relevance."""

from collections.abc import Mapping, Sequence

from PIL import Image, ImageDraw

from clipsearch.evaluation.calibration import ReliabilityBin

# Pixels per unit of length below, for dense screens.
_SCALE = 2
_SIDE, _MARGIN = 420, 60
_COLOURS = ("#1f6fb4", "#d2691e", "#2e8b57", "#8a4fa3")


def draw_reliability(lines: Mapping[str, Sequence[ReliabilityBin]]) -> Image.Image:
    """Draw a reliability diagram with a line for each name: 1080 × 1080 pixels, mode "RGB".

    Dots grow with their number of pairs; on the diagonal relevances are perfectly calibrated.
    """
    width = (_SIDE + 2 * _MARGIN) * _SCALE
    picture = Image.new("RGB", (width, width), "white")
    pen = ImageDraw.Draw(picture)

    def at(x: float, y: float) -> tuple[float, float]:
        return (_MARGIN + x * _SIDE) * _SCALE, (_MARGIN + (1 - y) * _SIDE) * _SCALE

    def write(x: float, y: float, text: str, anchor: str, colour: str = "black", size: int = 14) -> None:
        pen.text(at(x, y), text, fill=colour, anchor=anchor, font_size=size * _SCALE)

    for tick in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        pen.line([at(tick, 0), at(tick, 1)], fill="#dddddd", width=_SCALE)
        pen.line([at(0, tick), at(1, tick)], fill="#dddddd", width=_SCALE)
        write(tick, -0.03, f"{tick:.1f}", "mt", "#444444", 13)
        write(-0.02, tick, f"{tick:.1f}", "rm", "#444444", 13)
    pen.line([at(0, 0), at(1, 1)], fill="#999999", width=_SCALE)
    write(0.5, -0.09, "relevance", "mt")
    write(0, 1.05, "share of these that is right", "lm")
    for row, (name, bins) in enumerate(lines.items()):
        colour = _COLOURS[row % len(_COLOURS)]
        if len(bins) > 1:
            pen.line([at(each.claimed, each.right) for each in bins], fill=colour, width=3 * _SCALE)
        for each in bins:
            left, top = at(each.claimed, each.right)
            size = min(12.0, 2 + each.pairs**0.5 / 4) * _SCALE
            pen.ellipse((left - size, top - size, left + size, top + size), fill=colour)
        write(0.03, 0.96 - 0.05 * row, name, "lm", colour)
    return picture
