"""What a phase is scored on, from its features and the texts, and the held-out clips that the gate needs.

Letters: n clips, S seen actions.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from data.stores.feature_store import FeatureSet
from models.feature_space import class_means
from models.zero_shot.score_gate import SeenDistance
from pipeline.phases.features_and_texts import text_matrix
from pipeline.phases.held_out import LEAST_CLIPS
from pipeline.phases.phase import Mask, Phase, missing_actions, phase_clips
from pipeline.phases.scores import HeldOutClips, PhaseScoring
from pipeline.workspace.config import Config
from pipeline.workspace.context import Context


@dataclass(frozen=True)
class PhaseParts:
    """Copies of the clips of a features file that a phase is concerned with: it takes no other clip's memory."""

    phase: Phase
    trained_on: FeatureSet
    scored: FeatureSet

    @classmethod
    def of(cls, phase: Phase, features: FeatureSet) -> Self:
        """Part the clips of a features file. Raises DataError when a part has no clip."""
        clips = phase_clips(phase, features)
        return cls(phase, features.of(clips.fit), features.of(clips.seen | clips.unseen))

    def distance(self, fit: Mask | None = None) -> SeenDistance:
        """The distance to the clips that the phase trains on, or to those of them that `fit` marks."""
        features, action = self.trained_on.features, self.trained_on.action
        if fit is not None:
            features, action = features[fit], action[fit]
        return SeenDistance.fit(features, np.searchsorted(self.phase.seen, action))

    def held_out(self) -> HeldOutClips | None:
        """The held-out clips of the test phase that the backbone names rightly, and how all is without held-out clips.

        None when there are fewer than LEAST_CLIPS, as with published features. None in the val phase, which does not
        train on them but scores them.
        """
        held_out, seen = self.trained_on.held_out, self.phase.seen
        action = np.searchsorted(seen, self.trained_on.action)
        rows = np.flatnonzero(held_out)
        logits = self.seen_logits(self.trained_on.of(held_out))
        right = logits.argmax(axis=1) == action[rows]
        if right.sum() < LEAST_CLIPS or missing_actions(seen, self.trained_on.action[~held_out].tolist()):
            return None
        features = self.trained_on.features
        changes = class_means(features, np.where(held_out, -1, action)) - class_means(features, action)
        clips = features[rows[right]]
        return HeldOutClips(clips, logits[right], self.distance(~held_out).of(clips), changes.astype(np.float32))

    def seen_logits(self, clips: FeatureSet) -> NDArray[np.float32]:
        """The logits of `clips` for the seen actions, in their order, (n, S)."""
        column = {int(action): place for place, action in enumerate(clips.logit_actions)}
        return clips.logits[:, [column[action] for action in self.phase.seen]]

    def scoring(
        self, distance: SeenDistance, seen_texts: NDArray[np.float32], unseen_texts: NDArray[np.float32]
    ) -> PhaseScoring:
        """What the phase is scored on, with the texts of its actions."""
        return PhaseScoring(
            name=self.phase.name,
            seen=self.phase.seen,
            unseen=self.phase.unseen,
            clip_name=self.scored.name,
            action=self.scored.action,
            features=self.scored.features,
            seen_logits=self.seen_logits(self.scored),
            seen_texts=seen_texts,
            unseen_texts=unseen_texts,
            distance=distance.of(self.scored.features),
            held_out=self.held_out(),
        )


def phase_scoring(context: Context, trained: Config, parts: PhaseParts, distance: SeenDistance) -> PhaseScoring:
    """What a phase is scored on, with the texts that the run learnt. Raises DataError when text.h5 lacks an action."""
    levels = trained.text.levels
    return parts.scoring(
        distance, text_matrix(context, levels, parts.phase.seen), text_matrix(context, levels, parts.phase.unseen)
    )
