import csv
import io
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descriptions.errors import DescriptionError
from descriptions.loader import COLUMNS, builtin_descriptions, inspect_descriptions, read_descriptions

HEADER = "action,label,local,global\n"
words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1).filter(str.strip)
tables = st.dictionaries(st.integers(1, 999), st.tuples(words, words, words), min_size=1, max_size=5)


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "texts.csv"


def problems(path: Path, content: str | bytes) -> list[str]:
    return [str(problem) for problem in inspect_descriptions(written(path, content)).problems]


def test_texts_are_read_by_action_whatever_the_order_of_rows_and_columns(path: Path) -> None:
    written(path, 'global,action,label,local\n"x, y",A002,two,b\n\n z ,A001, one ,a\n')
    assert read_descriptions(path) == {
        1: {"label": "one", "local": "a", "global": "z"},
        2: {"label": "two", "local": "b", "global": "x, y"},
    }
    assert list(read_descriptions(path)) == [1, 2]


@given(tables)
def test_what_the_csv_module_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, table: dict[int, tuple[str, ...]]
) -> None:
    file = io.StringIO()
    csv.writer(file).writerows([COLUMNS, *((f"A{action:03d}", *row) for action, row in table.items())])
    path = written(tmp_path_factory.mktemp("csv") / "texts.csv", file.getvalue())
    expected = {action: tuple(text.strip() for text in row) for action, row in table.items()}
    assert {action: tuple(row.values()) for action, row in read_descriptions(path).items()} == expected


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_with_a_message(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    for start in (b"", HEADER.encode()):
        path = written(tmp_path_factory.mktemp("csv") / "texts.csv", start + content)
        try:
            assert read_descriptions(path)
        except DescriptionError as error:
            str(error).encode()  # fails on half characters, which can't be printed


def test_every_problem_is_listed_with_its_line(path: Path) -> None:
    content = HEADER.encode() + (
        b'A001,one,"a\nb",c\n'  # lines 2 and 3
        b"A001,again,a,b\n"
        b"7,seven,a,b\n"
        b"A003,,a, \n"
        b"A004,four,a,b,c\n"
        b"A005,f\xfcnf,a,b\n"
    )
    assert problems(path, content) == [
        "line 4: A001 is already described in line 2",
        'line 5: action "7" is not written like A001',
        "line 6: label is empty",
        "line 6: global is empty",
        "line 7: 5 fields, but the header has 4 (a text with a comma needs quotes)",
        "line 8: label is not UTF-8",
    ]
    with pytest.raises(DescriptionError) as caught:
        read_descriptions(path)
    assert str(path) in str(caught.value)
    assert all(problem in str(caught.value) for problem in problems(path, content))
    assert str(caught.value).endswith("in UTF-8")  # `fsvae-pipe texts` would check another file than predict --actions


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", ["line 1: the file is empty"]),
        (HEADER, ["line 1: no action follows the header"]),
        (
            "action;label;local;global\n",
            ["line 1: the columns are separated by semicolons; use commas"],
        ),
        (
            "action,label,local,globl\nA001,a,b,c\n",
            ['line 1: unknown column "globl"', "line 1: column global is missing"],
        ),
        ("action,label,local,global,note\nA001,a,b,c,d\n", ['line 1: unknown column "note"']),
        ("action,label,label,local,global\nA001,a,a,b,c\n", ["line 1: column label occurs 2 times"]),
        (
            HEADER + 'A001,a,b,c\nA002,a,"b,c\n',
            ["line 3: not valid CSV (unexpected end of data); nothing after it was read"],
        ),
        (HEADER + "A000,a,b,c\n", ['line 2: action "A000" is not written like A001']),
        (HEADER.encode("utf-16"), ["line 1: the file is UTF-16; save it as UTF-8"]),
    ],
)
def test_a_broken_file_gets_a_message_about_its_fault(path: Path, content: str | bytes, expected: list[str]) -> None:
    assert problems(path, content) == expected


def test_a_byte_order_mark_and_windows_line_ends_are_accepted(path: Path) -> None:
    written(path, b"\xef\xbb\xbf" + HEADER.replace("\n", "\r\n").encode() + "A001,größe,b,c\r\n".encode())
    assert read_descriptions(path)[1]["label"] == "größe"


def test_a_missing_file_is_an_error_that_says_how_to_start_one(path: Path) -> None:
    with pytest.raises(DescriptionError, match="`fsvae-pipe texts --init`"):
        read_descriptions(path)


def test_built_in_texts_are_read_by_name() -> None:
    assert list(builtin_descriptions("ntu120")) == list(range(1, 121))
    assert list(builtin_descriptions("pku51")) == list(range(1, 52))
    assert builtin_descriptions("demo")
    with pytest.raises(DescriptionError, match='called "ntu61"; there are ntu120, pku51, demo'):
        builtin_descriptions("ntu61")


def test_reading_texts_needs_only_the_standard_library() -> None:
    code = (
        "import sys; from descriptions.loader import builtin_descriptions; builtin_descriptions('ntu120');"
        "print(*{'torch', 'pandas', 'numpy', 'pydantic'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
