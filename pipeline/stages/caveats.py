"""Warnings about results: scored clips may have been seen in training, or a backbone has learnt nothing.

The records of both features files say what the backbones were trained on. Whether the val phase of imported features
uses clips of the test part shows in the number of clips of each action.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.phase_names import PhaseName
from data.splits import Split
from data.stores.feature_store import FeatureSet
from models.zero_shot.settings import GateKind
from pipeline.phases.chance import warnings_of
from pipeline.phases.held_out import LEAST_CLIPS, at_chance
from pipeline.phases.known_actions import KNOWN_SOURCE
from pipeline.phases.phase import Phase, missing_actions, phase_clips, phase_of
from pipeline.phases.scores import PhaseScoring
from pipeline.workspace.provenance import IMPORT, Provenance

LOOKS_AT_TEST_CLIPS = (
    "the imported val phase has, in a part that is scored, exactly as many clips of each action as the test part, so "
    "these are most likely the test part's own clips: what the val phase chooses (gate, cycle) then looks at test clips"
)
GOOD_ZSL = 1.5  # times chance; below it, S or U near 0 is no surprise
NEAR_ZERO = 0.2  # of what a perfect gate gives
PAIR = (("action", "label"), ("known_action", "known_label"))  # keys of an entry of "near" in results.json
Record = Mapping[str, str]
CONSEQUENCES: Mapping[PhaseName, str] = {
    "test": "results are transfer results, not zero-shot ones",
    "val": "what the val phase chooses (gate, cycle) is tuned on actions that were not unseen",
}


def caveats(split: Split, features: Mapping[PhaseName, FeatureSet], records: Mapping[PhaseName, Record]) -> list[str]:
    """Return a sentence for each warning; `records` are those of the features files."""
    sentences = []
    for name, consequence in CONSEQUENCES.items():
        record = records[name]
        transfer = record.get("transfer", "unknown")
        if transfer == "true":
            saw = ", ".join(json.loads(record.get("backbone_saw", "[]")))
            sentences.append(f"the backbone of the {name} phase was trained on unseen actions ({saw}): {consequence}")
        elif transfer != "false" and KNOWN_SOURCE not in record:  # known_caveats has a sentence about known ones
            sentences.append(f"it is not known which actions the backbone of the {name} phase was trained on")
    for name, features_of in features.items():
        sentences += _not_scored(phase_of(name, split), features_of)
    if _given(records["test"]):
        sentences.append(
            "the backbone was given, and it is not known which clips it was trained on: where scored clips are among "
            "them, seen accuracy and H are too high"
        )
    if records["val"]["stage"] == IMPORT and val_looks_at_test_clips(split, features["test"], features["val"]):
        sentences.append(LOOKS_AT_TEST_CLIPS)
    return sentences


def seen_clip_warnings(
    split: Split, features: Mapping[PhaseName, FeatureSet], records: Mapping[PhaseName, Record]
) -> list[str]:
    """Return the caveats that concern every answer of the model, because features or logits are like a guess."""
    sentences = []
    for name, record in records.items():
        phase = phase_of(name, split)
        sentences += _learnt_nothing(name, record, len(phase.seen)) or warnings_of(phase, features[name], record)
    return sentences


def known_caveats(known: Mapping[str, Any] | None) -> list[str]:
    """Return what a result owes to actions that the backbone knows; `known` is "known_actions" of results.json."""
    if known is None:
        return []
    learnt = ", and training learnt from them" if known["learnt_from"] else ""
    sentence = f"the backbone was trained on {known['number']} actions of {known['source']}{learnt}"
    if known["near"] is None:
        return [f"{sentence}: text.h5 does not hold their texts, so that no unseen action is compared with them"]
    if not known["near"]:
        return [f"{sentence}: no unseen action has a text that is like one of theirs"]
    alike = "; ".join(_alike(near) for near in known["near"])
    return [f"{sentence}: for unseen actions that are like one of them, results are not zero-shot ({alike})"]


def _alike(near: Mapping[str, Any]) -> str:
    unseen, known = (f"{near[action]} {near[label]}".strip() for action, label in PAIR)
    return f"{unseen} is like their {known}"


def threshold_of_val_phase(gate: GateKind, test: PhaseScoring) -> list[str]:
    """Return a caveat when the threshold of a gate of scores is the val phase's own, which may not hold for `test`."""
    if gate != "scores" or test.held_out is not None:
        return []
    return [
        "the gate has the threshold of the val phase, since the test phase has too few held-out clips to find its own "
        f"({LEAST_CLIPS} that the backbone names rightly are wanted): if the two backbones differ, H is too low"
    ]


