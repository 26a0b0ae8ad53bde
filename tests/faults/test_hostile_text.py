"""Hostile text in settings, descriptions and labels, and in the CSV files that the program writes."""

import csv
import io
import json
import pickle
import pickletools
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from data.errors import DataError
from data.formats.label_pickle import read_label_pickle
from data.formats.npy_file import load_numbers
from descriptions.errors import DescriptionError
from descriptions.loader import MAX_BYTES, read_descriptions
from pipeline.cli.main import main
from pipeline.messages.csv_cells import FORMULA, NUMBER, cells
from pipeline.messages.errors import ConfigError, PipelineError, printable
from pipeline.predict.answer_output import write_csv, write_json
from pipeline.predict.clip_stream import Unread
from pipeline.running.sweep import grid_rows
from pipeline.workspace.config import load_config
from tests.shared.made_skeletons import write_folder

HEADER = "action,label,local,global\n"
LIMIT_SHOWN = 10_000


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


SETTINGS = {
    "nul-path": b'[dataset]\nraw = ["a\\u0000b"]\n',
    "nul-byte": b'seed = 1\n\x00device = "cpu"\n',
    "nul-key": b'"a\\u0000b" = 1\n',
    "escape": b'[dataset]\nprotocol = "\\u001b[2J\\u009b31m"\n',
    "escape-key": b'"\\u001b]0;x\\u0007" = 1\n',
    "nested": b"raw = " + b"[" * 5000 + b"]" * 5000,
    "long-number": b"seed = " + b"1" * 5000,
    "long-value": b'[dataset]\nprotocol = "' + b"x" * 500_000 + b'"\n',
    "long-key": b"x" * 500_000 + b" = 1\n",
    "many-keys": b"".join(b"k%d = 1\n" % number for number in range(5000)),
    "too-large": b"#" * (1 << 21),
    "no-utf8": b'device = "\xff"\n',
    "utf-16": 'device = "cpu"'.encode("utf-16"),
    "infinite": b"seed = inf\n",
    "table": b"[[dataset]]\n",
}


@pytest.mark.parametrize("name", list(SETTINGS))
def test_hostile_settings_end_in_one_short_paragraph(tmp_path: Path, name: str) -> None:
    (tmp_path / "config.toml").write_bytes(SETTINGS[name])
    result = call("-w", tmp_path, "run")
    assert (result.exit_code, type(result.exception)) == (1, SystemExit), result.output[:500]
    assert "config.toml" in result.output
    assert len(result.output) < LIMIT_SHOWN
    assert printable(result.output.rstrip("\n")) == result.output.rstrip("\n")


@pytest.mark.parametrize("value", ["1" * 5000, "[" * 5000, '"a\\u0000b"', "\x1b[2J"])
def test_hostile_overrides_are_wrong_usage(tmp_path: Path, value: str) -> None:
    (tmp_path / "config.toml").write_text("")
    result = call("-w", tmp_path, "status", "--set", f"dataset.protocol={value}")
    assert (result.exit_code, type(result.exception)) == (2, SystemExit)
    assert "\x1b" not in result.output


@pytest.mark.parametrize(
    "text",
    ["rows = 5", "rows = {a = 1}", "product = []", 'product = {"train.alpha" = 5}', "x = " + "[" * 5000,
     "rows = " + "1" * 5000, "[product]\n" + "\n".join(f'"train.x{key}" = {list(range(10))}' for key in range(12))],
)  # fmt: skip
def test_grids_that_are_none_are_refused_before_they_grow(tmp_path: Path, text: str) -> None:
    (tmp_path / "grid.toml").write_text(text)
    with pytest.raises(PipelineError, match=r"grid\.toml"):
        grid_rows(str(tmp_path / "grid.toml"))


DESCRIPTIONS = {
    "nul": (HEADER + "A001,a\0b,c,d\n", "contains a NUL character"),
    "long-field": (HEADER + f"A001,{'x' * 200_000},c,d\n", "not valid CSV"),
    "long-action": (HEADER + f"{'x' * 100_000},b,c,d\n", "is not written like A001"),
    "many-faults": (HEADER + "bad,b,c,d\n" * 50_000, "and 49900 more"),
    "many-columns": (",".join(f"c{number}" for number in range(5000)) + "\n", "and 4904 more"),
    "escape": (HEADER + "\x1b[2J,b,c,d\n", "is not written like A001"),
    "open-quote": (HEADER + 'A001,"' + "x" * 100, "not valid CSV"),
    "binary": ("\x00\x01\x02" * 100, "column action is missing"),
}


@pytest.mark.parametrize("name", list(DESCRIPTIONS))
def test_hostile_descriptions_are_refused_with_a_short_message(tmp_path: Path, name: str) -> None:
    content, message = DESCRIPTIONS[name]
    (tmp_path / "texts.csv").write_text(content, "utf-8", newline="")
    with pytest.raises(DescriptionError, match=message) as refused:
        read_descriptions(tmp_path / "texts.csv")
    assert len(str(refused.value)) < LIMIT_SHOWN


