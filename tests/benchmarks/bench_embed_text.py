"""Measures how long embed-text takes for NTU's 120 actions at three levels, and how long a second run takes.

    python tests/benchmarks/bench_embed_text.py [--encoder minilm]

Each run is a new Python process, and imports count. The plain implementation imports sentence-transformers, encodes the
same texts in one call, and writes nothing. The target is 15 s with MiniLM on 2 cores.
"""

import argparse
import csv
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from descriptions.loader import COLUMNS, Texts, builtin_descriptions

PLAIN = """
import sys
from sentence_transformers import SentenceTransformer
from descriptions.loader import builtin_descriptions
from models.text.sources import source_of
texts = [text for row in builtin_descriptions("ntu120").values() for text in row.values()]
SentenceTransformer(source_of(sys.argv[1]), device="cpu").encode(texts, show_progress_bar=False)
"""


def timed(*command: str) -> float:
    """Seconds that a new Python process takes for `command`."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *command], check=True)
    return time.perf_counter() - start


def write_texts(path: Path, texts: Texts) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([COLUMNS, *((f"A{action:03d}", *row.values()) for action, row in texts.items())])


def main() -> None:
    parser = argparse.ArgumentParser(description="The time of embed-text.")
    parser.add_argument("--encoder", default="minilm")
    encoder = parser.parse_args().encoder
    texts = builtin_descriptions("ntu120")
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder)
        write_texts(workspace / "texts.csv", texts)
        (workspace / "config.toml").write_text(
            f'[dataset]\nname = "own"\ndescriptions = "texts.csv"\n[text]\nencoder = "{encoder}"\n'
        )
        stage = ("-m", "pipeline", "-w", folder, "embed-text")
        first = timed(*stage)
        texts[1]["label"] = "sip some water"
        write_texts(workspace / "texts.csv", texts)
        second = timed(*stage)
        third = timed(*stage)
    plain = timed("-c", PLAIN, encoder)
    print(f"{encoder}: {len(texts)} actions at 3 levels; plain = one encode call of all texts, nothing written")
    for name, seconds in (("plain", plain), ("all texts", first), ("one text changed", second), ("up to date", third)):
        print(f"{name:<17} {seconds:6.2f} s  {seconds / plain:5.2f} of plain")


if __name__ == "__main__":
    main()
