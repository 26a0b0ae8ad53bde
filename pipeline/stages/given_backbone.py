"""The backbone that `backbone.weights` names. It is used frozen for both phases, whatever it was trained on."""

import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.clip_name import MAX_NUMBER
from data.splits import NUM_ACTIONS, action_label
from data.stores.feature_store import Head
from models.backbone.checkpoint import is_own, load_network
from models.backbone.protocol import Backbone
from pipeline.messages.errors import PipelineError
from pipeline.phases.phase import Phase
from pipeline.workspace.context import Context
from pipeline.workspace.provenance import read_record
from pipeline.workspace.tensor_store import require_as_written

HEAD_ITERATIONS = 2000


@dataclass(frozen=True)
class GivenBackbone:
    """A network, and the action of each of its logits. `actions` is None when its classes are not of this data set."""

    name: str
    network: Backbone
    actions: tuple[int, ...] | None

    def record(self, phase: Phase) -> dict[str, str]:
        """For the record of features/PHASE.h5: `transfer`, and the unseen actions that it was trained on."""
        if self.actions is None:
            return {"transfer": "unknown", "backbone_saw": "[]"}
        saw = sorted(set(self.actions) & set(phase.unseen))
        return {"transfer": json.dumps(bool(saw)), "backbone_saw": json.dumps([action_label(action) for action in saw])}

    def warning(self, phase: Phase) -> str:
        """The warning that zero-shot results from it are not, or may not be, zero-shot ones; "" when there is none."""
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

    def of_phase(
        self, phase: Phase, features: NDArray[np.float32], logits: NDArray[np.float32], action: NDArray[np.int64],
        fit: NDArray[np.bool_],
    ) -> tuple[NDArray[np.float32], Head]:  # fmt: skip
        """The logits (n, seen actions of the phase), and the linear classifier that gives them.

        They are the network's own where it knows all seen actions. Otherwise a classifier is fitted to the `fit` clips.
        """
        if not self.knows(phase):
            return fit_head(features, action, fit)
        columns = np.searchsorted(self.actions or (), phase.seen)
        weight, bias = (part.detach().cpu().numpy() for part in (self.network.fc.weight, self.network.fc.bias))
        return logits[:, columns], Head(weight[columns], bias[columns])

    def knows(self, phase: Phase) -> bool:
        """Whether its own logits tell the seen actions of `phase` apart."""
        return self.actions is not None and set(phase.seen) <= set(self.actions)


def _actions(text: str, classes: int, source: str) -> tuple[int, ...]:
    """The action of each class, from a record. Raises PipelineError when the record does not say it."""
    try:
        actions = json.loads(text)
    except (ValueError, RecursionError):
        actions = None
    if not isinstance(actions, list) or not all(type(action) is int and 0 < action <= MAX_NUMBER for action in actions):
        raise PipelineError(f"{source}: its record does not say the action of each class; save the checkpoint again")
    if len(actions) != classes or sorted(set(actions)) != actions:
        raise PipelineError(f"{source}: its record names {len(actions)} actions, not {classes} rising ones")
    return tuple(actions)


def fit_head(
    features: NDArray[np.float32], action: NDArray[np.int64], fit: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], Head]:
    """Fit a linear classifier of the `fit` clips' actions to their features (n, D): standardise, logistic regression.

    Returns log-probabilities (n, classes) of all clips, and the classifier of the features as they are, whose logits
    are these up to a constant a row.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    scaler, regression = StandardScaler(), LogisticRegression(max_iter=HEAD_ITERATIONS)
    regression.fit(scaler.fit_transform(features[fit]), action[fit])
    weight = regression.coef_ / scaler.scale_
    bias = regression.intercept_ - weight @ scaler.mean_
    if len(weight) == 1:  # of two actions, the second one against the first
        weight, bias = np.concatenate((0 * weight, weight)), np.concatenate((0 * bias, bias))
    with np.errstate(divide="ignore"):
        logits = regression.predict_log_proba(scaler.transform(features))
    far = ~np.isfinite(logits).all(axis=1)  # clips with a probability too small for a number, whose logarithm is -inf
    scores = features[far].astype(np.float64) @ weight.T + bias
    scores -= scores.max(axis=1, keepdims=True)
    logits[far] = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    return np.asarray(logits, np.float32), Head(weight.astype(np.float32), bias.astype(np.float32))


def given_backbone(context: Context) -> GivenBackbone:
    """The network of `backbone.weights`.

    Raises ModelError when the file is no checkpoint of `backbone.network`, PipelineError when its classes can't be the
    data set's.
    """
    weights, dataset = context.config.backbone.weights, context.config.dataset.name
    path = context.user_path(weights)
    network = load_network(path, context.config.backbone)
    classes = network.num_classes
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
