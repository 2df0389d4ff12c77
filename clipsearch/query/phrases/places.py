"""Find places in the words of a query: "in Munich", "à Nice", "en Italie", "sunset, New York City".

A name counts after a preposition of place, or alone: at the end, after a comma, or before such a preposition at the
start. Before a noun it is a modifier ("Boston terrier") and stays words.
"""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, NamedTuple, Protocol

from clipsearch.query.phrases.dates import find_date, is_closed
from clipsearch.query.phrases.file_facts import FoundFilter
from clipsearch.query.phrases.words import FUNCTION_WORDS, GENERIC, Word, longest, phrase_list, vocabulary

if TYPE_CHECKING:
    from clipsearch.places import Mention, Place

_PREPOSITIONS = phrase_list(
    "in | at | near | from | taken in | shot in | near to | close to | bei | aus | nahe | nahe bei | in der nähe von | "
    "aufgenommen in | à | en | au | aux | près de | près d' | proche de | prises à | prises en | prise à | prise en | "
    "cerca de | tomadas en | tomada en"
)
# Before names of countries and regions.
_WITH_ARTICLE = phrase_list(
    "in the | from the | near the | in der | in den | in dem | im | aus der | aus den | aus dem | à la | dans le | "
    "dans la | dans les | en la | en el | en los | en las"
)
_FROM = vocabulary("from aus")
_OF = vocabulary("of von de d'")
# Words before "from" that say where something was made, or where someone comes from.
_ORIGINS = vocabulary(
    "made born imported produced manufactured hergestellt importiert fabriqué fabriquée hecho hecha greetings letter "
    "man men woman women boy girl person people someone mann frau leute menschen homme femme hombre mujer"
)
# Words before a preposition or a name that make something else of both.
_HEADS = vocabulary(
    "made born flag flags map maps atlas globe recipe dish bank team embassy passport little new old miss mr mrs made "
    "hecho fabriqué fahne flagge karte landkarte drapeau carte bandera mapa"
)
# Names that few mean otherwise, though they are also names of people or of other places.
_KNOWN_COUNTRIES = vocabulary(
    "usa uk thailand india indien australia cuba kenya malta malaysia indonesia russia israel bermuda oman mali"
)
_KNOWN_CITIES = vocabulary(
    "sydney houston dallas denver geneva genf genève ginebra verona bergen venice venedig florence anchorage adelaide "
    "bruges odessa tenerife crete kreta recife"
)
# Names that mostly mean something else: words of one of the languages, makers, stars, names of people and of teams.
_NEVER = vocabulary(
    "chihuahua sepia centre center centro centrum tabasco cayenne essen orange sale mango split reading bath wedding "
    "marche us toyota hitachi kawasaki batman kennedy vladimir wladimir stalin turbo indie logos homo limo orion "
    "jupiter júpiter atlantis ajax benfica hamilton montgomery waterloo elan manta mojo sakura samba senna casper "
    "constantine konstantin bismarck cicero mandela waldorf zara pristine chino bantam minster goodyear cortes nassau "
    "levi's zion dalai soma siri fuji pesto agro sala milo bowie chen nico abs thai swiss israeli pakistani iraqi "
    "somali nepali filipino filipina kuwaiti yemeni bangladeshi homs saba pari tala bela deva cano neon archangel "
    "orlando duma engels ofen türen gerät leiden siegen klar klang marken rast hasse favoriten kanton ames asbest "
    "ungern zahle zähle kenner bären brod sofie tunes alameda bellevue riverside capital central northern southern "
    "eastern western oriental occidental lakewood midland plano población poblacion caza extrema mito tamaño registro "
    "registró fundación fundacion pasto colina cerro fortaleza paraíso paraiso encanto encantó retiro tabaco cuenca "
    "resistencia goma frontera constancia salta siga haga bello capas morena victorias merced conquista misiones natal "
    "colonia colón coronel cordillera litoral mina minas lagunes savanes rabot amazonas atlántico caldas gama elche "
    "marcas ventas fría fria granada retiro girón humus damas picos patos manada manadas breves litros tanda tala "
    "planas vena vigas canoas balsas nova paco rosario crimea punjab surrey"
)
_LOWER_CASE_THINGS = vocabulary(
    "bordeaux cologne manila panama havana havanna angora damask medina siena cognac turkey china jordan chad jersey "
    "brussels hamburg oxford cambridge berliner nice lima chile reunion georgia brittany perth tours metz salem "
    "windsor norfolk plymouth guinea niger togo parma burgos dresden bali"
)
_CONTINUES = vocabulary(
    "a an the at in on with without by near during while when after before behind under over along between next from "
    "ein eine am an im bei mit ohne auf nach vor während von zwischen un une avec sans dans sur pendant au à en la le "
    "con sin sobre durante y and und et is"
)
# But "the hague", "los angeles", "la paz", "el paso".
_NO_NAMES = FUNCTION_WORDS - vocabulary("the los las la el")
_AND = vocabulary("and or und oder et ou y o e u to nach")
_MOST_WORDS = 4
_OWN_LEAST, _ABROAD_LEAST = 100_000, 250_000
# People of a city whose name is taken for it in lower case or alone: those of smaller ones are words of some language.
_LEAST_IN_LOWER_CASE, _LEAST_ALONE, _LEAST_ALONE_IN_LOWER_CASE = 200_000, 100_000, 500_000


