"""Other files agree with pyproject.toml: docs/dependencies.md with its dependencies, CITATION.cff with its version."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
PAGE = (ROOT / "docs" / "dependencies.md").read_text("utf-8")
MODULES = {"scikit-learn": "sklearn", "pillow": "PIL"}  # packages that are imported under another name


def declared() -> set[tuple[str, ...]]:
    """The dependencies of pyproject.toml: (package,) when it is always installed, else (extra, package)."""
    groups = {None: PROJECT["dependencies"], **PROJECT["optional-dependencies"]}
    dependencies: set[tuple[str, ...]] = set()
    for extra, requirements in groups.items():
        for requirement in requirements:
            package = re.split(r"[<>=!~\[; ]", requirement, maxsplit=1)[0].lower()
            if package != PROJECT["name"]:
                dependencies.add((extra, package) if extra else (package,))
    return dependencies


def rows_of_the_page() -> dict[tuple[str, ...], str]:
    """Dependency, as in `declared` -> the last column of its row in docs/dependencies.md."""
    rows = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in PAGE.splitlines() if line[:3] == "| `"]
    names = [tuple(re.findall(r"^`([\w-]+)`$", "\n".join(row[:2]), re.MULTILINE)) for row in rows]
    return {name: row[-1] for name, row in zip(names, rows, strict=True)}


def test_the_page_lists_every_dependency_and_no_other() -> None:
    assert set(rows_of_the_page()) == declared()


@pytest.mark.parametrize("name", [name for name, file in rows_of_the_page().items() if ".py" in file], ids=" ".join)
def test_a_dependency_is_used_where_the_page_says(name: tuple[str, ...]) -> None:
    path = ROOT / rows_of_the_page()[name].strip("`")
    module = MODULES.get(name[-1], name[-1].replace("-", "_"))
    assert re.search(rf"\b{module}\b", path.read_text("utf-8")), f"{path} does not use {module}"


@pytest.mark.skipif((ROOT / "PKG-INFO").exists(), reason="an unpacked sdist, which need not hold CITATION.cff")
def test_the_citation_is_of_this_version() -> None:
    cited = (ROOT / "CITATION.cff").read_text("utf-8")
    assert re.findall(r'^version: "(.*)"$', cited, re.MULTILINE) == [PROJECT["version"]]
    assert re.findall(r"^license: (.*)$", cited, re.MULTILINE) == [PROJECT["license"]]
