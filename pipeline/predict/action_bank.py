"""An action bank: the actions that may be predicted for a clip, and the classifiers and the gate that choose one.

gzsl   all actions. The gate decides whether a clip shows a seen action. If so, the backbone's classifier names it, else
       the aligner's scorer does.
zsl    the actions without training clips: the run's unseen actions, and those given in words
given  only the actions given in words

A bank without given actions decides as evaluate did: by the scorer and the gate in predictions.h5. With given actions,
a scorer is made for their texts beside those of the unseen ones; the gate stays as it is. The scorer of an ensemble is
the average of its seeds' scorers, and its gate is its own.
Letters: N clips, S seen actions, U actions known by their texts, A both or the latter, D features.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from data.phase_names import PHASES
from data.splits import action_label
from data.stores.prediction_store import Decision
from pipeline.messages.errors import PipelineError
from pipeline.phases.features_and_texts import text_matrix
from pipeline.predict.bank_parts import BankParts
from pipeline.predict.free_text import GivenAction, require_distinct, require_other_labels
from pipeline.predict.modes import MODES, Mode
from pipeline.predict.trained_run import TrainedRun

if TYPE_CHECKING:
    from models.aligners.protocol import Arrays, Scorer, State
    from models.zero_shot.score_gate import AnyGate, SeenDistance

Kind = Literal["seen", "unseen", "given", "none"]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class BankAction:
    """An action that may be predicted: "A011", or "new-1" for one given on the command line."""

    name: str
    label: str
    kind: Kind

    def __str__(self) -> str:
        return f"{self.label} ({self.name})" if self.name else self.label


NONE_OF_THESE = BankAction("", "none of these", "none")  # no action: what `reject` tells


@dataclass(frozen=True)
class BankGate:
    """Tells clips of seen actions from others.

    top: of either classifier, how many of the largest probabilities the published gate looks at
    distance, all_texts: what a gate of scores looks at beside the backbone's softmax. `all_texts` scores clips against
    the texts of the seen actions, then those of the others; None with the published gate
    temperature: of the backbone's softmax
    threshold: a clip is of no seen action where the gate reaches this
    """

    gate: "AnyGate"
    top: int
    distance: "SeenDistance"
    all_texts: "Scorer | None"
    temperature: float
    threshold: float

    def of(self, features: NDArray[np.float32], seen: Floats, by_text: Floats) -> Floats:
        """Features (N, D) and probabilities of both classifiers (N, S), (N, U) -> the gate's (N,)."""
        from models.zero_shot.gate import gate_features
        from models.zero_shot.score_gate import gate_scores, text_score

        if self.all_texts is None:
            return self.gate.probability(gate_features(by_text, seen, self.top))
        text = text_score(self.all_texts.probabilities(features), seen.shape[1])
        return self.gate.probability(gate_scores(seen, self.distance.of(features), text))


