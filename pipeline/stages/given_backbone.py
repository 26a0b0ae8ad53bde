"""The backbone that `backbone.weights` names. It is used frozen for both phases, whatever it was trained on."""

import json
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from data.splits import NUM_ACTIONS, action_label
from data.stores.feature_store import Head, KnownWeights
from models.backbone.checkpoint import is_own, load_network
from models.backbone.protocol import Backbone
from pipeline.messages.errors import PipelineError
from pipeline.phases.known_actions import KNOWN_SOURCE, NamedActions, known_actions, recorded_actions
from pipeline.phases.phase import Phase
from pipeline.workspace.context import Context
from pipeline.workspace.provenance import read_record
from pipeline.workspace.tensor_store import require_as_written

HEAD_ITERATIONS = 2000
CLASSES = {"ntu60": (60, 120), "ntu120": (120,), "pku51": (51,)}  # of checkpoints whose classes are its first actions
PUBLISHED_NTU = {60: "ntu60", 120: "ntu120"}  # number of classes -> data set
NTU = ("ntu60", "ntu120")  # checkpoints without a record are NTU's, so that other numbers of classes are a mistake
HINT = (
    'if the {classes} classes of backbone.weights are those of NTU RGB+D, backbone.known = "{known}" lets training '
    "learn from them too, which helps where few actions are seen (docs/fs-vae.md)"
)


@dataclass(frozen=True)
class GivenBackbone:
    """A network, and the action of each of its logits. `actions` is None when its classes are of another data set.

    `known` says what these stand for. Where nothing says it, `hint` tells the user how to.
    """

    name: str
    network: Backbone
    actions: tuple[int, ...] | None
    known: NamedActions | None = None
    hint: str = ""

    def record(self, phase: Phase) -> dict[str, str]:
        """Return fields for the record of features/PHASE.h5: `transfer`, and the unseen actions that it has seen."""
        if self.actions is None:
            known = {KNOWN_SOURCE: self.known.source} if self.known else {}
            return {"transfer": "unknown", "backbone_saw": "[]", **known}
        known_unseen = [action_label(action) for action in sorted(set(self.actions) & set(phase.unseen))]
        return {"transfer": json.dumps(bool(known_unseen)), "backbone_saw": json.dumps(known_unseen)}

    def warning(self, phase: Phase) -> str:
        """Return a warning when results with this network are not, or may not be, zero-shot; else ""."""
        if self.known:
            return (
                f"{phase.name} phase: {self.name} was trained on {len(self.known.texts)} actions of "
                f"{self.known.source}: for an unseen action that is like one of them, results are not zero-shot; "
                "`fsvae-pipe evaluate` names these. Logits come from a classifier fitted to the training clips of the "
                "seen actions"
            )
        if self.actions is None:
            return (
                f"{phase.name} phase: it is not known whether {self.name} was trained on unseen actions; if it was, "
                "results are transfer results, not zero-shot ones. Logits come from a classifier fitted to the "
                "training clips of the seen actions"
            )
        known_unseen = json.loads(self.record(phase)["backbone_saw"])
        if not known_unseen:
            return ""
        listed = ", ".join([*known_unseen[:5], *(["..."] if len(known_unseen) > 5 else [])])
        return (
            f"{phase.name} phase: {self.name} was trained on {len(known_unseen)} of the {len(phase.unseen)} unseen "
            f"actions ({listed}): results are transfer results, not zero-shot ones"
        )

    def of_phase(
        self, phase: Phase, features: NDArray[np.float32], logits: NDArray[np.float32], action: NDArray[np.int64],
        fit: NDArray[np.bool_],
    ) -> tuple[NDArray[np.float32], Head]:  # fmt: skip
        """Return the logits (n, seen actions of the phase), and the linear classifier that gives them.

        A network that knows all seen actions gives its own logits. Otherwise a classifier is fitted to the `fit` clips.
        """
        if not self.knows(phase):
            return fit_head(features, action, fit)
        columns = np.searchsorted(self.actions or (), phase.seen)
        weight, bias = (part.detach().cpu().numpy() for part in (self.network.fc.weight, self.network.fc.bias))
        return logits[:, columns], Head(weight[columns], bias[columns])

    def known_weights(self) -> KnownWeights | None:
        """Return the classifier's weights and their actions; None when it is not known what its classes stand for."""
        if self.known is None:
            return None
        return KnownWeights(np.array(list(self.known.texts)), self.network.fc.weight.detach().cpu().numpy())

    def knows(self, phase: Phase) -> bool:
        """Whether the network has a logit for every seen action of `phase`."""
        return self.actions is not None and set(phase.seen) <= set(self.actions)


