"""What the command line takes for options of 'query', and what for words."""

import pytest

from clipsearch.cli.query_arguments import options_first, read_query
from clipsearch.errors import QueryError
from clipsearch.query import parse_query

TAKES_VALUE = {"-k": True, "--top-k": True, "--html": True, "-0": False, "--json": False, "-h": False}


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        (["-path:*.jpg", "--json"], ["--json"], ["-path:*.jpg"]),
        (["a", "cat", "-people", "-k", "3"], ["-k", "3"], ["a", "cat", "-people"]),
        (["-k3", "cat", "-"], ["-k3"], ["cat", "-"]),
        (["-kitten", "-0.5:dog", "-0"], ["-0"], ["-kitten", "-0.5:dog"]),
        (["-taken:2019", '-"red dog"'], [], ["-taken:2019", '-"red dog"']),
        (["--json", "--", "--json", "-k"], ["--json"], ["--json", "-k"]),
        (["--html=x.html", "cat"], ["--html=x.html"], ["cat"]),
        (["--path:x"], [], ["--path:x"]),
        (["--html", "-x.html", "cat"], ["--html", "-x.html"], ["cat"]),
        (["cat", "--jsn"], ["--jsn"], ["cat"]),
        (["cat", "-json"], ["-json"], ["cat"]),
        (["cat", "-n", "5"], ["-n"], ["cat", "5"]),
        (["-0k5", "cat"], ["-0k5"], ["cat"]),
    ],
)
def test_options_and_words(arguments, options, words):
    assert options_first(arguments, TAKES_VALUE) == [*options, "--", *words]


def test_an_option_that_lacks_its_value_is_left_to_the_parser():
    assert options_first(["cat", "-k"], TAKES_VALUE) == ["cat", "-k"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["dog", "path:summer trip"], "write 'path:\"summer trip\"'"),
        (["camera:Nikon D80"], "write 'camera:\"Nikon D80\"'"),
        (["dog", "-path:summer trip"], "write '-path:\"summer trip\"'"),
        (["size:"], "the shell interprets > and <"),
        (["w:", "dog"], "the shell interprets > and <"),
    ],
)
def test_what_a_shell_took_is_told(arguments, said):
    with pytest.raises(QueryError) as caught:
        read_query(arguments)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "arguments", [["-path:x"], ["dog", "-path:x", "type:png"], ['dog path:"summer trip"'], ["dog path:summer trip"]]
)
def test_arguments_are_parsed_by_the_grammar(arguments):
    assert read_query(arguments) == parse_query(" ".join(arguments))
