"""Questions as people ask them: python -m tests.benchmarks.questions [--count 400] [--labels LABELS.jsonl]

Each question is the name of a thing with a date, a place, people, a rating, a camera, an absence, or two of these, in
one of five languages, in the forms that people write. Counted is how many are rewritten to exactly the filters and
excluded terms that are meant and to the thing alone, the time of a question, and how many texts about pictures (labels
of the bundled sets, the bank, captions of --labels) have phrases that are applied, which nobody meant.
"""

import argparse
import json
import random
from dataclasses import replace
from datetime import date
from pathlib import Path
from statistics import median
from time import perf_counter

from clipsearch.data import BUILT_IN, bank_texts, built_in_labels
from clipsearch.errors import QuerySyntaxError
from clipsearch.query import parse_query
from clipsearch.query.phrases import Context, understand
from tests.benchmarks.held_out_questions import HELD_OUT
from tests.benchmarks.measuring import print_table
from tests.benchmarks.question_forms import CAMERAS, PEOPLE, make_question

_TODAY = date(2026, 11, 27)
# Names that are words, of months, flowers and things among them: captions are not about these people.
_MORE_PEOPLE = (
    *("Lily", "Sunny", "Violet", "May", "April", "Art", "Grace", "Jack", "Daisy", "Jasmine"),
    *("Olive", "Max", "Pat", "Will", "Penny", "Robin", "Amber", "Ruby", "Hunter", "Dawn"),
)
CONTEXT = Context(
    _TODAY,
    lambda: CAMERAS,
    find_people=lambda: PEOPLE,
    find_whether_placed=lambda: True,
    find_whether_rated=lambda: True,
)


def _time_ms(question: str) -> float:
    """Return the least time of five runs: others are at work on the machine."""
    found = []
    for _ in range(5):
        start = perf_counter()
        understand(question, CONTEXT)
        found.append(1000 * (perf_counter() - start))
    return min(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--wrong", action="store_true", help="print the questions that are not understood")
    chosen = parser.parse_args()
    texts = {*bank_texts(), *(label for name in BUILT_IN for label in built_in_labels(name))}
    if chosen.labels is not None:
        lines = chosen.labels.read_text(encoding="utf-8").splitlines()
        texts |= {json.loads(line)["caption"] for line in lines}
    things = sorted(text for text in texts if text.isascii() and text.replace(" ", "").isalpha())
    rng = random.Random(0)
    hard = replace(CONTEXT, find_people=lambda: PEOPLE + _MORE_PEOPLE)
    for warm in ("Rose in Paris", "去年在巴黎"):  # tables and patterns are loaded once
        understand(warm, CONTEXT)
    exact, times = 0, []
    for _ in range(chosen.count):
        question, meaning = make_question(things, rng)
        understood = understand(question, CONTEXT)
        times.append(_time_ms(question))
        is_exact = understood.query == parse_query(meaning)
        exact += is_exact
        if chosen.wrong and not is_exact:
            print(f"{question} -> {understood.text}, not {meaning}")
    applied = 0
    for text in texts:
        try:
            applied += any(phrase.is_applied for phrase in understand(text, hard).phrases)
        except QuerySyntaxError:  # a label may be no query
            continue
    held_out = 0
    for question, meaning in HELD_OUT:
        understood = understand(question, CONTEXT)
        is_exact = understood.query == parse_query(meaning)
        held_out += is_exact
        if chosen.wrong and not is_exact:
            print(f"{question} -> {understood.text}, not {meaning}")
    rows = [
        ["exact", f"{exact} of {chosen.count}"],
        ["exact of those held out", f"{held_out} of {len(HELD_OUT)}"],
        ["ms a question, median and most", f"{median(times):.1f}, {max(times):.1f}"],
        ["texts with a phrase that nobody meant", f"{applied} of {len(texts):,}"],
    ]
    print_table(["questions", ""], rows)


if __name__ == "__main__":
    main()
