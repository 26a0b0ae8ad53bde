"""What is said of scored actions and clips that were seen before."""

from pathlib import Path

from data.feature_store import read_features
from pipeline.caveats import caveats
from pipeline.fsvae_inputs import split_in_use
from pipeline.provenance import Provenance
from pipeline.workspace import PHASES, PhaseName
from tests.made_features import Made, made_workspace

CLEAN = Provenance("extract", 1, {"backbone.weights": ""}, {}).record()
GIVEN = Provenance("extract", 1, {"backbone.weights": "own.safetensors"}, {}).record()
SAW = {"transfer": "true", "backbone_saw": '["A003"]'}


def said(root: Path, test: dict[str, str], val: dict[str, str]) -> str:
    context = made_workspace(root, Made(actions=12, unseen=(3, 7), val_unseen=(2, 9), train_clips=3, test_clips=2))
    features = {phase: read_features(context.workspace.features(phase)) for phase in PHASES}
    records: dict[PhaseName, dict[str, str]] = {"test": test, "val": val}
    return " | ".join(caveats(split_in_use(context.config, features), features, records))


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
