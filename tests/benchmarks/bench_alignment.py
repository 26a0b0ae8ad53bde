"""Compares aligners, settings and gates on the same clips, over many random sets of unseen actions.

    python -m tests.benchmarks.bench_alignment FEATURES.npz --texts descriptions.csv --out FOLDER
        [--sets 60] [--unseen 5] [--val-unseen 4] [--workers 2] [--row "NAME key=value ..."] [--known ntu60]

FEATURES.npz holds `features` (n, D), `action` (n,), and `train` (n,) bool or `subject` (n,), of which odd ones train.
Every set draws its unseen and pseudo-unseen actions from its number. The classifier of the seen actions is fitted to
the features in each phase. So only the aligner and the gate differ between rows; but the backbone that made the
features may know the unseen actions, so that no number is a zero-shot result.

Rows: the presets `default` and `released`, the ridge in both spaces, and those given with --row. A --row of a name
alone asks for that row and the other given ones only. Each result of a row and a set is kept in FOLDER under its
settings, clips and texts, so that an interrupted run continues and a new row costs only itself. Take another FOLDER
when the code has changed. A row's ZSL is that of its own selection rule; `oracle` is the best cycle by the unseen test
clips. Printed are means over the sets with their standard errors, and the differences from `released` and from `ridge`,
paired by set.

`--known` names the actions that the backbone was trained on, as the setting backbone.known does: a data set, or a CSV
of texts. FEATURES.npz then also holds `logits` (n, K), the backbone's own, from which the weights of its classes
follow. Each row, but for those whose features stay as given, is followed by itself with these actions, and printed is
what they give, paired by set.

A row with `train.seeds=[5,6,7]` has the mean of its seeds in these columns, and the ensemble of them in three more.
Printed is also how much the ensemble gives above the mean, paired by set.
"""

import argparse
import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import torch
from numpy.typing import NDArray

from data.errors import DataError
from data.phase_names import PHASES, PhaseName
from data.splits import NUM_ACTIONS, Split
from data.stores.feature_store import FeatureSet
from descriptions.errors import DescriptionError
from descriptions.levels import LEVELS
from descriptions.loader import builtin_descriptions, read_descriptions
from models.aligners.protocol import State
from models.aligners.registry import make_aligner
from models.errors import ModelError
from models.fsvae.batches import TrainingData
from models.known_actions import KnownActions
from models.text.encoders import load_text_encoder
from models.zero_shot.gate import best_threshold
from models.zero_shot.metrics import harmonic_mean
from pipeline.messages.errors import PipelineError
from pipeline.phases.features_and_texts import joined_levels
from pipeline.phases.held_out import choose_held_out
from pipeline.phases.phase import phase_of
from pipeline.phases.scored_clips import PhaseParts
from pipeline.phases.scores import CycleScores, PhaseScoring, ensemble_scores, member_scores
from pipeline.phases.texts_in_use import BUILTIN_TEXTS
from pipeline.stages.given_backbone import fit_head
from pipeline.stages.scoring import Models, Prediction, score_ensemble, score_seed
from pipeline.workspace.config import Config, build_config
from pipeline.workspace.evaluate_settings import RULES, Rule
from pipeline.workspace.overrides import apply_override

ROWS = {
    "default": [],
    "released": ["model.preset=released"],
    "ridge": ["model.aligner=ridge"],
    "ridge-standardised": ["model.aligner=ridge", "model.features=standardised"],
}
HELD_OUT = 0.2
COLUMNS = ("ZSL", "oracle", "S", "U", "H", "H best threshold", "H perfect gate", "AUROC")
WITH_KNOWN = " + known"  # behind the name of a row
LARGEST_RESIDUAL = 1e-3  # of the classifier that follows from features and logits, in deviations of the logits
TOGETHER = ("ZSL", "H", "AUROC")  # columns of the ensemble, after the others
Texts = NDArray[np.float32]


