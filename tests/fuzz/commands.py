"""Runs random sequences of edits and commands in a small workspace, and checks every result against an account.

    python -m tests.fuzz.commands --sequences 500 [--seed 0] [--only NUMBER]

A sequence starts from a workspace after all stages. Edits change settings, descriptions and raw clips, delete files,
copy runs and put old versions of files back. Commands run in this process. It fails in these cases:
- a command ends in anything but success, or exit code 1 or 2 with a message;
- a results.json, a state, an answer or an exported model contradicts the account; the requirements are in
  tests/fuzz/command_sequences/checks.py.

--only runs one sequence again and prints its steps.
"""

import argparse
import json
import shutil
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from click.testing import CliRunner

from pipeline.cli.main import main as program
from tests.fuzz.command_sequences import checks
from tests.fuzz.command_sequences.account import Account, Settings
from tests.fuzz.command_sequences.edits import Edits
from tests.fuzz.command_sequences.workspace import (
    START,
    VALUES,
    all_texts,
    write_inputs,
)

STAGES = ("preprocess", "extract", "embed-text", "train", "evaluate")
RUNS = ("default", "default", "other")


class Walk(Edits):
    """One sequence in the workspace `root`."""

    def __init__(self, root: Path, account: Account, rng: np.random.Generator) -> None:
        super().__init__(root, account, rng)
        self.faults: list[str] = []
        self.tally = Counter[str]()

    def walk(self, steps: int) -> None:
        """Edit and command; then ask for the states of both runs."""
        for _ in range(steps):
            for _ in range(int(self.rng.integers(0, 4))):
                self.edit()
            self.command()
        self.status("default")
        self.status("other")

    def command(self) -> None:
        """A random command."""
        run, kind = (
            self.choice(RUNS),
            self.choice((*("run",) * 6, *("stage",) * 4, "predict", "export", "report", "sweep", "status")),
        )
        if kind == "stage":
            stage = self.choice(STAGES)
            named = ["--run", run] if stage in ("train", "evaluate") else []
            self.call(run, stage, *named, *(["--force"] if self.rng.random() < 0.4 else []), overrides=True)
        elif kind == "run":
            some = [
                f"--{word}={self.choice((*STAGES, 'train', 'evaluate'))}"
                for word in ("from", "until", "force")
                if self.rng.random() < 0.4
            ]
            self.call(run, "run", "--run", run, *some, overrides=True)
        elif kind == "predict":
            mode = self.choice(("gzsl", "gzsl", "zsl"))
            output = self.call(run, "predict", "--run", run, "--json", "--mode", mode, str(self.root / "raw"))
            if output is not None and mode == "gzsl":
                self.require(checks.check_predict(self.account, run, output.splitlines()))
        elif kind == "export":
            mode = self.choice(("gzsl", "gzsl", "zsl"))
            if self.call(run, "export", "--run", run, "--mode", mode, str(self.root / "model")) is not None:
                self.require(checks.check_export(self.account, self.root / "model", run))
        elif kind == "report":
            if self.call(run, "report", run) is not None:
                self.require(checks.check_report(self.account, run))
        elif kind == "sweep":
            self.sweep()
        else:
            self.status(run)

    def sweep(self) -> None:
        """Two rows."""
        rows: dict[str, Settings] = {
            "a": {"model.aligner": "ridge"},
            "b": {"evaluate.selection": "last", "text.levels": ["label"]},
        }
        lines = [f'{row}."{key}" = {json.dumps(value)}' for row, some in rows.items() for key, value in some.items()]
        (self.root / "small.toml").write_text("\n".join(["[rows]", *lines, ""]), "utf-8")
        runs = {f"small-{row}": {**self.account.settings, **settings} for row, settings in rows.items()}
        self.call("default", "sweep", str(self.root / "small.toml"), "--workers", "1", runs=runs)

    def status(self, run: str) -> None:
        """Ask for the states and hold them against the account."""
        output = self.call(run, "status", "--run", run, "--json")
        if output is not None:
            self.require(checks.check_status(self.account, run, self.account.settings, json.loads(output)))

    def call(
        self, run: str, *words: str, overrides: bool = False, runs: Mapping[str, Settings] | None = None
    ) -> str | None:
        """Run a command and check what it wrote; return its standard output, None when it was refused."""
        settings = dict(self.account.settings)
        for _ in range(int(overrides and self.rng.random() < 0.3)):
            key = self.choice([key for key in VALUES if key not in ("dataset.split", "dataset.name")])
            settings[key] = self.choice(VALUES[key])
            words = (*words, "--set", f"{key}={json.dumps(settings[key])}")
        self.steps.append(" ".join(words))
        done = CliRunner().invoke(program, ["-w", str(self.root), *words])
        self.tally[f"exit {done.exit_code}"] += 1
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            where = traceback.extract_tb(done.exception.__traceback__)[-1]
            self.fault(f"{type(done.exception).__name__}: {done.exception} ({where.filename}:{where.lineno})")
        elif (
            done.exit_code not in (0, 1, 2)
            or (done.exit_code and "Error: " not in done.stderr)
            or "Traceback" in done.output
        ):
            self.fault(f"exit {done.exit_code}: {done.output[-500:]}")
        self.steps[-1] += f" -> {done.exit_code} {done.stderr.partition('Error: ')[2][:300]}"
        for path in self.account.note(runs or {}, settings):
            old = self.root / "old" / path.relative_to(self.root) / str(self.account.commands)
            old.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, old)
            if path.name == "results.json":
                self.tally["results checked"] += 1
                name = path.parent.name
                self.require(checks.check_results(self.account, name, (runs or {}).get(name, settings)))
        self.tally[f"{words[0]} done" if done.exit_code == 0 else f"{words[0]} refused"] += 1
        return done.stdout if done.exit_code == 0 else None

    def require(self, found: Any) -> None:
        """Enter the faults."""
        for fault in found:
            self.fault(fault)

    def fault(self, fault: str) -> None:
        self.faults.append(f"step {len(self.steps)}, {self.steps[-1]}: {fault}")


