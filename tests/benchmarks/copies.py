"""Copies of photographs, and pictures that only look like copies: pages, receipts, chats, blanks, frames of a burst."""

import io
import random
from collections.abc import Callable
from functools import lru_cache, partial

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

Picture = Image.Image
Change = Callable[[Picture, random.Random], Picture]

_WORDS = ("the", "of", "and", "to", "in", "is", "was", "for", "that", "on", "with", "as", "by", "at", "from", "this")


def saved(picture: Picture, kind: str, **options: object) -> Picture:
    content = io.BytesIO()
    picture.save(content, kind, **options)
    return Image.open(content).convert("RGB")


def resized(picture: Picture, share: float) -> Picture:
    size = [max(1, round(side * share)) for side in picture.size]
    return picture.resize((size[0], size[1]), Image.Resampling.LANCZOS)


def cropped(picture: Picture, rng: random.Random, *, share: float) -> Picture:
    """Without `share` of the width and of the height, more on one side than on the other."""
    width, height = picture.size
    left, top = (rng.uniform(0.3, 0.7) * share * side for side in (width, height))
    return picture.crop((round(left), round(top), round(left + width * (1 - share)), round(top + height * (1 - share))))


def bordered(picture: Picture, rng: random.Random) -> Picture:
    return ImageOps.expand(picture, round(0.04 * max(picture.size)), rng.choice(["white", "black"]))


