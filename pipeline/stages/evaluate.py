"""The stage `evaluate`: runs/NAME/model.safetensors -> results.json, predictions.h5, and a table on the screen.

What was trained is read from the record in model.safetensors; only the table [evaluate] comes from the settings of
now. Every cycle of both phases is scored; pipeline/stages/scoring.py has the rules.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.console import Console

from data.errors import DataError
from data.phase_names import PHASES, PhaseName
from data.splits import Split
from data.stores import h5
from data.stores.feature_store import FeatureSet
from data.stores.prediction_store import ENSEMBLE, SeedName
from models.aligners.protocol import Aligner
from models.aligners.registry import make_aligner
from models.zero_shot.settings import GateKind
from pipeline.messages.errors import PipelineError
from pipeline.phases.agreement import require_agreement
from pipeline.phases.chance import WARNINGS
from pipeline.phases.features_and_texts import read_phases, split_in_use
from pipeline.phases.known_pairs import known_in_results
from pipeline.phases.phase import phase_of
from pipeline.phases.scored_clips import PhaseParts, phase_scoring
from pipeline.phases.scores import CycleScores, MemberScores, PhaseScoring, SeedModel, ensemble_scores, member_scores
from pipeline.stages.caveats import caveats, known_caveats, one_sided_gate, seen_clip_warnings, threshold_of_val_phase
from pipeline.stages.comparison import comparison_table, differences, published
from pipeline.stages.inputs import features_and_text, model_features_and_text
from pipeline.stages.parallel import worked_on
from pipeline.stages.result_tables import cycles_text, on_screen, results_table
from pipeline.stages.results import (
    Tree,
    counts,
    over_seeds,
    print_caveats,
    split_record,
    write_predictions,
    write_results,
)
from pipeline.stages.scoring import Models, Predictions, Results, score_ensemble, score_seed
from pipeline.workspace.config import Config, config_of
from pipeline.workspace.context import Context
from pipeline.workspace.dotted_keys import nested
from pipeline.workspace.evaluate_settings import RULES
from pipeline.workspace.provenance import Provenance, package_versions, read_record
from pipeline.workspace.tensor_store import read_state, require_as_written

SENT = "features, texts and model.safetensors"  # to workers that do not see the workspace
KNOWN = {"true": True, "false": False}  # `transfer` in a record; any other value is null in results.json


def evaluate(context: Context, provenance: Provenance) -> None:
    """Score the run under every selection rule. Raises DataError, PipelineError or ModelError."""
    require_as_written(context.run.model)
    trained = trained_config(context)
    features = read_phases(context)
    provenance.require_inputs(model_features_and_text(context))  # before the files are compared with each other
    split = split_in_use(trained, features)
    require_agreement(context, trained, split, features)
    about = _about(context, trained, split, features)
    parts = {name: PhaseParts.of(phase_of(name, split), features[name]) for name in PHASES}
    del features  # a distance is fitted in twice the memory of a phase's clips; no others shall be there meanwhile
    distances = {name: parts[name].distance() for name in PHASES}
    phases = {name: phase_scoring(context, trained, parts.pop(name), distances[name]) for name in PHASES}
    results, predictions = _scored(context, trained, phases)
    seeds = [result for seed, result in results.items() if seed != ENSEMBLE]
    mean, selection = over_seeds(seeds, "mean"), context.config.evaluate.selection
    tree: Tree = {
        "mean": mean,
        "std": over_seeds(seeds, "std"),
        "seeds": {str(seed): result for seed, result in results.items() if seed != ENSEMBLE},
        **({ENSEMBLE: results[ENSEMBLE]} if ENSEMBLE in results else {}),
        "selection": selection,
        **about,
        "caveats": [
            *about["caveats"],
            *threshold_of_val_phase(context.config.evaluate.gate.kind, phases["test"]),
            *one_sided_gate(mean[selection]),
        ],
        "differences": differences(context, trained),
        "config": {**made_with(context), "evaluate": context.config.evaluate.model_dump(mode="json")},
        "versions": package_versions(),
        "provenance": provenance.record(),
    }
    provenance.require_inputs(model_features_and_text(context))
    write_predictions(context.run.predictions, phases["test"], distances["test"], predictions, provenance.record())
    write_results(context.run.results, tree)
    title = f"{context.run_name}: {trained.dataset.name}, split {split.name}, {trained.dataset.protocol}"
    _print(tree, split.name, title)


def _about(context: Context, trained: Config, split: Split, features: dict[PhaseName, FeatureSet]) -> Tree:
    """What results.json says of the clips and of how far a result can be believed, before anything is scored."""
    stale = [*(f"made from what is stale: {stage}" for stage in context.stale), *require_trained_on(context)]
    for unused in context.config.evaluate.unused():
        context.console.print(f"warning: {unused}", style="yellow", highlight=False, markup=False)
    records = {name: h5.read_record(context.workspace.features(name)) for name in PHASES}
    warnings = seen_clip_warnings(split, features, records)
    of_features = caveats(split, features, records)
    known = known_in_results(context, trained.text.levels, split.unseen, features["test"])
    return {
        "split": split_record(split),
        "protocol": trained.dataset.protocol,
        "protocol_list": trained.dataset.protocol_list,
        "counts": counts(split, features),
        "transfer": KNOWN.get(records["test"].get("transfer", "unknown")),
        **({"known_actions": known} if known else {}),
        "caveats": [*stale, *warnings, *of_features, *known_caveats(known)],
        WARNINGS: warnings,
    }


def _scored(
    context: Context, trained: Config, phases: dict[PhaseName, PhaseScoring]
) -> tuple[dict[SeedName, Results], dict[SeedName, Predictions]]:
    """Score every seed, then all of them as an ensemble if there are several, and print the headline of each."""
    settings = context.config.evaluate
    results: dict[SeedName, Results] = {}
    predictions: dict[SeedName, Predictions] = {}
    models: list[Models] = []
    for seed, scores in _seed_scores(context, trained, phases):
        results[seed], predictions[seed], of_seed = score_seed(seed, settings, phases, scores)
        models.append(of_seed)
        _say(context, f"seed {seed}", results[seed])
    if len(models) > 1:
        together = _ensemble_scores(context, trained, phases, models)
        results[ENSEMBLE], predictions[ENSEMBLE] = score_ensemble(settings, phases, models, together)
        _say(context, f"ensemble of {len(models)} seeds", results[ENSEMBLE])
    return results, predictions


def _say(context: Context, who: str, results: Results) -> None:
    """Print the headline of one seed, or of the ensemble."""
    rule = context.config.evaluate.selection
    chosen = results[rule]
    context.console.print(
        f"evaluate: {who}: ZSL {chosen['zsl']['top1']:.2f} %, GZSL H {chosen['gzsl']['h']:.2f} % "
        f"({rule}, {cycles_text(chosen)})",
        highlight=False,
    )


def _print(results: Tree, split: str, title: str) -> None:
    """Print the tables of the results, their caveats, and how the run differs from the paper."""
    screen = Console()
    screen.print(on_screen(results_table(results), title))
    print_caveats(screen, results)
    if published(split):
        screen.print(on_screen(comparison_table(results, split), f"published results on {split}, cross-subject"))
        screen.print(
            "FS-VAE's own rows pick the cycle on the test classes, as oracle does; of newer rows, the lines above "
            "say it. Not as in the paper:"
        )
        for difference in results["differences"]:
            screen.print(f"- {difference}", highlight=False)


def require_trained_on(context: Context) -> list[str]:
    """Raise PipelineError when the run was trained on other features than those that are there now.

    Returns a caveat when text.h5 is another one: that may be on purpose, and the result must say it.
    """
    then, now = Provenance.from_record(read_record(context.run.model)).inputs, features_and_text(context)
    changed = [name for name in sorted(now) if name in then and then[name] != now[name]]
    if features := [name for name in changed if name != "text.h5"]:
        raise PipelineError(
            f"{', '.join(features)} changed since {context.run.root} was trained on it, so that its scores would mean "
            "nothing; run `fsvae-pipe train`"
        )
    if changed:
        return ["text.h5 changed since the run was trained: it is scored with texts that it did not learn from"]
    return []


def trained_config(context: Context) -> Config:
    """The settings that the run was trained with, from the record in its weights; the others have their defaults."""
    path = context.run.model
    settings = Provenance.from_record(read_record(path)).settings
    return config_of(settings, str(path))


def made_with(context: Context) -> dict[str, Any]:
    """Return the settings that the clips, features, texts and models of the run were made with, from their records.

    An imported file has no such settings. A setting that no record has is left out.
    """
    workspace = context.workspace
    settings: dict[str, Any] = {}
    for path in (workspace.skeletons, workspace.features("test"), workspace.text, context.run.model):
        with suppress(DataError, PipelineError):
            settings |= Provenance.from_record(read_record(path)).settings
    known = Config().flat()
    return nested({key: value for key, value in settings.items() if key in known})


def _seed_scores(
    context: Context, trained: Config, phases: dict[PhaseName, PhaseScoring]
) -> Iterator[tuple[int, dict[PhaseName, MemberScores]]]:
    """Each seed's scores in both phases."""
    aligner = make_aligner(trained.model, trained.train, context.config.evaluate.classifier)
    seeds = trained.train.seeds
    gate = context.config.evaluate.gate.kind
    tasks = [(context.run.model, phases[name], aligner, seed, gate) for seed in seeds for name in PHASES]
    scores = worked_on(_member_scores, tasks, context.config.train.workers, sent=SENT)
    for seed in seeds:
        yield seed, {name: next(scores) for name in PHASES}


