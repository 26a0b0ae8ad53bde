"""Parses many decimal numbers in a text at once. Each result is the float64 that `float` gives for the same text.

Eight characters are read as one 64-bit word, so a number is a few words. A few operations on arrays of words read all
numbers: inside each word digits are joined to pairs, fours and eights.

Why the result is exact: a number of at most 15 digits is a whole number below 2^53 divided by a power of ten. A float64
holds both exactly, so the one division rounds correctly. Longer numbers, and those with an exponent, go to `float`.
"""

import numpy as np
from numpy.typing import NDArray

MARGIN_BYTES = 16  # the text must have this many bytes, of any kind, before the first number and after the last

_EXACT_DIGITS = 15
_POWERS = 10.0 ** np.arange(_EXACT_DIGITS + 1)
_LAST_BYTES = np.array([0] + [((1 << 8 * n) - 1) << (64 - 8 * n) for n in range(1, 9)], dtype=np.uint64)
_EACH_BYTE = np.uint64(0x0101010101010101)
_DOTS = np.uint64(ord(".")) * _EACH_BYTE
_HIGH_BITS = np.uint64(0x80) * _EACH_BYTE
_LETTER_BITS = np.uint64(0x40) * _EACH_BYTE  # set in e and E, clear in digits, signs and dots
_DIGIT_BITS = np.uint64(0x0F) * _EACH_BYTE


def parse_decimals(text: bytes, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.float64]:
    """Parses the numbers text[starts:ends]. The result has the shape of `starts`.

    Every number must be [+-] digits [. digits] [e [+-] digits], with MARGIN_BYTES on both sides. This is not checked.
    """
    words: NDArray[np.uint64] = np.ndarray((len(text) - 7,), "<u8", text, strides=(1,))
    shape, starts, ends = starts.shape, starts.ravel(), ends.ravel()
    signs = np.frombuffer(text, np.uint8)[starts]
    starts = starts + (signs < ord("."))  # skips the sign: + and - have lower codes than the dot and the digits
    length = ends - starts
    head = words[starts]
    dot = _first_dot(head)
    for_float = (length > _EXACT_DIGITS + 1) | ((dot == 8) & (length > 8))
    fraction = np.clip(length - dot - 1, 0, _EXACT_DIGITS)  # number of digits after the dot
    whole = head << (64 - 8 * np.minimum(dot, length)).astype(np.uint64)  # digits before it, as the word's last bytes
    last = words[ends - 8] & _LAST_BYTES[np.minimum(fraction, 8)]
    for_float |= ((whole | last) & _LETTER_BITS) != 0
    digits = _eight_digits(last)
    long = np.flatnonzero(fraction > 8)
    if len(long):
        first = words[ends[long] - 16] & _LAST_BYTES[fraction[long] - 8]
        for_float[long] |= (first & _LETTER_BITS) != 0
        digits[long] += _eight_digits(first) * 1e8
    power = _POWERS[fraction]
    values: NDArray[np.float64] = (_eight_digits(whole) * power + digits) / power
    np.negative(values, out=values, where=signs == ord("-"))
    for index in np.flatnonzero(for_float).tolist():
        value = float(text[starts[index] : ends[index]])
        values[index] = -value if signs[index] == ord("-") else value
    return values.reshape(shape)


def _first_dot(words: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Returns the position of the first dot in each word, 8 where there is none."""
    zero_at_dot = words ^ _DOTS
    # The lowest bit set marks the first zero byte. Bits above it may be wrong.
    marks = (zero_at_dot - _EACH_BYTE) & ~zero_at_dot & _HIGH_BITS
    below = (marks & (~marks + np.uint64(1))) - np.uint64(1)
    return (np.bitwise_count(below) >> 3).astype(np.int64)


def _eight_digits(words: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Returns the number that the eight digits of each word spell. Zero bytes count as the digit 0."""
    words = words & _DIGIT_BITS
    words = (words * np.uint64(10) + (words >> np.uint64(8))) & np.uint64(0x00FF00FF00FF00FF)
    words = (words * np.uint64(100) + (words >> np.uint64(16))) & np.uint64(0x0000FFFF0000FFFF)
    words = (words * np.uint64(10000) + (words >> np.uint64(32))) & np.uint64(0xFFFFFFFF)
    return words.astype(np.float64)
