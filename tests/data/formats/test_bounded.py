"""Long reads are refused before they take memory."""

import io

import pytest

from data.formats.bounded import BoundedReads


def test_reads_are_bounded() -> None:
    stream = BoundedReads(io.BytesIO(b"abc\n" + b"d" * 20), 10)
    assert stream.readline() == b"abc\n"
    assert stream.read(10) == b"d" * 10
    assert stream.read() == b"d" * 10
    for size in (11, -1, None):
        stream.seek(4)
        with pytest.raises(ValueError, match="a part of it"):
            stream.read(size)
    stream.seek(4)
    with pytest.raises(ValueError, match="a part of it"):
        stream.readline()
