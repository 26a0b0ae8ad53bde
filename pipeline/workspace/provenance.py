"""The record of how an output was made, and what changed since then.

The record is in the output itself: in the root attributes of an HDF5 file, in the metadata of a safetensors file, under
"provenance" in a JSON file. All its values are strings, which all three kinds of file can hold.
"""

import hashlib
import json
import shlex
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Self

from data.errors import DataError
from data.joints import KINECT_FPS
from data.stores.files import ADVICE, FORMAT_VERSION, check_format_version, check_seal
from pipeline.messages.errors import PipelineError, printable
from pipeline.workspace.config import Config
from pipeline.workspace.tensor_store import read_tensor_record

PHASE = "phase"  # key in the record of features/PHASE.h5: whose features they are, in case the file is copied
BACKBONE = "backbone_fingerprint"  # key in the record of features/PHASE.h5: the weights that made the features
LEARNT_KNOWN = "known_actions"  # key in the record of model.safetensors: how many known actions it learnt from, if any
IMPORT = "import"  # the stage in the record of a file that `fsvae-pipe import` wrote
RECIPE = "preprocess.recipe"  # a setting of skeletons.h5; imported arrays have it beside the settings

STORED_FPS = "preprocess.fps"  # a setting of skeletons.h5; earlier versions left each clip at a Kinect's rate

VERSIONED_PACKAGES = (
    "fsvae-pipe",
    "accelerate",
    "h5py",
    "numpy",
    "pandas",
    "scikit-learn",
    "sentence-transformers",
    "torch",
    "transformers",
)


@dataclass(frozen=True)
class Provenance:
    """What an output depends on: the stage and its version, settings by dotted key, fingerprints of inputs by name."""

    stage: str
    stage_version: int
    settings: Mapping[str, Any]
    inputs: Mapping[str, str]

    def record(self) -> dict[str, str]:
        """Return the record to write into an output. Its versions, time and command are only for people to read."""
        return {
            "format_version": str(FORMAT_VERSION),
            "stage": self.stage,
            "stage_version": str(self.stage_version),
            "settings": json.dumps(dict(self.settings), sort_keys=True),
            "inputs": json.dumps(dict(self.inputs), sort_keys=True),
            "versions": json.dumps(package_versions(), sort_keys=True),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": printable(shlex.join(["fsvae-pipe", *sys.argv[1:]])),  # bytes of a path may not be UTF-8
        }

    @classmethod
    def from_record(cls, record: Mapping[str, str]) -> Self:
        """Return the provenance in a record. Raises PipelineError when a part of the record is missing or broken."""
        try:
            settings, inputs = (json.loads(record[key]) for key in ("settings", "inputs"))
            if not (isinstance(settings, dict) and isinstance(inputs, dict)):
                raise ValueError("settings and inputs must be tables")
            return cls(record["stage"], int(record["stage_version"]), settings, inputs)
        except (KeyError, ValueError, TypeError, RecursionError) as error:
            raise PipelineError(f"the record of how the file was made is not whole ({error!r})") from error

    def changes_from(self, earlier: "Provenance") -> Iterator[str]:
        """Yield the reasons why an output made by `earlier` is out of date. Each names a setting or an input.

        A setting that the earlier record lacks did not exist then. It counts as having its present default. So a new
        setting makes nothing stale, provided that its default does what the program did before.
        """
        if (self.stage, self.stage_version) != (earlier.stage, earlier.stage_version):
            yield (
                f"made by {earlier.stage} version {earlier.stage_version}, "
                f"this program has {self.stage} version {self.stage_version}"
            )
        mine = json.loads(json.dumps(dict(self.settings)))  # tuples become lists, as in a record read back
        for key in sorted(mine.keys() | earlier.settings.keys()):
            before, now = earlier.settings.get(key, _defaults().get(key)), mine.get(key)
            if before != now:
                yield f"{key} changed from {json.dumps(before)} to {json.dumps(now)}"
        for name in sorted(self.inputs.keys() | earlier.inputs.keys()):
            if name not in earlier.inputs:
                yield f"{name} is new"
            elif name not in self.inputs:
                yield f"{name} is gone"
            elif self.inputs[name] != earlier.inputs[name]:
                yield f"{name} changed"

    def require_inputs(self, now: Mapping[str, str]) -> None:
        """Raise PipelineError when `now`, the fingerprints after the inputs were read, are not those from before.

        The stage may then have read the new contents, but the record would name the old ones. If the user put the old
        file back, the output would look up to date.
        """
        names = now.keys() | self.inputs.keys()
        changed = sorted(name for name in names if now.get(name) != self.inputs.get(name))
        if changed:
            raise PipelineError(
                f"{', '.join(changed)} changed while {self.stage} read it, so that no result was written; run the same "
                "command again"
            )


@cache
def _defaults() -> dict[str, Any]:
    return Config().flat()


@cache
def package_versions() -> dict[str, str]:
    """Return the installed versions of the packages that results depend on, without importing them."""
    versions = {"python": ".".join(str(part) for part in sys.version_info[:3])}
    for package in VERSIONED_PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions


def read_record(path: Path) -> dict[str, str]:
    """Return the record in the output at `path`, an .h5, .safetensors or .json file.

    Raises DataError or PipelineError when the file is missing or damaged, or has no record. Raises NewerFormatError
    when a newer program wrote it.
    """
    if not path.is_file():
        raise PipelineError(f"{path}: no such file")
    if path.suffix == ".h5":
        from data.stores import h5

        return h5.read_record(path)
    record = read_tensor_record(path) if path.suffix == ".safetensors" else _json_record(path)
    check_format_version(path, record.get("format_version"))
    check_seal(path, record)
    return record


def _json_record(path: Path) -> dict[str, str]:
    """Return what a JSON file holds under "provenance". Raises DataError when the file does not fit its fingerprint."""
    try:
        tree = json.loads(path.read_text("utf-8"))
        record: dict[str, str] = tree["provenance"]
        if not isinstance(record, dict):
            raise ValueError("provenance must be a table")
        as_written = record.get("fingerprint") in (None, json_fingerprint(tree))
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: does not say how it was made ({error!r}); {ADVICE}") from error
    if not as_written:
        raise DataError(f"{path}: its contents are not those that were written, so that it was edited; {ADVICE}")
    return record


def json_fingerprint(tree: Mapping[str, Any]) -> str:
    """Return the SHA-256 of everything in a JSON file except "provenance"."""
    content = json.loads(json.dumps({key: value for key, value in tree.items() if key != "provenance"}))
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def stored_fps(skeletons: Path) -> float:
    """Return the frames a second of the clips in skeletons.h5; 0 = each has the rate of its recording."""
    return float(Provenance.from_record(read_record(skeletons)).settings.get(STORED_FPS, KINECT_FPS))
