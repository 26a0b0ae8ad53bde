"""`fsvae-pipe export`: writes a run as an ONNX graph, with everything that a program needs to use it.

FOLDER/model.onnx   backbone, skeleton encoder, both classifiers and the gate (models/onnx/graph.py)
FOLDER/model.json   how to prepare clips, the outputs, the actions and their texts, and the run that it comes from
FOLDER/run_onnx.py  an example that names the action in a .skeleton file; it needs only onnxruntime and numpy

Before anything is written, the graph is compared with PyTorch, on stored clips of several lengths and batch sizes.
`pipeline.exchange.model_description` makes the contents of model.json. `pipeline.exchange.export_features` does
`--features`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from data.stores.files import replacing
from data.stores.skeleton_store import SkeletonStore
from pipeline.exchange.model_description import description
from pipeline.messages.errors import PipelineError
from pipeline.predict.action_bank import ActionBank, BankGate, make_bank
from pipeline.predict.modes import Mode, Seed
from pipeline.predict.predict import given_actions
from pipeline.predict.run_backbone import RunBackbone
from pipeline.predict.trained_run import open_run, print_warnings
from pipeline.workspace.context import Context

if TYPE_CHECKING:
    from torch import nn

    from models.onnx.graph import ModelParts

LARGEST_DIFFERENCE = 1e-4
CHECKED = ((1, 4), (1, 37), (5, 64), (2, 300))  # clips and frames
EXAMPLE = "run_onnx.py"


@dataclass(frozen=True)
class Exported:
    """The files that were written, and the largest difference of an output from PyTorch's."""

    files: tuple[Path, ...]
    largest_difference: float


def export(
    context: Context,
    folder: Path,
    *,
    seed: Seed | None = None,
    mode: Mode = "gzsl",
    actions: Sequence[str] = (),
    actions_file: Path | None = None,
) -> Exported:
    """Write the run of `context` to `folder`, with the actions of `mode` and those given in words.

    Raises PipelineError when the extra `export` is not installed, or when the graph differs from PyTorch by more than
    LARGEST_DIFFERENCE. Raises what `open_run` raises.
    """
    require_onnx()
    run = open_run(context.run.root, seed, context)
    print_warnings(run)
    given = given_actions(run, actions, actions_file, mode)
    backbone, bank = run.backbone(), make_bank(run, mode, given)
    model_json = description(run, bank, given)
    parts = _parts(backbone, bank)
    from models.onnx.graph import onnx_model

    model = onnx_model(parts, {"fsvae-pipe": run.model_name}).SerializeToString()
    difference = largest_difference(model, backbone, bank, run.context.workspace.skeletons)
    if not difference <= LARGEST_DIFFERENCE:
        raise PipelineError(
            f"the ONNX graph of {run.model_name} differs from PyTorch by up to {difference:.2g}, where at most "
            f"{LARGEST_DIFFERENCE} is allowed; nothing was written. Compare the versions of onnx and onnxruntime with "
            "those in constraints.txt"
        )
    example = resources.files("pipeline.exchange").joinpath(EXAMPLE).read_bytes()
    contents = {"model.onnx": model, "model.json": f"{json.dumps(model_json, indent=2)}\n".encode(), EXAMPLE: example}
    for name, content in contents.items():
        with replacing(folder / name) as partial:
            partial.write_bytes(content)
    return Exported(tuple(folder / name for name in contents), difference)


def require_onnx() -> None:
    """Raise PipelineError when onnx or onnxruntime is not installed."""
    absent = [package for package in ("onnx", "onnxruntime") if find_spec(package) is None]
    if absent:
        raise PipelineError(
            f'export needs {" and ".join(absent)}, which is not installed; run `pip install "fsvae-pipe[export]"`'
        )


def _parts(backbone: RunBackbone, bank: ActionBank) -> "ModelParts":
    from models.onnx.graph import ModelParts

    return ModelParts(
        backbone=backbone.network.plain(),
        unseen=bank.scorer.plain(),
        seen_weight=backbone.head.weight,
        seen_bias=backbone.head.bias,
        gate=None if bank.gate is None else _plain_gate(bank.gate, bank.seen),
        temperature=1.0 if bank.gate is None else bank.gate.temperature,
    )


def _plain_gate(gate: BankGate, seen: int) -> "nn.Module":
    from models.onnx.graph import PlainGate, PlainScoresGate
    from models.zero_shot.gate import Gate

    if isinstance(gate.gate, Gate):
        return PlainGate(gate.gate, gate.top)
    assert gate.all_texts is not None  # a gate of scores has it
    return PlainScoresGate(gate.gate, seen, gate.distance, gate.all_texts.plain())


def largest_difference(model: bytes, backbone: RunBackbone, bank: ActionBank, skeletons: Path) -> float:
    """Return the largest difference between outputs of the graph and of PyTorch, on stored clips of CHECKED sizes.

    Features can have any scale. So when the largest number of an output exceeds 1, the difference is divided by it.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    largest = 0.0
    with SkeletonStore(skeletons) as store:
        for batch, frames in CHECKED:
            clips = store.batch(np.linspace(0, len(store) - 1, batch).astype(np.int64), frames)
            values = session.run(None, {"clips": clips})
            outputs = {output.name: value for output, value in zip(session.get_outputs(), values, strict=True)}
            for name, wanted in _by_torch(clips, backbone, bank).items():
                difference = float(np.abs(outputs[name] - wanted).max())
                largest = max(largest, difference / max(1.0, float(np.abs(wanted).max())))
    return largest


def _by_torch(clips: NDArray[np.float32], backbone: RunBackbone, bank: ActionBank) -> dict[str, NDArray[Any]]:
    """Compute the outputs of the graph with PyTorch."""
    import torch

    from models.zero_shot.gate import softmax

    with torch.no_grad():
        features = backbone.network.cpu().features(torch.from_numpy(clips)).numpy()
    logits = backbone.seen_logits(features)
    by_text, gate = bank.by_side(features, logits)
    outputs: dict[str, NDArray[Any]] = {"features": features, "unseen_probabilities": by_text}
    if bank.gate is not None and gate is not None:
        outputs |= {"seen_probabilities": softmax(logits, bank.gate.temperature), "gate": gate}
    return outputs
