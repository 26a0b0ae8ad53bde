"""An action bank: the actions that may be predicted for a clip, and the classifiers and the gate that choose one.

gzsl   all actions. The gate decides whether a clip shows a seen action. If so, the backbone's classifier names it, else
       the aligner's scorer does.
zsl    the actions without training clips: the run's unseen actions, and those given in words
given  only the actions given in words

Without given actions, a bank predicts as evaluate did: with the scorer and the gate in predictions.h5. With given
actions, a new scorer is fitted to their texts and to those of the unseen actions. The gate stays the same.
Letters: N clips, S seen actions, U actions known by their texts, A actions of the bank (S + U, or U), D features.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from data.phase_names import PHASES
from data.splits import action_label
from data.stores.prediction_store import Decision, read_decision
from pipeline.messages.errors import PipelineError
from pipeline.phases.features_and_texts import text_matrix
from pipeline.predict.free_text import GivenAction, encode_given, require_distinct, require_other_labels
from pipeline.predict.modes import MODES, Mode
from pipeline.predict.trained_run import TrainedRun

if TYPE_CHECKING:
    from models.aligners.protocol import Scorer
    from models.zero_shot.gate import Gate

Kind = Literal["seen", "unseen", "given"]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class BankAction:
    """An action that may be predicted: "A011", or "new-1" for one given on the command line."""

    name: str
    label: str
    kind: Kind


@dataclass(frozen=True)
class BankGate:
    """The gate, with its settings. It reads the `top` largest probabilities of each classifier."""

    gate: "Gate"
    top: int
    temperature: float  # of the backbone's softmax
    threshold: float  # a clip counts as unseen from this probability on


@dataclass(frozen=True)
class ActionBank:
    """`actions` are the S seen ones (only with a gate), then the U actions known by text, which `scorer` scores."""

    mode: Mode
    actions: tuple[BankAction, ...]
    scorer: "Scorer"
    gate: BankGate | None  # under gzsl only

    @property
    def seen(self) -> int:
        """The number of seen actions, S; 0 without a gate."""
        return sum(action.kind == "seen" for action in self.actions)

    def probabilities(self, features: NDArray[np.float32], logits: NDArray[np.float32]) -> tuple[Floats, Floats | None]:
        """Features (N, D) and seen logits (N, S) -> probabilities of all actions (N, A), and the gate's (N,).

        The gate's probability is that the action is unseen. Actions on the side that the gate rules out get 0.
        """
        from models.zero_shot.gate import softmax

        by_text, gate = self.by_side(features, logits)  # (N, U)
        if self.gate is None or gate is None:
            return by_text, None
        seen = softmax(logits, self.gate.temperature)  # (N, S)
        is_unseen = (gate >= self.gate.threshold)[:, None]
        return np.concatenate((np.where(is_unseen, 0, seen), np.where(is_unseen, by_text, 0)), axis=1), gate

    def by_side(self, features: NDArray[np.float32], logits: NDArray[np.float32]) -> tuple[Floats, Floats | None]:
        """Return probabilities of the actions known by text (N, U), before the gate decides, and the gate's (N,)."""
        from models.zero_shot.gate import gate_features, softmax

        by_text = self.scorer.probabilities(features)  # (N, U)
        if self.gate is None:
            return by_text, None
        if logits.shape[1] != self.seen:
            raise PipelineError(
                f"the backbone has logits of {logits.shape[1]} seen actions, but the run has {self.seen} seen actions: "
                "they do not belong together; run `fsvae-pipe run`"
            )
        seen = softmax(logits, self.gate.temperature)  # (N, S)
        return by_text, self.gate.gate.probability(gate_features(by_text, seen, self.gate.top))


def make_bank(run: TrainedRun, mode: Mode = "gzsl", given: Sequence[GivenAction] = ()) -> ActionBank:
    """Return the bank of the actions of `mode`, and of the `given` ones. Given actions make it fit a new scorer.

    Raises PipelineError when fewer than two actions known by text are left. Raises DescriptionError when two given
    actions, or a given action and one of the run's, have the same name or label.
    """
    if mode not in MODES:
        raise PipelineError(f"mode {mode!r}: {', '.join(MODES[:-1])} or {MODES[-1]} is wanted")
    require_distinct(given)
    own = run.split.actions if mode == "gzsl" else run.split.unseen if mode == "zsl" else ()
    require_other_labels(given, {action: run.labels[action] for action in own})
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
    decision = read_decision(run.context.run.predictions, run.seed, run.selection)
    scorer = _scorer(run, np.concatenate(texts), None if given else decision)
    seen = [BankAction(action_label(action), run.labels[action], "seen") for action in run.split.seen]
    if mode != "gzsl":
        return ActionBank(mode, tuple(by_text), scorer, None)
    return ActionBank(mode, (*seen, *by_text), scorer, _stored_gate(run, decision))


def _scorer(run: TrainedRun, texts: NDArray[np.float32], decision: Decision | None) -> "Scorer":
    """Return the run's scorer for `texts` (U, D_t), from the arrays in `decision`; without them, fit a new one."""
    from models.aligners.registry import make_aligner
    from pipeline.workspace.tensor_store import read_state, require_as_written

    config, model = run.config, run.context.run.model
    require_as_written(model)
    state = read_state(model, run.seed, "test", run.cycle)
    entropy = (run.seed, PHASES.index("test"), run.cycle)
    aligner = make_aligner(config.model, config.train, config.evaluate.classifier)
    return aligner.scorer(state, texts, entropy, None if decision is None else decision.scorer)


def _stored_gate(run: TrainedRun, decision: Decision) -> BankGate:
    """Return the gate that evaluate fitted on the val phase."""
    from models.zero_shot.gate import Gate

    settings = run.config.evaluate.gate
    gate = Gate(decision.gate_weights, decision.gate_bias)
    return BankGate(gate, decision.gate_top, settings.temperature, settings.threshold)
