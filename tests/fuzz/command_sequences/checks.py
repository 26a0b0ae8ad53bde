"""What the fuzzer of commands requires of results, states, answers and exported models; see account.py.

Each check returns the faults that it found, as sentences.
"""

import html
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tests.fuzz.command_sequences.account import (
    CLIPS,
    PHASES,
    Account,
    Made,
    Settings,
    contents,
    file_digest,
    numbers,
    training_part,
)

Tree = dict[str, Any]
NOT_KNOWN = "not known which"
TOLERANCE = 1e-6  # percent; of the accuracies


def check_results(account: Account, run: str, settings: Settings) -> Iterator[str]:
    """Faults of a results.json that was just made with `settings`; all files it was made from are still there."""
    folder = account.root / "runs" / run
    results: Tree = json.loads((folder / "results.json").read_text("utf-8"))
    model = account.of(folder / "model.safetensors")
    features = {phase: account.of(account.root / "features" / f"{phase}.h5") for phase in PHASES}
    test, val = features["test"], features["val"]
    assert model is not None
    assert test is not None
    assert val is not None
    for phase in PHASES:
        now = contents(account.root / "features" / f"{phase}.h5")
        if model.inputs[f"features/{phase}.h5"] != now:
            yield f"scored on other features/{phase}.h5 than the model was trained on"
    actions = set(test.facts["action"].tolist())
    seen, unseen, val_unseen = (set(results["split"][key]) for key in ("seen", "unseen", "val_unseen"))
    if unseen != numbers(model.settings["dataset.unseen"]) or seen != actions - unseen or not val_unseen <= seen:
        yield f"split {results['split']} is not that of training, {model.settings['dataset.unseen']} of {actions}"
    if model.settings["dataset.val_unseen"] and val_unseen != numbers(model.settings["dataset.val_unseen"]):
        yield f"pseudo-unseen {val_unseen} are not those of training"
    yield from _leaks(account, results, {"test": unseen, "val": val_unseen}, {"test": test, "val": val})
    yield from _clips(results, test, val, model, folder / "predictions.h5")
    yield from _accuracies(results, folder / "predictions.h5", seen, unseen)
    yield from _settings(account, results, settings, model, test)
    yield from _stale(account, results, run, settings, model)


def _leaks(account: Account, results: Tree, unseen: dict[str, set[int]], features: dict[str, Made]) -> Iterator[str]:
    """No action is counted as unseen that a backbone has seen, unless the results say so."""
    said = results["caveats"]
    for phase in PHASES:
        saw, given = account.saw(features[phase])
        leaked = saw & unseen[phase]
        names = [f"A{action:03d}" for action in sorted(leaked)]
        told = [c for c in said if f"of the {phase} phase was trained on unseen" in c and all(n in c for n in names)]
        unknown = any(f"{NOT_KNOWN} actions the backbone of the {phase} phase" in caveat for caveat in said)
        if leaked and not (given and (told or unknown)):
            yield f"{phase} phase: {names} count as unseen, but its backbone saw them; caveats: {said}"
        if phase == "test" and results["transfer"] != (None if unknown else bool(leaked)):
            yield f"transfer is {results['transfer']}, leaked are {names}"
        if given and not any(f"{NOT_KNOWN} clips" in caveat for caveat in said):
            yield "a given backbone without a caveat about its clips"


