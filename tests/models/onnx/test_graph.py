"""The ONNX graph says what PyTorch says, at any batch size and number of frames, whatever the settings of the model."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from models.aligners.fsvae_plain import PlainFSVAE
from models.fsvae.model import FSVAE
from models.fsvae.settings import ClassifierSettings, ModelSettings
from models.fsvae.unseen_classifier import UnseenClassifier
from models.onnx.graph import OUTPUTS, GateParts, ModelParts, onnx_model
from models.shift_gcn.network import FEATURES, ShiftGCN
from models.zero_shot.gate import Gate, gate_features, softmax

SEEN, UNSEEN, TEXT = 4, 3, 20


def uneven_network(generator: torch.Generator) -> ShiftGCN:
    """A network in which no mask, batch norm or offset is as it starts; some offsets reach far."""
    network = ShiftGCN(SEEN, generator).eval()
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point() and (".bn" in name or "_bn." in name or ".down.1" in name or "Mask" in name):
                tensor.add_(0.2 * torch.rand(tensor.shape, generator=generator))
        for unit in network.units:
            unit.tcn1.shift_in.ypos.mul_(3)
    return network


@dataclass(frozen=True)
class Made:
    """A model with first weights, for one choice of settings."""

    network: ShiftGCN
    fsvae: FSVAE
    classifier: UnseenClassifier
    gate: GateParts | None

    @property
    def parts(self) -> ModelParts:
        weight, bias = (part.detach().numpy() for part in (self.network.fc.weight, self.network.fc.bias))
        return ModelParts(self.network.plain(), PlainFSVAE(self.fsvae, self.classifier), weight, bias, self.gate)

    @torch.no_grad()
    def by_torch(self, clips: torch.Tensor) -> dict[str, np.ndarray]:
        features = self.network.features(clips)
        latents, _ = self.fsvae.encode_skeletons(features)
        by_text = self.classifier.probabilities(latents).double().numpy()
        outputs = {"features": features.numpy(), "unseen_probabilities": by_text}
        if self.gate:
            seen = softmax(self.network.fc(features).numpy(), self.gate.temperature)
            gate = self.gate.gate.probability(gate_features(by_text, seen, self.gate.top))
            outputs |= {"seen_probabilities": seen, "gate": gate}
        return outputs


def make(settings: dict[str, Any], relu: bool = False, gate: bool = True) -> Made:
    generator = torch.Generator().manual_seed(1)
    network = uneven_network(generator)
    model = ModelSettings.model_validate(settings)
    top = 2
    return Made(
        network,
        FSVAE(FEATURES, TEXT, model, generator),
        UnseenClassifier(model.latent, UNSEEN, ClassifierSettings(relu=relu), generator),
        GateParts(Gate(np.random.default_rng(0).normal(size=2 * top), 0.3), top, 2.0) if gate else None,
    )


@pytest.mark.parametrize(
    ("settings", "relu", "gate"),
    [
        ({}, False, True),
        ({"hidden": [32, 16], "frequency": {"apply_to": "both", "form": "released"}}, True, True),
        ({"latent": 7, "frequency": {"apply_to": "none"}}, False, False),
    ],
)
def test_the_graph_equals_pytorch(settings: dict[str, Any], relu: bool, gate: bool) -> None:
    import onnxruntime

    made = make(settings, relu, gate)
    model = onnx_model(made.parts, {"told": "a test"})
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    assert names == [name for name in OUTPUTS if gate or name in ("features", "unseen_probabilities")]
    assert session.get_modelmeta().custom_metadata_map == {"told": "a test"}
    generator = torch.Generator().manual_seed(2)
    for batch, frames in ((1, 4), (2, 7), (3, 33)):
        clips = torch.randn(batch, 3, frames, 25, 2, generator=generator)
        clips[-1, ..., 1] = 0
        found = dict(zip(names, session.run(None, {"clips": clips.numpy()}), strict=True))
        for name, wanted in made.by_torch(clips).items():
            assert found[name].shape == wanted.shape
            assert np.allclose(found[name], wanted, rtol=1e-5, atol=1e-5), (name, batch, frames)
