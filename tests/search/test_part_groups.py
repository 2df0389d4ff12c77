"""Whatever is added, removed and collected: a search equals a scan of all parts, grouped by content."""

import numpy as np
import pytest

from clipsearch.columns.table import Columns
from clipsearch.parts import Part, Parts
from clipsearch.scoring.bank import Bank
from clipsearch.scoring.relevance import learn_background
from clipsearch.search.retrieval import search_pictures
from clipsearch.session.columns import read_segment
from clipsearch.session.file_index import CatalogIndex
from clipsearch.store import ContentRecord, FileRecord, Store
from clipsearch.store.recovery.integrity import Inspection
from clipsearch.types import ImageMetadata
from clipsearch.vectors import from_bytes, normalise, to_bytes

DIM, STEPS, MOST = 8, 40, 12

Known = dict[int, tuple[Parts, np.ndarray]]
"""Parts of each content that has a file, () of a whole picture, and their embeddings, by the number of the content."""


def random_content(random: np.random.Generator, known: Known, number: int) -> ContentRecord:
    """A content with new embeddings of random parts, or with crops where it was whole."""
    count = int(random.choice([0, 1, 2, 5, 30], p=[0.4, 0.1, 0.2, 0.2, 0.1]))
    parts: Parts = ()
    if count:
        pages = tuple(Part("page", page=page) for page in range(1, count))
        parts = (None, *pages)
    rows = normalise(random.standard_normal((max(1, count), DIM)))
    rows = from_bytes([to_bytes(row) for row in rows], DIM)
    former = known.get(number)
    if former is not None:  # embeddings that are known are kept, so are those of the same parts
        rows[0] = former[1][0]
        if former[0] == parts or not parts:
            parts, rows = former
    known[number] = (parts, rows)
    others = rows[1:] if len(parts) > 1 else None
    return ContentRecord(number.to_bytes(32, "big"), 10, ImageMetadata(4, 3, "PDF"), rows[0], parts, others)


def scan(known: Known, query: np.ndarray) -> list[tuple[str, float, Part | None]]:
    """Names of contents, with the score of their best part, best first."""
    found = []
    for number, (parts, rows) in known.items():
        scores = rows @ query
        best = int(scores.argmax())
        found.append((f"/photos/{number}", float(scores[best]), parts[best] if parts else None))
    return sorted(found, key=lambda hit: -hit[1])


@pytest.mark.parametrize("seed", range(4))
def test_a_search_is_a_scan_grouped_by_content(tmp_path, seed):
    random = np.random.default_rng(seed)
    known: Known = {}
    with Store(tmp_path / "catalog", create=True) as store:
        model_id = store.models.add(name="m", fingerprint="ab" * 32, dim=DIM).model_id
        root_id = store.roots.add("/photos").root_id
        bank = Bank(normalise(random.standard_normal((3, DIM))), 100.0, 0.0, 5.0)
        index_of = CatalogIndex("images", store=store, model_id=model_id, folder=tmp_path / "indexes")
        for step in range(STEPS):
            action = random.random()
            if action < 0.6 or not known:
                numbers = random.choice(MOST, size=int(random.integers(1, 4)), replace=False).tolist()
                contents = [random_content(random, known, number + 1) for number in numbers]
                files = [
                    FileRecord(root_id, str(int.from_bytes(each.blake3, "big")), 10, 5, each.blake3)
                    for each in contents
                ]
                store.pictures.record(contents, files, model_id=model_id)
            else:
                number = int(random.choice(list(known)))
                gone = [
                    file_id
                    for file_id, path in store.pictures.files_besides(
                        store.roots.list_all()[0], bytearray(store.pictures.last_file_id() + 1)
                    ).items()
                    if path == str(number)
                ]
                store.pictures.remove_files(gone)
                store.garbage.delete()
                del known[number]
            if step % 4 or not known:
                continue
            index = index_of.get()
            assert index.count == sum(len(rows) for _, rows in known.values())
            background = learn_background(index, bank)
            query = normalise(random.standard_normal((1, DIM)))[0]
            expected = scan(known, query)
            direction = background.direction([query], [1.0], are_words=[False])
            allowed = Columns([read_segment(store)[0]]).select(())
            for top_k, among in ((1, None), (3, None), (100, None), (3, allowed)):
                hits = search_pictures(
                    [direction],
                    background=background,
                    index=index,
                    store=store,
                    model_id=model_id,
                    top_k=top_k,
                    among=among,
                )
                wanted = expected[:top_k]
                assert [hit.path for hit in hits] == [path for path, *_ in wanted]
                assert [hit.score for hit in hits] == pytest.approx([score for _, score, _ in wanted], abs=1e-5)
                assert [hit.part for hit in hits] == [part for *_, part in wanted]
        inspection = Inspection(store.connection)
        assert inspection.invalid_parts() == []
        assert inspection.count_misplaced_parts() == inspection.count_incomplete_parts() == 0
        index_of.close()