def _clips(results: Tree, test: Made, val: Made, model: Made, predictions: Path) -> Iterator[str]:
    """The clips that were scored and trained on are those of the split and protocol that the results name."""
    split, config = results["split"], results["config"]["dataset"]
    protocol = {key: config[key.removeprefix("dataset.")] for key in CLIPS}
    for made, what in ((test, "test.h5"), (val, "val.h5"), (model, "the model")):
        other = [key for key in CLIPS if made.settings[key] != protocol[key]]
        if other:
            yield f"{what} was made with other {other} than the results name"
    for phase, facts in (("test", test.facts), ("val", val.facts)):
        train = training_part(facts["name"], protocol)
        if (train != facts["train"]).any():
            yield f"{phase}: the training clips are not those of the protocol {protocol}"
        not_seen = set(split["unseen"]) | (set(split["val_unseen"]) if phase == "val" else set())
        is_unseen = np.isin(facts["action"], split["unseen" if phase == "test" else "val_unseen"])
        is_seen = ~np.isin(facts["action"], list(not_seen))
        held_out = facts["held_out"]
        if phase == "test":
            fit, seen, unseen = train & is_seen, ~train & is_seen, ~train & is_unseen
        else:
            fit, seen, unseen = train & ~held_out & is_seen, held_out & is_seen, train & is_unseen
        wanted = {"training_clips": fit.sum(), "seen_clips": seen.sum(), "unseen_clips": unseen.sum()}
        counted = {key: results["counts"][phase][key] for key in wanted}
        if counted != wanted:
            yield f"{phase}: counts {counted}, where the files hold {wanted}"
        if phase == "test":
            with h5py.File(predictions) as file:
                names, actions = file["name"].asstr()[()], file["action"][()]
            if (names != facts["name"][seen | unseen]).any() or (actions != facts["action"][seen | unseen]).any():
                yield "predictions.h5 holds other clips than those of the test part"


def _accuracies(results: Tree, predictions: Path, seen: set[int], unseen: set[int]) -> Iterator[str]:
    """Every accuracy follows from predictions.h5."""
    if not all(math.isfinite(value) for value in _leaves(results["mean"])):
        yield "results.json holds numbers that are not finite"
    with h5py.File(predictions) as file:
        action = file["action"][()]
        if set(file["seen_actions"][()]) != seen or set(file["unseen_actions"][()]) != unseen:
            yield "predictions.h5 names other actions than the split"
        if set(results["seeds"]) != {name for name in file if name.isdigit()}:
            yield "predictions.h5 has other seeds than results.json"
        for seed, rules in results["seeds"].items():
            for rule, told in rules.items():
                group = file[f"{seed}/{rule}"]
                zsl, gzsl = group["zsl_action"][()], group["gzsl_action"][()]
                best = file["unseen_actions"][()][group["unseen_probabilities"][()].argmax(axis=1)]
                if (best != zsl).any() or group.attrs["cycle"] != told["cycle"]:
                    yield f"{seed}/{rule}: zsl_action or cycle does not follow from its scores"
                is_unseen = np.isin(action, list(unseen))
                s, u = (100 * (gzsl == action)[part].mean() for part in (~is_unseen, is_unseen))
                classes = [(zsl == action)[action == one].mean() for one in np.unique(action[is_unseen])]
                wanted = {
                    "zsl.top1": 100 * (zsl == action)[is_unseen].mean(), "zsl.per_class": 100 * np.mean(classes),
                    "zsl.chance": 100 / len(unseen), "gzsl.seen": s, "gzsl.unseen": u,
                    "gzsl.h": 2 * s * u / (s + u) if s + u else 0.0,
                }  # fmt: skip
                for key, value in wanted.items():
                    table, name = key.split(".")
                    if abs(told[table][name] - value) > TOLERANCE:
                        yield f"{seed}/{rule}: {key} is {told[table][name]}, recomputed {value}"
                    column = [other[rule][table][name] for other in results["seeds"].values()]
                    if abs(results["mean"][rule][table][name] - np.mean(column)) > TOLERANCE:
                        yield f"{rule}: the mean of {key} is not that of the seeds"


def _leaves(tree: Tree) -> Iterator[float]:
    for value in tree.values():
        yield from _leaves(value) if isinstance(value, dict) else [value]


def _settings(account: Account, results: Tree, settings: Settings, model: Made, test: Made) -> Iterator[str]:
    """The settings in results.json are those that each file was made with, not those of now."""
    text, skeletons = account.of(account.root / "text.h5"), account.of(account.root / "skeletons.h5")
    if skeletons is not None and skeletons.stage != "preprocess":
        skeletons = None  # another file stands in its place
    sources = {"preprocess.": skeletons, "backbone.": test, "text.": text, "model.": model, "train.": model}
    for table, made in {**sources, "text.levels": model, "seed": model}.items():
        keys = [
            key for key in (made.settings if made else ()) if key.startswith(table) and not key.endswith(".workers")
        ]
        for key in keys:
            if made and (key != "text.levels" or table == key):
                yield from _tells(results, key, made.settings[key])
    for key in (key for key in settings if key.startswith("evaluate.")):
        yield from _tells(results, key, settings[key])