@dataclass(frozen=True)
class BankRejection:
    """Tells clips that show none of the actions known by text.

    all_texts: scores clips against the texts of the S seen actions, then those known by text
    least: a clip shows none of the latter where they fit better than the seen ones by less than this
    """

    all_texts: "Scorer"
    seen: int
    least: float

    def of(self, features: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Features (N, D) -> whether a clip shows none of the actions known by text, (N,)."""
        from models.zero_shot.score_gate import text_score

        return np.asarray(text_score(self.all_texts.probabilities(features), self.seen) < self.least)


@dataclass(frozen=True)
class ActionBank:
    """`actions` are the S seen ones (only with a gate), then the U actions known by text, which `scorer` scores."""

    mode: Mode
    actions: tuple[BankAction, ...]
    scorer: "Scorer"
    gate: BankGate | None  # under gzsl only
    rejection: BankRejection | None = None  # where it was asked for

    @property
    def seen(self) -> int:
        """The number of seen actions, S; 0 without a gate."""
        return sum(action.kind == "seen" for action in self.actions)

    def rejected(self, features: NDArray[np.float32], gate: Floats | None) -> NDArray[np.bool_] | None:
        """Whether each clip shows none of the actions, (N, D) and the gate's (N,) -> (N,); None if nobody asked for it.

        A clip that the gate takes for a seen action is not rejected, because its text is not asked then.
        """
        if self.rejection is None:
            return None
        rejected = self.rejection.of(features)
        return rejected if gate is None or self.gate is None else rejected & (gate >= self.gate.threshold)

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
        """Before the gate has decided: probabilities of the actions known by text (N, U), and the gate's (N,)."""
        from models.zero_shot.gate import softmax

        by_text = self.scorer.probabilities(features)  # (N, U)
        if self.gate is None:
            return by_text, None
        if logits.shape[1] != self.seen:
            raise PipelineError(
                f"the backbone has logits of {logits.shape[1]} seen actions, but the run has {self.seen} seen actions: "
                "they do not belong together; run `fsvae-pipe run`"
            )
        seen = softmax(logits, self.gate.temperature)  # (N, S)
        return by_text, self.gate.of(features, seen, by_text)


def make_bank(
    run: TrainedRun,
    mode: Mode = "gzsl",
    given: Sequence[GivenAction] = (),
    reject: float | None = None,
    parts: BankParts | None = None,
) -> ActionBank:
    """Return the bank of the actions of `mode`, and of the `given` ones. Given actions make it fit a new scorer.

    With `reject`, clips that show none of the actions known by text are told; it is the share (0 to 1) of right answers
    that may be lost by it. Raises PipelineError when fewer than two actions known by text are left, or the run knows
    nothing of rejection. Raises DescriptionError when two given actions, or a given action and one of the run's, have
    the same name or label.
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
    parts = parts or BankParts(run)
    texts = [text_matrix(run.context, run.config.text.levels, unseen)] if unseen else []
    texts += [parts.texts.features(given)] if given else []
    decisions = parts.decisions
    by_text_features = np.concatenate(texts)  # (U, D_t)
    states = parts.states
    scorer = _scorer(run, states, by_text_features, {} if given else {s: decisions[s].scorer for s in states})
    all_texts = None
    if run.config.evaluate.gate.kind == "scores" and (mode == "gzsl" or reject is not None):
        seen_features = text_matrix(run.context, run.config.text.levels, run.split.seen)  # (S, D_t)
        all_features = np.concatenate((seen_features, by_text_features))
        as_evaluated = not given and mode != "given"
        fitted = {seed: decisions[seed].all_texts for seed in states} if as_evaluated else {}
        all_texts = _scorer(run, states, all_features, fitted)
    rejection = None if reject is None else _rejection(run, decisions[run.seed], all_texts, reject)
    if mode != "gzsl":
        return ActionBank(mode, tuple(by_text), scorer, None, rejection)
    seen = [BankAction(action_label(action), run.labels[action], "seen") for action in run.split.seen]
    return ActionBank(mode, (*seen, *by_text), scorer, _stored_gate(run, decisions[run.seed], all_texts), rejection)


def _rejection(run: TrainedRun, decision: Decision, all_texts: "Scorer | None", lost: float) -> BankRejection:
    """What evaluate fitted on the val phase, at the threshold that loses so many right answers."""
    from models.zero_shot.rejection import Rejection

    if all_texts is None or "quantiles" not in decision.rejection:
        raise PipelineError(
            f"{run.context.run.root} knows nothing of rejection, which needs a gate of scores; set evaluate.gate.kind "
            'to "scores" and run `fsvae-pipe evaluate`'
        )
    least = Rejection(decision.rejection["quantiles"]).threshold(lost)
    return BankRejection(all_texts, len(run.split.seen), least)


def _scorer(
    run: TrainedRun,
    states: Mapping[int, Mapping[int, "State"]],
    texts: NDArray[np.float32],
    arrays: Mapping[int, "Arrays"],
) -> "Scorer":
    """The run's scorer for `texts` (U, D_t): with the `arrays` that evaluate kept of each seed, or else fitted anew."""
    from models.aligners.averaged import average, scorer_of_cycles
    from models.aligners.registry import make_aligner

    config, phase = run.config, PHASES.index("test")
    aligner = make_aligner(config.model, config.train, config.evaluate.classifier)
    return average(
        [
            scorer_of_cycles(aligner, of_cycles, texts, (seed, phase), arrays.get(seed))
            for seed, of_cycles in states.items()
        ]
    )


def _stored_gate(run: TrainedRun, decision: Decision, all_texts: "Scorer | None") -> BankGate:
    """The gate that evaluate fitted on the val phase."""
    from models.zero_shot.gate import Gate
    from models.zero_shot.score_gate import ScoreGate, SeenDistance

    settings, arrays = run.config.evaluate.gate, decision.gate
    gate: AnyGate
    top = 0
    if settings.kind == "scores":
        gate = ScoreGate(arrays["quantiles"], float(arrays["threshold"]))
    else:
        gate, top = Gate(arrays["weights"], float(arrays["bias"])), int(arrays["top"])
    distance = SeenDistance.from_arrays(decision.distance)
    return BankGate(gate, top, distance, all_texts, settings.temperature, settings.threshold)
