import os
import zipfile
from pathlib import Path

import pytest

from data.errors import DataError, RawFileError
from data.raw.clip_source import ClipSource
from data.raw.skeleton_file import MAX_BYTES
from data.raw.sources import find_clips, fingerprint_source, list_source, missing_clips
from tests.shared.made_skeletons import write_folder, write_zip

ONE, TWO, THREE = (f"S001C001P001R001A{action:03d}.skeleton" for action in (1, 2, 3))
CLUTTER = {
    "README.txt": b"hello",
    ".DS_Store": b"\x00",
    f"__MACOSX/nturgb+d_skeletons/._{ONE}": b"\x00\x05\x16\x07",
    f"._{TWO}": b"\x00\x05\x16\x07",
}
FILES = {f"nturgb+d_skeletons/{ONE}": b"one", f"nturgb+d_skeletons/more/{TWO}": b"two" * 1000, **CLUTTER}


def contents(*paths: Path) -> dict[str, bytes]:
    clips, misnamed = find_clips(paths)
    assert not misnamed
    return {str(name): source.read() for name, source in clips}


EXPECTED = {ONE[:20]: b"one", TWO[:20]: b"two" * 1000}


def test_folders_archives_and_files_hold_the_same(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "folder", FILES)
    assert contents(folder) == EXPECTED
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        assert contents(write_zip(tmp_path / f"{method}.zip", FILES, method)) == EXPECTED
    assert contents(folder / f"nturgb+d_skeletons/{ONE}") == {ONE[:20]: b"one"}


def test_sources_are_mixed_and_clips_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "a.zip", {f"in\\side\\{TWO}": b"two"})
    folder = write_folder(tmp_path / "folder", {THREE: b"three"})
    single = write_folder(tmp_path / "single", {ONE: b"one"}) / ONE
    assert list(contents(folder, archive, single).values()) == [b"one", b"two", b"three"]


def test_an_archive_without_its_usual_ending_is_read(tmp_path: Path) -> None:
    assert contents(write_zip(tmp_path / "clips.zip.1", FILES)) == EXPECTED


def test_a_clip_found_twice_is_an_error_naming_both_files(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "folder", FILES)
    archive = write_zip(tmp_path / "archive.zip", {f"x/{ONE}": b"other"})
    with pytest.raises(DataError, match="is found twice") as refused:
        find_clips([folder, archive])
    assert str(folder / f"nturgb+d_skeletons/{ONE}") in str(refused.value)
    assert f"{archive}/x/{ONE}" in str(refused.value)
    with pytest.raises(DataError, match="is found twice"):
        find_clips([folder, folder])


def test_files_without_a_clip_name_are_listed_separately(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "folder", {ONE: b"", "walk.skeleton": b"", "S001C001P001R001A000.SKELETON": b""})
    clips, misnamed = find_clips([folder])
    assert [str(name) for name, _ in clips] == [ONE[:20]]
    assert [Path(error.file).name for error in misnamed] == ["S001C001P001R001A000.SKELETON", "walk.skeleton"]
    assert all("is not a clip name" in error.reason for error in misnamed)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("absent", None, "no such file or folder"),
        ("clips.zip", b"PK, but nothing more", "nor a whole zip archive"),
        ("clips.tar", b"", "nor a whole zip archive"),
    ],
)
def test_a_path_that_is_not_a_source_is_named(tmp_path: Path, name: str, content: bytes | None, reason: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=reason) as refused:
        find_clips([path])
    assert str(path) in str(refused.value)


def test_a_cut_archive_is_named(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "clips.zip", FILES)
    archive.write_bytes(archive.read_bytes()[:-30])
    with pytest.raises(DataError, match="nor a whole zip archive"):
        find_clips([archive])


def test_a_source_without_raw_files_is_an_error_with_a_hint(tmp_path: Path) -> None:
    write_zip(tmp_path / "nturgbd.zip", CLUTTER)
    for path, hint in (
        (tmp_path, "it holds nturgbd.zip: name each archive"),
        (tmp_path / "nturgbd.zip", "name another"),
    ):
        with pytest.raises(DataError, match=f"holds no .skeleton file; {hint}"):
            find_clips([path])
    with pytest.raises(DataError, match=r"holds no \.skeleton file"):
        fingerprint_source(tmp_path)


