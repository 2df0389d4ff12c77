"""Which files of a folder are sidecars, and of which pictures, by their names."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipsearch.images.descriptions.sidecar_names import Sidecar, find_sidecars
from clipsearch.images.xmp.sidecars import sidecar_of


def found(*names: str) -> list[tuple[str, str]]:
    result = find_sidecars(names)
    assert sorted(find_sidecars(set(names))) == sorted(result)
    assert sorted(find_sidecars(names, sidecars=[name for name in names if name.endswith(("p", "P", "n"))])) == sorted(
        result
    )
    for each in result:
        assert each.kind == ("xmp" if each.name.lower().endswith(".xmp") else "takeout")
    return sorted((each.picture, each.name) for each in result)


def test_a_folder_without_sidecars() -> None:
    assert found("a.jpg", "b.png", "xmp", "json") == []
    assert find_sidecars([]) == []


class TestXmp:
    def test_its_own_goes_first(self) -> None:
        assert found("a.jpg", "a.jpg.xmp", "a.xmp") == [("a.jpg", "a.jpg.xmp")]
        assert found("a.jpg", "a.jpg.XMP", "a.jpg.xmp") == [("a.jpg", "a.jpg.xmp")]
        assert find_sidecars(["a.jpg", "a.jpg.XMP"]) == [Sidecar("a.jpg", "a.jpg.XMP", "xmp")]

    def test_one_that_is_named_after_the_stem(self) -> None:
        assert found("a.jpg", "a.xmp", "b.png", "b.XMP") == [("a.jpg", "a.xmp"), ("b.png", "b.XMP")]
        assert found("a.jpg", "a.JPG", "a.xmp") == [("a.JPG", "a.xmp"), ("a.jpg", "a.xmp")]
        assert found("a.b.jpg", "a.b.xmp", "a.xmp") == [("a.b.jpg", "a.b.xmp")]

    @pytest.mark.parametrize("other", ["a.png", "a.mov", "a.xcf", "a.Gif"])
    def test_one_that_may_belong_to_another(self, other: str) -> None:
        assert found("a.jpg", other, "a.xmp") == []
        assert found("a.jpg", other, "a.xmp", "a.jpg.xmp") == [("a.jpg", "a.jpg.xmp")]

    @pytest.mark.parametrize("raw", ["a.cr2", "a.CR2", "a.Dng"])
    def test_beside_a_raw_file_it_is_that_one_s(self, raw: str) -> None:
        assert found("a.jpg", raw, "a.xmp") == [(raw, "a.xmp")]
        assert found("a.jpg", "a.png", raw, "a.xmp") == [(raw, "a.xmp")]
        assert found("a.jpg", raw, "a.nef", "a.xmp") == []
        assert found("a.jpg", raw, "a.xmp", "a.jpg.xmp") == [(raw, "a.xmp"), ("a.jpg", "a.jpg.xmp")]

    def test_files_that_are_no_pictures(self) -> None:
        assert found("a.txt", "a.xmp", "a.txt.xmp", "b.xmp", ".xmp", "xmp") == []
        assert found("a.jpg", "a.txt", "a.xmp") == [("a.jpg", "a.xmp")]

    @settings(max_examples=200, deadline=None)
    @given(
        st.sets(
            st.tuples(
                st.sampled_from(["a", "b"]),
                st.sampled_from([*(".jpg", ".JPG", ".png", ".cr2", ".mov", ".xmp", ".XMP"), ".jpg.xmp", ".JPG.XMP"]),
            ),
            max_size=8,
        )
    )
    def test_the_sidecar_that_is_read_is_the_one_that_is_written(self, tmp_path_factory, parts) -> None:
        folder = tmp_path_factory.mktemp("sidecars")
        names = ["".join(each) for each in parts]
        for name in names:
            (folder / name).touch()
        if len(list(folder.iterdir())) < len(names):
            pytest.skip("this file system ignores case")
        pictures = [name for name in names if name.lower().endswith((".jpg", ".png", ".cr2"))]
        expected = {(name, sidecar_of(folder / name).name) for name in pictures}
        of_pictures = {each for each in found(*names) if each[0] in pictures}
        assert of_pictures == {each for each in expected if (folder / each[1]).exists()}
        assert Path(folder).is_dir()


LONG = "a photograph with a name of more than 46 letters"


class TestTakeout:
    @pytest.mark.parametrize(
        "ending",
        ["", ".", ".s", ".suppl", ".supplemental-meta", ".supplemental-metadat", ".supplemental-metadata"],
    )
    def test_names_cut_anywhere(self, ending: str) -> None:
        assert found("a.jpg", f"a.jpg{ending}.json") == [("a.jpg", f"a.jpg{ending}.json")]
        assert found("a(2).jpg", "a.jpg", f"a.jpg{ending}(2).json") == [("a(2).jpg", f"a.jpg{ending}(2).json")]
        assert found("a(2).jpg", f"a(2).jpg{ending}.json") == [("a(2).jpg", f"a(2).jpg{ending}.json")]

    def test_names_of_pictures_that_are_cut(self) -> None:
        assert found(f"{LONG}.jpg", f"{LONG[:46]}.json") == [(f"{LONG}.jpg", f"{LONG[:46]}.json")]
        assert found(f"{LONG}(1).jpg", f"{LONG[:46]}(1).json") == [(f"{LONG}(1).jpg", f"{LONG[:46]}(1).json")]
        name = LONG[:43] + ".jpg"
        assert found(name, f"{name[:46]}.json") == [(name, f"{name[:46]}.json")]
        assert found(f"{LONG}.jpg", f"{LONG[:44]}.json", f"{LONG[:47]}.json") == []

    @pytest.mark.parametrize(
        ("picture", "name"),
        # Source: github.com/simulot/immich-go, adapters/googlePhotos/matcher_test.go.
        [
            (
                "PXL_20230809_203449253.LONG_EXPOSURE-02.ORIGINA.jpg",
                "PXL_20230809_203449253.LONG_EXPOSURE-02.ORIGIN.json",
            ),
            ("05yqt21kruxwwlhhgrwrdyb6chhwszi9bqmzu16w0 2.jpg", "05yqt21kruxwwlhhgrwrdyb6chhwszi9bqmzu16w0 2.jp.json"),
            (
                "😀😃😄😁😆😅😂🤣🥲☺️😊😇🙂🙃😉😌😍🥰😘😗😙😚😋😛.jpg",
                "😀😃😄😁😆😅😂🤣🥲☺️😊😇🙂🙃😉😌😍🥰😘😗😙😚😋.json",
            ),
            (
                "Backyard_ceremony_wedding_photography_xxxxxxx_m(494).jpg",
                "Backyard_ceremony_wedding_photography_xxxxxxx_(494).json",
            ),
            (
                "13039_327707840323_537645323_9470255_27214_n(1).jpg",
                "13039_327707840323_537645323_9470255_27214_n.j(1).json",
            ),
            ("PXL_20210102_221126856.MP~2.jpg", "PXL_20210102_221126856.MP~2.jpg.json"),
        ],
    )
    def test_names_of_real_exports(self, picture: str, name: str) -> None:
        assert found(picture, name) == [(picture, name)]

    @pytest.mark.parametrize(
        "word", ["edited", "bearbeitet", "modifié", "modifie\u0301", "editado", "Edited", "編集済み"]
    )
    def test_edited_copies(self, word: str) -> None:
        names = ("a.jpg", f"a-{word}.jpg", "a.jpg.json")
        assert found(*names) == [(f"a-{word}.jpg", "a.jpg.json"), ("a.jpg", "a.jpg.json")]
        assert found(f"a-{word}.jpg", "a.jpg.suppl.json") == [(f"a-{word}.jpg", "a.jpg.suppl.json")]
        assert found(f"a-{word}(1).jpg", "a.jpg(1).json") == [(f"a-{word}(1).jpg", "a.jpg(1).json")]
        own = f"a-{word}.jpg.json"
        assert found(*names, own) == [(f"a-{word}.jpg", own), ("a.jpg", "a.jpg.json")]

    def test_of_two_exports_the_newer(self) -> None:
        names = ("a.jpg", "a.jpg.json", "a.jpg.supplemental-metadata.json")
        assert found(*names) == [("a.jpg", "a.jpg.supplemental-metadata.json")]

    def test_json_of_others(self) -> None:
        assert found("a.jpg", "a.json", "package.json", "a.jpg.other.json", "metadata.json", ".json", "..json") == []
        assert found("a.txt", "a.txt.json", "a-b.jpg", "a.jpg.xjson") == []

    def test_films_and_sidecars_of_both_kinds(self) -> None:
        assert found("a.jpg", "a.jpg.json", "a.jpg.xmp") == [("a.jpg", "a.jpg.json"), ("a.jpg", "a.jpg.xmp")]


@given(st.sets(st.text(st.sampled_from("ab.-()1jpgsonxm"), max_size=12) | st.sampled_from(["a.jpg", "a.jpg.json"])))
def test_any_names(names: set[str]) -> None:
    for each in find_sidecars(names):
        assert each.picture in names
        assert each.name in names
