import math

import torch

from models.backbone.state import EpochReport, TrainingState, best_epoch, reports_from_text, reports_to_text


def report(epoch: int, top1: float) -> EpochReport:
    return EpochReport(epoch, 1.5, 40.0, top1, 90.0, (top1, math.nan))


def test_the_latest_of_the_best_is_kept() -> None:
    assert best_epoch([report(1, 50), report(2, 70), report(3, 70), report(4, 60)]) == 3
    assert best_epoch([report(1, math.nan), report(2, math.nan)]) == 2


def test_reports_survive_as_text() -> None:
    reports = [report(1, 12.5), report(2, math.nan)]
    text = reports_to_text(reports)
    assert "NaN" not in text  # which is no JSON
    assert str(reports_from_text(text)) == str(reports)


def test_states_survive() -> None:
    state = TrainingState(
        {"l1.x": torch.ones(2)}, {"l1.x": torch.zeros(2)}, {"l1.x": torch.ones(3)}, [report(1, 9)], {"scale": 2.0}
    )
    again = TrainingState.from_saved(state.tensors(), state.metadata())
    assert str(again) == str(state)
