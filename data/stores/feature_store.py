"""features/PHASE.h5: the features and logits of every clip, from one phase's backbone.

Datasets with one row per clip, in the order of skeletons.h5 (n clips, D numbers of a feature, k actions of the logits):

    name      (n,) string    SsssCcccPpppRrrrAaaa
    action    (n,) int64     1-based
    train     (n,) bool      the clip is in the protocol's training part
    held_out  (n,) bool      the clip is in the training part, but the backbone did not train on it
    features  (n, D) float32
    logits    (n, k) float32; attribute logit_actions (k,) int64: each column's action, one of the phase's seen actions

Two more datasets hold the linear classifier that gave the logits. Imported files have none:

    head_weight  (k, D) float32
    head_bias    (k,) float32

logits = features head_weight^T + head_bias; for a classifier that `extract` fitted, up to a constant a row.

Where a given backbone was trained on K known actions of another data set, one dataset holds its own classifier:

    known_weight  (K, D) float32; attribute known_actions (K,) int64: the action of each row, in that data set

The record describes the backbone, as text:

    transfer           "true" when it was trained on actions that are unseen in this phase, so that results are not
                       zero-shot; "unknown" when its classes are those of another data set; otherwise "false"
    backbone_saw       JSON list of those unseen actions, as ["A011", ...]
    held_out_accuracy  JSON object: epoch, top1, top5 (percent) and clips; absent when the weights were given
    known_source       the data set or CSV that names the known actions; absent where there are none
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import h5py
import numpy as np
from numpy.typing import NDArray

from data.clip_name import MAX_NUMBER
from data.errors import DataError
from data.stores import h5
from data.stores.files import ADVICE

COLUMNS: Mapping[str, tuple[type, int]] = {  # name -> type, dimensions
    "action": (np.int64, 1), "train": (np.bool_, 1), "held_out": (np.bool_, 1),
    "features": (np.float32, 2), "logits": (np.float32, 2),
}  # fmt: skip
KNOWN = "known_weight"


@dataclass(frozen=True)
class Head:
    """The linear classifier of the seen actions: weight (k, D), bias (k,)."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]

    def logits(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, D) -> (n, k)."""
        return features @ self.weight.T + self.bias


@dataclass(frozen=True)
class KnownWeights:
    """The weights (K, D) of the classes that a given backbone was trained on, and their actions (K,), rising."""

    action: NDArray[np.int64]
    weight: NDArray[np.float32]


@dataclass(frozen=True)
class FeatureSet:
    """The contents of one features file. The module's docstring has fields and shapes."""

    name: NDArray[np.str_]
    action: NDArray[np.int64]
    train: NDArray[np.bool_]
    held_out: NDArray[np.bool_]
    features: NDArray[np.float32]
    logits: NDArray[np.float32]
    logit_actions: NDArray[np.int64]
    head: Head | None = None
    known: KnownWeights | None = None

    def __len__(self) -> int:
        return len(self.action)

    def of(self, clips: NDArray[np.bool_]) -> Self:
        """Return a copy with these clips alone; `clips` is (n,)."""
        return replace(self, **{name: getattr(self, name)[clips] for name in ("name", *COLUMNS)})


def write_features(path: Path, features: FeatureSet, record: Mapping[str, str]) -> None:
    """Writes `features` to `path`, whole or not at all."""
    with h5.writing(path, record) as file:
        h5.write_strings(file, "name", features.name)
        for name in ("action", "train", "held_out", "features", "logits"):
            file.create_dataset(name, data=getattr(features, name), fletcher32=True)
        file["logits"].attrs["logit_actions"] = features.logit_actions
        if features.head is not None:
            file.create_dataset("head_weight", data=features.head.weight, fletcher32=True)
            file.create_dataset("head_bias", data=features.head.bias, fletcher32=True)
        if features.known is not None:
            file.create_dataset(KNOWN, data=features.known.weight, fletcher32=True)
            file[KNOWN].attrs["known_actions"] = features.known.action


def read_features(path: Path) -> FeatureSet:
    """Reads a features file. Raises DataError when it is missing or damaged, or its parts do not fit each other."""
    with h5.reading(path) as file:
        columns = {name: h5.read_array(file, name, like, ndim) for name, (like, ndim) in COLUMNS.items()}
        logit_actions = np.atleast_1d(np.asarray(h5.read_attribute(file, "logits", "logit_actions")))
        head, known = _head(file), _known(file)
        features = FeatureSet(
            name=h5.read_strings(file, "name"), logit_actions=logit_actions, head=head, known=known, **columns
        )
    lengths = {len(column) for column in (features.name, *columns.values())}
    head_fits = head is None or head.weight.shape == (*logit_actions.shape, features.features.shape[1])
    known_fits = known is None or known.weight.shape == (*known.action.shape, features.features.shape[1])
    if len(lengths) > 1 or features.logits.shape[1:] != logit_actions.shape or not (head_fits and known_fits):
        raise DataError(f"{path}: its datasets differ in length; delete it and run `fsvae-pipe extract` again")
    for name, actions in (("action", features.action), ("logit_actions", logit_actions)):
        if actions.dtype.kind not in "iu" or (len(actions) and not 1 <= actions.min() <= actions.max() <= MAX_NUMBER):
            raise DataError(
                f"{path}: {name} holds numbers that are not actions, 1 to {MAX_NUMBER}; delete it and run "
                "`fsvae-pipe extract` again"
            )
    with h5.reading(path) as file:
        h5.require_as_written(file)
    return features


def all_the_same(features: NDArray[np.float32], action: NDArray[np.int64]) -> str:
    """What is wrong when `features` (n, D) of clips of several actions (n,) are all equal, as a clause; else ""."""
    if len(np.unique(action)) < 2 or (features != features[0]).any():
        return ""
    kind = "equal" if features[0].any() else "zero"
    return f"the features of all {len(features)} clips are {kind}, so that no action can be told from another"


def feature_width(path: Path) -> int:
    """Return D without reading the features. Raises DataError when the file is missing or damaged."""
    with h5.reading(path) as file:
        return int(h5.dataset(file, "features", "f", 2).shape[1])


def read_head(path: Path) -> Head | None:
    """Read only the classifier; None when the file has none. Raises DataError as `read_features` does."""
    with h5.reading(path) as file:
        head = _head(file)
        h5.require_as_written(file)
    return head


def _head(file: h5py.File) -> Head | None:
    """Read the classifier in an open file. Raises DataError when it is damaged."""
    if not {"head_weight", "head_bias"} & set(h5.group_names(file)):
        return None
    weight, bias = (
        h5.read_array(file, name, np.float32, ndim) for name, ndim in (("head_weight", 2), ("head_bias", 1))
    )
    if len(weight) != len(bias):
        raise DataError(f"{file.filename}: head_weight and head_bias differ in length; {ADVICE}")
    return Head(weight, bias)


def _known(file: h5py.File) -> KnownWeights | None:
    """Read the known actions in an open file; None when it has none. Raises DataError when they are damaged."""
    if KNOWN not in h5.group_names(file):
        return None
    weight = h5.read_array(file, KNOWN, np.float32, 2)
    action = np.atleast_1d(np.asarray(h5.read_attribute(file, KNOWN, "known_actions")))
    rising = action.dtype.kind in "iu" and bool((action[:-1] < action[1:]).all())
    if not rising or not np.isfinite(weight).all():
        raise DataError(f"{file.filename}: known_weight does not hold finite weights of rising actions; {ADVICE}")
    return KnownWeights(action.astype(np.int64), weight)
