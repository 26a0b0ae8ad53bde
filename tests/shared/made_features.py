"""Makes a workspace as extract and embed-text leave it, whose texts predict the features of unseen actions.

Each action is a few hidden attributes. The text features are one random linear map of them, the skeleton features
another with noise. So an unseen action can be recognised by its text. Letters: N clips, S seen actions, D features.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from data.phase_names import PHASES
from data.splits import action_label
from data.stores.feature_store import FeatureSet, write_features
from data.stores.text_store import TextFeatures, write_text_features
from models.text.settings import TextSettings
from pipeline.workspace.config import build_config
from pipeline.workspace.context import Context
from pipeline.workspace.folder import Workspace
from pipeline.workspace.provenance import Provenance


@dataclass(frozen=True)
class Made:
    """The size of a made data set, and how hard its actions are to recognise."""

    actions: int = 30
    unseen: tuple[int, ...] = (3, 7, 12, 22, 28)
    val_unseen: tuple[int, ...] = (2, 9, 14, 25)
    train_clips: int = 20  # of each action
    test_clips: int = 10  # of each action
    features: int = 48  # width of a skeleton feature
    text: int = 24  # width of a text feature at one level
    attributes: int = 4
    noise: float = 0.1
    sharpness: float = 12.0  # the backbone's logit at the centre of an action's clips
    width: float = 0.4  # distance from the centre at which the logit has fallen to 1/e
    shuffle_texts: bool = False  # between actions, so that texts predict nothing
    seed: int = 0


def made_workspace(root: Path, made: Made | None = None, settings: Mapping[str, object] | None = None) -> Context:
    """Write features/test.h5, features/val.h5 and text.h5 under `root`; return a context whose settings fit them.

    `settings` has dotted keys.
    """
    made = made or Made()
    generator = np.random.default_rng(made.seed)
    tree: dict[str, dict[str, object]] = {
        "dataset": {
            "name": "made",
            "raw": ["raw"],
            "split": "custom",
            "unseen": [action_label(action) for action in made.unseen],
            "val_unseen": [action_label(action) for action in made.val_unseen],
        },
    }
    for key, value in (settings or {}).items():
        table = tree
        *parts, name = key.split(".")
        for part in parts:
            table = table.setdefault(part, {})  # type: ignore[assignment]
        table[name] = value  # type: ignore[assignment]
    config = build_config(tree, "made")
    attributes = generator.normal(size=(made.actions, made.attributes))
    workspace = Workspace(root)
    for index, phase in enumerate(PHASES):
        write_features(
            workspace.features(phase),
            _features(made, attributes, phase),
            {**_record("extract", index), "transfer": "false"},
        )
    write_text_features(workspace.text, _texts(made, attributes, generator), _record("embed-text", 0))
    return Context(workspace, config, root / "config.toml", Console(file=io.StringIO(), width=120))


def _record(stage: str, seed: int) -> dict[str, str]:
    return Provenance(stage, 1, {"made": seed}, {}).record()


def _texts(made: Made, attributes: np.ndarray, generator: np.random.Generator) -> TextFeatures:
    order = generator.permutation(made.actions) if made.shuffle_texts else np.arange(made.actions)
    levels: tuple[str, ...] = TextSettings().levels
    features = {
        level: (attributes @ generator.normal(size=(made.attributes, made.text)))[order].astype(np.float32)
        for level in levels
    }
    texts = {level: np.array([f"{level} of action {action}" for action in range(made.actions)]) for level in levels}
    return TextFeatures("made", np.arange(1, made.actions + 1), features, texts)


def _features(made: Made, attributes: np.ndarray, phase: str) -> FeatureSet:
    """Clips of all actions. The backbone of the phase has logits of its seen actions only."""
    generator = np.random.default_rng((made.seed, 1))  # the same clips in both phases
    clips = made.train_clips + made.test_clips
    action = np.repeat(np.arange(1, made.actions + 1), clips)
    number = np.tile(np.arange(clips), made.actions)
    train = number < made.train_clips
    centres = np.maximum(attributes @ generator.normal(size=(made.attributes, made.features)) + 0.5, 0)
    noise = generator.normal(size=(len(action), made.features)) * made.noise
    features = np.maximum(centres[action - 1] + noise, 0)  # (N, D)
    seen = [a for a in range(1, made.actions + 1) if a not in made.unseen]
    if phase == "val":
        seen = [a for a in seen if a not in made.val_unseen]
    known = centres[np.asarray(seen) - 1]  # (S, D)
    squares = np.square(features).sum(axis=1)[:, None] + np.square(known).sum(axis=1) - 2 * features @ known.T
    distances = np.sqrt(np.maximum(squares, 0) / made.features)  # (N, S)
    return FeatureSet(
        name=np.array([f"S001C001P001R{n:03d}A{a:03d}" for a, n in zip(action, number, strict=True)]),
        action=action,
        train=train,
        held_out=train & (number < made.train_clips // 5),
        features=features.astype(np.float32),
        logits=(made.sharpness * np.exp(-np.square(distances / made.width))).astype(np.float32),
        logit_actions=np.asarray(seen),
    )