def main() -> None:
    """Read the command line, fill FOLDER, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("features", type=Path)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    for name, value in (("sets", 60), ("unseen", 5), ("val-unseen", 4), ("workers", 2)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--encoder", default="minilm")
    parser.add_argument("--known", default="", help="ntu60, ntu120, pku51 or a CSV of texts")
    parser.add_argument("--row", action="append", default=[], help='"NAME key=value ...", or NAME alone')
    arguments = parser.parse_args()
    try:
        rows = chosen_rows(arguments.row)
        clips = read_clips(arguments.features)
        texts = encoded(read_descriptions(arguments.texts), arguments.encoder)
        require_texts(clips[1], texts, arguments.unseen + arguments.val_unseen)
        known = known_of(arguments.features, arguments.known, arguments.encoder) if arguments.known else None
    except (DataError, DescriptionError, ModelError, OSError, PipelineError) as error:
        parser.error(str(error))
    arguments.out.mkdir(parents=True, exist_ok=True)
    kinds: dict[str, tuple[list[str], KnownActions | None]] = {}
    for name, overrides in rows.items():
        kinds[name] = overrides, None
        if known and config_of(overrides).model.features != "given":
            kinds[name + WITH_KNOWN] = overrides, known
    tasks = [
        (clips, texts, overrides, number, arguments.unseen, arguments.val_unseen, arguments.out, learnt)
        for number in range(arguments.sets)
        for overrides, learnt in kinds.values()
    ]
    done = joblib.Parallel(n_jobs=arguments.workers)(joblib.delayed(_kept)(*task) for task in tasks)
    values = np.array(done).reshape(arguments.sets, len(kinds), len(COLUMNS) + len(TOGETHER))
    for line in table(list(kinds), values):
        print(line)


def chosen_rows(given: list[str]) -> dict[str, list[str]]:
    """Name -> overrides of each row. Raises PipelineError when a name or a setting does not exist."""
    chosen = {}
    for name, *overrides in (row.split() or [""] for row in given):
        if not overrides and name not in ROWS:
            raise PipelineError(f"--row {name!r}: no such row; give it settings, or name one of {', '.join(ROWS)}")
        chosen[name] = overrides or ROWS[name]
        config_of(chosen[name])
    return chosen if any(row in ROWS for row in given) else {**ROWS, **chosen}


def config_of(overrides: list[str]) -> Config:
    """The settings of a row. Raises PipelineError when one does not exist or can't have its value."""
    tree: dict[str, Any] = {}
    for override in overrides:
        apply_override(tree, override)
    return build_config(tree, "--row")


def require_texts(action: NDArray[np.int64], texts: Mapping[int, Texts], withheld: int) -> None:
    """Raise PipelineError when an action has no text, or too few actions would stay seen."""
    actions = np.unique(action).tolist()
    if without := sorted(set(actions) - set(texts)):
        raise PipelineError(f"--texts has no row for the actions {without} of the features")
    if len(actions) < withheld + 2:
        raise PipelineError(f"{len(actions)} actions are too few for {withheld} unseen and pseudo-unseen ones")


