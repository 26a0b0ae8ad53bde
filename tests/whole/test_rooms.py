"""Imports run one way: pipeline -> models, data, descriptions; nothing heavy before it is needed."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from keyword import iskeyword
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYERS = ("pipeline", "models", "data", "descriptions")
ALLOWED = {
    "pipeline": {"pipeline", "models", "data", "descriptions"},
    "models": {"models", "data"},
    "data": {"data"},
    "descriptions": {"descriptions"},
}


def imports(path: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or "", tuple(alias.name for alias in node.names)


@pytest.mark.parametrize("layer", LAYERS)
def test_imports_run_one_way(layer: str) -> None:
    files = sorted((ROOT / layer).rglob("*.py"))
    assert files
    for path in files:
        for module, names in imports(path):
            package = module.partition(".")[0]
            if package in LAYERS:
                assert package in ALLOWED[layer], f"{path} imports {module}"
            assert not (layer == "models" and package == "data" and not all(name.isupper() for name in names)), (
                f"{path} imports {names} of {module}: models may read only constants of data"
            )
            assert not (layer in ("data", "descriptions") and package == "torch"), f"{path} imports torch"


def test_the_command_line_does_not_import_the_heavy_libraries() -> None:
    heavy = {"torch", "transformers", "pandas", "sklearn", "h5py"}
    code = f"import sys, pipeline.cli.main; print(*{heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_every_stage_and_command_has_a_module_of_its_name() -> None:
    from pipeline.cli.main import main

    for name in main.commands:
        module = name.replace("-", "_") + ("_" if iskeyword(name) else "")
        assert list((ROOT / "pipeline").glob(f"*/{module}.py")), name
