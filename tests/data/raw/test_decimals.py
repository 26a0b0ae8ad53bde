import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from data.raw.decimals import MARGIN_BYTES, parse_decimals

written = st.from_regex(r"[+-]?[0-9]{1,20}(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)
usual = st.floats(-1e6, 1e6).map(repr) | st.floats(-10, 10, width=32).map(lambda x: f"{x:.7G}")


def parse(numbers: list[str], around: bytes = b" ") -> list[float]:
    """Parses `numbers` written in one text, with a margin of `around` on both sides."""
    text = around * MARGIN_BYTES + " ".join(numbers).encode() + around * MARGIN_BYTES
    lengths = np.array([len(number) for number in numbers])
    starts = MARGIN_BYTES + np.cumsum(lengths + 1) - lengths - 1
    parsed: list[float] = parse_decimals(text, starts, starts + lengths).tolist()
    return parsed


@given(st.lists(written | usual, min_size=1), st.sampled_from([b" ", b".", b"9", b"e", b"-", b"\xff"]))
@example(["-0", "0.0", "-0.00", "+1", "00012.50"], b" ")
@example(["12345678", "123456789", "1234567.8", "12345678.9", "0.12345678", "0.123456789"], b"9")
@example(["9007199254740993", "999999999999999", "0.999999999999999", "9.99999999999999e22", "1e400", "1E-05"], b"e")
@example(["0.1234567890123456", "1.12345678901234", "123456.789012345", "12345.6789e2", "1.5E-3"], b".")
def test_every_number_equals_that_of_float(numbers: list[str], around: bytes) -> None:
    expected = [float(number) for number in numbers]
    parsed = parse(numbers, around)
    assert parsed == expected
    assert np.signbit(parsed).tolist() == np.signbit(expected).tolist()


def test_a_hundred_thousand_random_numbers_are_exact() -> None:
    values = np.random.default_rng(0).normal(size=100_000) * 10.0 ** np.random.default_rng(1).integers(-6, 6, 100_000)
    for form in ("{:.7G}", "{:.9f}", "{!r}"):
        numbers = [form.format(value) for value in values.tolist()]
        assert parse(numbers) == [float(number) for number in numbers]


@pytest.mark.parametrize("shape", [(0,), (2, 3), (1, 2, 3)])
def test_the_shape_is_kept(shape: tuple[int, ...]) -> None:
    starts = np.full(shape, MARGIN_BYTES)
    values = parse_decimals(b" " * MARGIN_BYTES + b"1.25" + b" " * MARGIN_BYTES, starts, starts + 4)
    assert values.shape == shape
    assert (values == 1.25).all()