def one_sided_gate(mean: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Return a warning when the fitted gate calls nearly all clips seen, or unseen, although ZSL is good.

    Then S or U is near 0, and so is H. `mean` holds the results under one selection rule, averaged over the seeds, as
    in results.json.
    """
    zsl, fitted, perfect = mean["zsl"], mean["gzsl"], mean["gzsl_oracle_gate"]
    if zsl["top1"] < GOOD_ZSL * zsl["chance"]:
        return []
    return [
        f"the fitted gate takes nearly every clip for {other}: {kind} accuracy is {fitted[kind]:.1f} %, where a "
        f"perfect gate gives {perfect[kind]:.1f} %, so that H is low only because of the gate. Compare the tuned gate, "
        f"whose H is {mean['gzsl_tuned_gate']['h']:.1f} %, and see evaluate.gate"
        for kind, other in (("seen", "unseen"), ("unseen", "seen"))
        if fitted[kind] < NEAR_ZERO * perfect[kind]
    ]


def _learnt_nothing(name: PhaseName, record: Record, classes: int) -> list[str]:
    """Return a warning when a backbone trained here does no better than a guess on held-out clips."""
    measured = json.loads(record.get("held_out_accuracy", "{}"))
    top1, clips = measured.get("top1"), measured.get("clips", 0)
    if top1 is None or not at_chance(top1, clips, classes):
        return []
    return [
        f"the backbone of the {name} phase has learnt nothing: held-out top-1 is {top1:.1f} %, where a guess among "
        f"{classes} actions gives {100 / classes:.1f} %, so that no result means anything"
    ]


def _not_scored(phase: Phase, features: FeatureSet) -> list[str]:
    """Return warnings about actions of a phase that have no scored clip, and about a phase with one unseen action."""
    clips = phase_clips(phase, features)
    warnings = []
    for kind, actions, scored in (("unseen", phase.unseen, clips.unseen), ("seen", phase.seen, clips.seen)):
        if without := missing_actions(actions, features.action[scored].tolist()):
            warnings.append(f"the {phase.name} phase scores no clip of {without} ({kind}): there is none in that part")
    if len(phase.unseen) == 1:
        warnings.append(f"the {phase.name} phase has one unseen action: its ZSL accuracy is 100 % whatever it does")
    return warnings


def _given(record: Record) -> bool:
    """Return whether the setting backbone.weights named the backbone."""
    return bool(Provenance.from_record(record).settings.get("backbone.weights"))


def val_looks_at_test_clips(split: Split, test: FeatureSet, val: FeatureSet) -> bool:
    """Return whether the val phase seems to be scored on clips of the test part.

    This is so when, for its pseudo-unseen actions or for its seen actions, the number of scored clips of each action is
    the same as in the test part. Raises DataError when a part of the val phase has no clip.
    """
    in_test = _counts(test.action[~test.train])
    scored = phase_clips(phase_of("val", split), val)
    return any(
        all(in_test.get(action) == number for action, number in _counts(val.action[part]).items())
        for part in (scored.unseen, scored.seen)
    )


def _counts(actions: NDArray[np.int64]) -> dict[int, int]:
    """Return the number of clips of each action."""
    distinct, numbers = np.unique(actions, return_counts=True)
    return dict(zip(distinct.tolist(), numbers.tolist(), strict=True))
