"""A trained model as one ONNX graph: clips in; features, probabilities of both classifiers and the gate out.

torch.onnx.export records one call of a plain module. The graph then takes any number of clips, and any number of
frames from 4 on. Of torch's two exporters the older one is used (dynamo=False): it writes opset 17 and needs no further
package. The other one writes opset 18 and needs onnxscript, and with torch 2.13 it silently fixed the number of clips.
The older one is deprecated. If torch drops it, only `_recorded` has to change.
`pipeline/exchange/export.py` compares every graph with PyTorch before it is written.
Letters: B clips, T frames, D features, S seen actions, U others.
"""

import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from data.random_streams import RECORDED_CLIPS
from models.backbone.protocol import BODIES, COORDINATES, JOINTS
from models.torch_generators import torch_generator
from models.zero_shot.gate import Gate
from models.zero_shot.score_gate import PlainScoreGate, ScoreGate, SeenDistance

if TYPE_CHECKING:
    import onnx

OPSET = 17
INPUT = "clips"
OUTPUTS = ("features", "seen_probabilities", "unseen_probabilities", "gate")
CLIPS, FRAMES = 2, 16  # of the call that is recorded


class PlainGate(nn.Module):
    """The published gate: features (B, D), probabilities (B, S) and (B, U) -> (B,)."""

    def __init__(self, gate: Gate, top: int) -> None:
        super().__init__()
        self.top = top
        self.register_buffer("weight", torch.tensor(gate.weights[None], dtype=torch.float32))  # (1, 2 top)
        self.register_buffer("bias", torch.tensor([gate.bias], dtype=torch.float32))

    weight: Tensor
    bias: Tensor

    def forward(self, features: Tensor, seen: Tensor, by_text: Tensor) -> Tensor:
        """-> (B,)."""
        largest = torch.cat([part.topk(self.top, dim=1).values for part in (by_text, seen)], dim=1)  # (B, 2 top)
        return functional.linear(largest, self.weight, self.bias).sigmoid().squeeze(1)


class PlainScoresGate(nn.Module):
    """The gate of scores, with what it computes them from. Same inputs and output."""

    def __init__(self, gate: ScoreGate, seen: int, distance: SeenDistance, all_texts: nn.Module) -> None:
        """`all_texts` is a module from features (B, D) to probabilities of all actions, the `seen` first."""
        super().__init__()
        self.gate, self.distance, self.all_texts = PlainScoreGate(gate, seen), distance, all_texts

    def forward(self, features: Tensor, seen: Tensor, by_text: Tensor) -> Tensor:
        """-> (B,)."""
        gate: Tensor = self.gate(seen, self.distance(features), self.all_texts(features))
        return gate


@dataclass(frozen=True)
class ModelParts:
    """What goes into the graph. Without a gate it has no `seen_probabilities` and no `gate`.

    backbone: a module from clips (B, 3, T, 25, 2) to features (B, D), as `Backbone.plain` gives it
    unseen: a module from features (B, D) to probabilities (B, U)
    seen_weight (S, D), seen_bias (S,): the linear classifier of the seen actions
    gate: PlainGate or PlainScoresGate; temperature: what the seen logits are divided by before their softmax
    """

    backbone: nn.Module
    unseen: nn.Module
    seen_weight: NDArray[np.float32]
    seen_bias: NDArray[np.float32]
    gate: nn.Module | None
    temperature: float = 1.0


class _Model(nn.Module):
    """All parts as one module. `forward` returns the outputs in the order of OUTPUTS."""

    seen_weight: Tensor
    seen_bias: Tensor

    def __init__(self, parts: ModelParts) -> None:
        super().__init__()
        self.backbone, self.unseen, self.gate = parts.backbone, parts.unseen, parts.gate
        for name in ("seen_weight", "seen_bias"):
            values = getattr(parts, name) / parts.temperature
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32))

    def forward(self, clips: Tensor) -> tuple[Tensor, ...]:
        """Clips (B, 3, T, 25, 2) -> (B, D), with a gate (B, S), then (B, U), with a gate (B,)."""
        features = self.backbone(clips)
        by_text = self.unseen(features)
        if self.gate is None:
            return features, by_text
        seen = functional.linear(features, self.seen_weight, self.seen_bias).softmax(dim=1)
        return features, seen, by_text, self.gate(features, seen, by_text)


def onnx_model(parts: ModelParts, metadata: dict[str, str]) -> "onnx.ModelProto":
    """The graph: `clips` (B, 3, T, 25, 2) float32 -> OUTPUTS, (B, D), (B, S), (B, U) and (B,) float32."""
    import onnx

    names = [name for name in OUTPUTS if parts.gate is not None or name in ("features", "unseen_probabilities")]
    model = onnx.load_model_from_string(_recorded(_Model(parts).eval(), names))
    model.producer_name, model.producer_version = "fsvae-pipe", ""
    onnx.helper.set_model_props(model, metadata)
    onnx.checker.check_model(model, full_check=True)
    return model


@torch.no_grad()
def _recorded(model: nn.Module, names: list[str]) -> bytes:
    """`model`, whose outputs are called `names`, as the bytes of an ONNX graph."""
    generator = torch_generator(RECORDED_CLIPS.torch_seed())
    clips = torch.randn(CLIPS, COORDINATES, FRAMES, JOINTS, BODIES, generator=generator)
    free_sizes = {INPUT: {0: "batch", 2: "frames"}, **{name: {0: "batch"} for name in names}}
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.onnx"
        warnings.simplefilter("ignore", DeprecationWarning)  # of this exporter
        torch.onnx.export(
            model, (clips,), file, dynamo=False, opset_version=OPSET,
            input_names=[INPUT], output_names=names, dynamic_axes=free_sizes,
        )  # fmt: skip
        return file.read_bytes()