def make_start(root: Path) -> Walk:
    """The workspace that all sequences start from, with its account and weights to give."""
    write_inputs(root, START)
    walk = Walk(root, Account(root, dict(START), all_texts()), np.random.default_rng(0))
    for words in (("run",), ("train", "--run", "other")):
        if walk.call("default", *words) is None or walk.faults:
            raise RuntimeError(walk.steps[-1], walk.faults)
    for phase in ("test", "val"):
        shutil.copy(root / "backbones" / f"{phase}.safetensors", root / "weights")
    return walk


def sequence(start: Walk, root: Path, seed: int, number: int) -> Walk:
    """One sequence in a copy of the workspace of `start`."""
    shutil.copytree(start.root, root)
    rng = np.random.default_rng((seed, number))
    account = Account(
        root, dict(START), {action: dict(row) for action, row in start.account.texts.items()}, dict(start.account.made)
    )
    walk = Walk(root, account, rng)
    try:
        walk.walk(int(rng.integers(3, 7)))
    except Exception as error:  # of the checks: show it with the steps that led there
        walk.fault(f"the check failed with {type(error).__name__}: {error}")
    return walk


def main() -> int:
    """Print the counts and the faults; return 1 when there are any."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sequences", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="run this sequence alone, and print its steps")
    options = parser.parse_args()
    warnings.simplefilter("error")
    tally, wrong = Counter[str](), 0
    with tempfile.TemporaryDirectory() as folder:
        start = make_start(Path(folder, "start"))
        for number in [options.only] if options.only is not None else range(options.sequences):
            root = Path(folder, "work")
            walk = sequence(start, root, options.seed, number)
            shutil.rmtree(root)
            tally += walk.tally
            wrong += bool(walk.faults)
            print(
                *(f"sequence {number}: {fault}" for fault in walk.faults),
                sep="\n",
                end="\n" if walk.faults else "",
                flush=True,
            )
            if options.only is not None:
                print(*walk.steps, sep="\n")
    for what, count in sorted(tally.items()):
        print(f"{count:8d}  {what}")
    print(f"sequences with faults: {wrong}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
