"""Every network in the table keeps to the protocol."""

import subprocess
import sys

import pytest
import torch
from pydantic import ValidationError

from models.backbone.networks import NETWORKS, network_class
from models.backbone.protocol import Backbone
from models.backbone.settings import BackboneSettings
from tests.shared.made_networks import made_clips

CLASSES = 3


@pytest.fixture(params=[*NETWORKS, "joint-mlp"])
def settings(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> BackboneSettings:
    monkeypatch.setitem(NETWORKS, "joint-mlp", "tests.shared.small_backbone:JointMLP")
    return BackboneSettings(network=request.param)


def build(settings: BackboneSettings, seed: int = 1) -> Backbone:
    kind = network_class(settings.network)
    assert issubclass(kind, Backbone)
    return kind.build(CLASSES, settings, torch.Generator().manual_seed(seed))


def test_one_seed_gives_one_network(settings: BackboneSettings) -> None:
    torch.manual_seed(1)  # which must not matter
    one = build(settings).state_dict()
    torch.manual_seed(2)
    again, other = build(settings).state_dict(), build(settings, seed=2).state_dict()
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


@torch.no_grad()
def test_any_clips_give_features_and_logits(settings: BackboneSettings) -> None:
    network = build(settings).eval()
    assert network.title
    assert network.num_classes == CLASSES
    for clips, frames, two_bodies in ((1, 4, 0), (3, 7, 1), (2, 30, 2)):
        made = made_clips(clips, frames, two_bodies)
        features = network.features(made)
        assert features.shape == (clips, network.num_features)
        torch.testing.assert_close(network(made), network.fc(features))
        torch.testing.assert_close(network.plain()(made), features, rtol=1e-4, atol=1e-5)


def test_every_parameter_is_in_one_group(settings: BackboneSettings) -> None:
    network = build(settings)
    grouped = [id(parameter) for group in network.parameter_groups() for parameter in group["params"]]
    assert sorted(grouped) == sorted(id(parameter) for parameter in network.parameters())


def test_an_unknown_network_is_refused() -> None:
    with pytest.raises(ValidationError, match="there is no such network; use one of shift-gcn"):
        BackboneSettings(network="st-gcn")


def test_the_table_needs_no_torch() -> None:
    code = "import sys, models.backbone.settings; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
