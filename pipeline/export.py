"""`fsvae-pipe export`: a run as an ONNX graph with all that its user must know, or its features as others read them.

FOLDER/model.onnx   backbone, skeleton encoder, both classifiers and the gate (models/onnx_graph.py)
FOLDER/model.json   how clips are prepared, what the outputs are, the actions and their texts, where it all comes from
FOLDER/run_onnx.py  names the action in a .skeleton file with onnxruntime and numpy alone

The graph is compared with PyTorch before anything is written, on stored clips at several lengths and batch sizes.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from data.feature_store import FeatureSet
from data.files import FORMAT_VERSION, replacing
from data.joints import JOINT_NAMES, NUM_JOINTS
from data.published_features import FILES
from data.skeleton_store import SkeletonStore
from data.text_store import read_text_features
from pipeline.action_bank import ActionBank, Mode, make_bank
from pipeline.context import Context
from pipeline.errors import PipelineError
from pipeline.free_text import GivenAction
from pipeline.fsvae_inputs import phase_and_clips, read_phases, split_in_use
from pipeline.phases import Mask, PhaseClips
from pipeline.predict import given_actions
from pipeline.provenance import package_versions, read_record
from pipeline.recognizer import stored_recipe
from pipeline.trained_run import Backbone, TrainedRun, open_run
from pipeline.workspace import PHASES, PhaseName

if TYPE_CHECKING:
    from models.onnx_graph import ModelParts

LARGEST_DIFFERENCE = 1e-4
CHECKED = ((1, 4), (1, 37), (5, 64), (2, 300))  # clips and frames
EXAMPLE = "run_onnx.py"
UNKNOWN_LOGIT = -1e4  # under the softmax nothing, at any temperature in use
PREPARATION = {
    "shift-gcn": (
        "of the bodies that stand first to fourth in each frame's list keep the two with the largest sum over x, y, z "
        "of the standard deviation over all joints and non-empty frames, the largest first",
        "a body whose first frame is empty loses its empty frames",
        "a body is repeated from its first frame on when all that follows in it is empty, until it fills the frames "
        "of the input; a longer clip is sampled evenly, frame t * length // frames",
        "subtract the first body's spine_mid of the same frame from every joint that is not empty, of both bodies",
        "rotate everything so that in the first body's first frame spine_base -> spine_mid lies along +z, and then "
        "left_shoulder -> right_shoulder along +x; no rotation where the axis or the angle is below 1e-6",
        "a joint, frame or body is empty where its coordinates add up to zero, and stays zero; without a second body "
        "its joints are zero",
    ),
    "denoised": (
        "drop bodies seen in 11 frames or fewer, then those wider than a person (x-extent above 0.8 of the y-extent) "
        "in a share of 0.69754 of their frames or more, never the last one; keep the two with the largest variance",
        "everything else as by the recipe shift-gcn, which fsvae-pipe's docs describe",
    ),
}


@dataclass(frozen=True)
class Exported:
    """What was written, and how far its outputs were from PyTorch's at most."""

    files: tuple[Path, ...]
    largest_difference: float


def export(
    context: Context,
    folder: Path,
    *,
    seed: int | None = None,
    mode: Mode = "gzsl",
    actions: Sequence[str] = (),
    actions_file: Path | None = None,
) -> Exported:
    """Write the run of `context` to `folder`, with the actions of `mode` and those given in words.

    Raises PipelineError when the extra `export` is not installed, the graph differs from PyTorch by more than
    LARGEST_DIFFERENCE, and as `open_run` does.
    """
    require_onnx()
    run = open_run(context.run.root, seed, context)
    given = given_actions(run, actions, actions_file, mode)
    backbone, bank = run.backbone(), make_bank(run, mode, given)
    about = description(run, bank, given)
    parts = _parts(backbone, bank)
    from models.onnx_graph import onnx_model

    model = onnx_model(parts, {"fsvae-pipe": run.told}).SerializeToString()
    difference = largest_difference(model, backbone, bank, run.context.workspace.skeletons)
    if not difference <= LARGEST_DIFFERENCE:
        raise PipelineError(
            f"the ONNX graph of {run.told} differs from PyTorch by up to {difference:.2g}, where at most "
            f"{LARGEST_DIFFERENCE} is allowed; nothing was written. Compare the versions of onnx and onnxruntime with "
            "those in constraints.txt"
        )
    example = resources.files("pipeline").joinpath("export_example.py").read_bytes()
    contents = {"model.onnx": model, "model.json": (json.dumps(about, indent=2) + "\n").encode(), EXAMPLE: example}
    for name, content in contents.items():
        with replacing(folder / name) as partial:
            partial.write_bytes(content)
    return Exported(tuple(folder / name for name in contents), difference)


def require_onnx() -> None:
    """Raise PipelineError when onnx or onnxruntime is not installed."""
    absent = [package for package in ("onnx", "onnxruntime") if find_spec(package) is None]
    if absent:
        raise PipelineError(
            f'export needs {" and ".join(absent)}, which is not installed; run `pip install "fsvae-pipe[export]"`'
        )


