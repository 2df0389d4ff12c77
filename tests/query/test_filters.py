"""Each piece of a query is words, a filter, or refused with the right form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsearch.errors import QuerySyntaxError
from clipsearch.query import Query, Term, parse_query
from clipsearch.query.filters import BLURRED_BELOW, DARK_BELOW, EXAMPLES, KEYS
from clipsearch.query.names import OTHER_NAMES
from tests.fuzz.budget import examples
from tests.support.refusals import check_refused

WORDS = (
    "note: a dog",
    "16:9 wallpaper",
    "Batman: the movie",
    "re: invoice",
    "12:30 clock",
    "C: drive",
    "a dog :)",
    ":( :D :3 ;-) >:( :-/",
    "2001: a space odyssey",
    "1984: a book on a table",
    "name: Anna",
    "to: grandma",
    "from: grandpa with love",
    "from: 9 to 5",
    "is: a sign",
    "dark: knight rises",
    "shark:50",
    "focus: on infinity",
    "sort: of blue",
    "order: pizza",
    "note: sale",
    "color: red",
    "kind: of blue",
    "kind: a dog",
    "location: unknown sign",
    "model: a woman in red",
    "make: love not war",
    "phone: ringing",
    "day: one",
    "year: of the dog",
    "people: laughing",
    "face: smiling",
    "event: wedding",
    "resolution: new year",
    "no: entry sign",
    "photo: of a cat",
    "TODO: laundry",
    "menu: pizza and pasta",
    "warning: wet floor",
    "John 3:16",
    "Star Trek: TNG",
    "Fate:stay night",
    "hash:tag",
    "gas:mask",
    "ear:ring",
    "math:class",
    "bath: tub",
    "rope: knot",
    "tape: cassette",
    "dear: john",
    "keys: on a table",
    "hat: red",
    "makers:mark",
    "size matters: big dog",
    "size 5 shoe",
    "path of stones",
    "h and m",
    "dog > cat",
    "A > B > C",
    "x = y",
    "the type = unknown",
    "1+1=2",
    "I <3 dogs",
    "dogs and cats or birds",
    "to be or not to be",
    "(a dog) in [the] snow",
    "rock 'n' roll!",
    "wow !!! a dog",
    "ISO 800 f/2.8",
    "AC/DC: live",
    "email me at a@b.example",
)

UNDERSTOOD = {
    "NOT path:x": "-path:x",
    "dog NOT path:x": "dog -path:x",
    "!path:x": "-path:x",
    "! path:x": "-path:x",
    "dog −path:x": "dog -path:x",
    "–path:x": "-path:x",
    "dog AND path:x": "dog path:x",
    "path:x AND dog": "dog path:x",
    "path:x AND size:>2MB": "path:x size:>2MB",
    "path:x and size:>2MB": "path:x size:>2MB",
    "path:x && type:png": "path:x type:png",
    "dog && snow": "dog & snow",
    "dog AND NOT path:x": "dog -path:x",
    "NOT type:png AND NOT type:gif": "-type:png -type:gif",
    "camera: canon": "camera:canon",
    "orientation:vertical": "orientation:portrait",
    "orientation:horizontal": "orientation:landscape",
    "has:location": "has:gps",
    "dog is:blurred": f"dog sharp:<{BLURRED_BELOW}",
    "-is:Blurry": f"-sharp:<{BLURRED_BELOW}",
    "is:sharp & dog": f"dog sharp:>={BLURRED_BELOW}",
    "NOT is:dark cat": f"-bright:<{DARK_BELOW} cat",
    "is:underexposed": f"bright:<{DARK_BELOW}",
    "sharp: > 40 %": "sharp:>40",
    "bright:10..20%": "bright:10..20",
    "is:dark is the night": f"is the night bright:<{DARK_BELOW}",
    r'path:"D:\My Photos"': r'path:"D:\\My Photos"',
}

REFUSED = {
    # Operators and brackets of other programs.
    "not path:x": (0, "-path:backup"),
    "dog not path:x": (4, "-path:backup"),
    "path:x OR path:y": (7, "no 'or'"),
    "path:x or type:png": (7, "no 'or'"),
    "dog OR path:x": (4, "no 'or'"),
    "path:x | path:y": (7, "no 'or'"),
    "path:x || path:y": (7, "no 'or'"),
    "type:jpg or png": (9, "no 'or'"),
    "camera:canon or nikon": (13, "no 'or'"),
    "type:jpg png": (9, "one value"),
    "type:jpg,png": (0, "one value"),
    "type:jpg|png": (0, "one value"),
    "has:gps,date": (0, "one value"),
    "has:gps date": (8, "one value"),
    "has: gps and date": (9, "no 'and'"),
    "camera:canon,nikon": (0, "one value"),
    "camera:canon, nikon": (0, "one value"),
    "path:x|y": (0, "in quotes"),
    "taken:2019 and dog": (11, "no 'and'"),
    "(path:x)": (0, "no brackets"),
    "( path:x )": (0, "no brackets"),
    "[path:x]": (0, "no brackets"),
    "dog (path:x OR path:y)": (4, "no brackets"),
    "-(path:x)": (1, "no brackets"),
    "(dog path:x)": (11, "no brackets"),
    "(dog path:x(1).jpg)": (18, "no brackets"),
    "path:summer, sunset": (0, "one value"),
    "(date:2019)": (0, "taken:2019"),
    "NOT dog": (0, "dog - snow"),
    "dog !cat": (4, "-cat"),
    "cat|dog": (0, "dog + cat"),
    # No blank before a filter.
    "dog,path:x": (0, "a blank is missing before a filter"),
    "dog;size:>2MB": (0, "a blank is missing before a filter"),
    "path:x,type:png": (0, "a blank is missing before a filter"),
    "path:x&type:png": (0, "a blank is missing before a filter"),
    "'path:x'": (0, "a blank is missing before a filter"),
    "<path:x path:y>": (0, "a blank is missing before a filter"),
    # Units that there are not.
    "size:>2 Mo": (8, "no unit Mo"),
    "size:>2Mo": (0, "size:>2MB"),
    "size:2 GiBi": (7, "no unit GiBi"),
    "size:>1 k b": (10, "no unit b"),
    "size:>2 million": (8, "no unit million"),
    "size:>2 megs": (8, "no unit megs"),
    "h:>10 cm": (6, "no unit cm"),
    "w:>10 in": (6, "no unit in"),
    "w:3000 dpi": (7, "no unit dpi"),
    "w:4 k": (4, "no unit k"),
    # Second halves.
    "size: >2MB <3MB": (11, "size:>2MB size:<4MB"),
    "size:>2MB and <3MB": (10, "size:>2MB size:<4MB"),
    "w:>1000 <2000": (8, "w:>1000 w:<2000"),
    "taken:>2019 <2021": (12, "taken:>2019 taken:<2021"),
    "size:>2MB 3MB": (10, "size:>2MB"),
    "size:2 000 000": (7, "size:>2MB"),
    "w:1920 1080": (7, "w:>=1920"),
    "w:1920 h 1080": (7, "w:>=1920"),
    "w:1920 by 1080": (7, "w:>=1920"),
    "taken:2019-05-06 07:00": (17, "no times"),
    "taken:2019-05-06 7 pm": (17, "no times"),
    "taken:2019 05": (11, "taken:2024-05..2025"),
    "taken:2019 05 06": (11, "taken:2024-05..2025"),
    "taken: 2019 - 05": (12, "taken:2024-05..2025"),
    "taken:2019 through 2020": (11, "taken:2024-05..2025"),
    "taken:2019 and 2020": (11, "taken:2024-05..2025"),
    "taken:2019 onwards": (11, "taken:2024-05..2025"),
    "near:48.8,2.3 within 10km": (14, "near:48.85,2.35,10km"),
    "near:48.8,2.3,1 0km": (16, "near:48.85,2.35,10km"),
    "near:48.8,2.3 10 kms": (14, "near:48.85,2.35,10km"),
    "near:48.8,2.3 < 10km": (14, "near:48.85,2.35,10km"),
    "path:my pool.jpg": (8, 'path:"my pool.jpg"'),
    "path: my pool.jpg": (9, 'path:"my pool.jpg"'),
    "path:my red pool.jpg": (8, 'path:"my red pool.jpg"'),
    "path:'summer trip'": (0, 'in quotes such as "'),
    r"path:summer\ trip": (13, "in quotes"),
    "path:=x": (0, "path: takes a name"),
    "camera:>x": (0, "camera: takes a name"),
    "camera: obscura": (0, "without a blank"),
    "id:5 6": (0, "id:42 + id:43"),
    "date taken:2019": (5, "there is no date taken"),
    "file type:jpg": (5, "there is no file type"),
    # Letters wrong.
    "sise:>2MB": (0, "size:>2MB"),
    "hsa:gps": (0, "has:gps"),
    "has=gps": (0, "has:gps"),
    "paht:x": (0, "path:x"),
    "path>x": (0, "path:x"),
    "path = x": (0, "path:x"),
    "camera = canon": (0, "camera:canon"),
    "camera != canon": (0, "-camera:canon"),
    "orientaton:portrait": (0, "orientation:portrait"),
    "widht:>1000": (0, "w:>1000"),
    "foldr:2019/x": (0, "path:2019/x"),
    "orİentation:portrait": (0, "orientation:portrait"),
    "ſize:>2MB": (0, "size:>2MB"),
    # Names of other programs.
    "datetaken:2019": (0, "taken:2019"),
    "date_taken: 2019": (0, "taken:2019"),
    "before:2019": (0, "taken:<2019"),
    "after:2019-05": (0, "taken:>2019-05"),
    "since:2019": (0, "taken:>=2019"),
    "from:2019": (0, "taken:>=2019"),
    "from:alice": (0, "there is no from:"),
    "to:2020": (0, "taken:<=2020"),
    "older_than:1y": (0, "taken:"),
    "width: > 5": (0, "w:>5"),
    "mp:>5": (0, "w:>=1920 h:>=1080"),
    "resolution:1920x1080": (0, "w:>=1920 h:>=1080"),
    "larger:5M": (0, "size:>5M"),
    "kind:png": (0, "type:png"),
    "kind:recipt": (0, "kind: takes screenshot, receipt, document or whiteboard, not recipt"),
    "kind:invoice": (0, "kind: takes screenshot, receipt, document or whiteboard, not invoice"),
    "kind: png": (0, "type:png"),
    "name:*.jpg": (0, "path:*.jpg"),
    "name:x": (0, "path:x"),
    "make: canon": (0, "camera:canon"),
    "cameramodel:D80": (0, "camera:D80"),
    "city:Paris": (0, "there is no city: did you mean place:Paris"),
    "gps:yes": (0, "has:gps"),
    "no:gps": (0, "-has:gps"),
    "is:portrait": (0, "orientation:portrait"),
    "is:starred": (
        0,
        "sharp, dark, favourite, screenshot, receipt, document or whiteboard, not starred",
    ),
    "is:bright": (
        0,
        "sharp, dark, favourite, screenshot, receipt, document or whiteboard, not bright",
    ),
    "sharp:200": (0, "sharp: goes from 0 to 100"),
    "bright:<101": (0, "bright: goes from 0 to 100"),
    "-sharp:50..120 %": (0, "goes from 0 to 100"),
    "is: dark": (0, "write is:dark, without a blank"),
    "is=blurred": (0, "write is:blurred"),
    "is:dark,blurred": (0, "one value"),
    "is:dark or is:blurred": (8, "no 'or'"),
    "is:dark blurred": (8, "one value"),
    "(is:dark)": (0, "no brackets"),
    "dog,is:dark": (0, "a blank is missing before a filter"),
    "2:is:dark": (2, "takes no weight"),
    "blurry:yes": (0, "is:blurred"),
    "blur:>50": (0, "is:blurred"),
    "darkness:>50": (0, "is:dark"),
    "sharpness>50": (0, "sharp:>50"),
    "brightness < 20": (0, "bright:<20"),
    "sharp:yes": (0, "sharp:<20"),
    "sharp:>20 <40": (10, "sharp:>20 sharp:<40"),
    "bright:20 percent": (10, "no unit percent"),
    "bright:40..20": (0, "empty range"),
    "brigt:<20": (0, "bright:<20"),
    "rating: five": (0, "rating: takes a number"),
    "ratings: >=4": (0, "there is no ratings: did you mean rating:>=4"),
    "iso:400": (0, "there is no iso:"),
    "f:2.8": (0, "there is no f:"),
    "people:anna": (0, "there is no people:"),
    "words:dog": (0, "did you mean written:dog?"),
    "ocr:dog": (0, "did you mean text:dog?"),
    "text: sale": (0, "write text:sale, without a blank; words with a colon go in quotes"),
    "color:red": (0, "write the words alone, as in red"),
    "photo:dog": (0, "write the words alone, as in dog"),
    "sort:date": (0, "there is no sort: the order is an option, as in --sort taken"),
    "sort: newest": (0, "as in --sort taken"),
    "limit:10": (0, "outside of the query"),
    "runcount:>5": (0, "there is no runcount:"),
    "id=5": (0, "id:42"),
    "image=cat.jpg": (0, "image:cat.jpg"),
}


@pytest.mark.parametrize("text", WORDS)
def test_words_with_colons_and_signs_stay_words(text):
    found = parse_query(text)
    assert found == Query(((Term("words", text),),))
    assert parse_query(str(found)) == found


@pytest.mark.parametrize("text", UNDERSTOOD)
def test_what_has_one_meaning_is_understood(text):
    found = parse_query(text)
    assert found == parse_query(UNDERSTOOD[text])
    assert parse_query(str(found)) == found


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_nearly_a_filter_is_refused_with_its_place_and_the_right_form(text):
    check_refused(text, *REFUSED[text])


@pytest.mark.parametrize("name", [name for name, key in OTHER_NAMES.items() if key != "image"])
def test_other_names_of_filters_are_never_words_before_a_value(name):
    value = EXAMPLES[OTHER_NAMES[name]].partition(":")[2]
    for written in (name, name.upper(), f"{name[:1]}_{name[1:]}"):
        with pytest.raises(QuerySyntaxError, match="did you mean"):
            parse_query(f"dog {written}:{value}")


@pytest.mark.parametrize("key", [key for key in KEYS if len(key) > 2])
def test_a_swapped_letter_in_a_name_is_found(key):
    value = EXAMPLES[key].partition(":")[2]
    for place in range(len(key) - 1):
        name = key[:place] + key[place + 1] + key[place] + key[place + 2 :]
        if name != key:
            with pytest.raises(QuerySyntaxError, match=f"did you mean {key}:"):
                parse_query(f"{name}:{value}")


def test_words_before_a_filter_are_printed_so_that_they_stay_words():
    for words in ("rock and", "the first date", "this or", "(", "not"):
        found = Query(((Term("words", words),),), parse_query("taken:2019 path:x").filters)
        assert parse_query(str(found)) == found


def test_a_file_that_is_there_ends_no_path():
    (terms,) = parse_query("path:my pool.jpg", is_file={"pool.jpg"}.__contains__).groups
    assert [(term.kind, term.value) for term in terms] == [("picture", "pool.jpg")]


PIECES = st.sampled_from(
    (
        *EXAMPLES.values(),
        *(f"{key}:" for key in KEYS),
        "a dog",
        "NOT",
        "not",
        "and",
        "OR",
        "or",
        "|",
        "(",
        ")",
        "!",
        "-",
    )
)


@examples(400)
@given(st.lists(PIECES, min_size=1, max_size=5).map(" ".join))
def test_no_filter_is_left_among_the_words(text):
    try:
        query = parse_query(text)
    except QuerySyntaxError:
        return
    assert parse_query(str(query)) == query
    words = " ".join(term.value for group in query.groups for term in group if term.kind == "words")
    # "kind:" is one before names of kinds only.
    assert not any(f"{key}:" in words for key in KEYS if key != "kind")
