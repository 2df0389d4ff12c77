"""The language of queries: from what is written to what is meant, and back.

    query   =  group { "&" group }               all of them must hold
    group   =  [ sign ] term { sign term }       a weighted sum
    sign    =  "+" | "-"                         where a word begins: "rock-n-roll" is one word
    term    =  [ weight ":" ] what
    what    =  words  |  "words"  |  path or URL of a picture  |  image:PATH  |  id:NUMBER
    filter  =  [ "-" ] key ":" value             anywhere among them; see `filters`

Blanks may stand behind the colon of a filter and inside its value where it has one form only (`size:> 2 MB`,
`near:48.85, 2.35, 10 km`); parts of a value may be in quotes (`path:2024/"summer trip"/*`).

Each piece is words, a filter, or nearly a filter. What is nearly one is understood where it has one meaning: NOT and !
before a filter are its -, AND beside it is the &, as all filters hold. Else it is refused, with the place and the right
form, never searched as words: another program's name of one (`date:2019`, `ext: jpg`), one with a letter wrong before a
value that fits it (`takn:2019`), another sign (`size > 2MB`, `width>=1000`), a value that seems to go on (`camera:Nikon
D80`, `size:>2MB <3MB`, `h:>10 cm`), `or` and brackets beside filters, a list (`type:jpg,png`), no blank before a filter
(`dog,path:x`), AND, OR and NOT between other words. All other words with a colon are words: `re:zero`, `star wars: a
new hope`, `note: to self`, `:)`. A number with a colon before a digit is a ratio or a time (`16:9 wallpaper`, `10:30`),
else a weight where a term begins, but for a year before a blank (`2001: a space odyssey`). In quotes all is words.

One parser for all who ask. Nothing is looked up here, whether a picture is there is seen when it is read; but those who
may read the files of this machine anyway can have names that hold blanks or signs recognised by their files, see
`parse_query`.
"""

from clipsearch.query.file_names import IsFile
from clipsearch.query.parsing import MOST_CHARACTERS, MOST_TERMS, check_query, parse_query
from clipsearch.query.syntax import Query, Term, TermKind, picture_query, words_query

__all__ = [
    "MOST_CHARACTERS",
    "MOST_TERMS",
    "IsFile",
    "Query",
    "Term",
    "TermKind",
    "check_query",
    "parse_query",
    "picture_query",
    "words_query",
]
