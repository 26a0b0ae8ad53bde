"""Makes a workspace for the tests of the report: a trained and scored run, skeletons of its test clips, and texts."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from data.raw.skeleton_file import format_clip
from data.stores.text_store import read_text_features, write_text_features
from pipeline.stages.table import stage_named
from pipeline.workspace.context import Context
from pipeline.workspace.provenance import Provenance
from tests.shared.made_features import Made, made_workspace
from tests.shared.made_skeletons import moving_clip

LARGEST_BYTES = 12_000_000  # the most that a page may take
HOSTILE = "<img src=x onerror=alert(1)></script> & co"
SETTINGS = {
    "train.seeds": [1, 2],
    "train.cycles": 2,
    "train.steps_per_cycle": 60,
    "train.learning_rate": 1e-3,
    "train.workers": 1,
    "preprocess.workers": 1,
}
MADE = Made(actions=14, unseen=(3, 7, 12), val_unseen=(2, 9), train_clips=10, test_clips=6, noise=1.8)


def run_stages(context: Context, *stages: str) -> None:
    for stage in stages:
        stage_named(stage).run(context)


def write_report_workspace(root: Path) -> None:
    """Make the workspace in `root`. One label holds HTML that would run a script."""
    context = made_workspace(root, MADE, SETTINGS)
    raw = root / "raw"
    raw.mkdir()
    rng = np.random.default_rng(0)
    for action in range(1, MADE.actions + 1):
        for number in range(MADE.train_clips, MADE.train_clips + MADE.test_clips):
            clip = format_clip(moving_clip(rng, 8, bodies=1 + (number == MADE.train_clips)))
            (raw / f"S001C001P001R{number:03d}A{action:03d}.skeleton").write_bytes(clip)
    text = read_text_features(context.workspace.text)
    labels = np.array([HOSTILE if action == 3 else f"action number {action}" for action in text.action])
    record = Provenance("embed-text", 1, {}, {}).record()
    write_text_features(context.workspace.text, replace(text, texts={**text.texts, "label": labels}), record)
    run_stages(context, "preprocess", "train", "evaluate")
