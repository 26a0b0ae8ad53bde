"""Opens a trained and evaluated run for `predict` and `export`.

The settings are those in the records of the run's files, not those that config.toml has now. So a new clip gets the
preprocessing, backbone and texts that trained the run. Every file is checked: it must be the one that the run was made
from.
"""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from rich.console import Console

from data.phase_names import PHASES
from data.splits import Split, action_label
from data.stores.feature_store import read_features
from data.stores.prediction_store import ENSEMBLE, SeedName
from data.stores.text_store import read_text_features
from pipeline.messages.errors import PipelineError
from pipeline.phases.chance import WARNINGS, warnings_of
from pipeline.phases.phase import phase_of
from pipeline.predict.modes import ALL, Seed
from pipeline.predict.run_backbone import RunBackbone, run_backbone
from pipeline.stages.result_tables import require_every_rule
from pipeline.workspace.config import Config, config_of
from pipeline.workspace.context import Context, require_device_alone
from pipeline.workspace.folder import RunFolder, Workspace
from pipeline.workspace.provenance import IMPORT, Provenance, read_record

Record = Mapping[str, str]
Names = dict[str, Path]  # the files that records name as inputs


@dataclass(frozen=True)
class TrainedRun:
    """One seed of a run, or all of them as an ensemble, at the cycles that the selection rule took.

    context: the workspace, and the settings that its files were made with.
    selection, cycles: the rule of the headline, and the cycles (from 1) of the test phase that it took of each seed.
    warnings: why no answer of the run means anything, a sentence each; mostly there is none.
    """

    context: Context
    split: Split
    selection: str
    cycles: Mapping[int, tuple[int, ...]]
    warnings: tuple[str, ...] = ()

    @property
    def config(self) -> Config:
        """The settings that the run's files were made with."""
        return self.context.config

    @cached_property
    def labels(self) -> dict[int, str]:
        """The label of each action in text.h5; "A001" when text.h5 holds no labels."""
        text = read_text_features(self.context.workspace.text)
        names = text.texts.get("label")
        return {
            int(action): action_label(int(action)) if names is None else str(names[row])
            for row, action in enumerate(text.action)
        }

    @property
    def seed(self) -> SeedName:
        """The seed, or "ensemble"; the name of its group in predictions.h5."""
        return next(iter(self.cycles)) if len(self.cycles) == 1 else ENSEMBLE

    @property
    def model_name(self) -> str:
        """Which model this is, for people."""
        seeds = f"seed{'s' if len(self.cycles) > 1 else ''} {', '.join(map(str, self.cycles))}"
        taken = list(dict.fromkeys(self.cycles.values()))
        if len(taken) > 1:
            cycles = f"cycles {', '.join(str(last) for *_, last in self.cycles.values())}"
        else:
            first, last = taken[0][0], taken[0][-1]
            cycles = f"cycle {last}" if first == last else f"cycles {first} to {last}"
        return f"run {self.context.run_name}, {seeds}, {cycles} (rule {self.selection})"

    def backbone(self) -> RunBackbone:
        """Load the network of the test phase, with its classifier of the seen actions.

        Raises PipelineError as `run_backbone` does.
        """
        return run_backbone(self.context)


def open_run(folder: Path, seed: Seed | None = None, context: Context | None = None) -> TrainedRun:
    """Open the run in `folder`, WORKSPACE/runs/NAME, with its first seed unless `seed` names another, or "all".

    `context` says where messages go, which device computes, and what paths in config.toml are relative to. Raises
    PipelineError or DataError when the run is missing or not evaluated, or when its files do not belong together.
    Raises OverrideError when --set names a setting other than the device.
    """
    context = _context(folder, context)
    require_device_alone(context)
    _require_run(context)
    records = _checked_records(context)
    results = _results(context.run)
    config = _config_of(records, context)
    selection = results["selection"]
    cycles = {}
    for number in _seeds(context.run, results, seed):
        scores = results["seeds"][str(number)][selection]
        cycles[number] = tuple(range(int(scores["first_cycle"]), int(scores["cycle"]) + 1))
    tree = results["split"]
    split = Split(
        tree["name"],
        tuple(tree["seen"]),
        tuple(tree["unseen"]),
        tuple(tree["val_unseen"]),
        tree["val_unseen_drawn"],
    )
    warnings = results[WARNINGS] if WARNINGS in results else _measured(context.workspace, split)
    return TrainedRun(replace(context, config=config), split, selection, cycles, tuple(warnings))


