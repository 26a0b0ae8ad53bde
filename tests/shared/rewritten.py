"""Changes the record of an HDF5 file and renews its seal, so that another command seems to have written it."""

from collections.abc import Mapping
from pathlib import Path

import h5py

from data.stores import h5
from data.stores.files import FORMAT_VERSION, sealed


def rewrite_record(path: Path, changes: Mapping[str, str]) -> None:
    """Apply `changes` to the record of `path`; its contents and their fingerprint stay."""
    record = sealed({**h5.read_record(path), **changes})
    with h5py.File(path, "r+") as file:
        file.attrs.update({**record, "format_version": FORMAT_VERSION})
