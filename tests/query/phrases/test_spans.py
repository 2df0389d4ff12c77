"""Phrases of plain words: several days, parts of years and decades."""

from datetime import date

import pytest

from clipsearch.query.phrases import Context, understand

CONTEXT = Context(date(2026, 11, 27))


def read(text: str) -> str:
    return understand(text, CONTEXT).text


@pytest.mark.parametrize(
    ("text", "expected"),
    {
        "from 3 to 5 July 2019": "taken:2019-07-03..2019-07-05",
        "July 3-5 2019": "taken:2019-07-03..2019-07-05",
        "July 15-20, 2020": "taken:2020-07-15..2020-07-20",
        "15-20 July 2020": "taken:2020-07-15..2020-07-20",
        "between July 3 and 5, 2019": "taken:2019-07-03..2019-07-05",
        "3 and 4 July 2019": "taken:2019-07-03..2019-07-04",
        "July 3, 4 and 5, 2019": "taken:2019-07-03..2019-07-05",
        "28 June to 3 July 2019": "taken:2019-06-28..2019-07-03",
        "vom 28. Dezember bis 3. Januar 2019": "taken:2018-12-28..2019-01-03",
        "12. bis 14. Mai 2020": "taken:2020-05-12..2020-05-14",
        "3.-5.7.2019": "taken:2019-07-03..2019-07-05",
        "3.7. bis 5.7.2019": "taken:2019-07-03..2019-07-05",
        "du 3 au 5 juillet 2019": "taken:2019-07-03..2019-07-05",
        "del 3 al 5 de julio de 2019": "taken:2019-07-03..2019-07-05",
        "2019年7月3日到5日的海滩": "海滩 taken:2019-07-03..2019-07-05",
        "2020年3月到5月": "taken:2020-03..2020-05",
    }.items(),
)
def test_several_days(text, expected):
    assert read(text) == expected


@pytest.mark.parametrize(
    "text", ["3 and 5 July 2019", "30 to 35 July 2019", "5 to 3 July 2019", "3-5 people 2019 party"]
)
def test_days_with_gaps_and_no_days_stay_words(text):
    assert read(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    {
        "beach early 2019": "beach taken:2019-01..2019-04",
        "in late 2019": "taken:2019-09..2019-12",
        "mid-2019": "taken:2019-05..2019-08",
        "since early 2019": "taken:2019-01-01..",
        "Anfang 2020": "taken:2020-01..2020-04",
        "Ende 2020": "taken:2020-09..2020-12",
        "début 2019": "taken:2019-01..2019-04",
        "fin 2019": "taken:2019-09..2019-12",
        "a principios de 2019": "taken:2019-01..2019-04",
        "a finales de 2019": "taken:2019-09..2019-12",
        "2019年初": "taken:2019-01..2019-04",
        "2019年底的海滩": "海滩 taken:2019-09..2019-12",
        "90s": "taken:1990..1999",
        "the 1990s": "taken:1990..1999",
        "a party in the 80s": "a party taken:1980..1989",
        "a party in the nineties": "a party taken:1990..1999",
        "aus den 90er Jahren": "taken:1990..1999",
        "années 90": "taken:1990..1999",
        "los años noventa": "taken:1990..1999",
        "90年代的照片": "taken:1990..1999",
    }.items(),
)
def test_parts_of_years_and_decades(text, expected):
    assert read(text) == expected


@pytest.mark.parametrize(
    "text", ["90s music", "a woman in her 90s", "early 90s", "exposure 30s", "early 2019 model", "in the 20s"]
)
def test_what_may_be_no_decade_stays_words(text):
    assert read(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    {
        "去年夏天在海边": "在海边 taken:2025-06..2025-08",
        "我们去年夏天在海边": "我们 在海边 taken:2025-06..2025-08",
        "2019年7月的海滩": "海滩 taken:2019-07",
        "海边的日落2019年": "海边的日落 taken:2019",
        "过去年夏天": "过去年夏天",
    }.items(),
)
def test_chinese_dates_inside_of_a_sentence(text, expected):
    assert read(text) == expected