def _actions(text: str, classes: int, source: str) -> tuple[int, ...]:
    """Return the action of each class, from a record. Raises PipelineError when the record does not say it."""
    actions = recorded_actions(text, source)
    if len(actions) != classes or tuple(sorted(set(actions))) != actions:
        raise PipelineError(f"{source}: its record names {len(actions)} actions, not {classes} rising ones")
    return actions


def fit_head(
    features: NDArray[np.float32], action: NDArray[np.int64], fit: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], Head]:
    """Fit a logistic regression from the standardised features (n, D) of the `fit` clips to their actions.

    Returns log-probabilities (n, classes) of all clips, and the same classifier for features that are not standardised.
    In each row, its logits differ from the log-probabilities by a constant.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    scaler, regression = StandardScaler(), LogisticRegression(max_iter=HEAD_ITERATIONS)
    regression.fit(scaler.fit_transform(features[fit]), action[fit])
    weight = regression.coef_ / scaler.scale_
    bias = regression.intercept_ - weight @ scaler.mean_
    if len(weight) == 1:  # with two actions, scikit-learn has one row: the second action against the first
        weight, bias = np.concatenate((0 * weight, weight)), np.concatenate((0 * bias, bias))
    with np.errstate(divide="ignore"):
        logits = regression.predict_log_proba(scaler.transform(features))
    far = ~np.isfinite(logits).all(axis=1)  # clips with a probability too small for a number, whose logarithm is -inf
    scores = features[far].astype(np.float64) @ weight.T + bias
    scores -= scores.max(axis=1, keepdims=True)
    logits[far] = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    return np.asarray(logits, np.float32), Head(weight.astype(np.float32), bias.astype(np.float32))


def given_backbone(context: Context) -> GivenBackbone:
    """Load the network of `backbone.weights`.

    Raises ModelError when the file is not a checkpoint of `backbone.network`, PipelineError when its number of classes
    can't belong to the data set, or when `backbone.known` does not fit it.
    """
    given, known = _unnamed(context), known_actions(context)
    key, classes = f'backbone.known = "{known.source if known else ""}"', given.network.num_classes
    if known is None:
        is_open = given.actions is None and not context.config.backbone.known and classes in PUBLISHED_NTU
        return replace(given, hint=HINT.format(classes=classes, known=PUBLISHED_NTU[classes])) if is_open else given
    if given.actions is not None:
        raise PipelineError(
            f"{key}, but the classes of {given.name} are actions of {context.config.dataset.name} itself: training "
            "must not look at its unseen actions. The key is only for checkpoints of other data sets; take it out"
        )
    if len(known.texts) != classes:
        raise PipelineError(
            f"{key} names {len(known.texts)} actions, but {context.user_path(given.name)} has {classes} classes; name "
            "the data set that it was trained on, or a CSV (action,label,local,global) with a row for each class"
        )
    return replace(given, known=known)


def _unnamed(context: Context) -> GivenBackbone:
    """Load the network, without what its classes stand for in another data set."""
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
    own_classes = classes in CLASSES.get(dataset, ())
    if not own_classes and dataset in NTU:
        raise PipelineError(
            f'backbone.weights = "{weights}": {path} has {classes} classes, but {dataset} has '
            f"{NUM_ACTIONS[dataset]} actions; the published checkpoints have 60 or 120 classes"
        )
    return GivenBackbone(weights, network, tuple(range(1, classes + 1)) if own_classes else None)
