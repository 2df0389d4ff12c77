"""Lists of texts and tables in plain text: prose with its commas is read, a table is refused in one line."""

from pathlib import Path

import pytest

from clipsearch.captions.files import CAPTIONS, LABELS, TextKind, read_caption_file
from clipsearch.captions.pairs import read_caption_pairs
from clipsearch.cli import run
from clipsearch.data import BUILT_IN, built_in_labels
from clipsearch.errors import InputError
from clipsearch.paths import sample_data_folder

TABLES = {
    "commas, no heading": "a.jpg,a cat\nb.jpg,a dog, running\n",
    "semicolons, no heading": "a.jpg;a cat\nb.jpg;a dog\n",
    "bars, no heading": "a.jpg|a cat\nb.jpg|a dog\n",
    "tabs, no heading": "a cat\t7\na dog\t9\n",
    "carets": "one^a cat\ntwo^a dog\n",
    "tildes": "one~a cat\ntwo~a dog\n",
    "colons": "one:a cat\ntwo:a dog\n",
    "colons and a name": "a.jpg: a cat\nb.jpg: a dog at 12:30\n",
    "blanks": "a.jpg a cat\nb.jpg a big dog\n",
    "unit separators": "one\x1fa cat\ntwo\x1fa dog\n",
    "one line of unit separators": "one\x1fa cat",
    "wide semicolons": "a.jpg；一只猫\nb.jpg；一只狗\n",
    "wide commas": "a.jpg，一只猫\nb.jpg，一只狗\n",
    "carets and a heading": "image^caption\na.jpg^a cat\n",
    "colons and a heading": "image:caption\nx:a cat\n",
    "blanks, a title and a heading": "My pictures\nid image caption\n1 x a_cat\n",
    "blanks and a heading": "image caption\nx a_cat\n",
    "a title above a heading": "My pictures\nimage,caption\na.jpg,a cat\n",
    "a title of several lines": "My pictures, mine\nof 2024\n\nn;image;caption\n1;x;a cat\n",
    "a title above no heading": "My pictures\na.jpg;a cat\nb.jpg;a dog\n",
    "texts alone": "a cat;le chat\na dog;le chien\n",
    "texts in quotes": '"a cat", "le chat"\n"a dog", "le ""chien"""\n',
    "texts and numbers": "a cat,0.31\na dog,0.8\n",
    "numbers and texts": "1, a cat\n2, a dog, running\n",
    "numbers and bars": "a cat | 0.31\na dog | 0.8\n",
    "addresses": "a cat, running;https://example.org/a\na dog;https://example.org/b\n",
    "numbers of pictures": "000000391895 A man\n000000391896 A woman\n",
    "numbers of classes": "n01440764 tench, Tinca tinca\nn01443537 goldfish\n",
    "counted classes": "airfield 0\nairport terminal 1\nalley 2\n",
    "many semicolons": "".join(f"a {color} cat; asleep\n" for color in ("red", "blue", "grey", "black", "white")),
    "Markdown": "| image | caption |\n|---|:--|\n| a.jpg | a cat |\n",
    "Markdown without edges": "image | words\n--- | ---\na.jpg | a cat\n",
    "Markdown below a title": "# Mine\n\nPictures of cats\n\n| words |\n| - |\n| a cat |\n",
    "a grid": "+-------+-------+\n| a.jpg | a cat |\n+-------+-------+\n",
    "a simple table": "=====  =====\nimage  words\n=====  =====\na.jpg  a cat\n=====  =====\n",
    "of a database": " image | words \n-------+-------\n a.jpg | a cat\n(1 row)\n",
    "LaTeX": "first & a cat \\\\\nsecond & a dog \\\\\n",
    "columns of blanks": "cat    animal\ndog    animal\ncar    vehicle\n",
    "records": "image: a\ncaption: a cat\n\nimage: b\ncaption: a dog\n",
    "YAML": "- caption: a cat\n- caption: a dog\n",
    "ends of a list": '"a cat",\n"a dog",\n"a bird",\n',
    "a heading of one column": "caption\na cat\na dog\n",
    "JSON": '{"images": [\n1]}\n',
    "Python": "{'caption': 'a cat'}\n{'caption': 'a dog'}\n",
    "half of JSON": '[{"caption": "a cat"},\n{"caption": "a dog"\n',
    "a page": "<ul>\n<li>a cat\n</ul>\n",
    "names of pictures and what not": "a.jpg => a cat\nb.jpg@@a dog\n",
    "pictures in brackets": "a cat (a.jpg)\na dog [b.jpg]\n",
    "pictures between lines": "a.jpg\na cat\nb.jpg\na dog\n",
    "one picture": "a.jpg,a cat\n",
    "one picture in quotes": '"a.jpg#0","a cat"\n',
    "wide colons": "1：一只猫\n2：一只狗\n",
    "texts, a blank and shares": "a cat 0.91\na dog .8\n",
    "tuples": '(1, "a cat")\n(2, "a dog")\n',
    "SQL": "INSERT INTO c VALUES ('a cat');\nINSERT INTO c VALUES ('a dog');\n",
    "subtitles": "1\n00:00:01,000 --> 00:00:04,000\na cat\n",
    "marks": "- a cat\n- a dog\n",
    "counted": "1. a cat\n2. a dog\n3. a bird\n",
    "of a tool": "<annotation>\n<name>cat</name>\n</annotation>\n",
}
PROSE = {
    "commas": "a dog, a cat and a ball\na man, a woman and a child\na car, a bike and a bus\n",
    "a comma each": "a dog, running\na cat, asleep\na bird, singing\na fish, swimming\n",
    "one line": "a dog,a cat;a ball|a bird\n",
    "colons": "a sign: stop\na sign: go\n",
    "a colon each": "Note: a dog runs: fast\nNote: a cat sleeps: long\n",
    "semicolons": "a dog runs; a cat sleeps\na man walks; a woman sits\n",
    "semicolons here and there": "a cat; asleep\na dog\na bird; it sings\na fish\na cow; brown\na pig\n",
    "times": "a clock at 12:30\na clock at 11:45\n",
    "ratios": "16:9\n4:3\n",
    "thousands": "1,000 people\n2,500 birds\n",
    "years": "Paris, 1960\nRome, 1961\n",
    "counts": "1 person\n2 people\n3 people\n",
    "numbers": "3 dogs run\n2 cats sleep\n10 birds sing\n",
    "about": "~5 dogs\n~3 cats\n",
    "quotes": '"stop" on a sign\n"go" on a sign\n',
    "quoted": '"a dog, asleep"\n"a cat, awake"\n',
    "addresses in it": "a page of https://example.org with a cat\na dog\n",
    "bars here and there": "a cat | asleep\na dog\n",
    "smileys": "a cat :-)\na dog :-|\na bird ;-)\n",
    "wide commas": "一只猫，在睡觉\n一只狗，在跑步\n一只鸟，在唱歌\n",
    "brackets": "[a cat]\n{a dog}\n(a bird)\n",
    "one word": "cat\ndog\nbird\n",
    "names of columns": "title, text and a cat\nan image with a caption\nlabel\n",
    "words of columns": "logo\ntext\nimage\ncaption\n",
    "two words of columns": "a cat\nimage caption\nwhite text\n",
    "file names in it": "a screen with cat.jpg on it\na folder named dog.png next to a pen\n",
    "dashes": "a cat - asleep\na dog - awake\n---\na bird -- singing\n",
    "sentences": "A dog.  It runs.\nA cat.  It sleeps.\nA bird.  It sings.\n",
    "stray blanks": "a  big dog\na cat\na small  bird\n",
    "tabs": "a\tcat\na dog\n",
    "times and dates": "2024-01-05: a cat\nsome day: a dog\nnever, a bird\n",
    "and": "salt & pepper\nbread & butter\n",
    "ranges": "a cat ~ asleep\na dog\n",
    "labels with commas": "tench, Tinca tinca\ngoldfish, Carassius auratus\ncock\nhen\n",
    "labels with brackets": "bat (animal)\nbat (sports)\n",
    "long lines": "a dog, a cat; a ball: a bird, " * 200 + "\na cat\n",
    "lists of tags": "1girl,solo\ncity,night,neon\n",
    "brackets without commas": "(a cat) asleep\n(a dog) awake\n",
    "an arrow": "a sign --> left\na sign --> right\n",
    "counts with a dot": "1.5 cups\n2.5 cups\n",
    "versions": "python 3.11\npython 3.12\n",
    "a mark of a comment": "#1 of 5, a cat\na dog\n",
}


