"""`fsvae-pipe import skeletons`: skeleton arrays of a fixed length -> skeletons.h5, a clip at a time."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from data.clean.bodies import CleanClip
from data.clean.body_size import body_sizes_m, wrong_size
from data.clean.cleaning import collect
from data.clip_name import ClipName
from data.errors import DataError
from data.protocols import training_clips
from data.published.skeletons import (
    ARRAY_RECIPE,
    Imported,
    array_clips,
    label_path_of,
    npz_clips,
    npz_names,
    read_labelled_array,
)
from data.recipes import revision
from data.splits import CUSTOM, NUM_ACTIONS, resolve_split
from data.stores import h5
from data.stores.files import sha256_of
from data.stores.skeleton_store import SkeletonWriter
from pipeline.messages.errors import PipelineError
from pipeline.phases.phase import missing_actions, phase_of, require_clips
from pipeline.stages.preprocess import Identities
from pipeline.workspace.context import Context
from pipeline.workspace.provenance import IMPORT, RECIPE, Provenance

BATCH_CLIPS = 64
SHOWN_REJECTS = 5
PYSKL_KEYS = (b"split", b"annotations")  # those of the dictionary in a pickle of pyskl
PICKLE_BEGINNING_BYTES = 200  # the first key stands in the first few dozen


def import_skeletons(context: Context, paths: Sequence[Path]) -> list[str]:
    """Check and write the clips of `paths`; return lines for the screen.

    `paths` are PREFIX_data_joint.npy files, or one .npz archive; PREFIX_label.pkl files may be among them. Raises
    DataError or PipelineError that names the file; then skeletons.h5 stays as it was.
    """
    archives = [path for path in paths if path.suffix == ".npz"]
    if archives and len(paths) > 1:
        raise PipelineError(f"{archives[0]} holds training and test clips; import it alone")
    settings = {"dataset.name": context.config.dataset.name}
    recipe, recipe_revision = {}, {}
    if archives:
        names = npz_names(archives[0])
        _require_parts_protocol(context, archives[0])
        flat = context.config.flat()
        for key in ("dataset.protocol", "dataset.train_subjects", RECIPE):
            settings[key] = flat[key]
        clips, files = npz_clips(archives[0], names, context.config.preprocess.recipe), archives
        recipe_revision = revision(context.config.preprocess.recipe)
    else:
        arrays = [read_labelled_array(path) for path in _data_paths(paths)]
        names = [name for array in arrays for name in array.names]
        clips, files = array_clips(arrays), [path for array in arrays for path in (array.path, array.label_path)]
        recipe[RECIPE] = ARRAY_RECIPE  # outside of `settings`, because the setting of this name does not affect arrays
    _check_names(context, names, files)
    provenance = Provenance(IMPORT, 1, settings, {path.name: sha256_of(path) for path in files} | recipe_revision)
    return _write(context, {**provenance.record(), **recipe}, clips, len(names))


def _data_paths(paths: Sequence[Path]) -> list[Path]:
    """The arrays among `paths`. Raises PipelineError when one is named twice, or a file of labels has no array."""
    arrays = [path for path in paths if path.suffix != ".pkl"]
    if len(set(arrays)) < len(arrays):
        raise PipelineError(f"an array is named twice: {', '.join(map(str, arrays))}")
    label_paths = {label_path_of(path) for path in arrays}
    for path in paths:
        if path.suffix == ".pkl" and path not in label_paths:
            _refuse_lone_pickle(path)
    return arrays


def _refuse_lone_pickle(path: Path) -> None:
    """Raise PipelineError that says what a .pkl without an array seems to be. Nothing in it is unpickled."""
    with path.open("rb") as file:
        beginning = file.read(PICKLE_BEGINNING_BYTES)
    if any(key in beginning for key in PYSKL_KEYS):
        raise PipelineError(
            f"{path} is a pickle of annotations in the form of pyskl, as ntu60_3danno.pkl: skeletons and labels "
            "in one file. It is read as raw clips: run `fsvae-pipe preprocess --layout pyskl --raw PATH`"
        )
    raise PipelineError(f"{path} holds the labels of an array that is not given; name the array as well")


def _require_parts_protocol(context: Context, path: Path) -> None:
    """Raise PipelineError unless the protocol trains on subject 1, which an archive's training clips get."""
    dataset = context.config.dataset
    if dataset.protocol != CUSTOM or dataset.train_subjects != (1,):
        raise PipelineError(
            f"{path} says which clips are for training and which for test, but not who performs them or from where; "
            "its clips get subject 1 (training) and 2 (test). Now "
            f'dataset.protocol = "{dataset.protocol}"; set protocol = "custom" and train_subjects = [1] in '
            f"{context.config_path}, then import it again"
        )


