"""An account, kept beside the program, of what every file in a workspace was made with; it checks results against it.

The fuzzer of commands (tests/fuzz/commands.py) calls `note` after every command. A file is known by its
SHA-256, so that a copy or an old version that is put back keeps its history. Nothing here calls the program: the seen
and unseen actions come from the settings at the time, the training clips from the subjects in the clips' names, the
rest from the files as h5py reads them.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

PHASES = ("test", "val")
CLIPS = ("dataset.name", "dataset.protocol", "dataset.train_subjects", "dataset.train_cameras", "dataset.train_setups")
SPLIT = ("dataset.split", "dataset.unseen", "dataset.val_unseen", "seed")
STAGE_KEYS: Mapping[str, tuple[str, ...]] = {  # what each stage depends on; a key that ends in "." is a table
    "preprocess": ("dataset.name", "preprocess."),
    "extract": (*CLIPS, *SPLIT, "backbone."),
    "embed-text": ("text.",),
    "train": (*CLIPS, *SPLIT, "text.levels", "model.", "train."),
    "evaluate": ("evaluate.",),
}
NEEDS = {"extract": ("preprocess",), "train": ("extract", "embed-text"), "evaluate": ("extract", "embed-text", "train")}
Settings = dict[str, Any]
_CONTENTS: dict[str, str] = {}  # SHA-256 of a file -> digest of what is in it


@dataclass(frozen=True)
class Made:
    """How one file was made: the stage, the settings in use, digests of the inputs' contents, and what is in it."""

    stage: str
    phase: str  # "" where there is none
    settings: Settings
    inputs: Mapping[str, str | None]
    command: int
    facts: Mapping[str, Any]


@dataclass
class Account:
    """What is known of the workspace `root`."""

    root: Path
    settings: Settings
    texts: dict[str, dict[str, str]]  # action -> level -> text, as in the descriptions
    made: dict[str, Made] = field(default_factory=dict)  # SHA-256 of a file -> how it was made
    commands: int = 0

    def outputs(self, stage: str, run: str) -> list[Path]:
        """The outputs of a stage by which it is done or not."""
        return [self.root / name for name in {
            "preprocess": ["skeletons.h5"], "extract": [f"features/{phase}.h5" for phase in PHASES],
            "embed-text": ["text.h5"], "train": [f"runs/{run}/model.safetensors"],
            "evaluate": [f"runs/{run}/results.json", f"runs/{run}/predictions.h5"],
        }[stage]]  # fmt: skip

    def note(self, runs: Mapping[str, Settings], settings: Settings) -> list[Path]:
        """Enter every new file, made with `settings`, or those of its run in `runs`. Return the new files."""
        self.commands += 1
        new: list[Path] = []
        for stage in STAGE_KEYS:
            for run in sorted(path.name for path in (self.root / "runs").glob("*")) or [""]:
                used = runs.get(run, settings)
                for path in self.outputs(stage, run):
                    new += self._enter(path, stage, run, used)
        for phase in PHASES:
            new += self._enter(self.root / "backbones" / f"{phase}.safetensors", "extract", "", settings)
        return new

    def _enter(self, path: Path, stage: str, run: str, settings: Settings) -> Iterator[Path]:
        digest = file_digest(path)
        if digest is None or digest in self.made:
            return
        phase = path.stem if path.stem in PHASES else ""
        features = self.root / "features" / path.with_suffix(".h5").name
        facts = features_facts(features) if phase and features.is_file() else {}  # made together with the backbone
        if stage == "preprocess":
            facts = {"raw": {clip.name: file_digest(clip) for clip in (self.root / "raw").iterdir()}}
        inputs = self.inputs(stage, run, settings)
        self.made[digest] = Made(stage, phase, dict(settings), inputs, self.commands, facts)
        yield path

    def of(self, path: Path) -> Made | None:
        """How the file at `path` was made; None when it is not there."""
        digest = file_digest(path)
        return None if digest is None else self.made[digest]

    def inputs(self, stage: str, run: str, settings: Settings) -> dict[str, str | None]:
        """Digests of what `stage` would read now."""
        features = {f"features/{phase}.h5": contents(self.root / "features" / f"{phase}.h5") for phase in PHASES}
        text = {"text.h5": contents(self.root / "text.h5")}
        if stage == "preprocess":
            files = sorted((path.name, path.stat()) for path in (self.root / "raw").iterdir())
            return {"raw": digest_of([(name, stat.st_size, stat.st_mtime_ns) for name, stat in files])}
        if stage == "extract":
            weights = settings.get("backbone.weights")
            given = {"weights": file_digest(self.root / weights)} if weights else {}
            return {"skeletons.h5": contents(self.root / "skeletons.h5"), **given}
        if stage == "embed-text":
            levels = settings["text.levels"]
            return {action: digest_of([texts[level] for level in levels]) for action, texts in self.texts.items()}
        model = {} if stage == "train" else {"model": contents(self.outputs("train", run)[0])}
        return {**features, **text, **model}

    def changed(self, stage: str, run: str, settings: Settings) -> list[str]:
        """What differs between how the outputs of `stage` were made and how they would be made now; [] when done."""
        found = [f"{name} is not done" for name in NEEDS.get(stage, ()) if self.changed(name, run, settings)]
        for path in self.outputs(stage, run):
            made = self.of(path)
            if made is None:
                return ["missing"]
            if made.stage != stage or made.phase not in ("", path.stem):
                found.append(f"{path.name} was made as {made.stage} {made.phase}")
            found += different(stage, made.settings, settings)
            now = self.inputs(stage, run, settings)
            found += [name for name in {**now, **made.inputs} if now.get(name) != made.inputs.get(name)]
        return found

    def saw(self, made: Made) -> tuple[set[int], bool]:
        """The actions that the backbone of a features file (or a backbone's own file) was trained on, and if given."""
        weights = made.inputs.get("weights")
        if weights:
            return self.saw(self.made[weights])[0], True
        actions = set(made.facts["action"].tolist())
        return actions - held_back(made, actions), False


