"""`fsvae-pipe demo`: makes clips by a program, and runs the same stages on them as on recorded clips.

The clips show 25 actions: each of five arm movements together with each of five movements of legs or trunk. Five of
these pairs are unseen. Both movements of an unseen pair occur in seen actions, so a model that reads the descriptions
can tell the unseen actions apart. Nothing is downloaded.
"""

import shlex
from importlib import resources
from pathlib import Path
from typing import Any

from rich.console import Console

from data.settings import MADE_DATASET
from data.stores.files import replacing
from pipeline.demo.made_actions import ACTIONS
from pipeline.demo.made_clips import MadeDataset, write_raw_clips
from pipeline.messages.errors import PipelineError
from pipeline.running.run import run_stages
from pipeline.stages.table import STAGES
from pipeline.workspace.config import load_config
from pipeline.workspace.context import Context
from pipeline.workspace.evaluate_settings import RULES
from pipeline.workspace.folder import Workspace
from pipeline.workspace.init import write_config

SUBJECTS = 8
TRAIN_SUBJECTS = (1, 2, 3, 5, 6)
UNSEEN = ("A001", "A007", "A013", "A019", "A025")  # each arm movement and each body movement once
VAL_UNSEEN = ("A003", "A009", "A015", "A016")
NUM_SEEDS = 3


def demo(folder: Path, *, seed: int, console: Console) -> None:
    """Make the demo's workspace in `folder` unless it exists, run its stale stages, and print the results.

    Progress goes to `console`, results go to standard output. Raises PipelineError when `folder` holds other files, or
    the demo of another seed.
    """
    workspace = Workspace(folder)
    if not workspace.config.exists():
        make_workspace(workspace, seed, console)
    config = load_config(workspace.config)
    if config.dataset.name != MADE_DATASET or config.seed != seed:
        raise PipelineError(
            f'{workspace.config} has dataset.name = "{config.dataset.name}" and seed = {config.seed}, which is not the '
            f"demo of seed {seed}; name another place with `fsvae-pipe demo --folder DIR`, or delete {folder}"
        )
    context = Context(workspace, config, workspace.config, console)
    states_before = run_stages(context, STAGES)
    if not any(state.stage == "evaluate" for state in states_before):  # evaluate prints the results itself when it runs
        from pipeline.stages.results import print_results

        print_results(context)
    Console(soft_wrap=True).print(closing_words(folder), markup=False, highlight=False)


def make_workspace(workspace: Workspace, seed: int, console: Console) -> None:
    """Write raw/, descriptions.csv and, last, config.toml.

    Raises PipelineError when the folder holds other files, because then it is not a folder of the demo.
    """
    own = ("raw", "descriptions.csv")
    others = [path.name for path in workspace.root.glob("[!.]*") if path.name not in own]
    if others:
        raise PipelineError(
            f"{workspace.root} holds {min(others)} but no config.toml, so it is not the demo's; name another place "
            "with `fsvae-pipe demo --folder DIR`"
        )
    dataset = demo_dataset(seed)
    number = sum(1 for _ in dataset.clips())
    console.print(
        f"demo: making {number} clips of {len(dataset.actions)} actions by {dataset.subjects} synthetic people "
        f"in {workspace.root / 'raw'}, and a few broken files, which preprocess has to refuse",
        highlight=False,
    )
    raw = write_raw_clips(workspace.root / "raw", dataset)
    with replacing(workspace.root / "descriptions.csv") as path:
        path.write_bytes(resources.files("descriptions").joinpath("demo.csv").read_bytes())
    write_config(workspace.config, demo_settings(seed, [str(path.relative_to(workspace.root)) for path in raw]))


def closing_words(folder: Path) -> str:
    """The text below the results: what they mean, where the files are, and what to try next."""
    command = f"fsvae-pipe -w {shlex.quote(str(folder))}"
    rules = "\n".join(f"- {rule}: {meaning}" for rule, meaning in RULES.items())
    return f"""
The clips are made by a program, not recorded. The figures show that the stages work, and no more.
ZSL: accuracy among the {len(UNSEEN)} unseen actions, which are known from their descriptions alone.
S / U / H: accuracy on seen and on unseen actions when all {len(ACTIONS)} may be the answer, and their harmonic mean.
A gate decides whether a clip shows a seen or an unseen action; the fitted gate is the headline.
The columns are rules that say which cycles of training count. The result is that of mean (*):
{rules}

  {folder}/raw/              the clips, in NTU RGB+D's raw format; the broken ones are in rejects.csv
  {folder}/descriptions.csv  the names and descriptions of the actions
  {folder}/config.toml       the settings; runs/default/results.json has every figure

Next: change a description, see what is stale, and run it:
  {command} status
  {command} run
Write actions in your own words, and see at once in the browser which one a clip shows (it needs the extra `app`):
  {command} app
Name the actions in clips, see clips move, and write a page of all results (it needs the extra `report`):
  {command} predict {folder}/raw/setup1
  {command} show A001
  {command} report"""


def demo_dataset(seed: int) -> MadeDataset:
    """The clips that the demo makes."""
    actions = tuple(range(1, len(ACTIONS) + 1))
    return MadeDataset(actions, subjects=SUBJECTS, replications=2, frames=(36, 84), seed=seed)


def demo_settings(seed: int, raw: list[str]) -> dict[str, Any]:
    """The settings of the demo, by dotted keys; all others keep their defaults."""
    return {
        "seed": seed,
        "device": "cpu",
        "dataset.name": MADE_DATASET,
        "dataset.raw": raw,
        "dataset.protocol": "custom",
        "dataset.train_subjects": list(TRAIN_SUBJECTS),
        "dataset.descriptions": "descriptions.csv",
        "dataset.split": "custom",
        "dataset.unseen": list(UNSEEN),
        "dataset.val_unseen": list(VAL_UNSEEN),
        "backbone.frames": 32,
        "backbone.epochs": 10,
        "backbone.batch_size": 8,
        "backbone.learning_rate": 0.05,
        "backbone.schedule": "one-cycle",
        "backbone.held_out": 0.2,
        "text.encoder": "minilm",
        "train.seeds": [seed + number for number in range(NUM_SEEDS)],
        "train.cycles": 3,
        "train.steps_per_cycle": 500,
        "train.learning_rate": 3e-4,
    }