def test_recordings_of_other_layouts_are_told(tmp_path: Path) -> None:
    for name in ("a.csv", "deeper/B.CSV", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(DataError, match=r"it holds 2 \.csv files: if these are the recordings, give their layout"):
        find_clips([tmp_path])


def test_an_archive_of_archives_names_them(tmp_path: Path) -> None:
    inner = write_zip(tmp_path / "s001.zip", {ONE: b"one"}).read_bytes()
    outer = write_zip(tmp_path / "all.zip", {f"parts/s{number:03d}.zip": inner for number in range(1, 8)})
    with pytest.raises(DataError, match=r"holds no \.skeleton file; it holds archives \(parts/s001\.zip, ") as refused:
        find_clips([outer])
    assert "and 2 more): unpack it" in str(refused.value)


def test_a_name_that_stands_twice_in_an_archive_is_told(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "twice.zip", "w") as archive:
        archive.writestr(ONE, b"one")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr(ONE, b"another")
    with pytest.raises(DataError, match=rf"twice\.zip: the archive holds {ONE} twice"):
        find_clips([tmp_path / "twice.zip"])


def test_a_damaged_member_does_not_affect_the_others(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "clips.zip", {ONE: b"one" * 50, TWO: b"two"}, zipfile.ZIP_STORED)
    archive.write_bytes(archive.read_bytes().replace(b"oneone", b"oNeone", 1))
    (_, bad), (_, good) = find_clips([archive])[0]
    assert good.read() == b"two"
    with pytest.raises(RawFileError, match="checksum is wrong") as refused:
        bad.read()
    assert refused.value.file == f"{archive}/{ONE}"


def test_invalid_deflated_bytes_are_refused(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "clips.zip", {ONE: bytes(range(256)) * 20})
    data = bytearray(archive.read_bytes())
    data[60:200] = b"\xff" * 140
    archive.write_bytes(data)
    ((_, source),) = find_clips([archive])[0]
    with pytest.raises(RawFileError, match="can't be read"):
        source.read()


def test_members_with_another_compression_or_encryption_are_refused(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "lzma.zip", {ONE: b"one"}, zipfile.ZIP_LZMA)
    with pytest.raises(RawFileError, match="packed by method 14"):
        contents(archive)
    archive = write_zip(tmp_path / "locked.zip", {ONE: b"one"})
    data = archive.read_bytes()
    directory = data.index(b"PK\x01\x02")
    archive.write_bytes(data[: directory + 8] + b"\x01" + data[directory + 9 :])
    with pytest.raises(RawFileError, match="it is encrypted"):
        contents(archive)


def test_an_archive_that_changed_after_listing_is_refused(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "clips.zip", {ONE: b"one", TWO: b"two"})
    clips, _ = find_clips([archive])
    archive.write_bytes(b"")
    for _, source in clips:
        with pytest.raises(RawFileError, match="directory points to no file"):
            source.read()


def test_a_file_too_large_to_be_a_clip_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(RawFileError, match=f"at most {MAX_BYTES}"):
        ClipSource(str(tmp_path / ONE), MAX_BYTES + 1).read()


def test_links_are_followed_once_and_broken_ones_are_refused(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "folder", {f"real/{ONE}": b"one"})
    (folder / "real" / "round").symlink_to(folder)
    outside = write_folder(tmp_path / "outside", {TWO: b"two"})
    (folder / "link").symlink_to(outside)
    assert contents(folder) == {ONE[:20]: b"one", TWO[:20]: b"two"}
    (folder / THREE).symlink_to(tmp_path / "nowhere")
    sources = {source.stem: source for source in list_source(folder)}
    assert fingerprint_source(folder).startswith("3 clips")
    with pytest.raises(RawFileError, match=r"can't be read \(No such file"):
        sources[THREE[:20]].read()


@pytest.mark.parametrize(("dataset", "number"), [("ntu60", 302), ("ntu120", 535), ("mine", 0)])
def test_the_official_lists_of_missing_clips_are_complete(dataset: str, number: int) -> None:
    assert len(missing_clips(dataset)) == number
    assert missing_clips("ntu60") <= missing_clips("ntu120")
    assert all(name.startswith("S0") and len(name) == 20 for name in missing_clips(dataset))


def test_a_fingerprint_of_a_folder_changes_with_names_sizes_and_times_alone(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "folder", {ONE: b"one", f"deep/{TWO}": b"two"})
    before = fingerprint_source(folder)
    assert before.startswith("2 clips, ")
    (folder / "notes.txt").write_text("not a clip")
    assert fingerprint_source(folder) == before
    assert fingerprint_source(folder.rename(tmp_path / "moved")) == before
    folder = tmp_path / "moved"
    (folder / THREE).write_bytes(b"three")
    more = fingerprint_source(folder)
    assert more.startswith("3 clips, ")
    (folder / THREE).rename(folder / "deep" / THREE)
    moved = fingerprint_source(folder)
    os.utime(folder / ONE, ns=(1, 1))
    assert len({before, more, moved, fingerprint_source(folder)}) == 4


def test_a_fingerprint_of_an_archive_or_file_changes_with_it(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "clips.zip", FILES)
    before = fingerprint_source(archive)
    assert before == fingerprint_source(archive)
    os.utime(archive, ns=(1, 1))
    assert fingerprint_source(archive) != before
    with pytest.raises(DataError, match="no such file or folder"):
        fingerprint_source(tmp_path / "absent")
