import pytest
import torch

from models.backbone.recipe import learning_rate, normalise_offset_gradients, parameter_groups
from models.backbone.settings import BackboneSettings
from models.shift_gcn.network import ShiftGCN


def test_published_schedule() -> None:
    settings = BackboneSettings()
    rates = [learning_rate(settings, epoch / settings.epochs) for epoch in range(settings.epochs)]
    assert rates[0] == 0.1
    assert [epoch for epoch in range(1, 140) if rates[epoch] != rates[epoch - 1]] == [60, 80, 100]
    assert rates[-1] == pytest.approx(1e-4)


@pytest.mark.parametrize("epochs", [1, 2, 5])
def test_few_epochs_have_every_step_of_the_schedule(epochs: int) -> None:
    settings = BackboneSettings(epochs=epochs)
    rates = [learning_rate(settings, step / 140) for step in range(140)]
    assert [step for step in range(1, 140) if rates[step] != rates[step - 1]] == [60, 80, 100]


def test_one_cycle_rises_and_falls() -> None:
    settings = BackboneSettings(schedule="one-cycle", learning_rate=0.2)
    rates = [learning_rate(settings, step / 100) for step in range(101)]
    assert rates[20] == max(rates) == pytest.approx(0.2)
    assert rates[0] == pytest.approx(0.008)
    assert rates[:21] == sorted(rates[:21])
    assert rates[20:] == sorted(rates[20:], reverse=True)
    assert rates[100] == pytest.approx(0)


def test_weight_decay_by_parameter() -> None:
    network = ShiftGCN(3)
    groups = parameter_groups(network)
    decay = {id(parameter): group["weight_decay"] for group in groups for parameter in group["params"]}
    found = {name: decay[id(parameter)] for name, parameter in network.named_parameters()}
    assert {value for name, value in found.items() if name.endswith("Linear_weight")} == {1e-3}
    assert {value for name, value in found.items() if name.endswith("Feature_Mask")} == {0.0}
    rest = {value for name, value in found.items() if not name.endswith(("Linear_weight", "Feature_Mask"))}
    assert rest == {1e-4}
    assert len(found) == len(decay)


def test_offset_gradients_become_steps() -> None:
    network = ShiftGCN(3)
    for parameter in network.parameters():
        parameter.grad = torch.full_like(parameter, -3.0)
    offset = network.get_parameter("l1.tcn1.shift_in.ypos")
    offset.grad = torch.zeros_like(offset)
    offset.grad[:2] = torch.tensor([7.0, -1e-6])
    normalise_offset_gradients(network)
    assert offset.grad is not None
    torch.testing.assert_close(offset.grad[:3], torch.tensor([0.01, -0.01, 0.0001]))
    untouched = network.get_parameter("fc.weight").grad
    assert untouched is not None
    assert (untouched == -3).all()
