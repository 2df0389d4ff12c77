"""Find places, people of the catalog and ratings in Chinese, which is written without blanks."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from clipsearch.query.filters import quoted
from clipsearch.query.phrases.context import Context
from clipsearch.query.phrases.words import split_words, vocabulary

_AT = re.compile(r"(?<![现正存内外所实潜])在(?=[\u4e00-\u9fff]{2})")
_START = re.compile(r"(?:^|(?<=[\s，,、。]))(?=[\u4e00-\u9fff]{2})")
_MOST_CHARACTERS = 8
_AFTER = re.compile(r"拍摄?的|的|(?=$|[\s，,。、拍\d去今和与跟])|(?=照片|图片|相片)")
# What is of a country without having been photographed there.
_ATTRIBUTES = re.compile("国旗|地图|国徽|国王|总统|菜|美食|护照|队|人|语|车|品牌")
_NO_PLACES = vocabulary(
    "自由 胜利 东方 联邦 中央 西部 南部 东部 北部 中部 西北 西南 首都 河流 湖泊 沿岸 山地 "
    "高原 三角 扩展 光明 大西洋 亚马逊 赤道 朝阳 日照 白银 芙蓉 城中 港区 关口 北岸 红海 丰田 "
    "三重 来宾 平安 金山 狮子山 滨海 河口 东海 阿拉 维多利亚 林肯 大同 新港 哥伦布 拜仁 华盛顿"
)
_LEAST_KNOWN = 500_000
# A name in Latin letters.
_WITH_NAME = re.compile("[和与跟]([A-Za-zÀ-ɏ][A-Za-zÀ-ɏ'-]*(?: [A-ZÀ-Ý][A-Za-zÀ-ɏ'-]*)*)")
_PICTURES = r"照片|图片|相片"
_NUMBERS = {each: number for number, pair in enumerate(("一1", "二2", "三3", "四4", "五5"), 1) for each in pair}
_STARS = re.compile(
    rf"(?:^|(?<=[\s，,、]))([一二三四五1-5])颗?星(及?以上)?(?:评分)?(?:的|(?={_PICTURES}|$|[\s，,。、]))"
)
_FAVOURITES = re.compile(rf"我最?(?:喜欢|喜爱)的(?=[^，,。]*(?:{_PICTURES}))|我的?收藏的?|我的最爱")


@dataclass(frozen=True, slots=True)
class ChineseFact:
    """Filter in a part of a text, as positions."""

    start: int
    end: int
    filter: str
    is_sure: bool = True


def find_chinese_facts(text: str, start: int, end: int, context: Context) -> Iterator[ChineseFact]:
    """Yield what is found; some may overlap."""
    yield from _people(text, start, end, context)
    for found in _STARS.finditer(text, start, end):
        if context.is_rated:
            yield ChineseFact(found.start(), found.end(), f"rating:{'>=' if found[2] else ''}{_NUMBERS[found[1]]}")
    for found in _FAVOURITES.finditer(text, start, end):
        if context.favourites is not None:
            yield ChineseFact(found.start(), found.end(), ":".join(context.favourites))
    for found in _AT.finditer(text, start, end):
        yield from _place(text, found.start(), found.end(), end, context)
    for found in _START.finditer(text, start, end):
        yield from _place(text, found.start(), found.end(), end, context)


def _place(text: str, start: int, name_start: int, end: int, context: Context) -> Iterator[ChineseFact]:
    from clipsearch.places import mention

    for last in range(min(end, name_start + _MOST_CHARACTERS), name_start + 1, -1):
        name = text[name_start:last]
        after = _AFTER.match(text, last, end)
        if after is None or not all("\u4e00" <= each <= "\u9fff" for each in name):
            continue
        found = mention((name,))
        if found is None or found.is_ambiguous or name in _NO_PLACES or not context.is_placed:
            continue
        if found.place.kind == "city" and found.place.population < _LEAST_KNOWN:
            continue
        is_country = found.place.kind == "country"
        meaning = f"country:{found.place.country_code.lower()}" if is_country else f"place:{name}"
        is_sure = start < name_start or _ATTRIBUTES.match(text, after.end()) is None
        yield ChineseFact(start, after.end(), meaning, is_sure)
        return


def _people(text: str, start: int, end: int, context: Context) -> Iterator[ChineseFact]:
    for name in context.people.chinese:
        for found in re.finditer(rf"[和与跟]?{re.escape(name)}([和与跟的])?", text[start:end]):
            is_of = found[1] == "的" and re.search(_PICTURES, text[start + found.end() : end]) is None
            value = name if re.fullmatch(r"[\w-]+", name) else quoted(name)
            yield ChineseFact(start + found.start(), start + found.end(), f"person:{value}", not is_of)
    for found in _WITH_NAME.finditer(text, start, end):
        words = split_words(text, found.start(1), found.end(1))
        count = context.people.find(words, 0)
        if count:
            name = " ".join(word.key for word in words[:count])
            last = words[count - 1].end
            value = name if re.fullmatch(r"[\w-]+", name) else quoted(name)
            yield ChineseFact(found.start(), last + (text[last:end][:1] == "的"), f"person:{value}")
