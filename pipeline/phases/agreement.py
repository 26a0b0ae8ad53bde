"""Checks that the features were made for the clips and actions that `train` and `evaluate` use them for.

A features file records the settings that it was made with, and the actions that its backbone was trained on. When these
contradict the split or the protocol in use, the backbone may have been trained on an action that counts as unseen, or
on a clip of the test part. Such a result is refused, whatever the user asked for.
"""

from collections.abc import Mapping

from data.errors import DataError
from data.phase_names import PHASES, PhaseName
from data.splits import Split, action_label
from data.stores.feature_store import FeatureSet
from pipeline.messages.errors import PipelineError
from pipeline.phases.phase import Phase, missing_actions, phase_of
from pipeline.workspace.config import Config
from pipeline.workspace.context import Context
from pipeline.workspace.provenance import IMPORT, Provenance, read_record

CLIPS = (
    "dataset.name", "dataset.protocol", "dataset.protocol_list", "dataset.train_subjects", "dataset.train_cameras",
    "dataset.train_setups",
)  # fmt: skip
SPLIT = ("dataset.split", "dataset.unseen", "dataset.val_unseen")
AGAIN = "run `fsvae-pipe run`, which makes the features again"


def require_agreement(context: Context, config: Config, split: Split, features: Mapping[PhaseName, FeatureSet]) -> None:
    """Raise PipelineError when a features file was made for other clips or actions than `config` and `split` name.

    Raises DataError when the backbone lacks an action that a phase has seen.

    `config` holds the settings of the run: the present ones for `train`, those in the run's record for `evaluate`.
    """
    for name in PHASES:
        path = context.workspace.features(name)
        record = read_record(path)
        recorded = Provenance.from_record(record)
        _require_settings(str(path), recorded, config)
        if recorded.stage != IMPORT:  # an import may hold logits of all actions; its recorded settings name its split
            _require_actions(str(path), record, phase_of(name, split), features[name])


def _require_settings(path: str, recorded: Provenance, config: Config) -> None:
    """Raise PipelineError when a recorded setting differs from that in `config`. An import records only some."""
    earlier, current = recorded.settings, config.flat()
    keys = (*CLIPS, *SPLIT) if recorded.stage == IMPORT else CLIPS
    changed = [key for key in keys if key in earlier and earlier[key] != current[key]]
    if changed:
        changes = "; ".join(f"{key} was {earlier[key]!r} then and is {current[key]!r} now" for key in changed)
        raise PipelineError(f"{path} was made for other clips or actions than the run uses: {changes}; {AGAIN}")


def _require_actions(path: str, record: Mapping[str, str], phase: Phase, features: FeatureSet) -> None:
    """Raise an error unless the backbone was trained on the phase's seen actions, and on no unrecorded unseen one."""
    known = {int(action) for action in features.logit_actions}
    without = missing_actions(phase.seen, known)
    if without:
        raise DataError(
            f"{path}: the backbone has no logit for {without}, which the {phase.name} phase has seen; "
            "run `fsvae-pipe extract` again"
        )
    leaked = sorted(known & set(phase.unseen))
    if leaked and record.get("transfer") != "true":
        raise PipelineError(
            f"{path}: the backbone was trained on {', '.join(map(action_label, leaked))}, which the {phase.name} phase "
            f"calls unseen, so that a result would count what was seen as unseen; {AGAIN}"
        )
