"""Changes tensors in files of weights; each is refused with a message, or gives the outputs of the unchanged file.

    python -m tests.fuzz.weights --files 2000 [--seed 0] [--kind backbone.pt]

Kinds: checkpoints of a backbone (this program's own, and those of others), the backbone and the model of a finished
run, and folders of text encoders. Tensors are removed, renamed, reshaped, exchanged, scaled, given other types or NaN;
files are cut, and in a folder removed. A refusal must name the file, and the tensor where the contents of one are
impossible. Other numbers in a tensor are seen only where a file holds a fingerprint; in files of others such changes
are left out.
"""

import argparse
import contextlib
import io
import shutil
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
import torch
from click.testing import CliRunner
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from tests.fuzz.weight_changes import Change, Tensors, change

if TYPE_CHECKING:
    from pipeline.workspace.context import Context

Array = NDArray[np.float32]
CLASSES = 5
GOOD = ("refused", "same outputs")


@dataclass(frozen=True)
class Kind:
    """A kind of weights: `file` is changed, `read` gives the outputs or raises an error with a message."""

    file: Path
    read: Callable[[], Array]
    fingerprint: bool = False  # the file holds one of its tensors
    names_tensors: bool = True  # else the fingerprint is compared before anything is looked at
    folder: bool = False  # all files beside `file` belong to it

    @property
    def files(self) -> list[Path]:
        """All files of it."""
        return sorted(path for path in self.file.parent.rglob("*") if path.is_file()) if self.folder else [self.file]


def put_back(whole: Mapping[Path, bytes]) -> None:
    """Write the whole files again."""
    for path, content in whole.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def write_changed(kind: Kind, whole: Mapping[Path, bytes], rng: np.random.Generator) -> Change:
    """Write a changed file in the place of a whole one; `whole` has the contents of all."""
    put_back(whole)
    if rng.random() < (0.3 if kind.folder else 0.1):
        path = list(whole)[int(rng.integers(len(whole)))]
        if kind.folder and rng.random() < 0.5:
            path.unlink()
            return Change(f"no {path.name}")
        path.write_bytes(whole[path][: int(rng.integers(len(whole[path])))])
        return Change(f"cut {path.name}")
    if kind.file.suffix == ".pt":
        tensors: Tensors = dict(torch.load(kind.file, weights_only=True))
        done = change(tensors, rng, kind.fingerprint)
        torch.save(tensors, kind.file)
        return done
    tensors, record = {}, {}
    with safe_open(kind.file, framework="pt") as file:
        record = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    done = change(tensors, rng, kind.fingerprint)
    save_file({name: tensor.contiguous().clone() for name, tensor in tensors.items()}, kind.file, record)
    return done


def outcome(kind: Kind, done: Change, wanted: Array) -> str:
    """ "refused", "same outputs", or what is wrong."""
    from data.errors import DataError
    from models.errors import ModelError
    from pipeline.messages.errors import PipelineError

    try:
        outputs = kind.read()
    except (DataError, ModelError, PipelineError) as error:
        said = str(error)
        if kind.file.name not in said and kind.file.parent.name not in said:
            return f"the refusal does not name {kind.file.name}: {said[:300]}"
        if done.name and kind.names_tensors and done.name.rpartition(".")[0] not in said:
            return f"the refusal does not name {done.name}: {said[:300]}"
        return "refused"
    except Exception as error:  # count and show any error, and go on with the other files
        return f"{type(error).__name__}: {str(error)[:300]}"
    if outputs.shape != wanted.shape or not np.isfinite(outputs).all():
        return "other outputs without a word"
    difference = float(np.abs(outputs - wanted).max() / max(1.0, np.abs(wanted).max()))
    return "same outputs" if difference <= done.tolerance else f"outputs differ by {difference:.2g} without a word"


