"""Changes the record of an HDF5 file and renews its seal, so that another command seems to have written it."""

from collections.abc import Collection, Mapping
from pathlib import Path

import h5py

from data.stores import h5
from data.stores.files import FORMAT_VERSION, sealed


def rewrite_record(path: Path, changes: Mapping[str, str], without: Collection[str] = ()) -> None:
    """Apply `changes` to the record of `path`, and take out the keys in `without`; contents and fingerprint stay."""
    kept = {key: value for key, value in h5.read_record(path).items() if key not in without}
    record = sealed({**kept, **changes})
    with h5py.File(path, "r+") as file:
        for key in without:
            del file.attrs[key]
        file.attrs.update({**record, "format_version": FORMAT_VERSION})