@pytest.mark.parametrize("kind", [CAPTIONS, LABELS], ids=["captions", "labels"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("content", TABLES.values(), ids=TABLES.keys())
def test_a_table_is_refused_in_one_line(tmp_path: Path, content: str, line_end: str, kind: TextKind) -> None:
    path = tmp_path / "c.txt"
    path.write_bytes(content.replace("\n", line_end).encode())
    with pytest.raises(InputError) as caught:
        read_caption_file(path, kind)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("kind", [CAPTIONS, LABELS], ids=["captions", "labels"])
@pytest.mark.parametrize("content", PROSE.values(), ids=PROSE.keys())
def test_prose_is_read_line_by_line(tmp_path: Path, content: str, kind: TextKind) -> None:
    path = tmp_path / "c.txt"
    path.write_text(content, encoding="utf-8")
    lines = [" ".join(line.split()) for line in content.splitlines()]
    expected = [line for line in lines if kind is CAPTIONS or not line.startswith("#")]
    assert list(read_caption_file(path, kind).texts) == expected


@pytest.mark.parametrize("name", BUILT_IN)
def test_sets_of_labels_are_lists(tmp_path: Path, name: str) -> None:
    path = tmp_path / "l.txt"
    path.write_text("\n".join(built_in_labels(name)), encoding="utf-8")
    assert list(read_caption_file(path, LABELS).texts) == built_in_labels(name)


def test_captions_of_the_sample_are_a_list(tmp_path: Path) -> None:
    expected = read_caption_file(sample_data_folder() / "captions.jsonl").texts
    path = tmp_path / "c.txt"
    path.write_text("\n".join(expected), encoding="utf-8")
    assert read_caption_file(path).texts == expected


@pytest.mark.parametrize("delimiter", ["^", "~", ":", "\x1f", " ", "；", "，", ";", ",", "|", "\t"])
@pytest.mark.parametrize("heading", [("image", "caption"), ("Caption", "n", "File_Name")])
def test_a_heading_tells_any_delimiter(tmp_path: Path, delimiter: str, heading: tuple[str, ...]) -> None:
    rows = [[name if name == "n" else f"{name.lower()}{row}" for name in heading] for row in range(3)]
    rows[1] = [f'"y{delimiter}z"' if "caption" in field else field for field in rows[1]]
    path = tmp_path / "c.csv"
    path.write_text("\n".join(delimiter.join(row) for row in [list(heading), *rows]), encoding="utf-8")
    found = read_caption_file(path)
    assert found.broken == ()
    assert found.texts == ("caption0", " ".join(f"y{delimiter}z".split()), "caption2")
    assert len(read_caption_pairs(path).pairs) == 3


@pytest.mark.parametrize("delimiter", [",", ";", "|", "\t"])
@pytest.mark.parametrize(
    "title",
    ["My pictures", "My pictures\n\nof 2024", "Mine{0}{0}{0}", "a{0}b{0}c", "# made by a tool", '"of two\nlines"'],
)
def test_titles_above_a_heading_are_left_out(tmp_path: Path, delimiter: str, title: str) -> None:
    rows = ["image{0}caption{0}n{0}n", "a.jpg{0}a cat{0}1{0}", "b.jpg{0}a dog"]
    path = tmp_path / "c.csv"
    path.write_text("\n".join([title, *rows]).format(delimiter), encoding="utf-8")
    found = read_caption_file(path)
    assert found.texts == ("a cat",)
    path.write_text(f"sep={delimiter}\n" + "\n".join([title, *rows]).format(delimiter), encoding="utf-8")
    assert read_caption_file(path).texts == ("a cat",)
    path.write_text("\n".join([title, *rows]).format(delimiter), encoding="utf-8")
    assert found.broken == ((title.count("\n") + 4, "2 columns instead of 4"),)
    assert [pair.caption for pair in read_caption_pairs(path).pairs] == ["a cat"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("a.jpg^a cat\nb.jpg^a dog\n", "a table delimited by carets"),
        ("a.jpg: a cat\nb.jpg: a dog\n", "with a name of a picture at the start"),
        ("My pictures\nBild,Text_\na.jpg,a cat\n", "a table of 2 columns"),
        ("a dog\na cat, asleep\na bird, singing\n", "a table of 2 columns"),
        ("| image | caption |\n|---|---|\n| a.jpg | a cat |\n", "as in Markdown"),
        ("My pictures\ncaption\na cat\n", "lines above its column name"),
        ("a.jpg,a cat\nb.jpg,text\nc.jpg,a dog\n", "no column named"),
        ('My pictures\n"a;1";"a cat"\n"b;2";"a dog"\n', "a table delimited by semicolons"),
        ('My pictures\n"a^1"^"a cat"\n"b"^"a dog"\n', "a table delimited by carets"),
        ("caption,n,Caption\na,1,b\n", "has 2 columns named caption"),
        ("text,n,text\na,1,b\n", "has 2 columns named text"),
        ("sep=^\nn,caption\n1,a cat\n", "its first line names columns"),
    ],
)
def test_a_csv_without_a_heading_is_refused(tmp_path: Path, content: str, reason: str) -> None:
    path = tmp_path / "c.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=reason):
        read_caption_file(path)


@pytest.mark.parametrize(("name", "line"), [("c.txt", "{}"), ("c.csv", "{}"), ("c.jsonl", '"{}"')])
def test_texts_that_nobody_reads_are_told_by_line(tmp_path: Path, name: str, line: str) -> None:
    path = tmp_path / name
    path.write_text("\n".join(line.format(text) for text in ("a cat", "x" * 100_001, "y" * 2_000_000, "a dog")))
    found = read_caption_file(path)
    assert found.texts == ("a cat", "a dog")
    assert [number for number, _ in found.broken] == [2, 3]
    assert all("more than 1" in reason for _, reason in found.broken)


@pytest.mark.parametrize("title", ["Title, with a comma", "My title,,,", "Title,mine"])
def test_a_title_that_has_a_known_name_is_no_heading(tmp_path: Path, title: str) -> None:
    path = tmp_path / "c.csv"
    path.write_text(f"{title}\nimage,caption\na.jpg,a cat\n")
    assert read_caption_file(path).texts == ("a cat",)
    assert len(read_caption_pairs(path).pairs) == 1


def test_joined_tables_have_the_heading_again(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_bytes("\ufeffimage,caption\na.jpg,a cat\n\ufeffimage,caption\nb.jpg,a dog\n".encode())
    assert read_caption_file(path).texts == ("a cat", "a dog")


def test_pairs_without_a_heading_say_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text("caption\na cat\n")
    with pytest.raises(InputError, match="the first line must name the columns"):
        read_caption_pairs(path)


def test_joined_files_have_marks_between_lines(tmp_path: Path) -> None:
    path = tmp_path / "c.txt"
    path.write_bytes("\ufeff\ufeffa cat\r\n\ufeffa dog\n".encode())
    assert read_caption_file(path).texts == ("a cat", "a dog")


@pytest.mark.parametrize("kind", [CAPTIONS, LABELS], ids=["captions", "labels"])
@pytest.mark.parametrize(
    ("name", "content", "first"),
    [
        ("c.txt", b"", ""),
        ("c.txt", b"\n \r\n", ""),
        ("c.txt", b"\xef\xbb\xbf", ""),
        ("c.txt", "café\nthé".encode("cp1252"), " (line 1: not UTF-8)"),
        ("c.txt", b"\0\n", " (line 1: holds a NUL character)"),
        ("c.csv", b"", ""),
        ("c.csv", b"text\n", ""),
        ("c.csv", b"n,text\n\n", ""),
        ("c.csv", "text\ncafé\n".encode("cp1252"), " (line 2: not UTF-8)"),
        ("c.csv", b'text\n"a cat\n', " (line 2: unexpected end of data)"),
        ("c.tsv", b"n\ttext\n1\n", " (line 2: 1 column instead of 2)"),
        ("c.jsonl", b"", ""),
        ("c.jsonl", b"7\n", " (line 1: no text under "),
        ("c.jsonl", b'{"text": ' + b"7" * 5000 + b"}", " (line 1: contains a number of 5,000 digits)"),
        ("c.json", b"[]", ""),
        ("c.json", b"[7]", " (entry 1: no text under "),
        ("c.json", b'[""]', ""),
        ("c.json", b'[{"text": "a"}, {"text": ' + b"7" * 5000 + b"}]", None),
    ],
)
def test_a_file_without_texts_is_one_error(
    tmp_path: Path, name: str, content: bytes, first: str | None, kind: TextKind
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_caption_file(path, kind)
    if first is None:
        assert str(caught.value) == f"{path} contains a number of 5,000 digits"
    else:
        assert str(caught.value).startswith(f"{path} has no {kind.name}{first}")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("l.csv", "label\ncat\ndog\n"),
        ("l.csv", "id,name\n1,cat\n2,dog\n"),
        ("l.jsonl", '{"label": "cat", "text": "x"}\n{"name": "dog"}'),
        ("l.json", '["cat", {"Label": "dog"}]'),
        ("l.txt", "# animals\ncat\ndog\n"),
    ],
)
def test_labels_are_found_under_their_own_names(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    assert read_caption_file(path, LABELS).texts == ("cat", "dog")


@pytest.mark.parametrize(
    ("name", "content"),
    [("l.xml", "a"), ("l.json", "{}"), ("l.jsonl", "7"), ("l.txt", ""), ("labels.txt", "label\ncat\n")],
)
def test_messages_about_labels_speak_of_labels(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match="label") as caught:
        read_caption_file(path, LABELS)
    assert "captions" not in str(caught.value)


@pytest.mark.parametrize("command", [["captions", "add"], ["labels", "add"]])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("c.txt", b"a.jpg;a cat\nb.jpg;a dog\n"),
        ("c.txt", b"caf\xe9\n"),
        ("c.csv", b""),
        ("c.csv", b"caption\n"),
        ("c.json", b"[" + b"7" * 5000 + b"]"),
        ("c.json", b"[7, null, [], {}]"),
        ("c.jsonl", b'7\n[["a cat"]]\n{"text": {"text": "a cat"}}\n'),
    ],
)
def test_commands_refuse_it_in_one_line_and_store_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], command: list[str], name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    (tmp_path / "good.txt").write_text("a cat\n")
    files = [str(tmp_path / "good.txt"), str(tmp_path / name)][command[0] == "labels" :]
    assert run([*command, *files, "--catalog", str(tmp_path / "catalog")]) == 2
    told = capfd.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert not (tmp_path / "catalog").exists()