def read_clips(path: Path) -> tuple[Texts, NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Features (n, D), action, subject and training part (n,) each, without clips whose feature is constant.

    Raises DataError when the file is not an .npz with these arrays.
    """
    try:
        return _clips(path)
    except (KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: not an .npz file with features, action, and train or subject ({error})") from error


def _clips(path: Path) -> tuple[Texts, NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    with np.load(path) as file:
        features, action = file["features"].astype(np.float32), file["action"].astype(np.int64)
        if "train" not in file and "subject" not in file:
            raise KeyError("neither train nor subject")
        subject = file["subject"].astype(np.int64) if "subject" in file else np.zeros_like(action)
        train = file["train"].astype(bool) if "train" in file else subject % 2 == 1
    if features.ndim != 2 or not len(features) == len(action) == len(train):
        raise ValueError(f"features {features.shape}, action {action.shape}, train {train.shape}")
    usable = np.isfinite(features).all(axis=1) & (features.std(axis=1) > 0)
    return features[usable], action[usable], subject[usable], train[usable]


def known_of(path: Path, named: str, encoder: str) -> KnownActions:
    """The actions that the backbone of FEATURES.npz knows: `named` is a data set or a CSV of their texts.

    Raises DataError when the logits are missing, are no linear function of the features, or have other classes.
    """
    with np.load(path) as file:
        if "logits" not in file:
            raise DataError(f"{path}: has no logits, from which the weights of known classes follow")
        every, logits = file["features"].astype(np.float64), file["logits"].astype(np.float64)
    usable = np.isfinite(every).all(axis=1) & np.isfinite(logits).all(axis=1)
    rows = np.concatenate((every[usable], np.ones((usable.sum(), 1))), axis=1)
    solution = np.linalg.lstsq(rows, logits[usable], rcond=None)[0]  # (D + 1, K)
    residual = np.abs(rows @ solution - logits[usable]).max() / logits[usable].std()
    if residual > LARGEST_RESIDUAL:
        raise DataError(f"{path}: its logits are no linear function of its features (they differ by {residual:.2g})")
    actions = range(1, NUM_ACTIONS.get(named, 0) + 1)
    texts = builtin_descriptions(BUILTIN_TEXTS[named]) if actions else read_descriptions(Path(named))
    of_actions = {action: texts[action] for action in actions or texts}
    if len(of_actions) != logits.shape[1]:
        raise DataError(f"{path}: has logits of {logits.shape[1]} classes, --known {named} names {len(of_actions)}")
    features = np.stack(list(encoded(of_actions, encoder).values()))
    return KnownActions(solution[:-1].T.astype(np.float32), features)


def encoded(texts: Mapping[int, Mapping[str, str]], encoder: str) -> dict[int, Texts]:
    """The text feature of each action."""
    model = load_text_encoder(encoder)
    levels = [np.asarray(model.encode([row[level] for row in texts.values()], batch_size=32)) for level in LEVELS]
    return dict(zip(texts, joined_levels(levels), strict=True))


def _kept(
    clips: Any,
    texts: dict[int, Texts],
    overrides: list[str],
    number: int,
    unseen: int,
    val_unseen: int,
    folder: Path,
    known: KnownActions | None,
) -> list[float]:
    """One row and set, from the folder of results when it is there."""
    numbers = repr((config_of(overrides).flat(), number, unseen, val_unseen, sorted(texts))).encode()
    of_known = (known.weight, known.texts) if known else ()
    arrays = [part.tobytes() for part in (*clips, *(texts[action] for action in sorted(texts)), *of_known)]
    path = folder / f"{hashlib.sha256(b''.join((numbers, *arrays))).hexdigest()[:16]}.json"
    if not path.is_file():
        torch.set_num_threads(1)
        path.write_text(json.dumps(measure(clips, texts, overrides, number, unseen, val_unseen, known)), "utf-8")
    values: list[float] = json.loads(path.read_text("utf-8"))
    return values


def measure(
    clips: Any,
    texts: Mapping[int, Texts],
    overrides: list[str],
    number: int,
    unseen: int,
    val_unseen: int,
    known: KnownActions | None = None,
) -> list[float]:
    """COLUMNS and TOGETHER of one row on the set of unseen actions with this number."""
    config = config_of(overrides)
    features, action, subject, train = clips
    split = drawn_split(action, number, unseen, val_unseen)
    held_out = choose_held_out(action, subject, train, HELD_OUT, config.seed)
    aligner = make_aligner(config.model, config.train, config.evaluate.classifier)
    parts_of = {name: phase_parts(name, split, features, action, train, held_out, texts) for name in PHASES}
    phases = {name: scoring for name, (_, scoring) in parts_of.items()}
    gate, rule = config.evaluate.gate.kind, config.evaluate.selection
    states: dict[tuple[int, PhaseName], list[State]] = {}
    models: list[Models] = []
    columns: list[list[float]] = []
    for seed in config.train.seeds:
        scores = {}
        for place, (name, (data, scoring)) in enumerate(parts_of.items()):
            data = replace(data, known=known)
            states[seed, name], _ = aligner.fit(data, (seed, place), torch.device("cpu"), lambda cycle, row: None)
            scores[name] = member_scores(scoring, aligner, states[seed, name], (seed, place), gate)
        results, predictions, of_seed = score_seed(seed, config.evaluate, phases, scores)
        columns.append(_columns(results[rule], results["oracle"], phases["test"], predictions[rule]))
        models.append(of_seed)

    def together(rule: Rule, name: PhaseName) -> CycleScores:
        taken = [of_seed[rule, name] for of_seed in models]
        of_cycles = [{cycle: states[model.seed, name][cycle - 1] for cycle in model.cycles} for model in taken]
        return ensemble_scores(phases[name], aligner, taken, of_cycles, gate)

    every = (together(rule, name) for rule in RULES for name in PHASES)
    ensemble = score_ensemble(config.evaluate, phases, models, every)[0][rule]
    of_all = ensemble["zsl"]["top1"], ensemble["gzsl"]["h"], ensemble["auroc"]["gate"]
    return [*np.mean(columns, axis=0).tolist(), *of_all]


def drawn_split(action: NDArray[np.int64], number: int, unseen: int, val_unseen: int) -> Split:
    """The set of unseen and pseudo-unseen actions with this number."""
    actions = np.random.default_rng([7, number]).permutation(np.unique(action)).tolist()
    parts = actions[:unseen], actions[unseen : unseen + val_unseen], actions[unseen:]
    drawn, held_back, seen = (tuple(sorted(part)) for part in parts)
    return Split("custom", seen, drawn, held_back, True)


def phase_parts(
    name: PhaseName,
    split: Split,
    features: Texts,
    action: NDArray[np.int64],
    train: NDArray[np.bool_],
    held_out: NDArray[np.bool_],
    texts: Mapping[int, Texts],
) -> tuple[TrainingData, PhaseScoring]:
    """What a phase trains on and is scored on, with a classifier of its seen actions fitted here."""
    phase = phase_of(name, split)
    known = train & ~held_out & np.isin(action, phase.seen)
    logits, _ = fit_head(features, action, known)
    names = np.array([str(row) for row in range(len(action))])
    clips = FeatureSet(names, action, train, held_out, features, logits, np.array(phase.seen))
    parts = PhaseParts.of(phase, clips)
    row = np.searchsorted(phase.seen, parts.trained_on.action)
    seen_texts, unseen_texts = (np.stack([texts[one] for one in kind]) for kind in (phase.seen, phase.unseen))
    data = TrainingData(parts.trained_on.features, row, seen_texts)
    return data, parts.scoring(parts.distance(), seen_texts, unseen_texts)


def _columns(own: Any, oracle: Any, test: PhaseScoring, prediction: Prediction) -> list[float]:
    right_if_unseen = test.zsl_actions(prediction.unseen_probabilities) == test.action
    right_if_seen = np.asarray(test.seen)[test.seen_logits.argmax(axis=1)] == test.action
    level = best_threshold(prediction.gate, test.is_unseen, right_if_seen, right_if_unseen)
    taken = prediction.gate >= level
    best = harmonic_mean(
        100 * float((right_if_seen & ~taken)[~test.is_unseen].mean()),
        100 * float((right_if_unseen & taken)[test.is_unseen].mean()),
    )
    gzsl = own["gzsl"]
    perfect, auroc = own["gzsl_oracle_gate"]["h"], own["auroc"]["gate"]
    zsl = own["zsl"]["top1"], oracle["zsl"]["top1"]
    return [*zsl, gzsl["seen"], gzsl["unseen"], gzsl["h"], best, perfect, auroc]


def table(names: list[str], values: NDArray[np.float64]) -> Iterator[str]:
    """Lines for `values` (sets, rows, columns): means, then paired differences, each with its standard error."""
    values, together = values[:, :, : len(COLUMNS)], values[:, :, len(COLUMNS) :]
    yield f"{len(values)} sets; mean ± standard error"
    yield "| row | " + " | ".join(COLUMNS) + " |"
    yield "|---" * (len(COLUMNS) + 1) + "|"
    for place, name in enumerate(names):
        yield f"| {name} | {' | '.join(map(mean_and_error, values[:, place].T))} |"
    oracle, zsl, h = (COLUMNS.index(column) for column in ("oracle", "ZSL", "H"))
    for reference, column, words in (("released", oracle, "oracle ZSL of released"), ("ridge", zsl, "ZSL of ridge")):
        if reference in names:
            other = values[:, names.index(reference)]
            yield f"paired differences from the {words}, and from its H:"
            for place, name in enumerate(names):
                differences = values[:, place, zsl] - other[:, column], values[:, place, h] - other[:, h]
                yield f"  {name}: ZSL {mean_and_error(differences[0])}, H {mean_and_error(differences[1])}"
    for place, name in enumerate(names):
        if name.endswith(WITH_KNOWN):
            alone = values[:, names.index(name.removesuffix(WITH_KNOWN))]
            gained = [f"{COLUMNS[i]} {mean_and_error(values[:, place, i] - alone[:, i])}" for i in range(len(COLUMNS))]
            yield f"paired differences of {name} from the row without: {', '.join(gained)}"
    gains = together - values[:, :, [COLUMNS.index(column) for column in TOGETHER]]  # (sets, rows, 3); 0 for one seed
    for place, name in enumerate(names):
        if gains[:, place].any():
            above = ", ".join(f"{column} {mean_and_error(gains[:, place, i])}" for i, column in enumerate(TOGETHER))
            yield f"paired differences of the ensemble of {name} from the mean of its seeds: {above}"


def mean_and_error(values: NDArray[np.float64]) -> str:
    error = values.std(ddof=1) / len(values) ** 0.5 if len(values) > 1 else 0.0
    return f"{values.mean():.1f} ± {error:.1f}"


if __name__ == "__main__":
    main()
