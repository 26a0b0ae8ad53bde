"""What an output says of how it was made, and how that differs from how it would be made now.

The record travels with the file: in the root attributes of HDF5, in the metadata of safetensors, under "provenance" in
JSON. All values are strings, so that one form serves all three.
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
from data.stores.files import ADVICE, FORMAT_VERSION, check_format_version, check_seal
from pipeline.messages.errors import PipelineError
from pipeline.workspace.config import Config
from pipeline.workspace.tensor_store import read_tensor_record

BACKBONE = "backbone_fingerprint"  # in the record of features/PHASE.h5: the weights that made it
IMPORT = "import"  # the stage that a record names when `fsvae-pipe import` wrote the file
RECIPE = "preprocess.recipe"  # among the settings of skeletons.h5; beside them when arrays came with their recipe

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
    """What a stage's output depends on: settings (dotted keys), input fingerprints (by name), the stage's version."""

    stage: str
    stage_version: int
    settings: Mapping[str, Any]
    inputs: Mapping[str, str]

    def record(self) -> dict[str, str]:
        """The record to write into an output, with versions, time and command beside what counts."""
        return {
            "format_version": str(FORMAT_VERSION),
            "stage": self.stage,
            "stage_version": str(self.stage_version),
            "settings": json.dumps(dict(self.settings), sort_keys=True),
            "inputs": json.dumps(dict(self.inputs), sort_keys=True),
            "versions": json.dumps(package_versions(), sort_keys=True),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": shlex.join(["fsvae-pipe", *sys.argv[1:]]),
        }

    @classmethod
    def from_record(cls, record: Mapping[str, str]) -> Self:
        """The provenance in a record that was read back. Raises PipelineError when the record is not whole."""
        try:
            settings, inputs = (json.loads(record[key]) for key in ("settings", "inputs"))
            if not (isinstance(settings, dict) and isinstance(inputs, dict)):
                raise ValueError("settings and inputs must be tables")
            return cls(record["stage"], int(record["stage_version"]), settings, inputs)
        except (KeyError, ValueError, TypeError, RecursionError) as error:
            raise PipelineError(f"the record of how the file was made is not whole ({error!r})") from error

    def changes_from(self, earlier: "Provenance") -> Iterator[str]:
        """Why an output made by `earlier` is out of date: one phrase for each setting or input that changed.

        A setting that the earlier record lacks did not exist then, and counts as its default now. So a new setting
        makes nothing stale, provided that its default does what the program did before.
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
        """Raise PipelineError when `now`, the inputs' fingerprints after they were read, are others than before.

        What was read may be of either state then, and the record would tell of the old one: put back, it would make
        the result look up to date.
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
    """Installed versions of what the numbers depend on, without importing any of it."""
    versions = {"python": ".".join(str(part) for part in sys.version_info[:3])}
    for package in VERSIONED_PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions


def read_record(path: Path) -> dict[str, str]:
    """The record that the output at `path` carries: .h5, .safetensors or .json, by its ending.

    Raises DataError or PipelineError when the file is missing, cut short or carries none, NewerFormatError when a newer
    program wrote it.
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
    """What a JSON file holds under "provenance", after checking the rest by the fingerprint there."""
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
    """SHA-256 of all of a JSON file but "provenance"."""
    content = json.loads(json.dumps({key: value for key, value in tree.items() if key != "provenance"}))
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
