"""The ONNX graph says what PyTorch says, at any batch size and number of frames, whatever the settings of the model."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from models.aligners.averaged import AveragedScorer
from models.aligners.cosines import CosineScorer
from models.aligners.fsvae_plain import PlainFSVAE
from models.feature_space import FeatureSpace
from models.fsvae.model import FSVAE
from models.fsvae.settings import ClassifierSettings, ModelSettings
from models.fsvae.unseen_classifier import UnseenClassifier
from models.onnx.graph import OUTPUTS, ModelParts, PlainGate, PlainScoresGate, onnx_model
from models.shift_gcn.network import FEATURES, ShiftGCN
from models.zero_shot.gate import Gate, gate_features, softmax
from models.zero_shot.score_gate import ScoreGate, SeenDistance, gate_scores, text_score

SEEN, UNSEEN, TEXT, TOP, TEMPERATURE = 4, 3, 20, 2, 2.0


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
class ScoresGate:
    """A gate of scores with what it looks at."""

    gate: ScoreGate
    distance: SeenDistance
    all_texts: AveragedScorer


@dataclass(frozen=True)
class Made:
    """A model with first weights, for one choice of settings."""

    network: ShiftGCN
    fsvae: FSVAE
    classifier: UnseenClassifier
    gate: Gate | ScoresGate | None

    @property
    def parts(self) -> ModelParts:
        weight, bias = (part.detach().numpy() for part in (self.network.fc.weight, self.network.fc.bias))
        gate: torch.nn.Module | None = None
        if isinstance(self.gate, Gate):
            gate = PlainGate(self.gate, TOP)
        elif self.gate:
            gate = PlainScoresGate(self.gate.gate, SEEN, self.gate.distance, self.gate.all_texts.plain())
        unseen = PlainFSVAE(self.fsvae, self.classifier)
        return ModelParts(self.network.plain(), unseen, weight, bias, gate, TEMPERATURE)

    @torch.no_grad()
    def by_torch(self, clips: torch.Tensor) -> dict[str, np.ndarray]:
        features = self.network.features(clips)
        latents, _ = self.fsvae.encode_skeletons(features)
        by_text = self.classifier.probabilities(latents).double().numpy()
        outputs = {"features": features.numpy(), "unseen_probabilities": by_text}
        if self.gate is None:
            return outputs
        seen = softmax(self.network.fc(features).numpy(), TEMPERATURE)
        if isinstance(self.gate, Gate):
            gate = self.gate.probability(gate_features(by_text, seen, TOP))
        else:
            text = text_score(self.gate.all_texts.probabilities(features.numpy()), SEEN)
            gate = self.gate.gate.probability(gate_scores(seen, self.gate.distance.of(features.numpy()), text))
        return outputs | {"seen_probabilities": seen, "gate": gate}


def uneven_space(generator: torch.Generator) -> FeatureSpace:
    space = FeatureSpace(FEATURES)
    space.centre = 0.1 * torch.randn(FEATURES, generator=generator)
    space.matrix = torch.eye(FEATURES) + 0.005 * torch.randn(FEATURES, FEATURES, generator=generator)
    return space


def scores_gate(generator: torch.Generator) -> ScoresGate:
    space = uneven_space(generator)
    texts = [torch.randn(SEEN + UNSEEN, FEATURES, generator=generator) for _ in range(2)]
    quantiles = np.stack([np.linspace(-1, 0, 101), np.linspace(0, 900, 101), np.linspace(-2, 2, 101)])
    return ScoresGate(
        ScoreGate(quantiles, 0.4),
        SeenDistance(space, torch.randn(SEEN, FEATURES, generator=generator)),
        AveragedScorer([CosineScorer(space, predicted, 0.1) for predicted in texts]),
    )


def make(settings: dict[str, Any], relu: bool = False, gate: str = "published") -> Made:
    generator = torch.Generator().manual_seed(1)
    network = uneven_network(generator)
    model = ModelSettings.model_validate(settings)
    fsvae = FSVAE(FEATURES, TEXT, model, generator)
    if fsvae.space is not None:
        fsvae.space = uneven_space(generator)
    gates: dict[str, Gate | ScoresGate] = {
        "published": Gate(np.random.default_rng(0).normal(size=2 * TOP), 0.3),
        "scores": scores_gate(generator),
    }
    return Made(
        network,
        fsvae,
        UnseenClassifier(model.latent, UNSEEN, ClassifierSettings(relu=relu), generator),
        gates.get(gate),
    )


@pytest.mark.parametrize(
    ("settings", "relu", "gate"),
    [
        ({}, False, "published"),
        ({}, False, "scores"),
        ({"hidden": [32, 16], "features": "given", "frequency": {"apply_to": "both"}}, True, "published"),
        ({"latent": 7, "frequency": {"apply_to": "none"}}, False, ""),
    ],
)
def test_the_graph_equals_pytorch(settings: dict[str, Any], relu: bool, gate: str) -> None:
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
