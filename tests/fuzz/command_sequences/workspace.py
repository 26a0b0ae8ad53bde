"""The small workspace of the fuzzer of commands: its settings, its clips and its texts."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from models.backbone.networks import NETWORKS
from pipeline.demo.made_clips import MadeDataset, clip_file
from tests.fuzz.command_sequences.account import Settings

ACTIONS = (1, 2, 3, 4, 6, 7, 8)
CLIPS = MadeDataset(actions=ACTIONS, subjects=4, replications=2, frames=(6, 9), seed=11)
START: Settings = {
    "seed": 1, "device": "cpu",
    "dataset.name": "tiny", "dataset.raw": ["raw"], "dataset.protocol": "custom", "dataset.train_subjects": [1, 3, 4],
    "dataset.train_cameras": [], "dataset.train_setups": [], "dataset.descriptions": "descriptions.csv",
    "dataset.split": "custom", "dataset.unseen": ["A001", "A007"], "dataset.val_unseen": ["A003"],
    "preprocess.workers": 1, "preprocess.recipe": "shift-gcn",
    "backbone.network": "joint-mlp", "backbone.weights": "", "backbone.frames": 6, "backbone.epochs": 3,
    "backbone.batch_size": 8, "backbone.learning_rate": 0.05, "backbone.schedule": "one-cycle",
    "backbone.keep": "last", "backbone.held_out": 0.1,
    "text.encoder": "encoder", "text.levels": ["label", "local", "global"], "text.templates.label": [],
    "model.aligner": "ridge", "model.latent": 8, "model.frequency.apply_to": "both",
    "train.seeds": [5], "train.cycles": 2, "train.steps_per_cycle": 4, "train.workers": 1, "train.alpha": 0.5,
    "evaluate.selection": "val", "evaluate.classifier.samples": 8, "evaluate.classifier.steps": 5,
    "evaluate.gate.temperature": 2.0, "evaluate.gate.balanced": True, "evaluate.gate.held_out": 0.0,
    "evaluate.gate.threshold": 0.5,
}  # fmt: skip
VALUES: Mapping[str, Sequence[Any]] = {  # what an edit may choose from
    "seed": [1, 2], "dataset.name": ["tiny", "tiny", "other"], "dataset.train_subjects": [[1, 3, 4], [1, 2, 3], [2, 4]],
    "dataset.unseen": [["A001", "A007"], ["A001", "A002", "A007"], ["A001"], ["A004", "A007"],
                       ["A001", "A006", "A007"], ["A003"], ["A099"]],
    "dataset.val_unseen": [["A003"], ["A003", "A006"], ["A003", "A008"], ["A006"], [], ["A002"]],
    "dataset.split": ["custom", "custom", "ntu60-synse-55-5"], "dataset.protocol": ["custom", "custom", "xsub"],
    "preprocess.recipe": ["shift-gcn", "denoised"],
    "backbone.frames": [6, 8], "backbone.epochs": [2, 3], "backbone.batch_size": [8, 9],
    "backbone.keep": ["last", "best"],
    "backbone.held_out": [0.1, 0.3],
    "backbone.weights": ["", "", "weights/test.safetensors", "weights/val.safetensors"],
    "backbone.network": ["joint-mlp", "joint-mlp", "joint-mlp", "shift-gcn"],
    "text.encoder": ["encoder", "other-encoder"], "text.templates.label": [[], ["do {}", "{}"]],
    "text.levels": [["label", "local", "global"], ["label"], ["label", "global"]],
    "model.aligner": ["ridge", "fsvae"], "model.latent": [8, 9], "model.frequency.apply_to": ["both", "none"],
    "train.seeds": [[5], [5, 6], [6]], "train.cycles": [1, 2, 3], "train.alpha": [0.5, 0.0],
    "evaluate.selection": ["val", "last", "oracle"], "evaluate.gate.temperature": [2.0, 1.0],
    "evaluate.gate.balanced": [True, False], "evaluate.gate.held_out": [0.0, 0.2],
    "evaluate.gate.threshold": [0.5, 0.3],
    "evaluate.classifier.steps": [5, 6],
}  # fmt: skip


def first_texts(action: int) -> dict[str, str]:
    """Texts that the small encoder can read: at most 14 letters."""
    return {"label": f"wave {action}", "local": f"arm {action} up", "global": f"do {action}"}


def write_texts(root: Path, texts: Mapping[str, Mapping[str, str]]) -> None:
    """Write descriptions.csv."""
    rows = [",".join((action, row["label"], row["local"], row["global"])) for action, row in sorted(texts.items())]
    (root / "descriptions.csv").write_text("\n".join(["action,label,local,global", *rows, ""]), "utf-8")


def write_config(root: Path, settings: Settings) -> None:
    """Write config.toml; TOML reads dotted keys, and JSON's values."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    (root / "config.toml").write_text("\n".join(lines) + "\n", "utf-8")


def all_texts() -> dict[str, dict[str, str]]:
    """The texts of all actions."""
    return {f"A{action:03d}": first_texts(action) for action in ACTIONS}


def write_inputs(root: Path, settings: Settings) -> None:
    """Write raw clips, two text encoders, descriptions and config.toml into a new folder."""
    from tests.shared.made_encoders import save_clip

    (root / "raw").mkdir(parents=True)
    (root / "weights").mkdir()
    for clip in CLIPS.clips():
        (root / "raw" / f"{clip}.skeleton").write_bytes(clip_file(clip, CLIPS))
    save_clip(root / "encoder", seed=0)
    save_clip(root / "other-encoder", seed=1)
    write_texts(root, all_texts())
    write_config(root, settings)
    NETWORKS["joint-mlp"] = "tests.shared.small_backbone:JointMLP"
