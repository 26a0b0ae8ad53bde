"""Hostile archives: nothing is unpacked from them, and reading them takes little memory and time."""

import os
import resource
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from data.errors import DataError, RawFileError
from data.published.array_rows import npz_rows
from data.published.skeletons import npz_names
from data.raw.clip_source import ClipSource
from data.raw.skeleton_file import MAX_BYTES, format_clip
from data.raw.sources import find_clips
from data.raw.zip_file import MAX_DIRECTORY_BYTES
from pipeline.cli.main import main
from pipeline.messages.errors import printable
from tests.shared.made_skeletons import moving_clip, write_zip

CONFIG = '[dataset]\nname = "made"\nraw = ["clips.zip"]\n[preprocess]\nworkers = 1\n'
GROWTH_BYTES = 400 << 20
GOOD = format_clip(moving_clip(np.random.default_rng(0), 8))
CHILD = """
import sys
from pathlib import Path
from tests.fuzz.readers import peak_bytes
from data.errors import DataError
from data.published.skeletons import npz_names
from data.raw.sources import find_clips
path = Path(sys.argv[1])
before = peak_bytes()
try:
    if path.suffix == ".npz":
        npz_names(path)
    for _, clip in find_clips([path])[0]:
        try:
            clip.read()
        except DataError:
            pass
except DataError as error:
    pass
print(peak_bytes() - before)
"""


def name(action: int) -> str:
    return f"S001C001P001R001A{action:03d}.skeleton"


def preprocess(folder: Path) -> Result:
    (folder / "config.toml").write_text(CONFIG, "utf-8")
    return CliRunner().invoke(main, ["-w", str(folder), "preprocess"])


