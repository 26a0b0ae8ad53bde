"""The manifest: what each column says, and what is wrong with a row, by its line."""

import csv
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.clip_name import ClipName
from data.clips.manifest import COLUMNS, first_row_file, labels_in, read_manifest, rows_without
from data.clips.span import Span
from data.errors import DataError

LABELS = {"wave": 3, "clap, loudly": 4}


def written(folder: Path, text: str) -> Path:
    path = folder / "clips.csv"
    path.write_text(text, "utf-8")
    return path


def test_every_column_is_read(tmp_path: Path) -> None:
    rows = read_manifest(
        written(
            tmp_path,
            "file,part,clip,action,subject,camera,setup,replication,start_frame,end_frame,start_s,end_s,fps\n"
            "a.csv,,S001C002P003R000A005,,,,,,,,,,\n"
            "b.csv,,,wave,2,,,,10,20,,,\n"
            "b.csv,,,Wave,2,,,,,,1.5,,60\n"
            'c.pkl,x/y,,"clap, loudly",,2,7,9,,,,2.5,\n'
            "d.csv,,,A011,,,,,,,,,\n\n"
            "e.csv,,,12,,,,,,,,,\n",
        ),
        LABELS,
    )
    assert [str(row.name) for row in rows] == [
        "S001C002P003R000A005",
        "S001C001P002R001A003",
        "S001C001P002R002A003",
        "S007C002P001R009A004",
        "S001C001P001R001A011",
        "S001C001P001R001A012",
    ]
    assert [row.span for row in rows[:4]] == [
        None,
        Span(10, 20),
        Span(1.5, float("inf"), in_seconds=True),
        Span(0, 2.5, in_seconds=True),
    ]
    assert [row.fps for row in rows[:3]] == [0, 0, 60]
    assert (rows[3].part, rows[3].line, rows[5].line) == ("x/y", 5, 8)
    assert first_row_file(tmp_path / "clips.csv") == ("a.csv", 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no row; a manifest has a row for each clip"),
        ("file,action\n", "has no row"),
        ("clip\nS001C001P001R001A001\n", "line 1: no file in the header"),
        ("file,actoin\n", "line 1: unknown columns actoin in the header; the columns are file,part,clip"),
        ("file,file\n", "line 1: file twice in the header"),
        ("file,action\n,1\n", "line 2: no file"),
        ("file,action\na.csv,\n", "line 2: neither clip nor action"),
        ("file,action\na.csv,jump\n", 'line 2: the action "jump" is neither a number from 1 to 999 nor a label'),
        ("file,action\na.csv,wvae\n", 'nor a label of the descriptions; do you mean "wave"'),
        ("file,action\na.csv,0\n", 'the action "0"'),
        ("file,action\na.csv,1000\n", 'the action "1000"'),
        ("file,action,subject\na.csv,1,anna\n", 'line 2: subject is "anna"; a number from 1 to 999 is wanted'),
        ("file,clip\na.csv,walk\n", 'line 2: "walk" is not a clip name'),
        ("file,clip,subject\na.csv,S001C001P001R001A001,2\n", "line 2: both clip and subject"),
        ("file,action\na.csv,1\nb.csv,1\na.csv,2\n", "line 4: a.csv stands in line 2 too, with all of it"),
        (
            "file,action,start_s,end_s\na.csv,1,1,2\na.csv,1,1.0,2\n",
            "line 3: a.csv stands in line 2 too, with the same frames of it; a clip has one row",
        ),
        ("file;action\na.csv;1;2\n", "line 2: 3 cells under a header of 2; put a text with a semicolon"),
        ("file,clip\na.csv,S001C001P001R001A001\nb.csv,S001C001P001R001A001\n", "line 3: .* also the clip of line 2"),
        ("file,action,start_frame,end_frame\na.csv,1,9,3\n", "line 2: the clip ends at 3 before it starts at 9"),
        ("file,action,start_frame,end_s\na.csv,1,9,3\n", "given both in frames and in seconds"),
        ("file,action,start_s\na.csv,1,soon\n", 'start_s is "soon"; a number from 0 is wanted'),
        ("file,action,start_s\na.csv,1,-1\n", 'start_s is "-1"'),
        ("file,action,fps\na.csv,1,0\n", "fps is 0"),
        ("file,action,fps\na.csv,1,nan\n", 'fps is "nan"'),
        ("file,action\na.csv,1,2\n", "line 2: 3 cells under a header of 2"),
        ('file,action\n"a.csv,1\n', "not valid CSV"),
    ],
)
def test_a_fault_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_manifest(written(tmp_path, text), LABELS)


def test_spreadsheets_with_semicolons_and_decimal_commas_are_read(tmp_path: Path) -> None:
    (row,) = read_manifest(written(tmp_path, "file;action;start_s;end_s\na, b.csv;wave;1,5;2\n"), LABELS)
    assert (row.file, row.name.action, row.span) == ("a, b.csv", 3, Span(1.5, 2, in_seconds=True))


def test_actions_in_words_get_numbers_that_no_row_has(tmp_path: Path) -> None:
    path = written(tmp_path, "file,action\na.csv,Wave\nb.csv,A002\nc.csv,clap\nd.csv,wave\ne.csv,1x\n")
    assert labels_in(path) == {"Wave": 1, "clap": 3, "1x": 4}
    with pytest.raises(DataError, match=r'line 2: the action "Wave" .* there are none yet: `fsvae-pipe texts --init`'):
        read_manifest(path, {})
    with pytest.raises(DataError, match=r'line 2: the label "Wave" is that of several actions'):
        read_manifest(path, {"wave": 0, "clap": 3})


def test_rows_that_tell_no_subject_are_counted(tmp_path: Path) -> None:
    path = written(tmp_path, "file,clip,action,subject\na.csv,S001C001P001R001A001,,\nb.csv,,1,2\nc.csv,,1,\n")
    assert rows_without("subject", path) == (1, 3)
    assert rows_without("camera", path) == (2, 3)


def test_clips_of_one_kind_are_counted_to_the_last_number_that_a_name_can_hold(tmp_path: Path) -> None:
    rows = "".join(f"{number}.csv,1\n" for number in range(1000))
    with pytest.raises(DataError, match="line 1001: more than 999 clips of one action"):
        read_manifest(written(tmp_path, f"file,action\n{rows}"), {})


def test_what_is_no_text_is_said(tmp_path: Path) -> None:
    path = tmp_path / "clips.csv"
    with pytest.raises(DataError, match="can't be read"):
        read_manifest(path, {})
    path.write_bytes("file,action\nä.csv,1\n".encode("latin-1"))
    with pytest.raises(DataError, match="not UTF-8"):
        read_manifest(path, {})
    path.write_bytes(b"\xef\xbb\xbffile,action\r\na.csv,1\r\n")  # as spreadsheets write it
    assert read_manifest(path, {})[0].name == ClipName(1, 1, 1, 1, 1)


@settings(max_examples=60)
@given(st.lists(st.dictionaries(st.sampled_from(COLUMNS), st.text(max_size=6)), min_size=1, max_size=4))
def test_any_table_is_read_or_refused_with_its_place(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, str]]
) -> None:

    path = tmp_path_factory.mktemp("any") / "clips.csv"
    with path.open("w", encoding="utf-8", newline="", errors="surrogatepass") as stream:
        table = csv.DictWriter(stream, COLUMNS)
        table.writeheader()
        table.writerows(rows)
    try:
        read = read_manifest(path, LABELS)
    except DataError as error:
        if str(path) not in str(error):
            raise
    else:
        assert 1 <= len(read) <= len(rows)
