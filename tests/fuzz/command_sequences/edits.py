"""Random edits of the small workspace, for tests/fuzz/commands.py."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.fuzz.command_sequences.account import Account, file_digest
from tests.fuzz.command_sequences.workspace import ACTIONS, VALUES, first_texts, write_config, write_texts


class Edits:
    """Edits of the workspace `root`; `steps` tells what was done."""

    def __init__(self, root: Path, account: Account, rng: np.random.Generator) -> None:
        self.root, self.account, self.rng = root, account, rng
        self.steps: list[str] = []

    def choice(self, values: Sequence[Any]) -> Any:
        """One of `values`."""
        return values[int(self.rng.integers(len(values)))]

    def edit(self) -> None:
        """One edit; half of them change a setting."""
        others = (self.edit_text, self.edit_clip, self.edit_file, self.restore, self.copy_run)
        self.choice((self.edit_setting,) * 6 + others)()

    def edit_setting(self) -> None:
        """Change one setting in config.toml."""
        clips_and_actions = [key for key in VALUES if key.startswith("dataset.")]
        key = self.choice(clips_and_actions if self.rng.random() < 0.5 else list(VALUES))
        self.account.settings[key] = self.choice(VALUES[key])
        write_config(self.root, self.account.settings)
        self.steps.append(f"set {key} = {self.account.settings[key]}")

    def edit_text(self) -> None:
        """Change a text, drop an action, or put it back."""
        action, level = f"A{self.choice(ACTIONS):03d}", self.choice(("label", "local", "global"))
        texts = self.account.texts
        if self.rng.random() < 0.2 and len(texts) == len(ACTIONS):
            texts.pop(action)
        else:
            texts.setdefault(action, first_texts(int(action[1:])))[level] = (
                f"{level[:2]} {action[1:]} {self.rng.integers(3)}"
            )
        write_texts(self.root, texts)
        self.steps.append(f"texts of {action}: {texts.get(action)}")

    def edit_clip(self) -> None:
        """Touch, delete, exchange or break a raw clip, or add one."""
        files = sorted((self.root / "raw").iterdir())
        path, other, kind = self.choice(files), self.choice(files), self.rng.integers(5)
        if kind == 0:
            path.touch()
        elif kind == 1 and len(files) > 40:
            path.unlink()
        elif kind == 2:
            path.write_bytes(other.read_bytes())
        elif kind == 3:
            path.write_bytes(path.read_bytes()[:-50])
        else:
            name = f"{path.stem[:13]}{self.rng.integers(3, 9):03d}{path.stem[16:]}.skeleton"
            shutil.copy(other, path.with_name(name))
        self.steps.append(f"clip {path.name}: {('touch', 'delete', f'as {other.name}', 'cut', 'add')[kind]}")

    def edit_file(self) -> None:
        """Delete an output, or give an output of the backbones as weights, or let one stand in for another."""
        outputs = [path for path in self.root.rglob("*") if path.suffix in (".h5", ".safetensors", ".json")]
        kept = {"encoder", "other-encoder", "old", "model"}
        outputs = [path for path in outputs if kept.isdisjoint(path.relative_to(self.root).parts)]
        files = sorted(path for path in outputs if file_digest(path) in self.account.made)
        if not files:
            return
        path, kind = self.choice(files), self.rng.random()
        given = self.choice(("test", "val"))
        source = self.root / "backbones" / f"{given}.safetensors"
        known = self.account.made.get(file_digest(source) or "")
        if kind < 0.4 and known and "action" in known.facts:
            shutil.copy(source, self.root / "weights" / source.name)
            self.steps.append(f"weights/{source.name} from backbones")
        elif kind < 0.7:
            others = [other for other in files if other.name == path.name or other.parent == path.parent]
            other = self.choice([other for other in others if other.suffix == path.suffix])
            if other != path:
                shutil.copy(other, path)
            self.steps.append(f"copy {other} over {path}")
        else:
            path.unlink()
            self.steps.append(f"delete {path}")

    def restore(self) -> None:
        """Put an earlier version of a file back."""
        old = self.choice(sorted(path for path in (self.root / "old").rglob("*") if path.is_file()))
        path = self.root / old.relative_to(self.root / "old").parent
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(old, path)
        self.steps.append(f"put back {old}")

    def copy_run(self) -> None:
        """Copy one run over another."""
        one, other = self.choice((("default", "other"), ("other", "default")))
        if (self.root / "runs" / one).is_dir():
            shutil.copytree(self.root / "runs" / one, self.root / "runs" / other, dirs_exist_ok=True)
            self.steps.append(f"copy run {one} to {other}")
