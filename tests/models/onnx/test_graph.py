"""The ONNX graph says what PyTorch says, at any batch size and number of frames, whatever the settings of the model."""

from typing import Any

import numpy as np
import pytest
import torch

from models.fsvae.model import FSVAE
from models.fsvae.settings import ClassifierSettings, ModelSettings
from models.fsvae.unseen_classifier import UnseenClassifier
from models.onnx.graph import OUTPUTS, ModelParts, onnx_model
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


def parts(settings: dict[str, Any], relu: bool = False, gate: bool = True) -> ModelParts:
    generator = torch.Generator().manual_seed(1)
    network = uneven_network(generator)
    model = ModelSettings.model_validate(settings)
    top = 2
    return ModelParts(
        network,
        network.fc.weight.detach().numpy(),
        network.fc.bias.detach().numpy(),
        FSVAE(FEATURES, TEXT, model, generator),
        UnseenClassifier(model.latent, UNSEEN, ClassifierSettings(relu=relu), generator),
        Gate(np.random.default_rng(0).normal(size=2 * top), 0.3) if gate else None,
        top,
        2.0,
    )


def by_torch(made: ModelParts, clips: torch.Tensor) -> dict[str, np.ndarray]:
    with torch.no_grad():
        features = made.network.features(clips)
        latents, _ = made.fsvae.encode_skeletons(features)
        by_text = made.classifier.probabilities(latents).double().numpy()
        seen = softmax(made.network.fc(features).numpy(), made.temperature)
    outputs = {"features": features.numpy(), "unseen_probabilities": by_text}
    if made.gate:
        gate = made.gate.probability(gate_features(by_text, seen, made.top))
        outputs |= {"seen_probabilities": seen, "gate": gate}
    return outputs


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

    made = parts(settings, relu, gate)
    model = onnx_model(made, {"told": "a test"})
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    assert names == [name for name in OUTPUTS if gate or name in ("features", "unseen_probabilities")]
    assert session.get_modelmeta().custom_metadata_map == {"told": "a test"}
    generator = torch.Generator().manual_seed(2)
    for batch, frames in ((1, 4), (2, 7), (3, 33)):
        clips = torch.randn(batch, 3, frames, 25, 2, generator=generator)
        clips[-1, ..., 1] = 0
        found = dict(zip(names, session.run(None, {"clips": clips.numpy()}), strict=True))
        for name, wanted in by_torch(made, clips).items():
            assert found[name].shape == wanted.shape
            assert np.allclose(found[name], wanted, rtol=1e-5, atol=1e-5), (name, batch, frames)
