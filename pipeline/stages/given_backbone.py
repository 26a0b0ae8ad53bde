"""A Shift-GCN that `backbone.weights` names: used frozen for both phases, whatever it was trained on."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from data.clip_name import MAX_NUMBER
from data.splits import NUM_ACTIONS, action_label
from models.backbone.checkpoint import is_own, load_network
from models.shift_gcn.network import ShiftGCN
from pipeline.messages.errors import PipelineError
from pipeline.phases.phase import Phase
from pipeline.workspace.context import Context
from pipeline.workspace.provenance import read_record
from pipeline.workspace.weights import require_as_written

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

HEAD_ITERATIONS = 2000


@dataclass(frozen=True)
class GivenBackbone:
    """A network and the actions of its logits, in the numbers of this data set; None when they are other classes."""

    name: str
    network: ShiftGCN
    actions: tuple[int, ...] | None

    def record(self, phase: Phase) -> dict[str, str]:
        """What features/PHASE.h5 says of it: `transfer`, and the unseen actions that the backbone saw."""
        if self.actions is None:
            return {"transfer": "unknown", "backbone_saw": "[]"}
        saw = sorted(set(self.actions) & set(phase.unseen))
        return {"transfer": json.dumps(bool(saw)), "backbone_saw": json.dumps([action_label(action) for action in saw])}

    def warning(self, phase: Phase) -> str:
        """What a user must know about zero-shot results from it; "" when there is nothing."""
        if self.actions is None:
            return (
                f"{phase.name} phase: it is not known which of these actions the classes of {self.name} overlap with; "
                "where they do, zero-shot results are transfer results. Logits come from a classifier fitted on the "
                "seen actions' training clips"
            )
        saw = json.loads(self.record(phase)["backbone_saw"])
        if not saw:
            return ""
        return (
            f"{phase.name} phase: {self.name} was trained on {len(saw)} of the {len(phase.unseen)} unseen actions "
            f"({', '.join(saw[:5])}{', ...' if len(saw) > 5 else ''}): results are transfer results, not zero-shot ones"
        )

    def phase_logits(
        self, phase: Phase, features: NDArray[np.float32], logits: NDArray[np.float32], action: NDArray[np.int64],
        fit: NDArray[np.bool_],
    ) -> NDArray[np.float32]:  # fmt: skip
        """(n, seen actions of the phase): its own logits, or those of a classifier fitted on the `fit` clips."""
        if self.knows(phase):
            return logits[:, np.searchsorted(self.actions or (), phase.seen)]
        return np.asarray(fit_head(features, action, fit).predict_log_proba(features), np.float32)

    def knows(self, phase: Phase) -> bool:
        """Whether its own logits tell the seen actions of `phase` apart."""
        return self.actions is not None and set(phase.seen) <= set(self.actions)


def _actions(text: str, classes: int, source: str) -> tuple[int, ...]:
    """The action of each class, as a record tells it. Raises PipelineError when it does not."""
    try:
        actions = json.loads(text)
    except (ValueError, RecursionError):
        actions = None
    if not isinstance(actions, list) or not all(type(action) is int and 0 < action <= MAX_NUMBER for action in actions):
        raise PipelineError(f"{source}: its record does not say the action of each class; save the checkpoint again")
    if len(actions) != classes or sorted(set(actions)) != actions:
        raise PipelineError(f"{source}: its record names {len(actions)} actions, not {classes} rising ones")
    return tuple(actions)


def fit_head(features: NDArray[np.float32], action: NDArray[np.int64], fit: NDArray[np.bool_]) -> "Pipeline":
    """A classifier of the `fit` clips' actions on their features, (n, 256): standardised, then logistic regression."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=HEAD_ITERATIONS)).fit(features[fit], action[fit])


def given_backbone(context: Context) -> GivenBackbone:
    """The network of `backbone.weights`.

    Raises ModelError when the file is no Shift-GCN checkpoint, PipelineError when its classes can't be the data set's.
    """
    weights, dataset = context.config.backbone.weights, context.config.dataset.name
    path = context.user_path(weights)
    network = load_network(path)
    classes = network.fc.out_features
    record = read_record(path) if is_own(path) else {}
    if "fingerprint" in record:
        require_as_written(path)
    if "actions" in record:
        actions = _actions(record["actions"], classes, f'backbone.weights = "{weights}": {path}')
        return GivenBackbone(weights, network, actions if record.get("dataset") == dataset else None)
    if dataset not in NUM_ACTIONS:
        return GivenBackbone(weights, network, None)
    if classes not in NUM_ACTIONS.values() or classes < NUM_ACTIONS[dataset]:
        raise PipelineError(
            f'backbone.weights = "{weights}": {path} tells {classes} classes apart, but {dataset} has '
            f"{NUM_ACTIONS[dataset]} actions; the published checkpoints have 60 or 120"
        )
    return GivenBackbone(weights, network, tuple(range(1, classes + 1)))
