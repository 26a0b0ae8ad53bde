import pytest
import torch
from torch import Tensor

from models.shift_gcn.layers import shift_rows
from models.shift_gcn.network import ShiftGCN
from tests.shared.literal_shift_gcn import LiteralSpatial
from tests.shared.made_networks import literal_twin, lively_network, made_clips


def relative_error(found: Tensor, wanted: Tensor) -> float:
    return float((found - wanted).detach().norm() / wanted.detach().norm())


def test_size_is_the_published_one() -> None:
    shifts = sum(len(parameter) for name, parameter in ShiftGCN(60).named_parameters() if name.endswith("ypos"))
    parameters = sum(parameter.numel() for parameter in ShiftGCN(60).parameters())
    assert parameters + shifts == 693_107  # the published files hold an x offset beside every temporal one


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize(
    ("frames", "two_bodies", "offset_frames"),
    [(16, 4, 1.0), (17, 1, 3.0), (12, 0, 30.0)],
    ids=["even", "odd", "beyond"],
)
def test_outputs_equal_the_literal_network(training: bool, frames: int, two_bodies: int, offset_frames: float) -> None:
    network = lively_network(7, offset_frames=offset_frames).train(training)
    literal = literal_twin(network)
    clips = made_clips(4, frames, two_bodies)
    with torch.no_grad():
        assert relative_error(network.features(clips), literal.features(clips)) < 1e-4
        assert relative_error(network(clips), literal(clips)) < 1e-4
    for name, buffer in literal.named_buffers():
        if "running" in name:
            torch.testing.assert_close(network.get_buffer(name), buffer, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize(("frames", "two_bodies"), [(9, 1), (8, 2)])
def test_gradients_equal_the_literal_network(training: bool, frames: int, two_bodies: int) -> None:
    # In float64: in float32 the literal network's own rounding flips relus, which moves its gradients by percents.
    network = lively_network(5).double().train(training)
    literal = literal_twin(network)
    clips = made_clips(2, frames, two_bodies).double()
    wanted = torch.randn(2, 5, generator=torch.Generator().manual_seed(1)).double()
    for each in (network, literal):
        (each(clips) * wanted).sum().backward()
    largest = max(parameter.grad.abs().max().item() for parameter in network.parameters() if parameter.grad is not None)
    for name, parameter in network.named_parameters():
        torch.testing.assert_close(parameter.grad, literal.get_parameter(name).grad, rtol=1e-8, atol=1e-10 * largest)


def test_float32_gradients_of_one_unit_equal_the_literal_one() -> None:
    network = lively_network(5)
    unit, literal = network.get_submodule("l5"), literal_twin(network).get_submodule("l5")
    x = torch.randn(2, 64, 9, 25, generator=torch.Generator().manual_seed(2))
    ours = unit(x.permute(3, 1, 0, 2).contiguous(), torch.ones(2)).permute(2, 1, 3, 0)
    theirs = literal(x)
    assert relative_error(ours, theirs) < 1e-4
    ours.square().sum().backward()
    theirs.square().sum().backward()
    for name, parameter in unit.named_parameters():
        found, wanted = parameter.grad, literal.get_parameter(name).grad
        assert found is not None
        assert wanted is not None
        if wanted.norm() > 1e-2:  # biases in front of a batch norm have none but rounding
            assert relative_error(found, wanted) < 1e-4, name


def test_gradient_of_the_clips_equals_the_literal_network() -> None:
    network = lively_network(3).double().train()
    gradients = []
    for each in (network, literal_twin(network)):
        clips = made_clips(2, 8, 2).double().requires_grad_()
        each(clips).square().sum().backward()
        gradients.append(clips.grad)
    torch.testing.assert_close(*gradients, rtol=1e-8, atol=1e-12)


def test_clips_of_one_body_are_clips_with_an_empty_second_one() -> None:
    network = lively_network(4).train()
    clips = made_clips(3, 8, 0)
    with torch.no_grad():
        torch.testing.assert_close(network(clips[..., :1]), network(clips))


def test_empty_second_bodies_are_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    network = ShiftGCN(4)
    bodies: list[int] = []
    network.units[0].register_forward_hook(lambda module, inputs, output: bodies.append(output.shape[2]))
    for two_bodies in (0, 2, 6):
        network(made_clips(6, 8, two_bodies))
    assert bodies == [7, 9, 12]


def test_one_seed_gives_one_network() -> None:
    one, other, third = (ShiftGCN(4, torch.Generator().manual_seed(seed)).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert not torch.equal(one["l2.gcn1.Linear_weight"], third["l2.gcn1.Linear_weight"])


@pytest.mark.parametrize("channels", [3, 64, 128])
def test_shift_rows_are_the_published_indices(channels: int) -> None:
    literal = LiteralSpatial(channels, channels)
    assert torch.equal(shift_rows(channels), literal.get_buffer("shift_in"))
    assert torch.equal(shift_rows(channels).argsort(), literal.get_buffer("shift_out"))


def test_published_names() -> None:
    names = set(ShiftGCN(3).state_dict())
    assert {"data_bn.running_var", "l1.gcn1.down.1.weight", "l5.residual.conv.bias", "fc.weight"} <= names
    assert {"l10.tcn1.shift_out.ypos", "l2.gcn1.Feature_Mask", "l3.tcn1.temporal_linear.weight"} <= names
    assert not {name for name in names if name.startswith("l1.residual") or name.startswith("l6.residual")}
