"""The sdist and the wheel hold the right files; the constraints agree with the bounds in pyproject.toml."""

import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("data", "descriptions", "models", "pipeline")
BESIDE_THE_PACKAGES = (".ci", "docs", "tests")
AT_THE_ROOT = ("*.cff", "*.md", "constraints*.txt", "LICENSE", "MANIFEST.in", "pyproject.toml", "setup.cfg")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
DISTRIBUTION = "fsvae_pipe-" + PROJECT["version"]


def files_in(*folders: str) -> set[str]:
    """The files in `folders` that git tracks, found without git, because an unpacked sdist has no repository."""
    paths = (path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file())
    tracked = (path for path in paths if "__pycache__" not in path.parts and not path.name.startswith("."))
    return {path.relative_to(ROOT).as_posix() for path in tracked}


def files_at_the_root() -> set[str]:
    return {path.name for pattern in AT_THE_ROOT for path in ROOT.glob(pattern)}


def build(kind: str, source: Path, folder: Path) -> Path:
    """Build the sdist or wheel of `source` with the backend that pip calls. pip's isolation would need a network."""
    folder.mkdir()
    code = f"import sys; from setuptools import build_meta; build_meta.build_{kind}(sys.argv[1])"
    command = [sys.executable, "-W", "error", "-c", code, str(folder)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist. It is built in a copy, so that nothing is left in the checkout, and earlier builds don't matter."""
    scratch = tmp_path_factory.mktemp("sdist")
    for name in sorted(files_in(*PACKAGES, *BESIDE_THE_PACKAGES) | files_at_the_root()):
        copy = scratch / "source" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, copy)
    return build("sdist", scratch / "source", scratch / "built")


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel. It is built from the unpacked sdist, as an installer does that finds no wheel."""
    scratch = tmp_path_factory.mktemp("wheel")
    with tarfile.open(sdist) as archive:
        archive.extractall(scratch, filter="data")
    return build("wheel", scratch / DISTRIBUTION, scratch / "built")


def test_the_sdist_holds_the_packages_the_tests_and_the_documentation(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {member.name.removeprefix(f"{DISTRIBUTION}/") for member in archive.getmembers() if member.isfile()}
    made = {name for name in names if name == "PKG-INFO" or name.startswith("fsvae_pipe.egg-info/")}
    assert names - made == files_in(*PACKAGES, *BESIDE_THE_PACKAGES) | files_at_the_root()


def test_the_wheel_holds_every_file_of_the_packages_and_no_other(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.startswith(f"{DISTRIBUTION}.dist-info/")}
    assert names == files_in(*PACKAGES), "setup.cfg says which files a package holds"


def test_the_wheel_brings_the_licence_and_the_command(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        licence = archive.read(f"{DISTRIBUTION}.dist-info/licenses/LICENSE")
        commands = archive.read(f"{DISTRIBUTION}.dist-info/entry_points.txt").decode()
    assert licence == (ROOT / "LICENSE").read_bytes()
    assert "fsvae-pipe = pipeline.cli.main:main" in commands.splitlines()


def requirements() -> Iterator[tuple[str, str]]:
    """The name and the lower bound of every dependency, including those of the extras."""
    for requirement in chain(PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()):
        if not requirement.startswith("fsvae-pipe["):
            name, separator, version = requirement.partition(">=")
            assert separator, f"{requirement}: has no lower bound, >= the oldest version that works"
            yield name, version


def pins(file: str) -> dict[str, str]:
    """Name in lower case -> version, for every line of a file of constraints."""
    lines = (ROOT / file).read_text("utf-8").splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {name.lower(): version for name, version in pairs}


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))


def test_the_lowest_versions_are_the_bounds() -> None:
    assert pins("constraints-lowest.txt") == dict(requirements())


def test_every_dependency_is_tested_in_a_version_that_its_bound_allows() -> None:
    tested = pins("constraints.txt")
    for name, bound in requirements():
        assert numbers(tested[name]) >= numbers(bound), name
