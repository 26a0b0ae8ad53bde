import copy
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from numpy.typing import NDArray

from models.backbone.settings import BackboneSettings
from models.backbone.state import TrainingState, best_epoch
from models.backbone.training import TrainingClips, held_out_accuracy, train_backbone
from models.errors import ModelError
from models.shift_gcn.network import ShiftGCN

SETTINGS = BackboneSettings(
    frames=4, epochs=3, batch_size=6, learning_rate=0.01, schedule="one-cycle", rotation_degrees=10, time_crop=0.9
)


def made_training(classes: int = 2, per_class: int = 9, held_out: int = 3) -> TrainingClips:
    """Clips of noise in which joint 4 + 3c is raised in class c."""
    generator = np.random.default_rng(0)
    number = classes * (per_class + held_out)
    label = np.arange(number) % classes
    clips = 0.1 * generator.normal(size=(number, 3, 4, 25, 2)).astype(np.float32)
    clips[..., 1] = 0
    for clip, which in zip(clips, label, strict=True):
        clip[1, :, 4 + 3 * which, 0] += 2
    fit, kept = np.split(np.arange(number), [classes * per_class])

    def load_batch(wanted: NDArray[np.int64]) -> NDArray[np.float32]:
        return clips[wanted]

    return TrainingClips(fit, label[fit], kept, label[kept], classes, load_batch)


def test_it_learns_and_keeps_the_best_epoch() -> None:
    settings = SETTINGS.model_copy(update={"epochs": 5, "rotation_degrees": 0.0, "time_crop": 1.0})
    told: list[int] = []
    network, reports = train_backbone(
        made_training(), settings, 1, Accelerator(cpu=True), after_epoch=lambda state: told.append(len(state.reports))
    )
    assert told == [1, 2, 3, 4, 5]
    assert min(report.loss for report in reports) < reports[0].loss / 2
    assert max(report.train_top1 for report in reports) > 80
    best = reports[best_epoch(reports) - 1]
    assert best.top1 == max(report.top1 for report in reports)
    assert sum(best.per_class) / 2 == pytest.approx(best.top1)
    assert held_out_accuracy(network, made_training(), 4, Accelerator(cpu=True))[0] == best.top1


@pytest.mark.parametrize("keep", ["best", "last"])
def test_training_cut_off_after_any_epoch_ends_with_the_same_weights(keep: str) -> None:
    settings = SETTINGS.model_copy(update={"keep": keep, "clip_gradient": 5.0, "label_smoothing": 0.1})
    clips, states = made_training(), list[TrainingState]()
    network, reports = train_backbone(
        clips, settings, 1, Accelerator(cpu=True), after_epoch=lambda state: states.append(copy.deepcopy(state))
    )
    whole = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    for state in states[:-1]:
        saved = TrainingState.from_saved(state.tensors(), state.metadata())
        again, again_reports = train_backbone(clips, settings, 1, Accelerator(cpu=True), saved)
        assert again_reports == reports
        assert all(torch.equal(tensor, whole[name]) for name, tensor in again.state_dict().items())


def test_other_seeds_give_other_networks() -> None:
    settings = SETTINGS.model_copy(update={"epochs": 1})
    one, other = (train_backbone(made_training(), settings, seed, Accelerator(cpu=True))[0] for seed in (1, 2))
    assert not torch.equal(one.fc.weight, other.fc.weight)


def test_accuracy_on_held_out_clips() -> None:
    clips = made_training(classes=3, held_out=2)
    network = ShiftGCN(3)
    with torch.no_grad():
        network.fc.weight.zero_()
        network.fc.bias.copy_(torch.tensor([0.0, 1.0, 0.5]))  # class 1 always
    top1, top5, per_class = held_out_accuracy(network, clips, 4, Accelerator(cpu=True))
    assert top1 == pytest.approx(100 / 3)
    assert top5 == 100
    assert list(per_class) == [0, 100, 0]
    nothing = replace(clips, held_out=clips.held_out[:0], held_out_class=clips.held_out_class[:0])
    assert math.isnan(held_out_accuracy(network, nothing, 4, Accelerator(cpu=True))[0])


def test_a_loss_that_is_no_number_ends_training() -> None:
    clips = made_training()
    settings = SETTINGS.model_copy(update={"learning_rate": 1e30, "schedule": "steps"})
    with pytest.raises(ModelError, match=r"diverged in epoch 1 .* lower backbone.learning_rate"):
        train_backbone(clips, settings, 1, Accelerator(cpu=True))


def test_too_few_clips() -> None:
    clips = made_training(classes=1, per_class=1)
    with pytest.raises(ModelError, match="batches of 1 clips are too small for 1 processes"):
        train_backbone(clips, SETTINGS, 1, Accelerator(cpu=True))