def held_back(made: Made, actions: set[int]) -> set[int]:
    """The actions that a backbone trained for a phase must not see."""
    unseen = numbers(made.settings["dataset.unseen"])
    if made.phase == "test":
        return unseen
    drawn = actions - set(made.facts["logit_actions"].tolist()) if "logit_actions" in made.facts else set()
    return unseen | (numbers(made.settings["dataset.val_unseen"]) or drawn)


def different(stage: str, then: Settings, now: Settings) -> list[str]:
    """The settings of a stage that differ."""
    names = STAGE_KEYS[stage]
    keys = [key for key in {**then, **now} if any(key == n or (n.endswith(".") and key.startswith(n)) for n in names)]
    return [key for key in keys if then.get(key) != now.get(key) and not key.endswith(".workers")]


def numbers(labels: list[str]) -> set[int]:
    """["A001"] -> {1}."""
    return {int(label[1:]) for label in labels}


def training_part(names: NDArray[np.str_], settings: Settings) -> NDArray[np.bool_]:
    """Which clips train under a custom protocol, from the numbers in their names, SsssCcccPpppRrrrAaaa."""
    place = {"dataset.train_setups": 1, "dataset.train_cameras": 5, "dataset.train_subjects": 9}
    key = next(key for key in place if settings[key])
    return np.array([int(name[place[key] : place[key] + 3]) in settings[key] for name in names])


def features_facts(path: Path) -> dict[str, Any]:
    """The columns of a features file that say which clips and actions it is about."""
    with h5py.File(path) as file:
        facts: dict[str, Any] = {name: file[name][()] for name in ("action", "train", "held_out")}
        facts["name"] = file["name"].asstr()[()]
        facts["logit_actions"] = np.asarray(file["logits"].attrs["logit_actions"])
    return facts


def file_digest(path: Path) -> str | None:
    """The SHA-256 of a file; None when there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def contents(path: Path) -> str | None:
    """A digest of what is in a file, without the record of when and how it was made; None when there is no file."""
    digest = file_digest(path)
    if digest is not None and digest not in _CONTENTS:
        _CONTENTS[digest] = _contents(path)
    return None if digest is None else _CONTENTS[digest]


def _contents(path: Path) -> str:
    if path.suffix == ".safetensors":
        content = path.read_bytes()
        length = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + length])
        header.pop("__metadata__", None)
        return digest_of([sorted(header), hashlib.sha256(content[8 + length :]).hexdigest()])
    digest = hashlib.sha256()
    with h5py.File(path) as file:
        names: list[str] = []
        file.visit(names.append)
        for name in sorted(names):
            item = file[name]
            attributes = {key: np.asarray(value).tolist() for key, value in sorted(item.attrs.items())}
            values = item[()] if isinstance(item, h5py.Dataset) else ""
            plain = values.tolist() if isinstance(values, np.ndarray) and values.dtype == object else None
            digest.update(repr((name, attributes, plain)).encode())
            digest.update(values.tobytes() if isinstance(values, np.ndarray) and plain is None else b"")
    return digest.hexdigest()


def digest_of(value: object) -> str:
    """A digest of lists, numbers and texts."""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
