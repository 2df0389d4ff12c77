"""Pictures with known text: receipts, signs, screenshots, pages and notes, in several scripts, and what spoils them.

Fonts are those of Debian's fonts-dejavu-core, fonts-liberation, fonts-freefont-ttf, fonts-comic-neue,
fonts-dancingscript and fonts-noto-cjk.
"""

import io
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont

from clipsearch.images.decode import decode_image

_TRUETYPE, _OPENTYPE = Path("/usr/share/fonts/truetype"), Path("/usr/share/fonts/opentype")
PLAIN = (
    _TRUETYPE / "dejavu/DejaVuSans.ttf",
    _TRUETYPE / "dejavu/DejaVuSerif.ttf",
    _TRUETYPE / "liberation/LiberationSans-Regular.ttf",
    _TRUETYPE / "liberation/LiberationSerif-Regular.ttf",
    _TRUETYPE / "freefont/FreeSans.ttf",
)
BOLD = (_TRUETYPE / "dejavu/DejaVuSans-Bold.ttf", _TRUETYPE / "liberation/LiberationSansNarrow-Bold.ttf")
MONO = (_TRUETYPE / "dejavu/DejaVuSansMono.ttf", _TRUETYPE / "liberation/LiberationMono-Regular.ttf")
HAND = (_OPENTYPE / "comic-neue/ComicNeue-Regular.otf", _OPENTYPE / "dancingscript/DancingScript-Regular.otf")
ASIAN = (_OPENTYPE / "noto/NotoSansCJK-Regular.ttc", _OPENTYPE / "noto/NotoSerifCJK-Regular.ttc")


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


WORDS = {
    "Latin": _words(
        "total amount coffee bread butter cheese orange paper invoice receipt change credit summer holiday garden "
        "station airport platform ticket window closed entrance exit police hospital library museum street market "
        "kitchen report chapter figure result method system update download settings message calendar meeting project "
        "budget monday tuesday january october morning evening water bottle apple banana chicken potato tomato sugar "
        "pepper salad Straße Grüße Äpfel Öffnung Übung Käse Brötchen Rechnung Summe Bahnhof Ausgang crème café déjà "
        "garçon élève français été fête année señor mañana niño corazón jamón plátano último città perché più però "
        "być źródło łódź święto žena čaj řeka köy şeker günaydın smörgås fjäll hjørne blåbær ősz fű egészség țară"
    ),
    "Chinese": _words(
        "今日特价 营业时间 禁止吸烟 请勿拍照 出口 入口 停车场 北京火车站 上海博物馆 人民公园 咖啡 牛奶 面包 "
        "合计金额 谢谢惠顾 新年快乐 生日快乐 会议纪要 项目预算 第一章 图书馆 医院 学校 超市 欢迎光临 "
        "小心地滑 紧急出口 服务中心 電話號碼"
    ),
    "Japanese": _words(
        "本日のおすすめ 営業時間 立入禁止 ありがとうございます コーヒー パン 合計 領収書 駅前 図書館 東京タワー "
        "お手洗い 非常口 カレンダー メッセージ 会議 資料 おはよう さくら ラーメン"
    ),
}
"""Words of each script that the models of the package read."""

SPOILERS = ("none", "small", "turned", "tilted", "curved", "pale", "jpeg", "dark")


@dataclass(frozen=True, slots=True)
class TextPicture:
    """A picture and the words that are in it."""

    kind: str
    script: str
    spoiler: str
    image: Image.Image
    words: tuple[str, ...]