def _check_names(context: Context, names: Sequence[ClipName], files: Sequence[Path]) -> None:
    """Raise DataError when clips occur twice, show actions that the data set lacks, or leave a part of it empty."""
    sources = ", ".join(map(str, files))
    ordered = sorted(names)
    twice = [str(name) for name, following in pairwise(ordered) if name == following]
    if twice:
        raise DataError(f"{sources}: {len(twice)} clips occur twice, the first {twice[0]}")
    dataset = context.config.dataset
    columns = {
        key: np.array([getattr(name, key) for name in names], dtype=np.int64)
        for key in ("setup", "camera", "subject", "action")
    }
    actions = np.unique(columns["action"]).tolist()
    outside = missing_actions(actions, range(1, NUM_ACTIONS.get(dataset.name, max(actions)) + 1))
    if outside:
        raise DataError(f"{sources}: has clips of {outside}, which {dataset.name} does not have; check dataset.name")
    split = resolve_split(dataset, actions, context.config.seed)
    train = training_clips(dataset, columns["setup"], columns["camera"], columns["subject"], context.paths_from)
    try:
        require_clips(phase_of("test", split), columns["action"][train])
    except DataError as error:
        raise DataError(f"{sources}: {error}") from error


def _write(context: Context, record: Mapping[str, str], clips: Iterable[Imported], total: int) -> list[str]:
    """Write the clips and return lines for the screen. Raises DataError when none of them can be used."""
    path, rejects, identities = context.workspace.skeletons, [], Identities()
    sizes_m: list[NDArray[np.float64]] = []
    record = dict(record)
    written_clips = written_frames = 0
    with h5.writing(path, record) as file:
        writer = SkeletonWriter(file)
        batch: list[tuple[ClipName, CleanClip]] = []
        for name, clip in _with_progress(context, clips, total):
            if isinstance(clip, DataError):
                rejects.append(str(clip))
                continue
            batch.append((name, clip))
            sizes_m.append(body_sizes_m(clip.joints[:1, 0]))
            written_clips, written_frames = written_clips + 1, written_frames + clip.joints.shape[1]
            identities.joined += clip.joined
            identities.exchanged += clip.exchanged
            if len(batch) == BATCH_CLIPS:
                writer.append(collect(batch))
                batch.clear()
        if not written_clips:
            raise DataError(f"none of {total} clips can be used; the first: {rejects[0]}")
        writer.append(collect(batch))
        writer.finish()
        if RECIPE not in record:  # arrays have been cleaned elsewhere, so that nothing is known of identities
            record.update(identities.record())
    for reject in rejects[:SHOWN_REJECTS]:
        context.console.print(f"left out: {reject}", markup=False, highlight=False)
    if len(rejects) > SHOWN_REJECTS:
        context.console.print(f"left out: {len(rejects) - SHOWN_REJECTS} more clips")
    if wrong := wrong_size(np.concatenate(sizes_m)):
        context.console.print(f"warning: {wrong}", style="yellow", markup=False, highlight=False)
    left_out = f", {len(rejects)} left out" if rejects else ""
    mean_frames = f"{written_frames / written_clips:.0f} frames on average"
    wrote = f"wrote {path}: {written_clips} clips{left_out}, {mean_frames}"
    return [wrote, *identities.lines(context.config.preprocess.recipe), "next: `fsvae-pipe run`"]


def _with_progress(context: Context, clips: Iterable[Imported], total: int) -> Iterator[Imported]:
    columns = (TextColumn("import"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=context.console, transient=True) as progress:
        yield from progress.track(clips, total=total)
