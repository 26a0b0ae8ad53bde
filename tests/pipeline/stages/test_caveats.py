"""What is said of scored actions and clips that were seen before."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from data.phase_names import PHASES, PhaseName
from data.stores.feature_store import read_features
from pipeline.phases.features_and_texts import split_in_use
from pipeline.stages.caveats import caveats, one_sided_gate, seen_clip_warnings
from pipeline.workspace.provenance import Provenance
from tests.shared.made_features import Made, made_workspace
from tests.shared.made_report import run_stages

CLEAN = Provenance("extract", 1, {"backbone.weights": ""}, {}).record()
GIVEN = Provenance("extract", 1, {"backbone.weights": "own.safetensors"}, {}).record()
SAW = {"transfer": "true", "backbone_saw": '["A003"]'}


MADE = Made(actions=12, unseen=(3, 7), val_unseen=(2, 9), train_clips=5, test_clips=2)
COLUMNS = ("name", "action", "train", "held_out", "features", "logits")


def said(
    root: Path, test: dict[str, str], val: dict[str, str], made: Made = MADE, without: tuple[int, ...] = ()
) -> str:
    """The caveats of a made workspace; actions in `without` have no test clip."""
    context = made_workspace(root, made)
    features = {phase: read_features(context.workspace.features(phase)) for phase in PHASES}
    for phase, found in features.items():
        kept = found.train | ~np.isin(found.action, without)
        features[phase] = replace(found, **{name: getattr(found, name)[kept] for name in COLUMNS})
    records: dict[PhaseName, dict[str, str]] = {"test": test, "val": val}
    split = split_in_use(context.config, features)
    return " | ".join(seen_clip_warnings(split, features, records) + caveats(split, features, records))


def test_a_backbone_of_one_s_own_needs_no_word(tmp_path: Path) -> None:
    clean = {**CLEAN, "transfer": "false"}
    assert said(tmp_path, clean, clean) == ""


def test_each_phase_s_backbone_is_told(tmp_path: Path) -> None:
    clean = {**CLEAN, "transfer": "false"}
    of_test = said(tmp_path / "test", {**CLEAN, **SAW}, clean)
    assert "test phase was trained on unseen actions (A003): results are transfer results" in of_test
    of_val = said(tmp_path / "val", clean, {**CLEAN, **SAW})
    assert "val phase was trained on unseen actions (A003): what the val phase chooses" in of_val
    assert "not known which actions the backbone of the test phase" in said(tmp_path / "unknown", CLEAN, clean)


def test_the_clips_of_a_given_backbone_are_not_known(tmp_path: Path) -> None:
    given = {**GIVEN, "transfer": "false"}
    assert "not known which clips it was trained on" in said(tmp_path, given, given)


def test_actions_without_scored_clips_and_a_single_unseen_one_are_told(tmp_path: Path) -> None:
    clean = {**CLEAN, "transfer": "false"}
    without = said(tmp_path / "without", clean, clean, without=(7, 8))
    assert "the test phase scores no clip of A007 (unseen)" in without
    assert "the test phase scores no clip of A008 (seen)" in without
    one = said(tmp_path / "one", clean, clean, made=replace(MADE, unseen=(3,)))
    assert one == "the test phase has one unseen action: its ZSL accuracy is 100 % whatever it does"


def test_a_backbone_that_learnt_nothing_is_told(tmp_path: Path) -> None:
    clean = {**CLEAN, "transfer": "false"}
    told = said(tmp_path / "bad", clean, {**clean, "held_out_accuracy": '{"top1": 10.0, "clips": 40}'})
    assert told.startswith("the backbone of the val phase has learnt nothing: held-out top-1 is 10.0 %")
    good = {**clean, "held_out_accuracy": '{"top1": 80.0, "clips": 40}'}
    assert said(tmp_path / "good", good, good) == ""


def scored(seen: float, unseen: float, zsl: float = 60.0) -> dict[str, dict[str, float]]:
    """An S of results.json whose fitted gate gives `seen` and `unseen`."""
    return {
        "zsl": {"top1": zsl, "chance": 20.0},
        "gzsl": {"seen": seen, "unseen": unseen},
        "gzsl_tuned_gate": {"h": 45.0},
        "gzsl_oracle_gate": {"seen": 90.0, "unseen": zsl},
    }


def test_a_gate_that_sends_all_to_one_side_is_told() -> None:
    assert one_sided_gate(scored(70, 40)) == []
    (said,) = one_sided_gate(scored(0, 60))
    assert "takes nearly every clip for unseen: seen accuracy is 0.0 %, where a perfect gate gives 90.0 %" in said
    assert "45.0 %" in said
    (said,) = one_sided_gate(scored(90, 3))
    assert "takes nearly every clip for seen: unseen accuracy is 3.0 %, where a perfect gate gives 60.0 %" in said
    assert one_sided_gate(scored(90, 3, zsl=25)) == []  # no better than a guess: nothing that a gate could show


def test_a_balanced_gate_keeps_both_sides_where_the_published_one_has_h_near_0(tmp_path: Path) -> None:
    """Few held-out clips beside many of the pseudo-unseen actions, and a backbone that is not sure of its own."""
    made = Made(train_clips=20, val_unseen=(2, 4, 9, 14, 17, 25), noise=0.3, width=0.8, sharpness=4.0)
    quick = {"train.seeds": [5], "model.aligner": "ridge", "model.features": "standardised"}
    results = {}
    for balanced in (True, False):
        gate = {"evaluate.gate.kind": "published", "evaluate.gate.balanced": balanced}
        context = made_workspace(tmp_path / str(balanced), made, {**quick, **gate})
        run_stages(context, "train", "evaluate")
        results[balanced] = json.loads(context.run.results.read_text("utf-8"))
    good, published = (results[balanced]["mean"]["val"] for balanced in (True, False))
    assert published["gzsl"]["seen"] < 0.2 * published["gzsl_oracle_gate"]["seen"]
    assert any("takes nearly every clip for unseen" in caveat for caveat in results[False]["caveats"])
    assert good["gzsl"]["h"] > 2 * published["gzsl"]["h"]
    assert not any("takes nearly every clip" in caveat for caveat in results[True]["caveats"])
