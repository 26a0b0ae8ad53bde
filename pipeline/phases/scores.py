"""What trained models say of the scored clips of a phase: after every cycle, on average over cycles, or over seeds.

Letters: N scored clips, S seen actions, U unseen actions, D_s and D_t sizes of features of clips and texts.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from data.phase_names import PHASES, PhaseName
from models.aligners.averaged import average, scorer_of_cycles
from models.aligners.protocol import Aligner, Arrays, Entropy, Scorer, State
from models.zero_shot.gate import Bools, Floats
from models.zero_shot.metrics import Actions, top1
from models.zero_shot.rejection import left_out_score
from models.zero_shot.score_gate import text_score
from models.zero_shot.settings import GateKind
from pipeline.phases.selection_rules import second_half


@dataclass(frozen=True)
class HeldOutClips:
    """M clips of seen actions that the backbone did not train on and names rightly, to find the gate's threshold with.

    Aligners do train on them in the test phase, so all scores of them are those without the held-out clips, as far as
    they can be known: distances exactly, texts by Scorer.moved.
    """

    features: NDArray[np.float32]  # (M, D_s)
    seen_logits: NDArray[np.float32]  # (M, S)
    distance: Floats  # (M,)
    changes: NDArray[np.float32]  # (S, D_s), of the class means if all held-out clips are left out


@dataclass(frozen=True)
class PhaseScoring:
    """The N scored clips of one phase, and the actions that may be predicted for them."""

    name: PhaseName
    seen: tuple[int, ...]
    unseen: tuple[int, ...]
    clip_name: NDArray[np.str_]  # (N,)
    action: Actions  # (N,)
    features: NDArray[np.float32]  # (N, D_s)
    seen_logits: NDArray[np.float32]  # (N, S), the backbone's, seen actions only
    seen_texts: NDArray[np.float32]  # (S, D_t)
    unseen_texts: NDArray[np.float32]  # (U, D_t)
    distance: Floats  # (N,), from the clips of seen actions that the phase trains on
    held_out: HeldOutClips | None = None  # of the test phase, when there are enough

    @property
    def all_texts(self) -> NDArray[np.float32]:
        """The texts of the seen actions, then those of the unseen ones, (S + U, D_t)."""
        return np.concatenate((self.seen_texts, self.unseen_texts))

    @property
    def is_unseen(self) -> Bools:
        """Which clips show an unseen action, (N,)."""
        return np.isin(self.action, self.unseen)

    def zsl_actions(self, unseen_probabilities: Floats) -> Actions:
        """The predicted unseen action of each clip, (N, U) -> (N,)."""
        return np.asarray(np.asarray(self.unseen)[unseen_probabilities.argmax(axis=1)])

    def zsl_top1(self, unseen_probabilities: Floats) -> float:
        """ZSL top-1 on the unseen clips."""
        return top1(self.action[self.is_unseen], self.zsl_actions(unseen_probabilities)[self.is_unseen])


@dataclass(frozen=True)
class CycleScores:
    """What the scorers of one or several cycles say of the scored clips, and what they were fitted to the texts with.

    text: how much better the best unseen text fits than the best seen one. None where the gate does not look at it.
    left_out: the same without the text of the clip's own action.
    held_out_text: as `text`, of the phase's held-out clips.
    arrays, all_arrays: of the scorer of the unseen texts, and of the one of all texts. Empty for an ensemble, whose
    seeds have them.
    """

    probabilities: Floats  # (N, U)
    text: Floats | None  # (N,)
    arrays: Arrays
    all_arrays: Arrays
    left_out: Floats | None = None  # (N,)
    held_out_text: Floats | None = None  # (M,)


@dataclass(frozen=True)
class MemberScores:
    """Scores after every cycle of one seed and phase, and those of the second half of the cycles, averaged."""

    cycles: list[CycleScores]
    mean: CycleScores

    def of(self, cycles: tuple[int, ...]) -> CycleScores:
        """The scores of what a rule takes: one cycle (from 1), or the second half; others raise ValueError."""
        if cycles == second_half(len(self.cycles)):
            return self.mean
        [cycle] = cycles
        return self.cycles[cycle - 1]


def member_scores(
    scoring: PhaseScoring, aligner: Aligner, states: Sequence[State], entropy: Entropy, gate: GateKind
) -> MemberScores:
    """Make the scorers of the texts after each cycle, and apply them to every scored clip."""

    def scorers_of(texts: NDArray[np.float32]) -> list[Scorer]:
        return [aligner.scorer(state, texts, (*entropy, cycle)) for cycle, state in enumerate(states, start=1)]

    def scores(places: Sequence[int]) -> CycleScores:
        scorer = average([unseen[place] for place in places])
        return _scores(scoring, scorer, average([every[place] for place in places]) if every else None)

    unseen = scorers_of(scoring.unseen_texts)
    every = scorers_of(scoring.all_texts) if gate == "scores" else []
    later = [cycle - 1 for cycle in second_half(len(states))]
    return MemberScores([scores([place]) for place in range(len(states))], scores(later))


@dataclass(frozen=True)
class SeedModel:
    """What a rule took of one seed in one phase: the cycles (from 1), and what their scorers fitted to the texts."""

    seed: int
    cycles: tuple[int, ...]
    arrays: Arrays  # of the scorer of the unseen texts
    all_arrays: Arrays  # of the scorer of all texts


def ensemble_scores(
    scoring: PhaseScoring,
    aligner: Aligner,
    models: Sequence[SeedModel],
    states: Sequence[Mapping[int, State]],
    gate: GateKind,
) -> CycleScores:
    """Average the log-probabilities of several seeds' models, and apply that to every scored clip.

    `states` has for each of `models` its states, cycle -> state. Nothing is fitted: `models` hold what was.
    """
    phase = PHASES.index(scoring.name)

    def scorer(texts: NDArray[np.float32], arrays: Callable[[SeedModel], Arrays]) -> Scorer:
        return average(
            [
                scorer_of_cycles(aligner, of_cycles, texts, (model.seed, phase), arrays(model))
                for model, of_cycles in zip(models, states, strict=True)
            ]
        )

    unseen = scorer(scoring.unseen_texts, lambda model: model.arrays)
    every = scorer(scoring.all_texts, lambda model: model.all_arrays) if gate == "scores" else None
    return replace(_scores(scoring, unseen, every), arrays={}, all_arrays={})


def _scores(scoring: PhaseScoring, unseen: Scorer, every: Scorer | None) -> CycleScores:
    """The scores by a scorer of the unseen texts, and by one of all texts where the gate looks at it."""
    probabilities = unseen.probabilities(scoring.features)
    if every is None:
        return CycleScores(probabilities, None, unseen.arrays(), {})
    of_all, seen = every.probabilities(scoring.features), len(scoring.seen)  # (N, S + U)
    own = np.where(scoring.is_unseen, seen + np.searchsorted(scoring.unseen, scoring.action), -1)
    held_out = scoring.held_out
    return CycleScores(
        probabilities,
        text_score(of_all, seen),
        unseen.arrays(),
        every.arrays(),
        left_out_score(of_all, seen, own),
        None if held_out is None else text_score(every.moved(held_out.changes).probabilities(held_out.features), seen),
    )