def test_descriptions_without_end_are_not_read(tmp_path: Path) -> None:
    with (tmp_path / "texts.csv").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(DescriptionError, match="too large"):
        read_descriptions(tmp_path / "texts.csv")


@pytest.mark.parametrize(
    "text", ["=cmd|'/c calc'!A0", "+1+cmd()", "-2+3", "@SUM(A1)", "\t=1", " =1", "\uff1d1", "\n=1"]
)
def test_what_a_spreadsheet_would_run_gets_an_apostrophe_or_an_escape(text: str) -> None:
    (cell,) = cells([text])
    assert cell[0] in "'\\"


@given(st.text())
def test_no_cell_is_a_formula_or_steers_a_terminal(text: str) -> None:
    (cell,) = cells([text])
    assert not FORMULA.match(cell) or NUMBER.fullmatch(cell)
    assert all(char.isprintable() for char in cell)
    if text.isalnum():
        assert cell == text


def test_numbers_stay_numbers() -> None:
    assert cells([-1, -0.5, "-0.5", "+1e-3", "", "a-b", None]) == [-1, -0.5, "-0.5", "+1e-3", "", "a-b", None]


def test_names_of_clips_reach_no_spreadsheet_or_terminal_as_they_are() -> None:
    answers = [Unread("=cmd()\x1b[2J.skeleton", "@x\x9b31m"), Unread("a\udcff.skeleton", "b")]
    as_csv, as_json = io.StringIO(), io.StringIO()
    write_csv(answers, 3, as_csv)
    write_json(answers, 3, as_json)
    rows = list(csv.DictReader(io.StringIO(as_csv.getvalue())))
    assert (rows[0]["clip"], rows[0]["error"]) == ("'=cmd()\\x1b[2J.skeleton", "'@x\\x9b31m")
    for output in (as_csv, as_json):
        assert all(char.isprintable() or char == "\n" for char in output.getvalue())
        output.getvalue().encode()
    lines = [json.loads(line) for line in as_json.getvalue().splitlines()]
    assert [line["clip"] for line in lines] == [answer.clip for answer in answers]  # JSON keeps names exactly


def test_raw_files_with_odd_names_are_listed_escaped(tmp_path: Path) -> None:
    write_folder(tmp_path / "raw", {"=cmd()\n\x1b[2J.skeleton": b"", "S001C001P001R001A001.skeleton": b"=cmd()"})
    (tmp_path / "config.toml").write_text('[dataset]\nraw = ["raw"]\nname = "own"\n[preprocess]\nworkers = 1\n')
    result = call("-w", tmp_path, "preprocess")
    assert result.exit_code == 1
    assert "no clip is left" in result.output
    content = (tmp_path / "rejects.csv").read_text("utf-8")
    assert "\x1b" not in content
    rows = list(csv.reader(io.StringIO(content)))
    assert len(rows) == 3
    assert not any(FORMULA.match(cell) for row in rows for cell in row)


@pytest.mark.parametrize("descr", ["|O", "<U9", "V8", "<M8[s]", [("a", "<f4")], "<c8"])
def test_arrays_of_other_than_numbers_are_refused(tmp_path: Path, descr: object) -> None:
    write_npy(tmp_path / "a.npy", f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': (1,)}}", pickle.dumps(1))
    with pytest.raises(DataError, match="expected numbers"):
        load_numbers(tmp_path / "a.npy")


@pytest.mark.parametrize(
    "header",
    ["{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 256)}", "(" * 9000, "{'a': __import__('os')}",
     "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", "9" * 9000, "{'descr': '<f4', 'shape': (1,)}",
     "{'descr': '<f9', 'fortran_order': False, 'shape': (1,)}"],
)  # fmt: skip
def test_headers_of_arrays_that_lie_are_refused(tmp_path: Path, header: str) -> None:
    write_npy(tmp_path / "a.npy", header, b"1234")
    with pytest.raises(DataError, match=r"a\.npy"):
        load_numbers(tmp_path / "a.npy")


def write_npy(path: Path, header: str, content: bytes) -> None:
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + content)


def test_labels_that_run_a_program_do_not(tmp_path: Path) -> None:
    harmed = tmp_path / "harmed"
    content = b"cos\nmkdir\n(V" + str(harmed).encode() + b"\ntR."
    (tmp_path / "x_label.pkl").write_bytes(content)
    pickletools.dis(content, out=io.StringIO())  # it is a sound pickle
    with pytest.raises(DataError, match="is refused"):
        read_label_pickle(tmp_path / "x_label.pkl")
    assert not harmed.exists()


def test_a_seed_that_is_too_large_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("seed = 99999999999999999999999\n")
    with pytest.raises(ConfigError, match="seed"):
        load_config(tmp_path / "config.toml")
