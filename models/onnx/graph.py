"""A trained model as one ONNX graph: clips in; features, probabilities of both classifiers and the gate out.

The graph is written down node by node instead of traced: the network skips second bodies that are not there, which
depends on the numbers in a clip, and folds what does not depend on a clip. Any batch size and any number of frames
from 4 on will do. What stands in the graph is the plain network; `pipeline/predict/export.py` compares it with PyTorch.
Letters: B clips, T frames, V = 25 joints, M = 2 bodies, N = 2 B bodies, C and D channels, S seen actions, U others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.fsvae.model import FSVAE
from models.fsvae.unseen_classifier import UnseenClassifier
from models.shift_gcn.batch_norm import BodyBatchNorm
from models.shift_gcn.network import (
    BODIES,
    COORDINATES,
    FEATURES,
    JOINTS,
    PointwiseConv,
    ShiftGCN,
    ShiftUnit,
    SpatialShiftConv,
)
from models.shift_gcn.temporal_shift import TemporalShift, hat_taps
from models.zero_shot.gate import Gate

if TYPE_CHECKING:
    import onnx

OPSET = 17
IR_VERSION = 8
INPUT = "clips"
OUTPUTS = ("features", "seen_probabilities", "unseen_probabilities", "gate")


@dataclass(frozen=True)
class ModelParts:
    """What goes into the graph. Without a gate it has no `seen_probabilities` and no `gate`.

    seen_weight (S, 256) and seen_bias (S,) are the classifier of the seen actions; `top` and `temperature` are the
    gate's.
    """

    network: ShiftGCN
    seen_weight: NDArray[np.float32]
    seen_bias: NDArray[np.float32]
    fsvae: FSVAE
    classifier: UnseenClassifier
    gate: Gate | None
    top: int
    temperature: float


@torch.no_grad()
def onnx_model(parts: ModelParts, metadata: dict[str, str]) -> "onnx.ModelProto":
    """The graph: `clips` (B, 3, T, 25, 2) float32 -> OUTPUTS, (B, 256), (B, S), (B, U) and (B,) float32."""
    from onnx import TensorProto, checker, helper

    graph = _Graph()
    features = _backbone(graph, parts.network)
    graph.add("Identity", features, name="features")
    by_text = _unseen_probabilities(graph, parts.fsvae, parts.classifier, features)
    graph.add("Identity", by_text, name="unseen_probabilities")
    sizes: dict[str, list[str | int]] = {
        "features": ["batch", FEATURES],
        "unseen_probabilities": ["batch", parts.classifier.layer.out_features],
    }
    if parts.gate is not None:
        _gate(graph, parts, features, by_text)
        sizes |= {"seen_probabilities": ["batch", len(parts.seen_bias)], "gate": ["batch"]}
    kind = TensorProto.FLOAT
    clips = helper.make_tensor_value_info(INPUT, kind, ["batch", COORDINATES, "frames", JOINTS, BODIES])
    outputs = [helper.make_tensor_value_info(name, kind, sizes[name]) for name in OUTPUTS if name in sizes]
    model = helper.make_model(
        helper.make_graph(graph.nodes, "fsvae", [clips], outputs, graph.constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="fsvae-pipe",
    )
    helper.set_model_props(model, metadata)
    checker.check_model(model, full_check=True)
    return model


class _Graph:
    """Nodes in order, and the constants that they read; values are known by their names."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, kind: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """Add a node with one output and return the output's name."""
        from onnx import helper

        output = name or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], name=output, **attributes))
        return output

    def constant(self, values: Tensor | NDArray[Any] | Sequence[int] | int) -> str:
        """Add a constant: float32, or int64 where `values` are integers."""
        from onnx import numpy_helper

        array = np.asarray(values.detach().cpu() if isinstance(values, Tensor) else values)
        array = np.array(array, np.int64 if array.dtype.kind in "iu" else np.float32, order="C")
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def linear(self, x: str, layer: nn.Linear) -> str:
        """(B, C) -> (B, D)."""
        return self.add("Gemm", x, self.constant(layer.weight), self.constant(layer.bias), transB=1)

    def scaled(self, x: str, norm: BodyBatchNorm) -> str:
        """A batch norm of (V, C, N, T)."""
        scale, shift = (part.view(norm.shape) for part in norm.scale_and_shift())
        return self.add("Add", self.add("Mul", x, self.constant(scale)), self.constant(shift))


def _backbone(graph: _Graph, network: ShiftGCN) -> str:
    """clips (B, 3, T, V, M) -> features (B, 256)."""
    x = graph.add("Transpose", INPUT, perm=[4, 3, 1, 0, 2])  # (M, V, C, B, T)
    bodies = [graph.add("Gather", x, graph.constant(body), axis=0) for body in range(BODIES)]
    x = graph.scaled(graph.add("Concat", *bodies, axis=0), network.data_bn)  # (M V, C, B, T)
    first, second = (graph.constant(np.arange(JOINTS) + body * JOINTS) for body in range(BODIES))
    x = graph.add("Concat", graph.add("Gather", x, first, axis=0), graph.add("Gather", x, second, axis=0), axis=2)
    for unit in network.units:
        x = _unit(graph, unit, x)  # (V, D, N, T')
    x = graph.add("Transpose", graph.add("ReduceMean", x, axes=[0, 3], keepdims=0), perm=[1, 0])  # (N, D)
    x = graph.add("Reshape", x, graph.constant([BODIES, -1, FEATURES]))  # (M, B, D)
    return graph.add("ReduceMean", x, axes=[0], keepdims=0)  # (B, D)


