"""Parse the query language into `Query` objects, and format them back.

    query   =  group { "&" group }               all groups must match
    group   =  [ sign ] term { sign term }       a weighted sum, lowered by the excluded terms
    sign    =  "+" | "-"                         at the start of a word: "rock-n-roll" is one word
    term    =  [ weight ":" ] what
    what    =  words  |  "words"  |  path or URL of a picture  |  image:PATH  |  id:NUMBER  |  @CONCEPT
    filter  =  [ "-" ] key ":" value             anywhere between terms; see `filters`

Blanks are allowed after the colon of a filter and inside its value when the value has a fixed syntax (`size:> 2 MB`,
`near:48.85, 2.35, 10 km`); parts of a value may be in quotes (`path:2024/"summer trip"/*`).

Each token is words, a filter, or a near-miss of a filter. A near-miss is accepted when it has one meaning: NOT and !
before a filter are its -, AND next to a filter is the &, as all filters must match. Otherwise it is rejected, with the
position and the correct form, and never searched as words: another program's name of a filter (`date:2019`,
`ext: jpg`), a name with one typo before a value that fits (`takn:2019`), another operator (`size > 2MB`,
`width>=1000`), a value that seems to continue (`camera:Nikon D80`, `size:>2MB <3MB`, `h:>10 cm`), `or` and brackets
next to filters, a list (`type:jpg,png`), no blank before a filter (`dog,path:x`), AND, OR and NOT between other words.
All other words with a colon are words: `re:zero`, `star wars: a new hope`, `note: to self`, `:)`. A number with a colon
before a digit is a ratio or a time (`16:9 wallpaper`, `10:30`), else a weight at the start of a term, except for a year
before a blank (`2001: a space odyssey`). A name after an @ is a taught concept at the start of a term (`@rex`), else
words (`me@example.com`). Everything in quotes is words.

All interfaces use this parser. It does no I/O: whether a picture exists is checked when it is read. The exception is a
caller who may read this machine's files: for it, `parse_query` recognises file names with blanks or signs, see there.
"""

from clipsearch.query.file_names import IsFile
from clipsearch.query.parsing import MOST_CHARACTERS, MOST_TERMS, check_query, parse_query
from clipsearch.query.syntax import Query, Term, TermKind, picture_query, words_query
from clipsearch.query.tokens import concept_name

__all__ = [
    "MOST_CHARACTERS",
    "MOST_TERMS",
    "IsFile",
    "Query",
    "Term",
    "TermKind",
    "check_query",
    "concept_name",
    "parse_query",
    "picture_query",
    "words_query",
]
