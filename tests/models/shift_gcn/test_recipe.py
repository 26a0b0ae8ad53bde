import torch

from models.backbone.settings import BackboneSettings
from models.shift_gcn.network import ShiftGCN
from models.shift_gcn.recipe import normalise_offset_gradients, parameter_groups


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


def test_the_network_takes_both_parts_of_the_recipe() -> None:
    network = ShiftGCN(3)
    assert len(network.parameter_groups()) == 3
    offset = network.get_parameter("l1.tcn1.shift_in.ypos")
    for setting, wanted in (("plain", 7.0), ("normalised", 0.01)):
        offset.grad = torch.full_like(offset, 7.0)
        network.after_backward(BackboneSettings.model_validate({"offset_gradient": setting}))
        torch.testing.assert_close(offset.grad, torch.full_like(offset, wanted))
