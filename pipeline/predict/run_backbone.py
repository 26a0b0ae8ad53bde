"""The backbone that made the features of a run, with its classifier of the seen actions, as predict and export need it.

Letters: N clips, S seen actions, D features.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from data.splits import Split
from models.errors import ModelError
from pipeline.messages.errors import PipelineError
from pipeline.phases.phase import phase_of
from pipeline.workspace.context import Context
from pipeline.workspace.provenance import BACKBONE, IMPORT, read_record

if TYPE_CHECKING:
    from models.shift_gcn.network import ShiftGCN


@dataclass(frozen=True)
class Backbone:
    """A Shift-GCN, and the linear classifier on its features: weight (S, D), bias (S,)."""

    network: "ShiftGCN"
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]

    def seen_logits(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, D) -> (N, S), up to a constant a row."""
        return features @ self.weight.T + self.bias


def run_backbone(context: Context, split: Split) -> Backbone:
    """The network of the test phase that made the features of the workspace.

    Raises PipelineError when the features were imported, or the weights are gone or are not those that made them.
    """
    from models.backbone.checkpoint import load_network, network_fingerprint

    features, weights = context.workspace.features("test"), context.workspace.backbone("test")
    record = read_record(features)
    if record["stage"] == IMPORT:
        raise PipelineError(
            f"{features} was imported, so there is no backbone that could read a clip; name the raw clips in "
            f"{context.config_path} as dataset.raw and run `fsvae-pipe extract --force`, then `fsvae-pipe run`"
        )
    given = context.config.backbone.weights
    weights = context.user_path(given) if given else weights
    if not weights.is_file():
        raise PipelineError(
            f"{weights} is gone: the backbone that made {features}. Put it back, or run `fsvae-pipe extract --force`, "
            "then `fsvae-pipe run`"
        )
    try:
        network = load_network(weights)
    except ModelError as error:
        raise PipelineError(
            f"{error}. It made {features}: put it back as it was, or run `fsvae-pipe extract --force`, "
            "then `fsvae-pipe run`"
        ) from error
    if record.get(BACKBONE) != network_fingerprint(network):
        raise PipelineError(
            f"{weights} is not the backbone that made {features}, which the run was trained on; put that one back, "
            "or run `fsvae-pipe extract --force`, then `fsvae-pipe run`"
        )
    own = (network.fc.weight.detach().numpy(), network.fc.bias.detach().numpy())
    return Backbone(network, *(_head_of_given(context, split, own) if given else own))


def _head_of_given(
    context: Context, split: Split, own: tuple[NDArray[np.float32], NDArray[np.float32]]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The classifier of the seen actions on the features of `backbone.weights`, as extract uses it."""
    from data.stores.feature_store import read_features
    from pipeline.stages.given_backbone import fit_head, given_backbone

    backbone, phase = given_backbone(context), phase_of("test", split)
    if backbone.knows(phase):
        columns = np.searchsorted(backbone.actions or (), phase.seen)
        return own[0][columns], own[1][columns]
    features = read_features(context.workspace.features("test"))
    fit = features.train & ~features.held_out & np.isin(features.action, phase.seen)
    scaler, regression = (step for _, step in fit_head(features.features, features.action, fit).steps)
    weight = regression.coef_ / scaler.scale_
    bias = regression.intercept_ - weight @ scaler.mean_
    if len(weight) == 1:  # of two actions, the second one against the first
        weight, bias = np.concatenate((0 * weight, weight)), np.concatenate((0 * bias, bias))
    return weight.astype(np.float32), bias.astype(np.float32)
