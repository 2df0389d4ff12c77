"""Import the concepts of an export, with those of their examples that the catalog knows."""

from collections.abc import Iterable

from clipsearch.concepts.collection import MOST_EXAMPLES
from clipsearch.store import Store
from clipsearch.store.exports import ExportedConcept


def import_concepts(concepts: Iterable[ExportedConcept], store: Store) -> int:
    """Add concepts, and examples to those of the same name; return the number of concepts.

    What the catalog knows stays: its words, and whether a picture is an example. Concepts without a known positive
    example are left out.
    """
    added = 0
    for concept in concepts:
        wanted = dict.fromkeys(concept.positives, True) | dict.fromkeys(concept.negatives, False)
        known = store.concepts.find(concept.name)
        before = () if known is None else (*known.positives, *known.negatives)
        contents = store.pictures.find_contents(map(bytes.fromhex, wanted))
        examples = [
            (contents[digest], is_positive)
            for digest, is_positive in ((bytes.fromhex(digest), each) for digest, each in wanted.items())
            if digest in contents and contents[digest] not in before
        ]
        examples = examples[: max(0, MOST_EXAMPLES - len(before))]
        if any(is_positive for _, is_positive in examples) or (known is not None and examples):
            store.concepts.add(concept.name, concept.words if known is None else known.words, examples)
            added += 1
    return added
