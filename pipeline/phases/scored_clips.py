"""What a phase is scored on, from its features file and text.h5, and the held-out clips that the gate needs.

Letters: N scored clips, M held-out clips, S seen actions.
"""

import numpy as np

from data.stores.feature_store import FeatureSet
from models.zero_shot.score_gate import SeenDistance
from pipeline.phases.features_and_texts import text_matrix
from pipeline.phases.held_out import LEAST_CLIPS
from pipeline.phases.phase import Mask, Phase, missing_actions, phase_clips
from pipeline.phases.scores import HeldOutClips, PhaseScoring
from pipeline.workspace.config import Config
from pipeline.workspace.context import Context


def seen_distance(phase: Phase, features: FeatureSet, fit: Mask | None = None) -> SeenDistance:
    """The distance to the clips `fit` (n,) of seen actions; by default, those that the phase trains on."""
    if fit is None:
        fit = phase_clips(phase, features).fit
    return SeenDistance.fit(features.features[fit], np.searchsorted(phase.seen, features.action[fit]))


def phase_scoring(
    context: Context, trained: Config, phase: Phase, features: FeatureSet, distance: SeenDistance
) -> PhaseScoring:
    """The scored clips of a phase. Raises DataError when the backbone or text.h5 lacks an action."""
    clips = phase_clips(phase, features)
    scored = clips.seen | clips.unseen
    return PhaseScoring(
        name=phase.name,
        seen=phase.seen,
        unseen=phase.unseen,
        clip_name=features.name[scored],
        action=features.action[scored],
        features=features.features[scored],
        seen_logits=features.logits[scored][:, _columns(phase, features)],
        seen_texts=text_matrix(context, trained.text.levels, phase.seen),
        unseen_texts=text_matrix(context, trained.text.levels, phase.unseen),
        distance=distance.of(features.features[scored]),
        held_out=held_out_clips(phase, features),
    )


def held_out_clips(phase: Phase, features: FeatureSet) -> HeldOutClips | None:
    """The held-out clips of the test phase, with their distances to the other clips that the phase trains on.

    None when there are fewer than LEAST_CLIPS, as with published features. None in the val phase, which scores them.
    """
    fit = phase_clips(phase, features).fit
    held_out, others = fit & features.held_out, fit & ~features.held_out
    if held_out.sum() < LEAST_CLIPS or missing_actions(phase.seen, features.action[others].tolist()):
        return None
    rows = features.features[held_out]
    return HeldOutClips(
        rows, features.logits[held_out][:, _columns(phase, features)], seen_distance(phase, features, others).of(rows)
    )


def _columns(phase: Phase, features: FeatureSet) -> list[int]:
    """Where the logits of the seen actions stand, in their order."""
    column = {int(action): place for place, action in enumerate(features.logit_actions)}
    return [column[action] for action in phase.seen]