def _tells(results: Tree, key: str, wanted: object) -> Iterator[str]:
    found: Any = results["config"]
    for part in key.split("."):
        found = found[part]
    if found != wanted:
        yield f"results.json tells {key} = {found}, but {wanted} was used"


def _stale(account: Account, results: Tree, run: str, settings: Settings, model: Made) -> Iterator[str]:
    """Stale inputs stand among the caveats, and nothing else is called stale."""
    for stage in ("preprocess", "extract", "embed-text"):
        changed = account.changed(stage, run, settings)
        told = any(caveat.startswith(f"made from what is stale: {stage} ") for caveat in results["caveats"])
        if bool(changed) != told and changed != ["missing"]:
            yield f"{stage} is {'stale: ' + str(changed) if changed else 'done'}, caveats: {results['caveats']}"
    told = any("text.h5 changed since the run was trained" in caveat for caveat in results["caveats"])
    if told != (model.inputs["text.h5"] != contents(account.root / "text.h5")):
        yield f"text.h5 {'is as' if told else 'is not as'} in training, caveats: {results['caveats']}"


def check_status(account: Account, run: str, settings: Settings, states: list[dict[str, Any]]) -> Iterator[str]:
    """What `status --json` calls done has the settings and inputs of now; what it calls stale has not."""
    for state in states:
        changed = account.changed(state["stage"], run, settings)
        if (state["state"] == "done") == bool(changed):
            yield f"status calls {state['stage']} {state['state']} {state['reasons']}; what changed: {changed}"


def check_report(account: Account, run: str) -> Iterator[str]:
    """Every caveat stands on the page."""
    folder = account.root / "runs" / run
    page = html.unescape((folder / "report.html").read_text("utf-8"))
    for caveat in json.loads((folder / "results.json").read_text("utf-8"))["caveats"]:
        if caveat[1:] not in page:
            yield f"the report lacks the caveat {caveat!r}"


def check_export(account: Account, folder: Path, run: str) -> Iterator[str]:
    """The actions in model.json are as many as the graph's outputs, in the order of the run's split."""
    import onnxruntime

    about = json.loads((folder / "model.json").read_text("utf-8"))
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    clips = np.random.default_rng(0).normal(size=(2, 3, 8, 25, 2)).astype(np.float32)
    values = session.run(None, {"clips": clips})
    widths = {output.name: value.shape[1:] for output, value in zip(session.get_outputs(), values, strict=True)}
    kinds = [action["kind"] for action in about["actions"]]
    if widths["unseen_probabilities"] != (len(kinds) - kinds.count("seen"),):
        yield f"model.json names {kinds}, the graph gives {widths}"
    if "seen_probabilities" in widths and widths["seen_probabilities"] != (kinds.count("seen"),):
        yield f"model.json names {kinds}, the graph gives {widths}"
    split = json.loads((account.root / "runs" / run / "results.json").read_text("utf-8"))["split"]
    for kind in ("seen", "unseen"):
        named = [int(action["action"][1:]) for action in about["actions"] if action["kind"] == kind]
        if named and named != split[kind]:
            yield f"model.json names {kind} {named}, the run has {split[kind]}"


def check_predict(account: Account, run: str, lines: list[str]) -> Iterator[str]:
    """Test clips whose raw file is as preprocess read it get the action that predictions.h5 tells."""
    folder = account.root / "runs" / run
    results = json.loads((folder / "results.json").read_text("utf-8"))
    skeletons = account.of(account.root / "skeletons.h5")
    assert skeletons is not None
    with h5py.File(folder / "predictions.h5") as file:
        seed = next(iter(results["seeds"]))
        group = file[f"{seed}/{results['selection']}"]
        wanted = dict(zip(file["name"].asstr()[()], group["gzsl_action"][()], strict=True))
    for row in map(json.loads, lines):
        path = Path(row["clip"])
        if "error" in row or path.stem not in wanted:
            continue
        as_read = skeletons.facts["raw"].get(path.name) == file_digest(path)
        found = int(row["actions"][0]["action"][1:])
        if as_read and found != wanted[path.stem]:
            yield f"predict says A{found:03d} of {path.stem}, evaluate said A{wanted[path.stem]:03d}"
