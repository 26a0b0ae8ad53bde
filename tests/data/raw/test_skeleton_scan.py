import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import RawFileError
from data.raw.skeleton_file import format_clip
from data.raw.skeleton_lines import COORDINATES, read_lines
from data.raw.skeleton_scan import scan
from tests.shared.made_skeletons import full_clip, moving_clip
from tests.shared.mutations import ODD_FIELDS, mutate

SMALL = format_clip(moving_clip(np.random.default_rng(0), 2, 2))


def agree(content: bytes, columns: tuple[int, ...] = COORDINATES) -> bool:
    """Checks that `scan` reads `content` as `read_lines` does. Returns whether `scan` reads it at all."""
    fast = scan(content, columns)
    if fast is None:
        return False
    careful = read_lines(content, "clip", columns)
    assert fast.frames == careful.frames
    for name in ("frame", "place", "body_id", "values"):
        assert np.array_equal(getattr(fast, name), getattr(careful, name)), name
    return True


@pytest.mark.parametrize("columns", [COORDINATES, (0, 1, 2, 5, 6, 11), (11,), tuple(range(12))])
def test_ordinary_files_are_scanned_with_any_columns(columns: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    assert agree(full_clip(moving_clip(rng, 20, 3), rng), columns)
    assert agree(SMALL, columns)


@pytest.mark.parametrize("seed", range(60))
def test_the_scan_accepts_no_file_that_the_line_reader_refuses(seed: int) -> None:
    rng = np.random.default_rng(seed)
    content = mutate(SMALL, rng)
    try:
        read_lines(content, "clip", COORDINATES)
    except RawFileError:
        assert scan(content, COORDINATES) is None
    else:
        agree(content)


@given(st.integers(0, 57 * 2), st.sampled_from(ODD_FIELDS) | st.from_regex(rb"[-+.eE0-9]{1,12}", fullmatch=True))
@settings(deadline=None)
def test_an_odd_number_anywhere_is_read_alike_or_left_to_the_line_reader(line: int, field: bytes) -> None:
    lines = SMALL.split(b"\r\n")
    fields = lines[line % len(lines)].split() or [b""]
    fields[len(field) % len(fields)] = field
    lines[line % len(lines)] = b" ".join(fields)
    content = b"\n".join(lines)
    try:
        read_lines(content, "clip", COORDINATES)
    except RawFileError:
        assert scan(content, COORDINATES) is None
    else:
        agree(content)


@pytest.mark.parametrize(
    "content", [b"", b"\n", b" ", b"1", b"0", b"1\n", b"-", b"1\n1\n", b"1\n0", b"\n1\n0\n", b"9" * 5000]
)
def test_tiny_files_do_not_break_the_scan(content: bytes) -> None:
    rows = scan(content, COORDINATES)
    assert rows is None or (rows.frames, len(rows.frame)) in ((0, 0), (1, 0))


@pytest.mark.parametrize("odd", [b".5", b"5.", b"1.e3", b"NaN", b"1e5"])
def test_unusual_but_legal_numbers_are_read_by_one_of_the_readers(odd: bytes) -> None:
    content = SMALL.replace(b" 0 0 0 0 2", b" 0 0 0 " + odd + b" 2", 1)
    assert len(read_lines(content, "clip", COORDINATES).frame) == 4
    assert agree(content) == (odd == b"1e5")
