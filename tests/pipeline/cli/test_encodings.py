"""Output and names beyond the encoding of the terminal or the locale: a real process for each."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


def call(*arguments: bytes | str | Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "pipeline", *arguments]
    return subprocess.run(command, capture_output=True, env={**os.environ, **environment}, check=False)


def test_a_path_beyond_the_output_s_encoding_is_escaped(tmp_path: Path) -> None:
    done = call("-w", tmp_path / "吃饭", "init", "ntu60-synse-55-5", PYTHONIOENCODING="cp1252")
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    assert b"\\u5403" in done.stdout + done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has names of any bytes")
def test_a_path_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/caf\xe9"
    Path(os.fsdecode(raw)).mkdir()
    done = call("-w", tmp_path / "work", "init", "ntu60-synse-55-5", "--raw", raw)
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    assert b"not UTF-8" in b" ".join(done.stderr.split())
    assert not (tmp_path / "work" / "config.toml").exists()