class KnowsPlaces(Protocol):
    """Whatever knows the day and whether pictures have places."""

    @property
    def today(self) -> date:
        """The date of today."""
        ...

    @property
    def is_placed(self) -> bool:
        """Whether any picture has a position or the name of a place."""
        ...


class _Named(NamedTuple):
    """Name of a place; it is clear if it hardly means anything else, even alone."""

    words: int
    value: str
    place: "Place"
    is_clear: bool


def find_place(words: Sequence[Word], at: int, context: KnowsPlaces) -> FoundFilter | None:
    """Find a place at a word, with the preposition before it."""
    lead = longest(words, at, _PREPOSITIONS)
    longer = longest(words, at, _WITH_ARTICLE)
    has_article = longer > lead
    lead = max(lead, longer)
    start = at + lead
    if start >= len(words) or (lead and words[start].follows_break):
        return None
    if lead == 0 and not _may_stand_alone(words, at):
        return None
    named = _name_at(words, start, has_article=has_article)
    if named is None or not context.is_placed:
        return None
    end = start + named.words
    is_of = at > 0 and not words[at].follows_break and words[at - 1].key in _OF
    if lead == 0:
        is_qualified = "," in named.value
        if not is_qualified and _is_small(named.place, is_alone=True, is_capital=words[at].is_capital):
            return None
        is_sure = _is_sure_alone(words, at, end, named, context)
        if is_sure is None:
            return None
        if is_of and not _is_generic(words[: at - 1]):
            is_sure = False
    else:
        before = words[at - 1].key if at > 0 and not words[at].follows_break else ""
        is_origin = words[at].key in _FROM and before in _ORIGINS
        is_sure = _ends(words, end, context) and not is_origin and before not in _HEADS
    is_country = named.place.kind == "country"
    value = named.place.country_code.lower() if is_country else named.value
    return FoundFilter(end - at, "country" if is_country else "place", value, is_sure)


def _may_stand_alone(words: Sequence[Word], at: int) -> bool:
    word = words[at]
    if not word.is_capital and (word.key in FUNCTION_WORDS or word.key in _AND):
        return False
    return at == 0 or word.follows_break or len(words) - at <= _MOST_WORDS or words[at + 1].has_digit


def _is_sure_alone(words: Sequence[Word], at: int, end: int, named: _Named, context: KnowsPlaces) -> bool | None:
    """Return whether a name without a preposition is a place; None: not even offered."""
    is_first = at == 0 or words[at].follows_break
    before = "" if is_first else words[at - 1].key
    is_last = end == len(words) or words[end].follows_break
    if not _ends(words, end, context):
        return None
    if not (is_first or is_last or find_date(words, end, today=context.today)):
        return None
    if before and before not in _OF and (before in _CONTINUES or before in _AND or before.isdigit()):
        return None
    is_after_name = not is_first and words[at - 1].is_capital and before not in GENERIC  # "Jack London"
    return named.is_clear and not is_after_name and before not in _HEADS


