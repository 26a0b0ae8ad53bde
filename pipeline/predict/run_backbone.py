"""The backbone that made the features of a run, with the classifier of the seen actions, for predict and export.

Letters: N clips, S seen actions, D numbers of a feature.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from pipeline.messages.errors import PipelineError
from pipeline.workspace.context import Context
from pipeline.workspace.provenance import BACKBONE, IMPORT, read_record

if TYPE_CHECKING:
    from data.stores.feature_store import Head
    from models.backbone.protocol import Backbone

MAKE_AGAIN = "run `fsvae-pipe extract --force`, then `fsvae-pipe run`"


@dataclass(frozen=True)
class RunBackbone:
    """The network of the test phase, and the linear classifier of the seen actions on its features."""

    network: "Backbone"
    head: "Head"  # weight (S, D), bias (S,)

    def seen_logits(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, D) -> (N, S). Where the classifier was fitted, each row may differ from the stored one by a constant."""
        return self.head.logits(features)


def run_backbone(context: Context) -> RunBackbone:
    """Load the network of the test phase, which made the features of the workspace.

    Raises PipelineError when the features were imported, when their file lacks the classifier, or when the weights are
    missing or are not those that made the features.
    """
    from models.backbone.checkpoint import load_network, network_fingerprint

    features, settings = context.workspace.features("test"), context.config.backbone
    record = read_record(features)
    if record["stage"] == IMPORT:
        raise PipelineError(
            f"{features} was imported, so there is no backbone that could read a clip; name the raw clips in "
            f"{context.config_path} as dataset.raw and run `fsvae-pipe extract --force`, then `fsvae-pipe run`"
        )
    weights = context.user_path(settings.weights) if settings.weights else context.workspace.backbone("test")
    if not weights.is_file():
        raise PipelineError(f"{weights} is missing: the backbone that made {features}; put it back, or {MAKE_AGAIN}")
    try:
        network = load_network(weights, settings)
    except ModelError as error:
        raise PipelineError(f"{error}. It made {features}: put it back as it was, or {MAKE_AGAIN}") from error
    if record.get(BACKBONE) != network_fingerprint(network):
        raise PipelineError(
            f"{weights} is not the backbone that made {features}, which the run was trained on; put that one back, "
            f"or {MAKE_AGAIN}"
        )
    return RunBackbone(network, _head(context, network))


def _head(context: Context, network: "Backbone") -> "Head":
    """Return the classifier in features/test.h5, or if that file is too old to have one, the network's own.

    Raises PipelineError when the file is too old and `backbone.weights` named the network: the logits may then be those
    of another classifier.
    """
    from data.stores.feature_store import Head, read_head

    path = context.workspace.features("test")
    head = read_head(path)
    if head is not None:
        return head
    if context.config.backbone.weights:
        raise PipelineError(f"{path} was written before extract kept the classifier of the seen actions; {MAKE_AGAIN}")
    return Head(network.fc.weight.detach().numpy(), network.fc.bias.detach().numpy())
