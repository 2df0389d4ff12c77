"""Names of months, seasons, holidays and units of time, in English, German, French, Spanish."""

from collections.abc import Mapping
from datetime import date, timedelta

from clipsearch.query.phrases.words import phrase_table


def _table(rows: Mapping[int, str]) -> dict[str, int]:
    return {name: number for number, names in rows.items() for name in names.split()}


MONTHS = _table(
    {
        1: "january jan januar jänner janvier enero",
        2: "february feb februar février fevrier febrero",
        3: "march märz maerz mars marzo",
        4: "april apr avril abril",
        5: "may mai mayo",
        6: "june jun juni juin junio",
        7: "july jul juli juillet julio",
        8: "august aug août aout agosto",
        9: "september sep sept septembre septiembre setiembre",
        10: "october oct oktober okt octobre octubre",
        11: "november nov novembre noviembre",
        12: "december dec dezember dez décembre decembre diciembre",
    }
)

SPRING, SUMMER, AUTUMN, WINTER = range(4)
SEASONS = _table(
    {
        SPRING: "spring frühling frühjahr fruehling printemps primavera",
        SUMMER: "summer sommer été ete verano",
        AUTUMN: "autumn fall herbst automne otoño otono",
        WINTER: "winter hiver invierno",
    }
)

CHRISTMAS, EASTER, HALLOWEEN, NEW_YEAR, THANKSGIVING = "christmas", "easter", "halloween", "new year", "thanksgiving"
_HOLIDAY_NAMES = {
    CHRISTMAS: "christmas | xmas | weihnachten | noël | navidad",
    EASTER: "easter | ostern | pâques | paques | pascua",
    HALLOWEEN: "halloween",
    NEW_YEAR: "new year's eve | new years eve | nye | silvester | nochevieja",
    THANKSGIVING: "thanksgiving",
}
HOLIDAYS = phrase_table(_HOLIDAY_NAMES)

DAY, WEEK, MONTH, YEAR, WEEKEND = "day", "week", "month", "year", "weekend"
_UNIT_NAMES = {
    DAY: "day days tag tage tagen jour jours día dia días dias",
    WEEK: "week weeks woche wochen semaine semaines semana semanas",
    MONTH: "month months monat monate monaten mois mes meses",
    YEAR: "year years jahr jahre jahren an ans année années año años ano anos",
    WEEKEND: "weekend weekends wochenende week-end",
}
UNITS = {name: unit for unit, text in _UNIT_NAMES.items() for name in text.split()}

NUMBERS = _table(
    {
        1: "a an one ein eine einem einer un une uno una",
        2: "two zwei deux dos",
        3: "three drei trois tres",
        4: "four vier quatre cuatro",
        5: "five fünf cinq cinco",
        6: "six sechs seis",
        7: "seven sieben sept siete",
        8: "eight acht huit ocho",
        9: "nine neun neuf nueve",
        10: "ten zehn dix diez",
        11: "eleven elf onze once",
        12: "twelve zwölf douze doce",
    }
)


def year_days(year: int) -> tuple[date, date]:
    """Return the first day of a year and the one after it."""
    return date(year, 1, 1), date(year + 1, 1, 1)


def month_days(year: int, month: int) -> tuple[date, date]:
    """Return the first day of a month and the one after it."""
    first = date(year, month, 1)
    return first, add_months(first, 1)


def unit_days(unit: str, today: date, ago: int) -> tuple[date, date]:
    """Return the first day of the day, week, month or year of the calendar `ago` units ago, and the one after it."""
    if unit == YEAR:
        return year_days(today.year - ago)
    if unit == MONTH:
        first = add_months(today, -ago)
        return first, add_months(first, 1)
    monday = today - timedelta(days=today.weekday())
    if unit == WEEK:
        first = monday - timedelta(weeks=ago)
        return first, first + timedelta(weeks=1)
    if unit == WEEKEND:
        saturday = monday + timedelta(days=5) - timedelta(weeks=ago)
        return saturday, saturday + timedelta(days=2)
    first = today - timedelta(days=ago)
    return first, first + timedelta(days=1)


def season_days(season: int, year: int) -> tuple[date, date]:
    """Return the first day of a season and the one after it: three months, winter from December of the year.

    Of the northern half of the world, as meteorologists count them.
    """
    first = date(year, 3 + 3 * season, 1)
    return first, add_months(first, 3)


def holiday_days(name: str, year: int) -> tuple[date, date]:
    """Return the first day of a holiday and the one after it, with the days that people celebrate it on."""
    if name == CHRISTMAS:
        return date(year, 12, 24), date(year, 12, 27)
    if name == EASTER:
        sunday = easter_sunday(year)
        return sunday - timedelta(days=2), sunday + timedelta(days=2)
    if name == HALLOWEEN:
        return date(year, 10, 31), date(year, 11, 1)
    if name == THANKSGIVING:  # the fourth Thursday of November, in the United States
        first = date(year, 11, 1)
        day = first + timedelta(days=(3 - first.weekday()) % 7 + 21)
        return day, day + timedelta(days=1)
    return date(year, 12, 31), date(year + 1, 1, 2)


def easter_sunday(year: int) -> date:
    """Return Easter Sunday of the Gregorian calendar.

    Source: J. Meeus, Astronomical Algorithms, 2nd edition, chapter 8.
    """
    a, (b, c) = year % 19, divmod(year, 100)
    (d, e), (i, k) = divmod(b, 4), divmod(c, 4)
    g = (b - (b + 8) // 25 + 1) // 3
    h = (19 * a + b - d - g + 15) % 30
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return date(year, month, day + 1)


def add_months(day: date, count: int) -> date:
    """Return the first day of the month that is this number of months later."""
    months = 12 * day.year + day.month - 1 + count
    return date(months // 12, months % 12 + 1, 1)
