"""The actions that a clip may be given, with all that decides between them: both classifiers and the gate.

gzsl   all actions: the gate decides between the seen actions, of which the backbone's classifier names one, and the
       others, of which the unseen classifier does
zsl    the actions that no one trained on: the run's unseen ones, and those given in words
given  those given in words alone

A bank without given actions decides as evaluate does, by the same functions from the same seeds. With given actions
the unseen classifier is fitted to their texts beside those of the unseen ones; the gate stays as it is.
Letters: N clips, S seen actions, U actions known by their texts, A both or the latter, D features.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from data.splits import action_label
from pipeline.errors import PipelineError
from pipeline.free_text import GivenAction, encode_given, require_distinct
from pipeline.trained_run import TrainedRun
from pipeline.workspace import PHASES

if TYPE_CHECKING:
    from models.fsvae import FSVAE
    from models.gate import Gate
    from models.unseen_classifier import UnseenClassifier

Mode = Literal["gzsl", "zsl", "given"]
MODES: tuple[Mode, ...] = get_args(Mode)
Kind = Literal["seen", "unseen", "given"]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class BankAction:
    """An action that a clip may be given: "A011", or "new-1" for one given on the command line."""

    name: str
    label: str
    kind: Kind


@dataclass(frozen=True)
class BankGate:
    """Tells clips of seen actions from others, from the `top` largest probabilities of either classifier."""

    gate: "Gate"
    top: int
    temperature: float  # of the backbone's softmax
    threshold: float  # a clip is of no seen action from this probability on


@dataclass(frozen=True)
class ActionBank:
    """`actions`: the S seen ones (only with a gate), then the U known by text. `model` encodes skeletons."""

    mode: Mode
    actions: tuple[BankAction, ...]
    model: "FSVAE"
    classifier: "UnseenClassifier"
    gate: BankGate | None  # under gzsl only

    @property
    def seen(self) -> int:
        """S, 0 without a gate."""
        return sum(action.kind == "seen" for action in self.actions)

    def probabilities(self, features: NDArray[np.float32], logits: NDArray[np.float32]) -> tuple[Floats, Floats | None]:
        """Features (N, D) and seen logits (N, S) -> probabilities (N, A), and the gate's of "no seen action" (N,).

        The gate decides: actions on the other side of it have probability 0.
        """
        from models.gate import gate_features, softmax
        from pipeline.scoring import text_probabilities

        by_text = text_probabilities(self.model, self.classifier, features)  # (N, U)
        if self.gate is None:
            return by_text, None
        seen = softmax(logits, self.gate.temperature)  # (N, S)
        gate = self.gate.gate.probability(gate_features(by_text, seen, self.gate.top))  # (N,)
        is_unseen = (gate >= self.gate.threshold)[:, None]
        return np.concatenate((np.where(is_unseen, 0, seen), np.where(is_unseen, by_text, 0)), axis=1), gate


def make_bank(run: TrainedRun, mode: Mode = "gzsl", given: Sequence[GivenAction] = ()) -> ActionBank:
    """Fit the classifiers of `run` for the actions of `mode`, and `given` ones.

    Raises PipelineError when fewer than two actions are left, DescriptionError when given ones can't be told apart.
    """
    from models.shift_gcn import FEATURES
    from pipeline.fsvae_inputs import text_matrix
    from pipeline.scoring import fit_text_classifier
    from pipeline.weights import read_state

    require_distinct(given)
    unseen = () if mode == "given" else run.split.unseen
    by_text = [BankAction(action_label(action), run.labels[action], "unseen") for action in unseen]
    by_text += [BankAction(action.name, action.label, "given") for action in given]
    if len(by_text) < 2:
        raise PipelineError(
            f'mode "{mode}" chooses between {len(by_text)} action{"" if len(by_text) == 1 else "s"} known by text; '
            "give at least two in words, with --action or --actions"
        )
    texts = [text_matrix(run.context, run.config.text.levels, unseen)] if unseen else []
    texts += [encode_given(run.context, given)] if given else []
    model, classifier = fit_text_classifier(
        np.concatenate(texts),
        FEATURES,
        read_state(run.context.run.model, run.seed, "test", run.cycle),
        run.config.model,
        run.config.evaluate,
        (run.seed, PHASES.index("test"), run.cycle),
    )
    seen = [BankAction(action_label(action), run.labels[action], "seen") for action in run.split.seen]
    if mode != "gzsl":
        return ActionBank(mode, tuple(by_text), model, classifier, None)
    return ActionBank(mode, (*seen, *by_text), model, classifier, fit_bank_gate(run))


def fit_bank_gate(run: TrainedRun) -> BankGate:
    """The gate of `run`, fitted on the val phase as evaluate does."""
    from data.feature_store import read_features
    from pipeline.evaluate import phase_scoring
    from pipeline.scoring import fit_gate, unseen_probabilities
    from pipeline.weights import read_state

    context, settings = run.context, run.config.evaluate
    features = read_features(context.workspace.features("val"))
    val = phase_scoring(context, run.config, "val", run.split, features)
    unseen = unseen_probabilities(
        val,
        read_state(context.run.model, run.seed, "val", run.val_cycle),
        run.config.model,
        settings,
        (run.seed, PHASES.index("val"), run.val_cycle),
    )
    top = min(len(val.unseen), len(run.split.unseen))
    gate, _ = fit_gate(val, unseen, top, settings.gate.temperature, settings)
    return BankGate(gate, top, settings.gate.temperature, settings.gate.threshold)
