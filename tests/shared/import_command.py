"""Helpers for the tests of `fsvae-pipe import`: call it, expect a refusal, and settings for a quick run afterwards."""

import json
from pathlib import Path

from click.testing import CliRunner, Result

from pipeline.cli.main import main

QUICK = [
    option
    for setting in (
        "train.steps_per_cycle=300",
        "train.cycles=2",
        "train.batch_size=32",
        "train.learning_rate=2e-3",
        "train.workers=1",
        "model.latent=16",
        "evaluate.classifier.samples=40",
        "evaluate.classifier.steps=100",
        "evaluate.classifier.learning_rate=1e-2",
    )
    for option in ("--set", setting)
]


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def written(work: Path) -> set[str]:
    """The HDF5 files in the workspace."""
    return {str(path.relative_to(work)) for path in work.rglob("*.h5")}


def refused(work: Path, *arguments: str | Path) -> str:
    """Call an import that must fail and write nothing; return its message."""
    result = call("-w", work, "import", *arguments)
    assert result.exit_code == 1, result.output
    assert "Traceback" not in result.output
    assert written(work) == set()
    return " ".join(result.stderr.split())


def states(work: Path) -> dict[str, str]:
    """Stage -> state, as `fsvae-pipe status` prints them."""
    return {s["stage"]: s["state"] for s in json.loads(call("-w", work, "status", *QUICK, "--json").stdout)}