def description(run: TrainedRun, bank: ActionBank, given: Sequence[GivenAction]) -> dict[str, Any]:
    """The contents of model.json."""
    recipe = stored_recipe(run.context)
    gate = bank.gate
    outputs = {
        "features": "(batch, 256), the backbone's",
        "unseen_probabilities": "(batch, actions of kind unseen or given), in the order of `actions`",
    }
    if gate is not None:
        outputs |= {
            "seen_probabilities": "(batch, actions of kind seen), in the order of `actions`",
            "gate": "(batch,), the probability that the clip shows no seen action",
        }
    return {
        "format_version": FORMAT_VERSION,
        "input": {
            "name": "clips",
            "shape": ["batch", "x y z", "frames", "joints", "bodies"],
            "sizes": [None, 3, None, NUM_JOINTS, 2],
            "dtype": "float32",
            "unit": "metres",
            "frames": run.config.backbone.frames,
            "joints": list(JOINT_NAMES),
        },
        "preparation": {"recipe": recipe, "steps": list(PREPARATION[recipe])},
        "outputs": outputs,
        "decision": _decision(bank),
        "gate_threshold": None if gate is None else gate.threshold,
        "mode": bank.mode,
        "actions": _actions(run, bank, given),
        "text_levels": list(run.config.text.levels),
        "text_encoder": run.config.text.encoder,
        "run": {
            "name": run.context.run_name,
            "seed": run.seed,
            "selection": run.selection,
            "cycle": run.cycle,
            "split": run.split.name,
            "dataset": run.config.dataset.name,
            "protocol": run.config.dataset.protocol,
            "transfer": read_record(run.context.workspace.features("test")).get("transfer", "unknown"),
        },
        "versions": package_versions(),
    }


def _decision(bank: ActionBank) -> str:
    if bank.gate is None:
        return "the action with the largest of unseen_probabilities"
    return (
        "where gate >= gate_threshold the action with the largest of unseen_probabilities, elsewhere the one with the "
        "largest of seen_probabilities"
    )


def _actions(run: TrainedRun, bank: ActionBank, given: Sequence[GivenAction]) -> list[dict[str, Any]]:
    text = read_text_features(run.context.workspace.text)
    row = {int(action): index for index, action in enumerate(text.action)}
    words: dict[str, Mapping[str, str]] = {action.name: action.texts for action in given}

    def texts(name: str) -> Mapping[str, str]:
        if name in words:
            return words[name]
        return {level: str(column[row[int(name[1:])]]) for level, column in text.texts.items()}

    return [
        {"action": action.name, "label": action.label, "kind": action.kind, "texts": dict(texts(action.name))}
        for action in bank.actions
    ]


def _parts(backbone: Backbone, bank: ActionBank) -> "ModelParts":
    from models.onnx_graph import ModelParts

    gate = bank.gate
    return ModelParts(
        network=backbone.network,
        seen_weight=backbone.weight,
        seen_bias=backbone.bias,
        fsvae=bank.model,
        classifier=bank.classifier,
        gate=None if gate is None else gate.gate,
        top=0 if gate is None else gate.top,
        temperature=1.0 if gate is None else gate.temperature,
    )


def largest_difference(model: bytes, backbone: Backbone, bank: ActionBank, skeletons: Path) -> float:
    """The largest difference between an output of the graph and PyTorch's, on clips of `skeletons` at CHECKED sizes.

    Features are of any size: their difference counts as a share of the largest one where that exceeds 1.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    largest = 0.0
    with SkeletonStore(skeletons) as store:
        for batch, frames in CHECKED:
            clips = store.batch(np.linspace(0, len(store) - 1, batch).astype(np.int64), frames)
            values = session.run(None, {"clips": clips})
            found = {output.name: value for output, value in zip(session.get_outputs(), values, strict=True)}
            for name, wanted in _by_torch(clips, backbone, bank).items():
                difference = float(np.abs(found[name] - wanted).max())
                largest = max(largest, difference / max(1.0, float(np.abs(wanted).max())))
    return largest


def _by_torch(clips: NDArray[np.float32], backbone: Backbone, bank: ActionBank) -> dict[str, NDArray[Any]]:
    """The outputs of the graph, computed by PyTorch."""
    import torch

    from models.gate import softmax

    with torch.no_grad():
        features = backbone.network.cpu().features(torch.from_numpy(clips)).numpy()
    logits = backbone.seen_logits(features)
    by_text, gate = bank.by_side(features, logits)
    outputs: dict[str, NDArray[Any]] = {"features": features, "unseen_probabilities": by_text}
    if bank.gate is not None and gate is not None:
        outputs |= {"seen_probabilities": softmax(logits, bank.gate.temperature), "gate": gate}
    return outputs


def export_features(context: Context, folder: Path) -> list[Path]:
    """Write the features of both phases as feature folders (data/published_features.py) in `folder`; return those.

    Logits have a column for every action up to the last one; those of actions that the backbone does not know are
    UNKNOWN_LOGIT. The val phase is scored on training clips alone. Raises DataError when a features file is missing or
    broken.
    """
    features = read_phases(context)
    split = split_in_use(context.config, features)
    folders = []
    for name in PHASES:
        path = folder / f"shift_{'val_' if name == 'val' else ''}{len(split.unseen)}_r"
        _, clips = phase_and_clips(name, split, features[name])
        _write_phase(path, features[name], _masks(name, clips), FILES[name], max(split.actions))
        folders.append(path)
    return folders


def _masks(name: PhaseName, clips: PhaseClips) -> dict[str, Mask]:
    """The clips of each part of a feature folder."""
    scored = {"gtest": clips.seen | clips.unseen} if name == "test" else {"val": clips.seen}
    return {"train": clips.fit, "ztest": clips.unseen, **scored}


def _write_phase(
    folder: Path, features: FeatureSet, masks: Mapping[str, Mask], files: Mapping[str, tuple[str, ...]], actions: int
) -> None:
    logits = np.full((len(features), actions), UNKNOWN_LOGIT, np.float32)
    logits[:, features.logit_actions - 1] = features.logits
    for part, names in files.items():
        columns: tuple[NDArray[Any], ...] = (features.features, features.action - 1, logits)
        for name, column in zip(names, columns, strict=False):  # not every part has logits
            with replacing(folder / name) as partial, partial.open("wb") as file:
                np.save(file, column[masks[part]], allow_pickle=False)
