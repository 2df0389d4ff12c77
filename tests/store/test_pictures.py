"""Folders, files and contents in SQL."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from clipsearch.description import NOTHING
from clipsearch.store import ContentRecord, FileRecord, Scope, Store
from clipsearch.types import ImageMetadata
from clipsearch.vectors import normalise


@pytest.fixture
def model_id(store):
    return store.models.add(name="m", fingerprint="ab" * 32, dim=4).model_id


def content(number: int) -> ContentRecord:
    row = normalise(np.array([[number, 1, 2, 3]], dtype=np.float32))[0]
    return ContentRecord(bytes([number]) * 32, 10, ImageMetadata(4, 3, "JPEG"), row)


def file(root_id: int, path: str, number: int | None, reason: str | None = None) -> FileRecord:
    return FileRecord(root_id, path, 10, 5, None if number is None else bytes([number]) * 32, reason)


def nothing_seen(store: Store) -> bytearray:
    return bytearray(store.pictures.last_file_id() + 1)


def all_files(store: Store, scope: Scope) -> list[str]:
    return list(store.pictures.files_besides(scope, nothing_seen(store)).values())


def test_a_copy_shares_its_content(store, model_id):
    root = store.roots.add("/photos").root_id
    store.pictures.record([content(1)], [file(root, "a.jpg", 1), file(root, "b/c.jpg", 1)], model_id=model_id)
    assert store.pictures.counts() == (2, 1, 0)
    assert store.embeddings.count("images", model_id=model_id) == 1
    (paths,) = store.reader.paths([1]).values()
    assert paths == ["/photos/a.jpg", "/photos/b/c.jpg"]


def test_recording_twice_changes_nothing(store, model_id):
    root = store.roots.add("/photos").root_id
    for _ in range(2):
        store.pictures.record([content(1)], [file(root, "a.jpg", 1)], model_id=model_id)
    assert store.pictures.counts() == (1, 1, 0)
    assert [row.ids.tolist() for row in store.reader.rows_after("images", model_id=model_id, dim=4)] == [[1]]


def test_a_batch_is_stored_whole_or_not_at_all(store, model_id):
    root = store.roots.add("/photos").root_id
    with pytest.raises(KeyError):
        store.pictures.record([content(1)], [file(root, "a.jpg", 1), file(root, "b.jpg", 9)], model_id=model_id)
    assert store.pictures.counts() == (0, 0, 0)
    assert store.embeddings.count("images", model_id=model_id) == 0


def test_embeddings_come_back_as_float16_keeps_them(store, model_id):
    root = store.roots.add("/photos").root_id
    records = [content(number) for number in range(1, 31)]
    store.pictures.record(records, [file(root, f"{n}.jpg", n) for n in range(1, 31)], model_id=model_id)
    chunks = list(store.reader.rows_after("images", model_id=model_id, dim=4, chunk=7))
    assert [len(chunk.ids) for chunk in chunks] == [7, 7, 7, 7, 2]
    rows = np.concatenate([chunk.embeddings for chunk in chunks])
    np.testing.assert_allclose(rows, [record.embedding for record in records], atol=5e-4)
    later = list(store.reader.rows_after("images", model_id=model_id, dim=4, embedding_id=28))
    assert later[0].ids.tolist() == [29, 30]
    assert later[0].last_embedding_id == 30


def test_forgotten_files_leave_their_content(store, model_id):
    root = store.roots.add("/photos")
    store.pictures.record([content(1)], [file(root.root_id, "a.jpg", 1)], model_id=model_id)
    known = store.pictures.known_files(root, ["a.jpg"])
    store.pictures.remove_files([known["a.jpg"].file_id])
    assert store.pictures.counts() == (0, 0, 0)
    assert store.reader.paths([1]) == {}
    assert store.pictures.has_embedding(bytes([1]) * 32, model_id=model_id)


def test_a_folder_inside_a_known_one_is_part_of_it(store):
    root = store.roots.add("/photos")
    inside = store.roots.add("/photos/2024/may")
    assert (inside.root_id, inside.subfolder) == (root.root_id, "2024/may")
    # A name that begins alike is another folder.
    assert store.roots.add("/photos-old").root_id != root.root_id


def test_a_folder_around_known_ones_takes_them_in(store, model_id):
    for folder, number in (("/photos/2023", 1), ("/photos/2024", 2)):
        root = store.roots.add(folder).root_id
        store.pictures.record([content(number)], [file(root, "x/a.jpg", number)], model_id=model_id)
    around = store.roots.add("/photos")
    assert [scope.root for scope in store.roots.list_all()] == ["/photos"]
    assert sorted(all_files(store, around)) == ["2023/x/a.jpg", "2024/x/a.jpg"]
    assert store.reader.paths([2]) == {2: ["/photos/2024/x/a.jpg"]}


def test_a_hidden_folder_that_was_named_stays_a_root_of_its_own(store):
    hidden = store.roots.add("/photos/.private")
    around = store.roots.add("/photos")
    assert [scope.root for scope in store.roots.list_all()] == ["/photos/.private", "/photos"]
    assert store.roots.add("/photos/.private/2024") == Scope(hidden.root_id, "/photos/.private", "2024")
    assert store.roots.find_scope("/photos/.private/2024").root_id == hidden.root_id
    assert store.roots.find_scope("/photos/2024") == Scope(around.root_id, "/photos", "2024")
    assert store.roots.find_scope("/elsewhere") is None
    other = store.roots.add("/other/.secret")
    assert store.roots.add("/other/.secret") == other


def test_only_the_subfolder_is_known(store, model_id):
    root = store.roots.add("/photos").root_id
    files = [file(root, path, 1) for path in ("a/1.jpg", "ab/2.jpg", "a/b/3.jpg", "4.jpg")]
    store.pictures.record([content(1)], files, model_id=model_id)
    assert sorted(all_files(store, store.roots.add("/photos/a"))) == ["a/1.jpg", "a/b/3.jpg"]


def test_names_that_are_not_utf8(store, model_id):
    root = store.roots.add("/photos/caf\udce9").root_id
    store.pictures.record([content(1)], [file(root, "\udcff\n.jpg", 1)], model_id=model_id)
    assert store.reader.paths([1]) == {1: ["/photos/caf\udce9/\udcff\n.jpg"]}


def test_a_reason_goes_when_the_file_becomes_readable(store, model_id):
    root = store.roots.add("/photos")
    store.pictures.record([], [file(root.root_id, "a.jpg", None, "truncated")], model_id=model_id)
    assert store.pictures.known_files(root, ["a.jpg"])["a.jpg"].skip_reason == "truncated"
    assert store.pictures.counts() == (0, 0, 1)
    store.pictures.record([content(1)], [file(root.root_id, "a.jpg", 1)], model_id=model_id)
    known = store.pictures.known_files(root, ["a.jpg"])["a.jpg"]
    assert (known.content_id, known.skip_reason) == (1, None)


def test_what_a_second_model_lacks(store, model_id):
    root = store.roots.add("/photos")
    records = [content(1), content(2)]
    store.pictures.record(records, [file(root.root_id, "a.jpg", 1), file(root.root_id, "b.jpg", 2)], model_id=model_id)
    other = store.models.add(name="other", fingerprint="cd" * 32, dim=4).model_id
    store.pictures.record([content(1)], [], model_id=other)
    assert store.pictures.contents_without_embedding(model_id=other) == {2}
    store.pictures.remove_files(store.pictures.files_besides(root, nothing_seen(store)))
    assert store.pictures.contents_without_embedding(model_id=other) == set()


def test_captions_are_kept_once_and_removed_with_their_embeddings(store, model_id):
    assert store.captions.add(["a cat", "a dog", "a cat"]) == 2
    assert store.captions.add(["a dog", "a bird"]) == 1
    missing = store.captions.without_embedding(model_id=model_id)
    assert [text for _, text in missing] == ["a cat", "a dog", "a bird"]
    rows = normalise(np.eye(3, 4, dtype=np.float32) + 0.1)
    store.captions.add_embeddings([caption_id for caption_id, _ in missing], rows, model_id=model_id)
    assert store.captions.without_embedding(model_id=model_id) == []
    before = store.models.find("ab" * 32)
    assert store.captions.remove(["a dog", "no such"]) == 1
    after = store.models.find("ab" * 32)
    assert store.captions.list_all() == ["a cat", "a bird"]
    assert store.embeddings.count("captions", model_id=model_id) == 2
    assert after.caption_generation == before.caption_generation + 1
    assert after.image_generation == before.image_generation
    assert store.captions.remove() == 2


def test_many_threads_ask_while_one_writes(store, model_id):
    root = store.roots.add("/photos").root_id

    def ask(number: int) -> bool:
        return store.pictures.has_embedding(bytes([number % 250]) * 32, model_id=model_id)

    with ThreadPoolExecutor(12) as pool:
        answers = pool.map(ask, range(2000))
        for number in range(1, 100):
            store.pictures.record([content(number)], [file(root, f"{number}.jpg", number)], model_id=model_id)
        assert len(list(answers)) == 2000
    assert sum(map(ask, range(250))) == 99


def test_known_files_that_were_not_seen(store, model_id):
    root = store.roots.add("/photos").root_id
    files = [file(root, path, 1) for path in ("a/1.jpg", "a/2.jpg", "a0.jpg", "a!.jpg", "b.jpg")]
    store.pictures.record([content(1)], files, model_id=model_id)
    seen = nothing_seen(store)
    known = store.pictures.known_files(Scope(root, "/photos", ""), ["a/2.jpg", "b.jpg", "new.jpg"])
    assert sorted(known) == ["a/2.jpg", "b.jpg"]
    for old in known.values():
        seen[old.file_id] = 1
    # What is recorded meanwhile is nobody's business.
    store.pictures.record([], [file(root, "later.jpg", 1)], model_id=model_id)
    whole = store.pictures.files_besides(Scope(root, "/photos", ""), seen)
    assert sorted(whole.values()) == ["a!.jpg", "a/1.jpg", "a0.jpg"]
    seen = nothing_seen(store)
    seen[known["a/2.jpg"].file_id] = 1
    assert list(store.pictures.files_besides(Scope(root, "/photos", "a"), seen).values()) == ["a/1.jpg"]


def test_perceptual_hashes_are_kept_and_filled_in(store, model_id):
    root = store.roots.add("/photos").root_id
    phashes = {1: -(1 << 63), 2: None}
    records = [
        replace(content(number), metadata=ImageMetadata(4, 3, "JPEG", phash=phash)) for number, phash in phashes.items()
    ]
    files = [file(root, f"{number}.jpg", number) for number in (1, 2)]
    before = store.reader.phashes()
    store.pictures.record(records, files, model_id=model_id)
    first = {number: phash for number, phash in store.reader.phashes().items() if number not in before}
    assert list(first.values()) == [-(1 << 63)]
    second = max(first) + 1
    store.pictures.set_phashes({second: (1 << 63) - 1})
    assert store.reader.phashes() == before | first | {second: (1 << 63) - 1}


def test_measures_are_kept_and_filled_in_and_never_taken_away(store, model_id):
    root = store.roots.add("/photos").root_id

    def measured(number: int, sharpness: int | None, brightness: int | None) -> ContentRecord:
        metadata = ImageMetadata(
            4, 3, "JPEG", phash=number, sharpness=sharpness, brightness=brightness, description=NOTHING
        )
        return replace(content(number), metadata=metadata)

    def known() -> dict[int, tuple[int | None, int | None]]:
        ids = range(1, store.reader.newest_content_id() + 1)
        metadata = {each.blake3[0]: each.metadata for each in store.reader.details(ids).values()}
        return {number: (metadata[number].sharpness, metadata[number].brightness) for number in (1, 2, 3)}

    files = [file(root, f"{number}.jpg", number) for number in (1, 2, 3)]
    records = [measured(1, 0, 100), measured(2, None, None), measured(3, None, None)]
    before = len(store.pictures.unmeasured_contents())
    store.pictures.record(records, files, model_id=model_id)
    assert known() == {1: (0, 100), 2: (None, None), 3: (None, None)}
    assert len(store.pictures.unmeasured_contents()) == before + 2 * 32
    assert store.pictures.without_measures([each.blake3 for each in records]) == {each.blake3 for each in records[1:]}
    unmeasured = store.pictures.unmeasured_contents()
    assert records[1].blake3 + records[2].blake3 in unmeasured
    assert records[0].blake3 not in [unmeasured[place : place + 32] for place in range(0, len(unmeasured), 32)]
    # Embedded once more, for another model; and measured alone.
    store.pictures.record([measured(1, 7, 7), measured(2, 40, 50)], [], model_id=model_id)
    store.pictures.record([measured(1, None, None)], [], model_id=model_id)
    store.pictures.set_measures({records[2].blake3: measured(3, 1, 2).metadata})
    assert known() == {1: (0, 100), 2: (40, 50), 3: (1, 2)}
    assert len(store.pictures.unmeasured_contents()) == before


def test_what_is_known_of_a_file_fits_64_bits_and_can_be_filled_in(store, model_id):
    root = store.roots.add("/photos").root_id
    far = FileRecord(root, "a.jpg", 10, -(1 << 63), bytes([1]) * 32, None, (1 << 63) - 1, -1)
    large = FileRecord(root, "b.jpg", (1 << 63) - 1, 5, None, "too large", limit=("megapixels", 0.25))
    store.pictures.record([content(1)], [far, large, file(root, "c.jpg", 1)], model_id=model_id)
    scope = Scope(root, "/photos", "")
    known = store.pictures.known_files(scope, ["a.jpg", "b.jpg", "c.jpg"])
    assert known["a.jpg"][1:5] == (10, -(1 << 63), (1 << 63) - 1, -1)
    assert known["a.jpg"][8:] == (None, None, None)
    assert known["b.jpg"][3:5] == (None, None)
    assert known["b.jpg"][8:] == ("too large", "megapixels", 0.25)
    store.pictures.set_change_times([(known["c.jpg"].file_id, 7, None), (known["a.jpg"].file_id, 8, 9)])
    known = store.pictures.known_files(scope, ["a.jpg", "c.jpg"])
    assert [known[name][3:5] for name in ("a.jpg", "c.jpg")] == [(8, 9), (7, None)]
    numbers = [row.file_id for row in known.values()]
    assert store.pictures.find_digests([known["a.jpg"].content_id, 99]) == {known["a.jpg"].content_id: bytes([1]) * 32}
    assert store.pictures.count_contents([*numbers, 99]) == {bytes([1]) * 32: 2}
    # A file that could be read has no limit any more.
    store.pictures.record([], [file(root, "b.jpg", 1)], model_id=model_id)
    assert store.pictures.known_files(scope, ["b.jpg"])["b.jpg"][8:] == (None, None, None)
