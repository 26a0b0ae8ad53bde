"""Measures time and memory of every stage on an archive of NTU-60's size, from tests/benchmarks/made_ntu60.py.

    python -m tests.benchmarks.bench_full_size ntu60.zip FOLDER [--until STAGE] [--set KEY=VALUE]...

FOLDER becomes a workspace of the split ntu60-synse-55-5. Each command runs in a process of its own, as in a shell, with
the default settings, except that the text encoder is the demo's and the backbone is tiny: it sees all clips at 300
frames and gives features of the published size, but trains for one epoch and learns little. For each command it prints

- seconds: from start to end
- CPU seconds: of all its processes, on however many cores
- largest process: the highest resident memory of a single process, as the kernel keeps it
- all processes: the highest sum over its processes, where what they share counts once; looked at four times a second
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from models.backbone.networks import NETWORKS
from pipeline.cli.main import main as fsvae_pipe

NETWORK = "wide-joint-mlp"
SAMPLE_SECONDS = 0.25
KB, MB = 1024, 1e6
SETTINGS = ("text.encoder=minilm", f"backbone.network={NETWORK}", "backbone.epochs=1", "backbone.schedule=one-cycle")
STAGES = ("preprocess", "extract", "embed-text", "train", "evaluate")


@dataclass
class Usage:
    """What a command has taken."""

    seconds: float = 0.0
    largest_bytes: int = 0
    all_bytes: int = 0
    cpu_seconds: dict[int, float] = field(default_factory=dict)  # by process

    def look(self, process: int) -> None:
        """Look at `process` and its descendants once."""
        together = 0
        for member in family(process):
            try:
                status = dict(line.split(":", 1) for line in Path(f"/proc/{member}/status").read_text().splitlines())
                shares = dict(line.split(":", 1) for line in proportional_lines(member))
                times = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
            except (OSError, ValueError):  # it ended while being looked at
                continue
            self.largest_bytes = max(self.largest_bytes, kilobytes(status.get("VmHWM", "0")))
            together += kilobytes(shares.get("Pss", "0"))
            self.cpu_seconds[member] = (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")
        self.all_bytes = max(self.all_bytes, together)


def proportional_lines(process: int) -> list[str]:
    """The kernel's sums over the memory of a process, in which a page of k processes counts 1/k."""
    return Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()[1:]


def kilobytes(text: str) -> int:
    """The bytes in a text such as " 123 kB"."""
    return int(text.split()[0]) * KB


def family(process: int) -> list[int]:
    """A process and its descendants."""
    members = [process]
    for member in members:
        for children in Path(f"/proc/{member}/task").glob("*/children"):
            try:
                members += map(int, children.read_text().split())
            except OSError:
                continue
    return members


def measured(arguments: Sequence[str]) -> Usage:
    """Run a command of the program, and measure it. Raises CalledProcessError when it fails."""
    command = [sys.executable, "-m", "tests.benchmarks.bench_full_size", "--command", *arguments]
    usage, start = Usage(), time.perf_counter()
    with subprocess.Popen(command) as child:
        while child.poll() is None:
            usage.look(child.pid)
            time.sleep(SAMPLE_SECONDS)
    usage.seconds = time.perf_counter() - start
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, command)
    return usage


def row(name: str, usage: Usage) -> str:
    """A line of the table."""
    cpu = sum(usage.cpu_seconds.values())
    memory = f"{usage.largest_bytes / MB:.0f} MB | {usage.all_bytes / MB:.0f} MB"
    return f"| `{name}` | {usage.seconds:.0f} s | {cpu:.0f} s | {memory} |"


def main() -> None:
    """Measure and print; or, with --command first, be one of the measured commands."""
    if sys.argv[1:2] == ["--command"]:
        NETWORKS[NETWORK] = "tests.shared.small_backbone:WideJointMLP"  # by name: not every command needs torch
        fsvae_pipe(sys.argv[2:], prog_name="fsvae-pipe")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--until", choices=[*STAGES, "report"], default="report")
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE")
    options = parser.parse_args()
    workspace = ["-w", str(options.folder)]
    chosen = [part for setting in (*SETTINGS, *options.settings) for part in ("--set", setting)]
    measured([*workspace, "init", "ntu60-synse-55-5", "--raw", str(options.archive.resolve())])
    table = ["| command | seconds | CPU seconds | largest process | all processes |", "|---|---|---|---|---|"]
    for stage in (*STAGES, "report"):
        table.append(row(stage, measured([*workspace, stage, *([] if stage == "report" else chosen)])))
        if stage == options.until:
            break
    print(f"{os.cpu_count()} cores", *table, sep="\n")
    for path in sorted(options.folder.rglob("*.h5")) + sorted(options.folder.rglob("model.safetensors")):
        print(f"{path.relative_to(options.folder)}: {path.stat().st_size / MB:.1f} MB")


if __name__ == "__main__":
    main()