def _seeds(run: RunFolder, results: Mapping[str, Any], seed: Seed | None) -> list[int]:
    """The seeds of the run that answer together. Raises PipelineError when `seed` is none of them, nor "all"."""
    seeds = [int(name) for name in results["seeds"]]
    if seed is None:
        return seeds[:1]
    if seed == ALL:
        if len(seeds) > 1 and ENSEMBLE not in results:
            raise PipelineError(
                f"{run.results} was written by an earlier version of this program, which had no ensemble of seeds; "
                f"`fsvae-pipe -w {shlex.quote(str(run.root.resolve().parent.parent))} evaluate --run "
                f"{shlex.quote(run.root.name)}` adds it"
            )
        return seeds
    if seed not in seeds:
        raise PipelineError(f"{run.results}: has no seed {seed!r}; it has {', '.join(results['seeds'])}, or {ALL}")
    return [seed]


def print_warnings(run: TrainedRun) -> None:
    """Print the warnings about every answer of `run`."""
    for warning in run.warnings:
        run.context.console.print(f"warning: {warning}", style="yellow", highlight=False, markup=False)


def _measured(workspace: Workspace, split: Split) -> list[str]:
    """The warnings about a run whose results.json was written before it held them."""
    paths = {name: workspace.features(name) for name in PHASES}
    return [
        sentence
        for name, path in paths.items()
        for sentence in warnings_of(phase_of(name, split), read_features(path), read_record(path))
    ]


def _context(folder: Path, context: Context | None) -> Context:
    folder = folder.resolve()
    if context is None:
        workspace = Workspace(folder.parent.parent)
        context = Context(workspace, Config(), workspace.config, Console(stderr=True, soft_wrap=True))
    return replace(context, workspace=Workspace(folder.parent.parent), run_name=folder.name)


def _require_run(context: Context) -> None:
    """Raise PipelineError when the run is not trained and evaluated. The message lists the runs that are trained."""
    run, root = context.run, shlex.quote(str(context.workspace.root))
    if not run.model.is_file():
        others = sorted(path.parent.name for path in run.root.parent.glob(f"*/{run.model.name}"))
        advice = f"`fsvae-pipe -w {root} run --run {run.root.name}` makes it"
        if others:
            advice = f"there {'is' if len(others) == 1 else 'are'} {', '.join(others)}; name one with --run"
        raise PipelineError(f"{run.root}: no trained run; {advice}")
    if not (run.results.is_file() and run.predictions.is_file()):
        raise PipelineError(
            f"{run.root}: trained but not evaluated, so that no cycle is chosen yet; "
            f"run `fsvae-pipe -w {root} evaluate --run {run.root.name}`"
        )


def _checked_records(context: Context) -> list[Record]:
    """Return the records of all files of the run. Raises PipelineError when a file changed since another was made."""
    workspace, run, root = context.workspace, context.run, shlex.quote(str(context.workspace.root))
    files: Names = {
        "skeletons.h5": workspace.skeletons,
        **{f"features/{phase}.h5": workspace.features(phase) for phase in PHASES},
        "text.h5": workspace.text,
        "model.safetensors": run.model,
    }
    records: dict[Path, Record] = {path: read_record(path) for path in files.values() if path.is_file()}
    evaluated = {path: read_record(path) for path in (run.predictions, run.results)}
    for path, record in (*records.items(), *evaluated.items()):
        for name, fingerprint in Provenance.from_record(record).inputs.items():
            source = files.get(name)
            if source is None or record["stage"] == IMPORT:
                continue
            if source not in records:
                if source == workspace.skeletons:
                    continue  # only reading clips needs it, and then says so
                raise PipelineError(
                    f"{source} is missing, from which {path} was made; run `fsvae-pipe run` to make it again"
                )
            if records[source].get("fingerprint") != fingerprint:
                raise PipelineError(
                    f"{source} is not the file that {path} was made from: it has changed since; run "
                    f"`fsvae-pipe -w {root} run --run {run.root.name}` to bring the run up to date"
                )
    return [*records.values(), evaluated[run.results]]


def _config_of(records: list[Record], context: Context) -> Config:
    """Return all settings in the records, with the device of `context`."""
    settings: dict[str, Any] = {}
    for record in records:
        settings |= Provenance.from_record(record).settings
    return config_of({**settings, "device": context.config.device}, str(context.run.root))


def _results(run: RunFolder) -> dict[str, Any]:
    results: dict[str, Any] = json.loads(run.results.read_text("utf-8"))
    absent = [key for key in ("seeds", "selection", "split") if key not in results]
    if absent:
        raise PipelineError(f"{run.results}: has no {', '.join(absent)}; run `fsvae-pipe evaluate --force`")
    require_every_rule(run, results)
    return results