def test_members_that_lead_elsewhere_are_read_in_place_and_written_nowhere(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    names = (
        f"/tmp/{name(1)}",
        f"../../{name(2)}",
        f"C:\\..\\{name(3)}",
        f"./a/../{name(4)}",
        "/etc/passwd",
        "../x.zip",
    )
    write_zip(folder / "clips.zip", {**dict.fromkeys(names, GOOD), name(6): GOOD})
    result = preprocess(folder)
    assert result.exit_code == 0, result.output
    assert "5 clips kept" in result.output
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    made = ("checks.csv", "rejects.csv", "skeletons.h5")
    assert written == {f"work/{file}" for file in (".lock", "clips.zip", "config.toml", *made)}


def test_a_link_in_an_archive_is_its_text(tmp_path: Path) -> None:
    link = zipfile.ZipInfo(name(1))
    link.create_system, link.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "clips.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
        archive.writestr(name(2), GOOD)
    assert preprocess(tmp_path).exit_code == 0
    (row,) = (tmp_path / "rejects.csv").read_text().splitlines()[1:]
    assert name(1) in row
    assert "/etc/passwd" in row
    assert "root:" not in row


def test_encrypted_damaged_and_lying_members_stop_only_themselves(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "clips.zip", {name(action): GOOD for action in range(1, 6)}, zipfile.ZIP_STORED)
    data = bytearray(archive.read_bytes())
    entries = [place for place in range(len(data) - 3) if data[place : place + 4] == b"PK\x01\x02"]
    data[entries[0] + 8] |= 1  # encrypted
    data[entries[1] + 16] ^= 1  # another checksum
    data[entries[2] + 24 : entries[2] + 28] = (MAX_BYTES + 1).to_bytes(4, "little")  # longer than it is
    data[entries[3] + 10] = 99  # packed in another way
    archive.write_bytes(data)
    result = preprocess(tmp_path)
    assert result.exit_code == 0, result.output
    assert "1 clip kept" in result.output
    rejects = (tmp_path / "rejects.csv").read_text()
    for reason in (
        "it is encrypted",
        "checksum is wrong",
        f"{MAX_BYTES + 1} bytes; a clip has at most",
        "by method 99",
    ):
        assert reason in rejects


def bomb(path: Path, members: int = 3) -> Path:
    """Write clips of 60 MB of zeros each, packed into 60 kB."""
    return write_zip(path, {name(action): bytes(60 << 20) for action in range(1, members + 1)})


def overlapping(path: Path) -> Path:
    """Write an archive in whose directory 20 names share the bytes of one large clip."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name(1), bytes(60 << 20))
        entry = archive.infolist()[0]
        for action in range(2, 21):
            twin = zipfile.ZipInfo(name(action))
            for slot in ("header_offset", "compress_type", "compress_size", "file_size", "CRC", "flag_bits"):
                setattr(twin, slot, getattr(entry, slot))
            archive.filelist.append(twin)
        archive._didModify = True  # type: ignore[attr-defined]
    return path


def many(path: Path) -> Path:
    """Write an archive that is only a directory of a million entries."""
    entry = b"PK\x01\x02" + bytes(24) + (16).to_bytes(2, "little") + bytes(16)
    directory = b"".join(entry + f"{number:016d}".encode() for number in range(1_000_000))
    sizes = len(directory).to_bytes(4, "little") + bytes(4)
    path.write_bytes(directory + b"PK\x05\x06" + bytes(4) + b"\x40\x42" * 2 + sizes + bytes(2))
    return path


def npz_bomb(path: Path) -> Path:
    """Write an archive of arrays whose clips are one row of 400 MB."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("x_train.npy", "w") as member:
        header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1, 2796203, 150)}"
        member.write(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
        for _ in range(2796203 * 150 // (1 << 20)):
            member.write(bytes(1 << 20))
        member.write(bytes(2796203 * 150 % (1 << 20)))
    return path


@pytest.mark.parametrize("make", [bomb, overlapping, many])
def test_memory_and_time_stay_bounded(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    path = make(tmp_path / "clips.zip")
    ended = subprocess.run(
        [sys.executable, "-c", CHILD, str(path)],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (20, 20)),
    )
    assert int(ended.stdout) < GROWTH_BYTES


def test_archives_that_no_program_writes_are_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"{name(1)} and {name(2)} share bytes"):
        find_clips([overlapping(tmp_path / "overlapping.zip")])
    with pytest.raises(DataError, match=f"its directory takes 62000000 bytes, more than {MAX_DIRECTORY_BYTES}"):
        find_clips([many(tmp_path / "many.zip")])


def test_an_archive_in_an_archive_is_not_opened(tmp_path: Path) -> None:
    inner = write_zip(tmp_path / "inner.zip", {name(1): GOOD})
    outer = write_zip(tmp_path / "clips.zip", {"inner.zip": inner.read_bytes()})
    with pytest.raises(DataError, match=r"holds no \.skeleton file"):
        find_clips([outer])


def test_npz_bombs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="too much for clips"):
        npz_names(npz_bomb(tmp_path / "bomb.npz"))
    wide = tmp_path / "wide.npz"
    np.savez(wide, x_train=np.zeros((1, 70_000, 150), np.float64), y_train=np.ones((1, 1)))
    with pytest.raises(DataError, match=r"a row of .* takes more than"):
        npz_names(wide)
    np.savez(wide, x_train=np.zeros((1, 70_000, 150), np.uint8), y_train=np.ones((1, 1)))
    with pytest.raises(DataError, match="too large for a data set"):
        npz_names(wide)
    np.savez(wide, x_train=np.array([{}], dtype=object))
    with pytest.raises(DataError, match="expected numbers"), npz_rows(wide, "x_train"):
        pass


def test_devices_and_pipes_are_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name(1))
    (tmp_path / name(2)).symlink_to("/dev/zero")
    for _, source in find_clips([tmp_path])[0]:
        with pytest.raises(RawFileError, match="a device or a pipe"):
            source.read()
    with pytest.raises(RawFileError, match="No such file"):
        ClipSource(str(tmp_path / name(3)), 5).read()


def test_names_that_steer_a_terminal_are_shown_escaped(tmp_path: Path) -> None:
    evil = "\x1b]0;owned\x07\nwalk.skeleton"
    write_zip(tmp_path / "clips.zip", {evil: GOOD, name(1): GOOD, name(2): b"\x1b[31m", f"\x9b2J{name(3)}": b""})
    result = preprocess(tmp_path)
    assert result.exit_code == 0, result.output
    assert "\x1b" not in result.output
    rejects = (tmp_path / "rejects.csv").read_text("utf-8")
    assert "\x1b" not in rejects
    assert "\x9b" not in rejects
    assert printable(evil).replace("\n", "\\n") in rejects


def test_mutated_archives_are_read_or_refused(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "clips.zip", {name(1): GOOD, name(2): zlib.compress(GOOD)})
    whole, rng = archive.read_bytes(), np.random.default_rng(0)
    for _ in range(300):
        data = bytearray(whole)
        for place in rng.integers(len(data) - 250, len(data), size=3).tolist():
            data[place] = int(rng.integers(256))
        archive.write_bytes(data)
        try:
            for _, source in find_clips([archive])[0]:
                source.read()
        except DataError:
            continue