def _ends(words: Sequence[Word], end: int, context: KnowsPlaces) -> bool:
    """Return whether no noun follows, of which the name would be a modifier, and no other place."""
    if end >= len(words):
        return True
    key = words[end].key
    if key in _AND and end + 1 < len(words):
        following = end + 1 + longest(words, end + 1, _PREPOSITIONS)
        if following < len(words) and _name_at(words, following, has_article=False) is not None:
            return False
    if is_closed(words, end) or key in _CONTINUES or key in _AND or key.endswith("ing"):
        return True
    found = find_date(words, end, today=context.today)
    return found is not None and (found.is_sure or end + found.count == len(words))


def _is_generic(words: Sequence[Word]) -> bool:
    return all(word.key in GENERIC for word in words)


def _name_at(words: Sequence[Word], start: int, *, has_article: bool) -> _Named | None:
    """Find the name of a place at a word; None also of one that hardly means a place here."""
    first = words[start]
    found = _mentioned(words, start) if _may_begin(first, has_article=has_article) else None
    if found is None:
        return None
    mentioned, value = found
    place, count = mentioned.place, mentioned.length
    is_lone = count == 1 and value not in _KNOWN_COUNTRIES
    is_thing = not first.is_capital and first.key in _LOWER_CASE_THINGS
    if is_lone and (is_thing or _is_small(place, is_alone=False, is_capital=first.is_capital)):
        return None
    if has_article and place.kind == "city" and place.name.casefold() != f"the {value}":
        return None
    is_clear = not mentioned.is_ambiguous or value in _KNOWN_COUNTRIES or value == "us"
    is_clear = is_clear and not _is_name_of_a_person(words, start, mentioned)
    if is_clear or (value in _KNOWN_CITIES and not has_article):
        return _Named(count, value, place, is_clear)
    least = _OWN_LEAST if value == place.name.casefold() else _ABROAD_LEAST
    is_large = place.kind == "country" or place.population >= least
    return _Named(count, value, place, False) if first.is_capital and is_large and not has_article else None


def _is_name_of_a_person(words: Sequence[Word], start: int, found: "Mention") -> bool:
    """Return whether a region's name without a comma before it may be a surname: "George Washington"."""
    from clipsearch.places import is_ambiguous, look_up

    if found.length == 1 or any(word.follows_break for word in words[start + 1 : start + found.length]):
        return False
    is_qualified = not look_up(" ".join(word.key for word in words[start : start + found.length]))
    return is_qualified and is_ambiguous(words[start].key)


def _may_begin(word: Word, *, has_article: bool) -> bool:
    """Return soon whether a word may begin a name."""
    if word.has_digit or (not word.is_capital and word.key in _NO_NAMES):
        return False
    return word.key not in _NEVER or (word.key == "us" and has_article)


def _mentioned(words: Sequence[Word], start: int) -> "tuple[Mention, str] | None":
    """Return the place that is named at a word, and the name as filters take it; not one glued over a comma."""
    from clipsearch.places import mention

    keys = [word.key for word in words[start : start + _MOST_WORDS]]
    breaks = [place for place in range(1, len(keys)) if words[start + place].follows_break]
    for stop in (len(keys), *breaks[:1]):
        found = mention(keys[:stop])
        if found is not None and (value := _value(words[start : start + found.length])):
            return found, value
    return None


def _is_small(place: "Place", *, is_alone: bool, is_capital: bool) -> bool:
    """Return whether a city is so small that its name, written so, is as likely a word."""
    if place.kind != "city":
        return False
    if is_capital:
        return is_alone and place.population < _LEAST_ALONE
    return place.population < (_LEAST_ALONE_IN_LOWER_CASE if is_alone else _LEAST_IN_LOWER_CASE)


def _value(words: Sequence[Word]) -> str:
    """Return a name as filters take it, "paris, texas" for "Paris Texas"; "" for words that are no name together."""
    from clipsearch.places import look_up

    plain = " ".join(word.key for word in words)
    has_break = any(word.follows_break for word in words[1:])
    if not has_break and look_up(plain):
        return plain
    for last in range(len(words) - 1, 0, -1):
        if has_break and not words[last].follows_break:
            continue
        name, area = words[:last], words[last:]
        qualified = f"{' '.join(word.key for word in name)}, {' '.join(word.key for word in area)}"
        if look_up(qualified):
            return qualified
    return ""
