"""Features that are exported as folders come back by an import as they were."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console

from data.phase_names import PHASES
from data.stores.feature_store import read_features
from pipeline.exchange.export_features import export_features
from pipeline.exchange.import_features import import_features
from pipeline.phases.features_and_texts import phase_and_clips, split_in_use
from pipeline.phases.phase import PhaseClips
from pipeline.workspace.config import load_config
from pipeline.workspace.context import Context
from pipeline.workspace.folder import Workspace
from tests.conftest import TinyRun


def test_feature_folders_come_back_as_they_were(tiny_run: TinyRun, tmp_path: Path) -> None:
    workspace = Workspace(tiny_run.root)
    context = Context(workspace, load_config(workspace.config), workspace.config, Console(quiet=True))
    folders = export_features(context, tmp_path / "features")
    assert [folder.name for folder in folders] == ["shift_2_r", "shift_val_2_r"]
    other = replace(context, workspace=Workspace(tmp_path / "work"))
    import_features(other, folders)
    before = {name: read_features(context.workspace.features(name)) for name in PHASES}
    after = {name: read_features(other.workspace.features(name)) for name in PHASES}
    split = split_in_use(context.config, before)
    for name in PHASES:
        phase, clips = phase_and_clips(name, split, before[name])
        _, clips_after = phase_and_clips(name, split, after[name])
        for part in PhaseClips.__annotations__:
            here, there = getattr(clips, part), getattr(clips_after, part)
            assert np.array_equal(before[name].features[here], after[name].features[there])
            assert np.array_equal(before[name].action[here], after[name].action[there])
            if part != "fit":
                columns = [list(after[name].logit_actions).index(action) for action in phase.seen]
                assert np.array_equal(before[name].logits[here], after[name].logits[there][:, columns])