def captioned(picture: Picture, rng: random.Random) -> Picture:
    picture = picture.copy()
    font = ImageFont.load_default(max(8, picture.height // 16))
    text = f"© {rng.choice(_WORDS)} {rng.choice(_WORDS)} {rng.randrange(1990, 2030)}"
    ImageDraw.Draw(picture).text((6, picture.height - picture.height // 11), text, fill="white", font=font)
    return picture


def filtered(picture: Picture, rng: random.Random) -> Picture:
    """As an app does: more colour, more contrast, sharpened."""
    picture = ImageEnhance.Contrast(ImageEnhance.Color(picture).enhance(1.3)).enhance(1.1)
    return picture.filter(ImageFilter.UnsharpMask(2, 80))


VARIANTS: dict[str, Change] = {
    "quarter size": lambda picture, rng: resized(picture, 0.25),
    "half size": lambda picture, rng: resized(picture, 0.5),
    "JPEG quality 25": lambda picture, rng: saved(picture, "JPEG", quality=25),
    "JPEG quality 50": lambda picture, rng: saved(picture, "JPEG", quality=50),
    "WebP quality 60": lambda picture, rng: saved(picture, "WEBP", quality=60),
    "grey": lambda picture, rng: picture.convert("L").convert("RGB"),
    "brighter by 15 %": lambda picture, rng: ImageEnhance.Brightness(picture).enhance(1.15),
    "darker by 15 %": lambda picture, rng: ImageEnhance.Brightness(picture).enhance(0.85),
    "cropped by 4 %": partial(cropped, share=0.04),
    "cropped by 10 %": partial(cropped, share=0.10),
    "border": bordered,
    "filter": filtered,
}
MORE_VARIANTS: dict[str, Change] = {
    "half size, JPEG 50": lambda picture, rng: saved(resized(picture, 0.5), "JPEG", quality=50),
    "cropped by 20 %": partial(cropped, share=0.20),
    "turned by 90°": lambda picture, rng: picture.transpose(Image.Transpose.ROTATE_90),
    "turned by 180°": lambda picture, rng: picture.transpose(Image.Transpose.ROTATE_180),
    "mirrored": lambda picture, rng: ImageOps.mirror(picture),
    "caption": captioned,
    "blurred": lambda picture, rng: picture.filter(ImageFilter.GaussianBlur(1.5)),
    "contrast + 30 %": lambda picture, rng: ImageEnhance.Contrast(picture).enhance(1.3),
    "gamma 0.7": lambda picture, rng: picture.point([round(255 * (level / 255) ** 0.7) for level in range(256)] * 3),
    "turned by 2°": lambda picture, rng: picture.rotate(2, Image.Resampling.BICUBIC),
}


def burst(picture: Picture, rng: random.Random) -> Picture:
    """The next frame: the camera has moved a little, the noise is another, and something has moved."""
    width, height = picture.size
    shift = [rng.choice((-1, 1)) * rng.uniform(0.005, 0.02) * width for _ in range(2)]
    moved = picture.transform(picture.size, Image.Transform.AFFINE, (1, 0, shift[0], 0, 1, shift[1]), Image.BICUBIC)
    side = round(0.2 * min(width, height))
    left, top = rng.randrange(width // 4, width // 2), rng.randrange(height // 4, height // 2)
    part = moved.crop((left, top, left + side, top + side))
    mask = Image.new("L", part.size)
    ImageDraw.Draw(mask).ellipse((0, 0, side, side), fill=255)
    moved.paste(part, (left + side // 2, top + side // 3), mask)
    noise = np.random.default_rng(rng.randrange(1 << 30)).normal(0, 3, (height, width, 3))
    pixels = np.clip(np.asarray(moved, dtype=np.float64) + noise, 0, 255).astype(np.uint8)
    edge = round(0.03 * width)
    return Image.fromarray(pixels).crop((edge, edge, width - edge, height - edge))


def moved_subject(picture: Picture, rng: random.Random) -> Picture:
    """The next frame at once: the camera has panned by 3 pixels, a subject has moved by 8, and there is no noise."""
    width, height = picture.size
    side = round(rng.choice((0.12, 0.2, 0.3)) * min(width, height))
    levels = np.asarray(picture.convert("L"), dtype=np.float64)
    places = [(rng.randrange(side, width - 2 * side), rng.randrange(side, height - 2 * side)) for _ in range(12)]
    left, top = max(places, key=lambda place: levels[place[1] :, place[0] :][:side, :side].std())
    mask = Image.new("L", (side, side))
    ImageDraw.Draw(mask).ellipse((0, 0, side - 1, side - 1), fill=255)
    moved = picture.copy()
    moved.paste(picture.crop((left, top, left + side, top + side)), (left + 8, top), mask)
    return moved.transform(picture.size, Image.Transform.AFFINE, (1, 0, 3, 0, 1, 0))


def captioned_small(picture: Picture, rng: random.Random, *, share: float = 1.0) -> Picture:
    """With a line of text 14 pixels high somewhere, another each time; then made smaller."""
    width, height = picture.size
    text = f"{rng.randrange(1990, 2030)}-{rng.randrange(10, 13)}-{rng.randrange(10, 29)} {words(rng, 1)}"
    picture = picture.copy()
    place = rng.randrange(width // 10, width // 2), rng.randrange(height // 10, height * 8 // 10)
    ink = rng.choice(("white", "black", "#ffcc33"))
    ImageDraw.Draw(picture).text(place, text, fill=ink, font=ImageFont.load_default(14))
    return resized(picture, share)


NO_COPIES: dict[str, Change] = {
    "burst": burst,
    "moved subject": moved_subject,
    "small text": captioned_small,
    "small text, half size": partial(captioned_small, share=0.5),
}


def page(seed: int, *, is_dark: bool = False, size: tuple[int, int] = (827, 1169)) -> Picture:
    """A page of text; the same margins, font and spacing whatever the text."""
    rng = random.Random(seed)
    paper, ink = ("#1e1e1e", "#d4d4d4") if is_dark else ("white", "black")
    picture = Image.new("RGB", size, paper)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(15)
    for row in range((size[1] - 110) // 24):
        if rng.random() > 0.06:
            draw.text((60, 50 + row * 24), words(rng, 11), fill=ink, font=font)
    return picture


def receipt(seed: int) -> Picture:
    """Of one shop: the same head and foot, other goods."""
    rng = random.Random(seed)
    picture = Image.new("RGB", (420, 900), "#fbfaf6")
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(20)
    for row, text in enumerate(("CORNER SHOP", "12 High Street", "Tel. 555 0100", "-" * 30)):
        draw.text((210, 30 + 28 * row), text, fill="#222222", font=font, anchor="mm")
    count = rng.randint(12, 18)
    for row in range(count):
        draw.text((30, 150 + 30 * row), words(rng, 2).upper(), fill="#222222", font=font)
        draw.text((390, 150 + 30 * row), f"{rng.uniform(0.5, 30):.2f}", fill="#222222", font=font, anchor="ra")
    draw.text((210, 200 + 30 * count), "Thank you for your visit", fill="#222222", font=font, anchor="mm")
    return picture


def form(seed: int) -> Picture:
    """The same form, filled in by somebody else."""
    rng = random.Random(seed)
    picture = Image.new("RGB", (827, 1169), "white")
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(16)
    printed = random.Random(1)
    for row in range(22):
        draw.text((60, 60 + 48 * row), words(printed, 3), fill="black", font=font)
        draw.rectangle((330, 56 + 48 * row, 770, 86 + 48 * row), outline="#888888")
        if row % 3 == 0:
            draw.text((340, 60 + 48 * row), f"{words(rng, 2)} {rng.randrange(10_000)}", fill="#1a2a8a", font=font)
    return picture


def chat(seed: int, *, is_dark: bool = False) -> Picture:
    """A screenshot of a telephone: the same head and foot, other messages."""
    rng = random.Random(seed)
    back, ink, bubbles = ("#111b21", "#e9edef", ("#202c33", "#005c4b")) if is_dark else (
        "#efeae2", "#111b21", ("white", "#d9fdd3"))  # fmt: skip
    picture = Image.new("RGB", (540, 1170), back)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(20)
    draw.rectangle((0, 0, 540, 110), fill=bubbles[0])
    draw.ellipse((20, 30, 80, 90), fill="#7f8c8d")
    draw.text((100, 45), "Family", fill=ink, font=font)
    top = 130
    while top < 1000:
        lines = [words(rng, rng.randint(2, 5)) for _ in range(rng.randint(1, 4))]
        width = 30 + max(round(draw.textlength(line, font)) for line in lines)
        is_mine = rng.random() < 0.5
        left = 520 - width if is_mine else 20
        draw.rounded_rectangle((left, top, left + width, top + 20 + 26 * len(lines)), 12, fill=bubbles[is_mine])
        for row, line in enumerate(lines):
            draw.text((left + 15, top + 8 + 26 * row), line, fill=ink, font=font)
        top += 36 + 26 * len(lines)
    draw.rounded_rectangle((20, 1090, 450, 1150), 30, fill=bubbles[0])
    return picture


def slide(seed: int) -> Picture:
    """Of one talk: title bar and logo are the same."""
    rng = random.Random(seed)
    picture = Image.new("RGB", (1280, 720), "white")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, 1280, 110), fill="#1f4e79")
    draw.ellipse((1180, 20, 1250, 90), fill="#f1c40f")
    draw.text((40, 30), words(rng, 4).title(), fill="white", font=ImageFont.load_default(42))
    for row in range(rng.randint(3, 6)):
        draw.text((80, 170 + 80 * row), f"• {words(rng, 6)}", fill="#222222", font=ImageFont.load_default(30))
    return picture


def chart(seed: int) -> Picture:
    """The same axes, another curve."""
    rng = np.random.default_rng(seed)
    picture = Image.new("RGB", (800, 500), "white")
    draw = ImageDraw.Draw(picture)
    draw.line((60, 20, 60, 460, 780, 460), fill="black", width=2)
    for row in range(1, 9):
        draw.line((60, 460 - 50 * row, 780, 460 - 50 * row), fill="#dddddd")
    heights = 240 + np.cumsum(rng.normal(0, 12, 72)).clip(-200, 200)
    draw.line([(60 + 10 * x, float(y)) for x, y in enumerate(heights)], fill="#1f77b4", width=3)
    return picture


def blank(seed: int) -> Picture:
    """Nothing but a colour, and a little noise as a scanner has it."""
    rng = np.random.default_rng(seed)
    level = rng.choice([[255, 255, 255], [250, 250, 246], [12, 12, 14], [128, 128, 128]])
    pixels = level + rng.normal(0, rng.choice([0.0, 0.7, 1.5]), (600, 450, 3))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def almost_blank(seed: int) -> Picture:
    """A scanned empty page with a page number."""
    picture = blank(4 * seed).resize((827, 1169))
    ink = "black" if np.asarray(picture).mean() > 100 else "white"
    ImageDraw.Draw(picture).text((400, 1110), str(seed + 10), fill=ink, font=ImageFont.load_default(18))
    return picture


@lru_cache(maxsize=4)
def dense_page(seed: int) -> Picture:
    """A page without gaps, all lines of one length."""
    rng = random.Random(seed)
    picture = Image.new("RGB", (1000, 1414), "white")
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(11)
    for row in range(86):
        draw.text((100, 100 + row * 14), words(rng, 40), fill="black", font=font)
    draw.rectangle((900, 0, 1000, 1414), fill="white")
    return picture


REDUCED: dict[str, Callable[[int], Picture]] = {
    "reduced page": lambda seed: resized(dense_page(seed), 0.09),
    "blurred page": lambda seed: dense_page(seed).filter(ImageFilter.GaussianBlur(14)),
}
"""Pages of which nothing can be read, each another one."""

DOCUMENTS: dict[str, Callable[[int], Picture]] = {
    "page": page,
    "dark page": partial(page, is_dark=True),
    "receipt": receipt,
    "form": form,
    "chat": chat,
    "dark chat": partial(chat, is_dark=True),
    "slide": slide,
    "chart": chart,
    "blank": blank,
    "almost blank": almost_blank,
}


def words(rng: random.Random, count: int) -> str:
    made = ("".join(rng.choice("abcdefghijklmnoprstuvw") for _ in range(rng.randint(2, 9))) for _ in range(count))
    return " ".join(rng.choice(_WORDS) if rng.random() < 0.4 else word for word in made)
