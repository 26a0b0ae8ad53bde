"""Lets standard output and standard error take every character, whatever their encoding is.

A redirect on Windows has the encoding of the code page (cp1252), the C locale that of ASCII. Labels, names of clips and
paths may hold characters beyond both.
"""

import io
import sys


def escape_unencodable() -> None:
    """Write a character that the encoding lacks as an escape, such as "\\u5403", where Python would raise an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def redirect_as_utf8() -> None:
    """Write UTF-8 to standard output unless it is a terminal, because other programs expect UTF-8 in a CSV file."""
    if isinstance(sys.stdout, io.TextIOWrapper) and not sys.stdout.isatty():
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
