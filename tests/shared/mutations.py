"""Breaks raw files in the ways in which files break. The parser must read or refuse the result."""

from collections.abc import Callable

import numpy as np

ODD_FIELDS = (
    b"nan", b"NaN", b"inf", b"-Infinity", b"1e999", b"-1e39", b"1e-400", b"1_0", b"0x1F", b"--1", b"1.2.3", b"1e5e5",
       b"1e", b".5", b"5.", b"+.5e+1", b".", b"-", b"e5", b"1,5", b"1.#IND", b"", b"#", b"\xff\xfe", b"\x00",
       b"25.0", b"1 2", "\u0663".encode(), b"18446744073709551616",
    b"-9223372036854775808", b"9" * 5000, b"00000000000000000000025",
)  # fmt: skip
HUGE_COUNTS = (b"0", b"-1", b"7", b"26", b"1000", b"99999999", b"2147483648", b"999999999999999999999999999999")
ENCODINGS = ("utf-16", "utf-16-be", "utf-32", "utf-8-sig", "cp037", "utf-7")

Mutation = Callable[[bytes, np.random.Generator], bytes]


def cut(content: bytes, rng: np.random.Generator) -> bytes:
    return content[: rng.integers(len(content) + 1)]


def flip_bits(content: bytes, rng: np.random.Generator) -> bytes:
    data = bytearray(content)
    for place in rng.integers(len(data), size=rng.integers(1, 9)).tolist():
        data[place] ^= 1 << int(rng.integers(8))
    return bytes(data)


def splice(content: bytes, rng: np.random.Generator) -> bytes:
    """Replace some bytes by bytes from elsewhere in the file, or by random ones."""
    start, stop, source = [*sorted(rng.integers(len(content) + 1, size=2).tolist()), int(rng.integers(len(content)))]
    stop = min(stop, start + 40)
    new = content[source : source + int(rng.integers(40))] if rng.random() < 0.7 else rng.bytes(int(rng.integers(40)))
    return content[:start] + new + content[stop:]


def shuffle_lines(content: bytes, rng: np.random.Generator) -> bytes:
    """Swap two lines, repeat one, remove one, or insert an empty one."""
    lines = content.split(b"\n")
    one, two = rng.integers(len(lines), size=2).tolist()
    kind = int(rng.integers(4))
    if kind == 0:
        lines[one], lines[two] = lines[two], lines[one]
    elif kind == 1:
        lines.insert(one, lines[two])
    elif kind == 2:
        del lines[one]
    else:
        lines.insert(one, b"")
    return b"\n".join(lines)


def change_field(content: bytes, rng: np.random.Generator) -> bytes:
    lines = content.split(b"\n")
    line = int(rng.integers(len(lines)))
    fields = lines[line].split()
    if fields:
        fields[int(rng.integers(len(fields)))] = ODD_FIELDS[int(rng.integers(len(ODD_FIELDS)))]
    lines[line] = b" ".join(fields)
    return b"\n".join(lines)


def change_count(content: bytes, rng: np.random.Generator) -> bytes:
    """Change a number of frames, bodies or joints."""
    lines = content.split(b"\n")
    counts = [index for index, line in enumerate(lines) if len(line.split()) == 1]
    if counts:
        lines[counts[int(rng.integers(len(counts)))]] = HUGE_COUNTS[int(rng.integers(len(HUGE_COUNTS)))]
    return b"\n".join(lines)


def reencode(content: bytes, rng: np.random.Generator) -> bytes:
    return content.decode("latin-1").encode(ENCODINGS[int(rng.integers(len(ENCODINGS)))])


def change_blanks(content: bytes, rng: np.random.Generator) -> bytes:
    """Change line ends or blanks, and add some at the end."""
    old, new = [
        (b"\n", b"\r"),
        (b"\n", b"\r\n"),
        (b"\r\n", b"\n"),
        (b" ", b"\t"),
        (b" ", b"  "),
        (b"\n", b" \n"),
        (b"\n", b""),
    ][int(rng.integers(7))]
    return content.replace(old, new) + [b"", b"\n", b" \r\n\t\n", b"\x00", b"\x1a"][int(rng.integers(5))]


def concatenate(content: bytes, rng: np.random.Generator) -> bytes:
    return content * int(rng.integers(2, 4))


def stretch(content: bytes, rng: np.random.Generator) -> bytes:
    """Repeat one byte of the file 100,000 times in its place."""
    place = int(rng.integers(len(content)))
    return content[:place] + content[place : place + 1] * 100_000 + content[place:]


def empty_frames(content: bytes, rng: np.random.Generator) -> bytes:
    """Add up to 100,000 frames without a body at the end."""
    first, _, rest = content.partition(b"\n")
    more = int(rng.integers(100_000))
    return b"%d\n" % (int(first) + more) + rest.rstrip() + b"\n" + b"0\n" * more


MUTATIONS: tuple[Mutation, ...] = (
    cut, flip_bits, splice, shuffle_lines, change_field, change_count, reencode, change_blanks, concatenate, stretch,
    empty_frames,
)  # fmt: skip


def mutate(content: bytes, rng: np.random.Generator) -> bytes:
    """Change `content` once or twice."""
    changed = MUTATIONS[int(rng.integers(len(MUTATIONS)))](content, rng)
    if changed and rng.random() < 0.3:
        changed = MUTATIONS[int(rng.integers(len(MUTATIONS) - 1))](changed, rng)  # the last one needs a readable count
    return changed