def make_text_pictures(count: int, photos: Sequence[Path], seed: int = 0) -> list[TextPicture]:
    """Make pictures of all kinds, scripts and spoilers in turn; two thirds in Latin letters."""
    rng, found = random.Random(seed), []
    kinds = list(_KINDS)
    for number in range(count):
        script = ("Latin", "Latin", "Latin", "Latin", "Chinese", "Japanese")[number % 6]
        kind, spoiler = kinds[number // 6 % len(kinds)], SPOILERS[number // (6 * len(kinds)) % len(SPOILERS)]
        image, words = _KINDS[kind](rng, script, photos)
        found.append(TextPicture(kind, script, spoiler, _spoil(image, spoiler, rng), tuple(words)))
    return found


def _font(rng: random.Random, script: str, paths: Sequence[Path], size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(rng.choice(paths if script == "Latin" else ASIAN)), size)


def _pick(rng: random.Random, script: str, count: int) -> list[str]:
    return [rng.choice(WORDS[script]) for _ in range(count)]


def _price(rng: random.Random) -> str:
    return f"{rng.randrange(1, 100)}.{rng.randrange(100):02d}"


Made = tuple[Image.Image, list[str]]


def _receipt(rng: random.Random, script: str, photos: Sequence[Path]) -> Made:
    lines = rng.randrange(8, 18)
    image = Image.new("RGB", (480, 80 + 34 * lines), (250, 248, 240))
    draw, font, words = ImageDraw.Draw(image), _font(rng, script, MONO, 20), list[str]()
    for line in range(lines):
        said, price = _pick(rng, script, 2), _price(rng)
        draw.text((20, 30 + 34 * line), " ".join(said), (40, 40, 45), font)
        draw.text((460, 30 + 34 * line), price, (40, 40, 45), font, anchor="ra")
        words += [*said, price]
    return image, words


def _sign(rng: random.Random, script: str, photos: Sequence[Path]) -> Made:
    image = decode_image(rng.choice(photos)).image.convert("RGB").resize((1024, 768))
    words = _pick(rng, script, rng.randrange(1, 4))
    font = _font(rng, script, BOLD, rng.randrange(36, 80))
    draw, text = ImageDraw.Draw(image), " ".join(words)
    left, top, right, bottom = draw.textbbox((0, 0), text, font)
    x, y = rng.randrange(10, max(11, 1000 - int(right))), rng.randrange(20, 600)
    ground, ink = rng.choice([((0, 90, 160), "white"), ((200, 30, 30), "white"), ((250, 220, 0), "black")])
    draw.rounded_rectangle((x + left - 16, y + top - 12, x + right + 16, y + bottom + 12), 10, ground)
    draw.text((x, y), text, ink, font)
    return image, words


def _screenshot(rng: random.Random, script: str, photos: Sequence[Path]) -> Made:
    is_dark = rng.random() < 0.4
    ground, ink = ((30, 32, 36), (225, 225, 228)) if is_dark else ((255, 255, 255), (32, 33, 36))
    image = Image.new("RGB", (1280, 800), ground)
    draw, font, words = ImageDraw.Draw(image), _font(rng, script, PLAIN, rng.randrange(14, 18)), list[str]()
    draw.rectangle((0, 0, 1280, 44), (60, 64, 72))
    draw.rectangle((0, 44, 220, 800), (48, 50, 56) if is_dark else (241, 243, 246))
    for line in range(12):
        said = _pick(rng, script, 1)
        draw.text((24, 66 + 40 * line), said[0], ink, font)
        words += said
    for line in range(rng.randrange(6, 16)):
        said = _pick(rng, script, rng.randrange(3, 8))
        draw.text((260, 80 + 42 * line), " ".join(said), ink, font)
        words += said
    return image, words


def _page(rng: random.Random, script: str, photos: Sequence[Path]) -> Made:
    image = Image.new("RGB", (1240, 1754), (252, 252, 250))
    draw, font, words = ImageDraw.Draw(image), _font(rng, script, PLAIN, 26), list[str]()
    for line in range(rng.randrange(15, 36)):
        said = _pick(rng, script, 6 if script == "Latin" else 4)
        draw.text((130, 140 + 42 * line), " ".join(said), (25, 25, 28), font)
        words += said
    return image, words


def _note(rng: random.Random, script: str, photos: Sequence[Path]) -> Made:
    image = Image.new("RGB", (900, 600), (255, 250, 205))
    draw, font, words = ImageDraw.Draw(image), _font(rng, script, HAND, 44), list[str]()
    for line in range(5):
        said = _pick(rng, script, 3)
        draw.text((50, 50 + 96 * line), " ".join(said), (30, 40, 120), font)
        words += said
    return image, words


_KINDS: dict[str, Callable[[random.Random, str, Sequence[Path]], Made]] = {
    "receipt": _receipt,
    "sign": _sign,
    "screenshot": _screenshot,
    "page": _page,
    "note": _note,
}


def _spoil(image: Image.Image, spoiler: str, rng: random.Random) -> Image.Image:
    if spoiler == "small":
        return image.resize((image.width * 3 // 4, image.height * 3 // 4), Image.Resampling.LANCZOS)
    if spoiler == "turned":
        return image.transpose(
            rng.choice([Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270])
        )
    if spoiler == "tilted":
        return image.rotate(
            rng.choice([-1, 1]) * rng.uniform(3, 12), Image.Resampling.BICUBIC, expand=True, fillcolor=(128, 128, 128)
        )
    if spoiler == "curved":
        pixels = np.asarray(image)
        shift = (8 * np.sin(np.arange(image.width) / image.width * 2 * np.pi)).round().astype(int)
        rows = np.clip(np.arange(image.height)[:, None] + shift, 0, image.height - 1)
        return Image.fromarray(pixels[rows, np.arange(image.width)])
    if spoiler == "pale":
        return ImageEnhance.Contrast(image).enhance(0.3)
    if spoiler == "jpeg":
        file = io.BytesIO()
        image.filter(ImageFilter.GaussianBlur(0.6)).save(file, "JPEG", quality=35)
        return Image.open(file).convert("RGB")
    if spoiler == "dark":
        dark = np.asarray(image).astype(np.float32) * 0.35
        noise = np.random.default_rng(rng.randrange(1 << 30)).normal(0, 6, dark.shape)
        return Image.fromarray(np.clip(dark + noise, 0, 255).astype(np.uint8))
    return image
