"""Typing errors that are noticed, and words that are left alone."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from clipsearch import Catalog, parse_query
from clipsearch.paths import sample_data_folder
from clipsearch.query.spelling import Vocabulary, are_near, stems_of
from tests.support.fakes import ColourEncoder

SWAPPED = (
    "zerba zebra, gaint giant, girafef giraffe, elehpant elephant, bicylce bicycle, sunest sunset, mountian mountain, "
    "brigde bridge, gutiar guitar, umberlla umbrella, tarin train, hosre horse, pengiun penguin, flwoer flower, "
    "castel castle, beahc beach, dgo dog, chruch church"
)
DROPPED = (
    "girafe giraffe, buterfly butterfly, squirel squirrel, mountin mountain, bicyle bicycle, umbrela umbrella, "
    "kitchn kitchen, motorcyle motorcycle, elephnt elephant, rabit rabbit, suset sunset, pengun penguin, "
    "swiming swimming, firewors fireworks, tomao tomato, skatebord skateboard, ligthouse lighthouse, pinaple pineapple"
)
DOUBLED = (
    "zebbra zebra, tigger tiger, elepphant elephant, bannana banana, sunsett sunset, beeach beach, gguitar guitar, "
    "mountaiin mountain, snoww snow, bicyclle bicycle, castlle castle, piizza pizza, penguinn penguin, bridgge bridge, "
    "kittchen kitchen"
)
BESIDE = (
    "zebrs zebra, giraffr giraffe, elephamt elephant, sunsdt sunset, mountaim mountain, bicycke bicycle, "
    "guitat guitar, flowrr flower, penguim penguin, bridhe bridge, tomsto tomato, sqiirrel squirrel, "
    "butterflu butterfly, castlr castle, wunset sunset, kitcgen kitchen"
)
ERRORS = [tuple(pair.split()) for pairs in (SWAPPED, DROPPED, DOUBLED, BESIDE) for pair in pairs.split(", ")]

ENGLISH = (
    "quokka axolotl osprey wombat kookaburra sycamore lichen isthmus gazebo pagoda obelisk rhododendron hydrangea ibex "
    "narwhal pangolin okapi tapir capybara marmoset lemur ocelot caracal gecko newt cicada mantis trilobite ammonite "
    "fjord tundra savanna mangrove archipelago moraine stalactite geyser aqueduct viaduct cenotaph colonnade pergola "
    "trebuchet astrolabe sextant theodolite bassoon harpsichord didgeridoo bagpipes quinoa kohlrabi rhubarb chard "
    "sourdough baguette goulash paella tagine falafel kimchi kombucha wistful forlorn serene gloomy derelict "
    "dilapidated plumber welder cobbler beekeeper blacksmith falconer archaeologist kayaker hikers fishermen toddlers "
    "bridesmaids stork coot heron bittern kestrel buzzard ptarmigan plover dunlin godwit poplar hornbeam larch rowan "
    "aspen juniper"
)
GERMAN = (
    "katze hund schnee wald strand brücke pferd vogel blume fluss kirche schloss zug fahrrad straße mädchen junge "
    "hochzeit geburtstag weihnachten urlaub sonnenuntergang regenbogen schmetterling eichhörnchen nashorn giraffe zebra"
)
FRENCH = (
    "chien chat neige forêt plage pont cheval oiseau fleur rivière église château fille garçon mariage anniversaire "
    "noël vacances coucher soleil papillon écureuil montagne voiture maison bateau éléphant girafon"
)
NAMES = (
    "ferrari toyota lamborghini mercedes volkswagen ikea adidas nike samsung huawei lego pepsi heineken rolex leica "
    "paris munich neuschwanstein reykjavik timbuktu kilimanjaro yosemite machu picchu santorini dubrovnik ljubljana "
    "gdansk bordeaux zermatt interlaken hokkaido anna jonas sophie matthias giulia fatima yusuf priya hiroshi beyoncé "
    "einstein obama merkel picasso"
)
CORRECT = sorted({word for words in (ENGLISH, GERMAN, FRENCH, NAMES) for word in words.split()} - {"girafon"})
NONSENSE = (
    "asdfgh qwertz xkcdqz blorft snarfle wibblok zzyzx grumpfel plonktor vrexil hjkl mnbvc thrimble quazzle dworp "
    "fnordle skibbet glarnk yopwick ujmik"
)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    photos = tmp_path_factory.mktemp("suggestions") / "photos"
    photos.mkdir()
    shutil.copy(next(sample_data_folder().rglob("cat.jpg")), photos)
    with Catalog.open(photos.parent / "catalog", model="starter", create=True) as opened:
        opened.index(photos)
        yield opened


def test_typing_errors_are_noticed(catalog):
    assert len(ERRORS) >= 60
    found = [(wrong, right, catalog.suggest(wrong)) for wrong, right in ERRORS]
    missed = [each for each in found if each[1] != each[2]]
    assert len(missed) <= 0.1 * len(ERRORS), missed
    assert [each for each in missed if each[2] is not None] == []


def test_words_that_no_text_has_are_left_alone(catalog):
    assert len(CORRECT) >= 150
    changed = [(word, found) for word in CORRECT if (found := catalog.suggest(word)) is not None]
    assert len(changed) <= 0.02 * len(CORRECT), changed


def test_words_that_mean_nothing_are_left_alone(catalog):
    changed = [(word, found) for word in NONSENSE.split() if (found := catalog.suggest(word)) is not None]
    assert len(changed) <= 0.05 * len(NONSENSE.split()), changed


@pytest.mark.parametrize(
    ("query", "suggestion"),
    [
        ("a zebra in the snow", None),
        ("a zerba in the snow", "a zebra in the snow"),
        ("a zerba and a girafe", "a zebra and a giraffe"),
        ("Zerba", "Zebra"),
        ("beahc - umbrela", "beach - umbrella"),
        ("2:zerba + snow", "2:zebra + snow"),
        ("snow & zerba", "snow & zebra"),
        ('"a - zerba"', '"a - zebra"'),
        ("zerbas", "zebras"),
        ("zebras", None),
        ("two surfers surfed", None),
        ("zerba taken:2024", None),
        ("zerba + id:1", None),
        ("type:jpg", None),
        ("zerba2 t-zerba zerba's", None),
        ("ct", None),
        ("z" * 500, None),
        ("a kookaburra and a zerba", "a kookaburra and a zebra"),
        (" ".join(["zerba girafe umbrela buterfly rabit"]), None),
    ],
)
def test_queries_as_wholes(catalog, query, suggestion):
    assert catalog.suggest(query) == catalog.suggest(parse_query(query)) == suggestion


def test_what_is_suggested_is_known(catalog):
    suggestions = [found for wrong, _ in ERRORS if (found := catalog.suggest(f"a {wrong}")) is not None]
    assert len(suggestions) > 50 and [found for found in suggestions if catalog.suggest(found) is not None] == []


def test_words_of_captions_and_labels_are_known_and_suggested(catalog):
    assert catalog.suggest("quokak") is None
    catalog.captions.add(["a quokka smiles"])
    assert catalog.suggest("quokak") == "quokka"
    catalog.captions.remove(["a quokka smiles"])
    assert catalog.suggest("quokak") is None
    assert catalog.suggest("a zerba") == "a zebra"
    catalog.labels.add("mine", ["zerba", "quokka"])
    assert catalog.suggest("a zerba") is None and catalog.suggest("quokak") == "quokka"
    catalog.labels.add("mine", ["zebra", "quokka"])
    assert catalog.suggest("a zerba") == "a zebra"
    catalog.labels.remove("mine")


def test_words_that_the_model_has_a_token_for_are_known(tmp_path: Path, colours):
    # To this model every word is one token.
    shutil.copytree(sample_data_folder() / "animals", tmp_path / "photos")
    with Catalog.open(tmp_path / "catalog", model="colours", create=True) as catalog:
        catalog.index(tmp_path / "photos")
        assert isinstance(catalog.encoder, ColourEncoder) and catalog.suggest("a zerba") is None


@pytest.mark.parametrize(
    ("typed", "nearest"),
    [
        ("zebar", "zebra"),
        ("zbera", "zebra"),
        ("ezbra", "zebra"),
        ("zebraa", "zebra"),
        ("zebta", None),  # a short word may hold no unlikely slip
        ("zeba", None),
        ("refrigeratpr", "refrigerator"),
        ("refrigeratmmr", None),
        ("crat", "cart"),
        ("cra", None),
        ("caat", "cat"),
        ("refrigrator", "refrigerator"),
        ("erfrigeratro", "refrigerator"),
        ("tefrigerator", "refrigerator"),
        ("efrigerator", "refrigerator"),
        ("rfrgrator", None),
        ("", None),
        ("z", None),
    ],
)
def test_the_nearest_word(typed, nearest):
    assert Vocabulary.of(["Zebra cart cat", "refrigerator"]).find_nearest(typed) == nearest


@pytest.mark.parametrize(
    ("word", "stem"),
    [
        ("zebras", "zebra"),
        ("baking", "bake"),
        ("running", "run"),
        ("buses", "bus"),
        ("puppies", "puppy"),
        ("played", "play"),
        ("rocketry", "rocket"),
    ],
)
def test_forms_of_words(word, stem):
    assert stem in set(stems_of(word)) and Vocabulary.of([stem]).knows(word)


@pytest.mark.parametrize("word", ["swiming", "steerring", "grasss", "zebra"])
def test_what_is_no_form(word):
    assert not Vocabulary.of(["swim", "steer", "grass"]).knows(word)


def test_neighbours_on_the_keyboard():
    assert all(are_near(one, other) and are_near(other, one) for one, other in ("qw", "qa", "as", "gt", "gb", "nm"))
    assert not any(are_near(one, other) for one, other in ("qq", "qz", "qe", "aé", "pm"))
