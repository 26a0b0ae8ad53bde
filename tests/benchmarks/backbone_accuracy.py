"""Measures the accuracy of a Shift-GCN alone, trained on all actions of the training part, scored on the test part.

    python -m tests.benchmarks.backbone_accuracy WORKSPACE [--set backbone.epochs=40 ...]

The workspace needs config.toml and skeletons.h5. The weights of the last epoch are scored, so that nothing is chosen on
test clips. The split does not matter: this measures the backbone, not zero-shot recognition.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from data.protocols import training_clips
from data.stores.skeleton_store import SkeletonStore
from models.backbone.training import TrainingClips, train_backbone
from models.devices import make_accelerator
from pipeline.stages.backbone import accuracy_line, batch_loader, epoch_line
from pipeline.workspace.config import load_config
from pipeline.workspace.folder import Workspace


def main() -> None:
    """Train, score and print the accuracy."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="use it instead of config.toml's"
    )
    options = parser.parse_args()
    workspace = Workspace(options.workspace)
    config = load_config(workspace.config, options.set)
    settings = config.backbone.model_copy(update={"keep": "last"})
    start = time.perf_counter()
    with SkeletonStore(workspace.skeletons) as store:
        train = training_clips(config.dataset, store.setup, store.camera, store.subject, workspace.root)
        classes, of_clip = np.unique(store.action, return_inverse=True)
        fit, test = np.flatnonzero(train), np.flatnonzero(~train)
        print(f"{len(classes)} actions, {len(fit)} clips train, {len(test)} are scored")
        clips = TrainingClips(
            fit, of_clip[fit], test, of_clip[test], len(classes), batch_loader(store, settings.frames)
        )
        accelerator = make_accelerator(config.device, settings.precision)
        _, reports = train_backbone(
            clips,
            settings,
            config.seed,
            accelerator,
            after_epoch=lambda state: print(epoch_line(state.reports[-1], settings.epochs), flush=True),
        )
    print(f"test part, last epoch: {accuracy_line(reports[-1])}; {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