def _member_scores(path: Path, phase: PhaseScoring, aligner: Aligner, seed: int, gate: GateKind) -> MemberScores:
    """What the aligner of one member says."""
    states = [read_state(path, seed, phase.name, cycle) for cycle in range(1, aligner.cycles + 1)]
    return member_scores(phase, aligner, states, (seed, PHASES.index(phase.name)), gate)


def _ensemble_scores(
    context: Context, trained: Config, phases: dict[PhaseName, PhaseScoring], models: list[Models]
) -> Iterator[CycleScores]:
    """The scores of all seeds' models together, for each rule and phase."""
    aligner = make_aligner(trained.model, trained.train, context.config.evaluate.classifier)
    gate = context.config.evaluate.gate.kind
    tasks = [
        (context.run.model, phases[name], aligner, [of_seed[rule, name] for of_seed in models], gate)
        for rule in RULES
        for name in PHASES
    ]
    return worked_on(_scores_together, tasks, context.config.train.workers, sent=SENT)


def _scores_together(
    path: Path, phase: PhaseScoring, aligner: Aligner, models: list[SeedModel], gate: GateKind
) -> CycleScores:
    """What the aligners of several members say together."""
    states = [{cycle: read_state(path, model.seed, phase.name, cycle) for cycle in model.cycles} for model in models]
    return ensemble_scores(phase, aligner, models, states, gate)
