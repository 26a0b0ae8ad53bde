"""What model.json says beside an exported graph: how clips are prepared, what comes out, which actions there are."""

from collections.abc import Mapping, Sequence
from typing import Any

from data.clean.body_size import PERSON_M
from data.clean.choice import SHORT_FRAMES, WIDE_RATIO, WIDE_SHARE
from data.clean.people import NEAR_M, SHARED_FRAMES
from data.joints import JOINT_NAMES, NUM_JOINTS
from data.recipes import Recipe
from data.stores.feature_store import feature_width
from data.stores.files import FORMAT_VERSION
from data.stores.prediction_store import ENSEMBLE
from data.stores.text_store import read_text_features
from pipeline.predict.action_bank import ActionBank
from pipeline.predict.free_text import GivenAction
from pipeline.predict.trained_run import TrainedRun
from pipeline.predict.treatment import stored_recipe
from pipeline.workspace.provenance import package_versions, read_record, stored_fps

TWO_ACTORS = (
    "distances are root mean squares over joints",
    "in this order, join them to two actors at most: one that is seen together with an actor in at most "
    f"{SHARED_FRAMES} frame is a part of that actor, of the nearer one where that holds for both; else it is the "
    "second actor, if there is none yet; else drop it",
    "everything else as by the recipe shift-gcn, which fsvae-pipe's docs describe",
)
PREPARATION: Mapping[Recipe, Sequence[str]] = {
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
        f"a body is an id; two ids are one body where the second begins after the first ends, at most {NEAR_M} m away",
        f"drop bodies seen in {SHORT_FRAMES} frames or fewer, then those wider than a person (x-extent above "
        f"{WIDE_RATIO} of the y-extent) in a share of {WIDE_SHARE} of their frames or more, never the last one",
        "rank the others by their variance, over all joints and the frames that are not too wide, the largest first",
        *TWO_ACTORS,
    ),
    "tracked": (
        "follow each person by position: two bodies of consecutive frames are one person where each is the nearest to "
        f"the other and they are at most {NEAR_M} m apart",
        f"two of these are one person where the second begins after the first ends, at most {NEAR_M} m away",
        "rank people by the sum over x, y, z of the standard deviation over all joints and frames, the largest first",
        *TWO_ACTORS,
    ),
}


def description(run: TrainedRun, bank: ActionBank, given: Sequence[GivenAction]) -> dict[str, Any]:
    """The contents of model.json."""
    recipe = stored_recipe(run.context)
    gate = bank.gate
    outputs = {
        "features": f"(batch, {feature_width(run.context.workspace.features('test'))}), the backbone's",
        "unseen_probabilities": "(batch, actions of kind unseen or given), in the order of `actions`",
    }
    if gate is not None:
        outputs |= {
            "seen_probabilities": "(batch, actions of kind seen), in the order of `actions`",
            "gate": "(batch,), from 0 to 1: how surely the clip shows no seen action",
        }
    return {
        "format_version": FORMAT_VERSION,
        "input": {
            "name": "clips",
            "shape": ["batch", "x y z", "frames", "joints", "bodies"],
            "sizes": [None, 3, None, NUM_JOINTS, 2],
            "dtype": "float32",
            "unit": "metres",
            "body_size": list(PERSON_M),  # metres from end to end; any other clip is hardly one in metres
            "frames": run.config.backbone.frames,
            "frames_per_second": stored_fps(run.context.workspace.skeletons) or None,  # None = as each was recorded
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
            "cycles": list(run.cycles[run.seed]) if run.seed != ENSEMBLE else run.cycles,
            "split": run.split.name,
            "dataset": run.config.dataset.name,
            "protocol": run.config.dataset.protocol,
            "transfer": read_record(run.context.workspace.features("test")).get("transfer", "unknown"),
        },
        "warnings": list(run.warnings),
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