def make_kinds(root: Path) -> dict[str, Kind]:
    """Write whole files of every kind below `root`."""
    from pipeline.cli.main import main as main_command
    from tests.fuzz.command_sequences.workspace import START, write_inputs
    from tests.shared.made_encoders import save_bert, save_clip, save_siglip
    from tests.shared.made_networks import lively_network

    kinds = {}
    state = lively_network(CLASSES).state_dict()
    torch.save(state, root / "backbone.pt")
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, root / "backbone.safetensors")
    for name in ("backbone.pt", "backbone.safetensors"):
        kinds[name] = Kind(root / name, partial(by_checkpoint, root / name))
    work = root / "work"
    write_inputs(work, {**START, "model.aligner": "fsvae"})
    made = CliRunner().invoke(main_command, ["-w", str(work), "run"])
    if made.exit_code:
        raise RuntimeError(made.output)
    shutil.copy(work / "backbones" / "test.safetensors", work / "own.safetensors")
    kinds["own backbone"] = Kind(work / "own.safetensors", partial(by_given_backbone, work), True)
    kinds["backbone of a run"] = Kind(work / "backbones" / "test.safetensors", partial(by_recognizer, work), True)
    model = work / "runs" / "default" / "model.safetensors"
    kinds["model of a run, predict"] = Kind(model, partial(by_recognizer, work), True, names_tensors=False)
    kinds["model of a run, evaluate"] = Kind(model, partial(by_evaluate, work), True, names_tensors=False)
    saves: dict[str, Callable[[Path], Path]] = {"clip": save_clip, "siglip": save_siglip, "bert": save_bert}
    for name, save in saves.items():
        kinds[name] = Kind(save(root / name) / "model.safetensors", partial(by_encoder, root / name), folder=True)
    return kinds


def some_clips() -> Tensor:
    """Clips (2, 3, 8, 25, 2)."""
    return torch.from_numpy(np.random.default_rng(0).normal(size=(2, 3, 8, 25, 2)).astype(np.float32))


def by_checkpoint(path: Path) -> Array:
    """The logits of a checkpoint of Shift-GCN."""
    from models.backbone.checkpoint import load_network

    network = load_network(path)
    with torch.no_grad():
        return np.asarray(network.fc(network.features(some_clips())))


def by_given_backbone(root: Path) -> Array:
    """The logits of the backbone that the setting backbone.weights gives."""
    from pipeline.stages.given_backbone import given_backbone

    network = given_backbone(context_of(root, "backbone.weights=own.safetensors")).network
    with torch.no_grad():
        return np.asarray(network.fc(network.features(some_clips())))


def by_recognizer(root: Path) -> Array:
    """The probabilities that `predict` gives."""
    from pipeline.predict.recognizer import Recognizer

    recognizer = Recognizer.load(root / "runs" / "default", context=context_of(root))
    features = recognizer.features(some_clips().numpy())
    return np.asarray(
        np.concatenate([part.reshape(-1) for part in recognizer.bank().by_side(*features) if part is not None])
    )


def by_evaluate(root: Path) -> Array:
    """The scores that `evaluate` writes."""
    from pipeline.stages.evaluate import evaluate
    from pipeline.stages.table import stage_named

    context = context_of(root)
    with contextlib.redirect_stdout(io.StringIO()):
        evaluate(context, stage_named("evaluate").provenance(context))
    with h5py.File(root / "runs" / "default" / "predictions.h5") as file:
        return np.asarray(file["5/val/unseen_probabilities"])


def by_encoder(folder: Path) -> Array:
    """The features of two texts."""
    from models.text.encoders import load_text_encoder

    return load_text_encoder(str(folder)).encode(["one", "hand"])


def context_of(root: Path, *overrides: str) -> "Context":
    """The workspace `root` with the settings of its config.toml and `overrides`."""
    from rich.console import Console

    from pipeline.workspace.config import load_config
    from pipeline.workspace.context import Context
    from pipeline.workspace.folder import Workspace

    workspace = Workspace(root)
    return Context(workspace, load_config(workspace.config, overrides), workspace.config, Console(quiet=True))


def fuzz_kind(kind: Kind, files: int, seed: int) -> Counter[str]:
    """Read so many changed files of a kind, and put the whole one back; return the counted outcomes."""
    whole = {path: path.read_bytes() for path in kind.files}
    wanted, outcomes = kind.read(), Counter[str]()
    for number in range(files):
        done = write_changed(kind, whole, np.random.default_rng((seed, number)))
        found = outcome(kind, done, wanted)
        outcomes[found if found in GOOD else f"file {number}, {done.what} {done.name}: {found}"] += 1
    put_back(whole)
    return outcomes


def main() -> int:
    """Print the outcomes of every kind; return 1 when one of them is wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--files", type=int, default=1000, help="in all, the same number of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", action="append", help="only this kind; may be repeated")
    options = parser.parse_args()
    warnings.simplefilter("error")
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        kinds = make_kinds(Path(folder))
        chosen = options.kind or list(kinds)
        for name in chosen:
            outcomes = fuzz_kind(kinds[name], -(-options.files // len(chosen)), options.seed)
            faults = {what: count for what, count in outcomes.items() if what not in GOOD}
            counts = ", ".join(f"{what} {outcomes[what]}" for what in GOOD)
            print(f"{name}: {outcomes.total()} files: {counts}, faults {sum(faults.values())}", flush=True)
            wrong += [f"{name}: {what}" for what in faults]
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
