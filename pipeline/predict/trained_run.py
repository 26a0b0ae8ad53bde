"""A run that train and evaluate have finished, as predict and export need it.

Settings come from the records of the run's files, not from config.toml as it stands now: a clip goes through the very
preprocessing, backbone and texts that trained the run. Every file is checked to be the one that the run was made from.
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
from data.stores.text_store import read_text_features
from pipeline.messages.errors import PipelineError
from pipeline.phases.chance import WARNINGS, warnings_of
from pipeline.phases.phase import phase_of
from pipeline.predict.run_backbone import RunBackbone, run_backbone
from pipeline.workspace.config import Config, config_of
from pipeline.workspace.context import Context, require_device_alone
from pipeline.workspace.folder import RunFolder, Workspace
from pipeline.workspace.provenance import IMPORT, Provenance, read_record

Record = Mapping[str, str]
Names = dict[str, Path]  # the files that records name as inputs


@dataclass(frozen=True)
class TrainedRun:
    """One seed of a run, at the cycle that its selection rule took.

    context: the workspace, and the settings that its files were made with.
    selection, cycle: the rule of the headline, and the cycle of the test phase that it took.
    warnings: why no answer of the run means anything, a sentence each; mostly there is none.
    """

    context: Context
    split: Split
    seed: int
    selection: str
    cycle: int
    warnings: tuple[str, ...] = ()

    @property
    def config(self) -> Config:
        """The settings that the run's files were made with."""
        return self.context.config

    @cached_property
    def labels(self) -> dict[int, str]:
        """What each action of text.h5 is called: its label, or "A001" where labels are not among the texts."""
        text = read_text_features(self.context.workspace.text)
        names = text.texts.get("label")
        return {
            int(action): action_label(int(action)) if names is None else str(names[row])
            for row, action in enumerate(text.action)
        }

    @property
    def model_name(self) -> str:
        """Which model this is, for people."""
        return f"run {self.context.run_name}, seed {self.seed}, cycle {self.cycle} (rule {self.selection})"

    def backbone(self) -> RunBackbone:
        """The network of the test phase, with its classifier of the seen actions.

        Raises PipelineError when the features were imported, or the weights are gone or are not those that made them.
        """
        return run_backbone(self.context)


def open_run(folder: Path, seed: int | None = None, context: Context | None = None) -> TrainedRun:
    """The run in `folder`, WORKSPACE/runs/NAME; its first seed unless `seed` is given.

    `context` says where messages go, which device computes and what the paths in config.toml are relative to. Raises
    PipelineError or DataError when the run is not there, not evaluated, or its files do not belong to each other,
    OverrideError when --set names a setting other than the device.
    """
    context = _context(folder, context)
    require_device_alone(context)
    _require_run(context)
    records = _checked_records(context)
    results = _results(context.run)
    config = _config_of(records, context)
    seed = config.train.seeds[0] if seed is None else seed
    if str(seed) not in results["seeds"]:
        raise PipelineError(f"{context.run.results}: has no seed {seed}; it has {', '.join(results['seeds'])}")
    selection = results["selection"]
    cycle = int(results["seeds"][str(seed)][selection]["cycle"])
    tree = results["split"]
    split = Split(
        tree["name"],
        tuple(tree["seen"]),
        tuple(tree["unseen"]),
        tuple(tree["val_unseen"]),
        tree["val_unseen_drawn"],
    )
    warnings = results[WARNINGS] if WARNINGS in results else _measured(context.workspace, split)
    return TrainedRun(replace(context, config=config), split, seed, selection, cycle, tuple(warnings))


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
    """Raise PipelineError saying what is there instead when the run is not trained and evaluated."""
    run, root = context.run, shlex.quote(str(context.workspace.root))
    if not run.model.is_file():
        others = sorted(path.parent.name for path in run.root.parent.glob(f"*/{run.model.name}"))
        there = (
            f"there {'is' if len(others) == 1 else 'are'} {', '.join(others)}; name one with --run" if others else ""
        )
        raise PipelineError(
            f"{run.root}: no trained run; {there or f'`fsvae-pipe -w {root} run --run {run.root.name}` makes it'}"
        )
    if not (run.results.is_file() and run.predictions.is_file()):
        raise PipelineError(
            f"{run.root}: trained but not evaluated, so that no cycle is chosen yet; "
            f"run `fsvae-pipe -w {root} evaluate --run {run.root.name}`"
        )


def _checked_records(context: Context) -> list[Record]:
    """The records of all files of the run, after checking that each was made from the others as they are now."""
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
                    continue  # missed only by what reads clips, which says so
                raise PipelineError(
                    f"{source} is gone, which {path} was made from; run `fsvae-pipe run` to make it again"
                )
            if records[source].get("fingerprint") != fingerprint:
                raise PipelineError(
                    f"{source} is not the file that {path} was made from: it has changed since; run "
                    f"`fsvae-pipe -w {root} run --run {run.root.name}` to bring the run up to date"
                )
    return [*records.values(), evaluated[run.results]]


def _config_of(records: list[Record], context: Context) -> Config:
    """The settings in the records, put together; the device is that of now."""
    settings: dict[str, Any] = {}
    for record in records:
        settings |= Provenance.from_record(record).settings
    return config_of({**settings, "device": context.config.device}, str(context.run.root))


def _results(run: RunFolder) -> dict[str, Any]:
    results: dict[str, Any] = json.loads(run.results.read_text("utf-8"))
    absent = [key for key in ("seeds", "selection", "split") if key not in results]
    if absent:
        raise PipelineError(f"{run.results}: has no {', '.join(absent)}; run `fsvae-pipe evaluate --force`")
    return results