def _unit(graph: _Graph, unit: ShiftUnit, x: str) -> str:
    """(V, C, N, T) -> (V, D, N, T // stride)."""
    temporal = unit.tcn1
    y = graph.scaled(_spatial(graph, unit.gcn1, x), temporal.bn)
    y = _shift(graph, temporal.shift_in, y)
    y = graph.add("Relu", _pointwise(graph, temporal.temporal_linear, y))
    y = graph.scaled(_shift(graph, temporal.shift_out, y), temporal.bn2)
    if unit.residual is not None:
        convolution = unit.residual.conv
        y = graph.add("Add", y, graph.scaled(_pointwise(graph, convolution, x, unit.stride), unit.residual.bn))
    elif unit.has_residual:
        y = graph.add("Add", y, x)
    return graph.add("Relu", y)


def _spatial(graph: _Graph, spatial: SpatialShiftConv, x: str) -> str:
    """(V, C, N, T) -> (V, D, N, T)."""
    channels_in, channels = spatial.Linear_weight.shape
    mask = (torch.tanh(spatial.Feature_Mask[0]) + 1)[:, :, None, None]  # (V, C, 1, 1)
    y = graph.add("Mul", _moved(graph, x, spatial.rows_in, channels_in), graph.constant(mask))
    weight = spatial.Linear_weight.T[:, :, None, None]  # (D, C, 1, 1)
    y = graph.add("Conv", y, graph.constant(weight), graph.constant(spatial.Linear_bias.view(-1)))
    y = graph.scaled(_moved(graph, y, spatial.rows_out, channels), spatial.bn)
    if spatial.down is not None:
        convolution, norm = cast(tuple[PointwiseConv, BodyBatchNorm], spatial.down)
        x = graph.scaled(_pointwise(graph, convolution, x), norm)
    return graph.add("Relu", graph.add("Add", y, x))


def _moved(graph: _Graph, x: str, rows: Tensor, channels: int) -> str:
    """The rows (v, c) of (V, C, N, T) in another order."""
    x = graph.add("Reshape", x, graph.constant([1, JOINTS * channels, 0, 0]))  # 0 keeps N and T
    x = graph.add("Gather", x, graph.constant(rows), axis=1)
    return graph.add("Reshape", x, graph.constant([JOINTS, channels, 0, 0]))


def _shift(graph: _Graph, shift: TemporalShift, x: str) -> str:
    """(V, C, N, T) -> (V, C, N, T // stride): a convolution with two taps a channel, zero outside the clip."""
    offset = shift.offset_frames.detach()
    reach = max(-int(offset.floor().min()), int(offset.floor().max()) + 1, 1)
    taps = hat_taps(offset, reach)[:, None, None, :]  # (C, 1, 1, K)
    pads = [0, reach, 0, reach + 1 - shift.stride]  # at stride 2 an odd last frame is left out
    strides = [1, shift.stride]
    return graph.add("Conv", x, graph.constant(taps), group=len(offset), pads=pads, strides=strides)


def _pointwise(graph: _Graph, convolution: PointwiseConv, x: str, stride: int = 1) -> str:
    """(V, C, N, T) -> (V, D, N, T // stride)."""
    weight: Tensor = convolution.weight  # (D, C, 1, 1)
    if stride > 1:  # taps of zero behind it, so that frames that do not fill a stride are left out
        weight = nn.functional.pad(weight, (0, stride - 1))
    return graph.add("Conv", x, graph.constant(weight), graph.constant(convolution.bias), strides=[1, stride])


def _unseen_probabilities(graph: _Graph, fsvae: FSVAE, classifier: UnseenClassifier, features: str) -> str:
    """(B, 256) -> (B, U)."""
    x = features
    if fsvae.skeleton_frequency is not None:
        matrix = fsvae.skeleton_frequency(torch.eye(FEATURES))  # the module is linear
        x = graph.add("MatMul", x, graph.constant(matrix))
    for layer in fsvae.skeleton.encoder_hidden:
        x = graph.linear(x, layer) if isinstance(layer, nn.Linear) else graph.add("Relu", x)
    mu_rows = slice(fsvae.skeleton.latent)  # behind them are those of the log-variance
    weight, bias = fsvae.skeleton.encoder.weight[mu_rows], fsvae.skeleton.encoder.bias[mu_rows]
    mu = graph.add("Gemm", x, graph.constant(weight), graph.constant(bias), transB=1)  # (B, Z)
    scores = graph.linear(mu, classifier.layer)
    return graph.add("Softmax", graph.add("Relu", scores) if classifier.relu else scores, axis=1)


def _gate(graph: _Graph, parts: ModelParts, features: str, by_text: str) -> None:
    """Adds `seen_probabilities` (B, S) and `gate` (B,)."""
    if parts.gate is None:
        return
    weight, bias = (graph.constant(part / parts.temperature) for part in (parts.seen_weight, parts.seen_bias))
    seen = graph.add("Softmax", graph.add("Gemm", features, weight, bias, transB=1), axis=1, name="seen_probabilities")
    sizes = (parts.top, min(parts.top, len(parts.seen_bias)))
    largest = [_largest(graph, x, size) for x, size in zip((by_text, seen), sizes, strict=True)]
    x = graph.add("Concat", *largest, axis=1)
    weights, bias = graph.constant(parts.gate.weights[:, None]), graph.constant(np.array([parts.gate.bias]))
    x = graph.add("Sigmoid", graph.add("Gemm", x, weights, bias))  # (B, 1)
    graph.add("Squeeze", x, graph.constant([1]), name="gate")


def _largest(graph: _Graph, x: str, size: int) -> str:
    """The `size` largest of each row, falling: (B, K) -> (B, size)."""
    from onnx import helper

    values, places = f"largest_{len(graph.nodes)}", f"places_{len(graph.nodes)}"
    graph.nodes.append(helper.make_node("TopK", [x, graph.constant([size])], [values, places], axis=1))
    return values
