"""The inputs of each stage, by name, with their fingerprints. `status` compares them to say which input changed."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from data.phase_names import PHASES
from pipeline.messages.errors import PipelineError
from pipeline.workspace.context import Context
from pipeline.workspace.provenance import read_record

Texts = Mapping[int, Mapping[str, str]]  # action -> level -> text


def raw_clips(context: Context) -> Mapping[str, str]:
    """Return a fingerprint for each path in `dataset.raw`, and for what says how they are read.

    That is the manifest, a layout that is not NTU's, and the revision of the recipe if it is not the first one. A raw
    file's fingerprint is made from names, sizes and modification times. The contents are not read.
    """
    from data.raw.sources import fingerprint_source
    from data.recipes import revision
    from pipeline.phases.raw_recordings import fingerprint_reading

    dataset = context.config.dataset
    if not dataset.raw and not dataset.manifest:
        raise PipelineError(
            f"dataset.raw is empty in {context.config_path}: name the folders or zip archives that hold the raw "
            ".skeleton files there, or run `fsvae-pipe preprocess --raw PATH`; without them, `fsvae-pipe import` takes "
            "features or skeleton arrays (both phases) that others made"
        )
    reading, endings = fingerprint_reading(context)
    sources = {path: fingerprint_source(context.user_path(path), endings) for path in dataset.raw}
    return {**sources, **reading, **revision(context.config.preprocess.recipe)}


def skeletons_and_weights(context: Context) -> Mapping[str, str]:
    """Return the fingerprints of skeletons.h5, and of what backbone.weights and dataset.protocol_list name.

    Where the backbone knows actions of another data set, there is one of their numbers too.
    """
    from pipeline.phases.known_actions import known_actions

    fingerprints = {"skeletons.h5": _made_by(context.workspace.skeletons, "preprocess"), **_val_unseen_draw(context)}
    for key in ("backbone.weights", "dataset.protocol_list"):
        named = str(context.config.flat()[key])
        if named:
            fingerprints[named] = _digest_of_file(key, named, context.user_path(named))
    known = known_actions(context)
    return {**fingerprints, "list of known actions": _digest(known.listed)} if known else fingerprints


def descriptions(context: Context) -> Mapping[str, str]:
    """Return the fingerprints of `encoder_files` and `fingerprints_of_texts`."""
    from pipeline.phases.known_actions import known_actions
    from pipeline.phases.texts_in_use import texts_in_use

    known = known_actions(context)
    return {
        **encoder_files(context),
        **fingerprints_of_texts(texts_in_use(context), context.config.text.levels, known.texts if known else {}),
    }


def encoder_files(context: Context) -> Mapping[str, str]:
    """Return a fingerprint of the folder that `text.encoder` names; nothing when `text.encoder` is not a folder.

    It is made from the names, sizes and modification times of the files.
    """
    encoder = context.config.text.encoder
    folder = context.user_path(encoder)
    if not folder.is_dir():
        return {}
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    listed = [(str(path.relative_to(folder)), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return {f"files of {encoder}": _digest(repr(listed))}


def fingerprints_of_texts(texts: Texts, levels: Sequence[str], known: Texts) -> Mapping[str, str]:
    """Return a fingerprint for each action's `texts` at `levels`, and one of those of all `known` actions together."""
    from data.splits import action_label

    def joined(row: Mapping[str, str]) -> str:
        return "\n".join(row[level] for level in levels)

    prints = {f"text of {action_label(action)}": _digest(joined(row)) for action, row in texts.items()}
    every = "\n".join(f"{action_label(action)}\n{joined(row)}" for action, row in known.items())
    return {**prints, "text of known actions": _digest(every)} if known else prints


def features_and_text(context: Context) -> Mapping[str, str]:
    """Return the fingerprints of both features files and of text.h5."""
    features = {f"features/{phase}.h5": _made_by(context.workspace.features(phase), "extract") for phase in PHASES}
    return {**features, "text.h5": _made_by(context.workspace.text, "embed-text"), **_val_unseen_draw(context)}


def model_features_and_text(context: Context) -> Mapping[str, str]:
    """Return the fingerprints of the trained weights and of the files that they were trained on."""
    return {"model.safetensors": _made_by(context.run.model, "train"), **features_and_text(context)}


def _val_unseen_draw(context: Context) -> Mapping[str, str]:
    """Return the version of the draw of pseudo-unseen actions, if the split draws them; else nothing."""
    from data.splits import VAL_UNSEEN_DRAW, draws_val_unseen

    return {"draw of pseudo-unseen actions": VAL_UNSEEN_DRAW} if draws_val_unseen(context.config.dataset) else {}


def _made_by(path: Path, stage: str) -> str:
    """Return the fingerprint in the output at `path`. Raises PipelineError, naming `stage`, when there is none."""
    if not path.is_file():
        bring = "" if stage == "train" else " (or `fsvae-pipe import` brings it)"
        raise PipelineError(f"{path} does not exist yet; `fsvae-pipe {stage}` makes it{bring}")
    fingerprint = read_record(path).get("fingerprint")
    if fingerprint is None:
        raise PipelineError(f"{path} carries no fingerprint; make it again with `fsvae-pipe {stage} --force`")
    return fingerprint


def _digest_of_file(key: str, named: str, path: Path) -> str:
    """Return the SHA-256 of the file that the setting `key` names. Raises PipelineError when there is none."""
    if not path.is_file():
        raise PipelineError(f'{key} = "{named}": {path} is not a file')
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
