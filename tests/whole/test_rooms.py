"""The rooms, which are the folders with code: imports run one way between them, and no room is crowded.

ROOMS is the only place where their order is written down. The picture of the rooms on three pages names the same rooms
in the same order.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from keyword import iskeyword
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = (  # a room imports only rooms that stand below it
    "pipeline",
    "pipeline/cli",
    "pipeline/study",
    "pipeline/demo",
    "pipeline/app",
    "pipeline/exchange",
    "pipeline/predict",
    "pipeline/report",
    "pipeline/texts",
    "pipeline/running",
    "pipeline/show",
    "pipeline/stages",
    "pipeline/cluster",
    "pipeline/phases",
    "pipeline/workspace",
    "pipeline/pages",
    "pipeline/messages",
    "models/onnx",
    "models/aligners",
    "models/fsvae",
    "models/zero_shot",
    "models/shift_gcn",
    "models/backbone",
    "models/text",
    "models",
    "data/published",
    "data/stores",
    "data/clean",
    "data/recordings",
    "data/checks",
    "data/clips",
    "data/formats",
    "data/raw",
    "data/layouts",
    "data",
    "descriptions",
)
FOLDERS = ("pipeline", "models", "data", "descriptions")
MOST_FILES = 16
MOST_FLOORS = 9
PAGES_WITH_A_PICTURE = ("README.md", "CONTRIBUTING.md", "docs/how-it-works.md")


@cache
def python_files(room: str) -> tuple[Path, ...]:
    return tuple(path for path in sorted((ROOT / room).glob("*.py")) if path.name != "__init__.py")


def imports(path: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The modules that a file imports, and the names that it imports from each."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = tuple(alias.name for alias in node.names)
            for name in names:
                if (ROOT / Path(*(node.module or "").split("."), f"{name}.py")).is_file():
                    yield f"{node.module}.{name}", ()
            yield node.module or "", names


def room_of(module: str) -> str | None:
    """The room of a module; None when the module belongs to a library."""
    parts = module.split(".")
    if parts[0] not in FOLDERS:
        return None
    folder = ROOT.joinpath(*parts)
    return "/".join(parts if folder.is_dir() else parts[:-1])


@cache
def rooms_below(room: str) -> frozenset[str]:
    """The other rooms that `room` imports from."""
    imported = {room_of(module) for path in python_files(room) for module, _ in imports(path)}
    return frozenset(other for other in imported if other not in (None, room))


def test_every_folder_with_code_is_a_room() -> None:
    folders = {path.parent.relative_to(ROOT).as_posix() for top in FOLDERS for path in (ROOT / top).rglob("*.py")}
    assert folders == set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_imports_run_one_way(room: str) -> None:
    below = ROOMS[ROOMS.index(room) + 1 :]
    for path in python_files(room):
        for module, _ in imports(path):
            other = room_of(module)
            assert other in (None, room, *below), f"{path}: {module} stands above {room}"


@pytest.mark.parametrize("room", ROOMS)
def test_models_read_constants_of_data_and_data_reads_no_torch(room: str) -> None:
    top = room.partition("/")[0]
    for path in python_files(room):
        for module, names in imports(path):
            package = module.partition(".")[0]
            constants = all(name.isupper() or module == "descriptions.levels" for name in names)
            if top == "models" and package in ("data", "descriptions"):
                assert constants, f"{path} imports {names} of {module}: models may read only constants of it"
            if top == "data" and package == "descriptions":
                assert constants, f"{path} imports {names} of {module}: data may read only constants of it"
            if top in ("data", "descriptions"):
                assert package not in ("torch", "pipeline", "models"), f"{path} imports {module}"


@pytest.mark.parametrize(
    "folder", [*ROOMS, *sorted({p.parent.relative_to(ROOT).as_posix() for p in (ROOT / "tests").rglob("*.py")})]
)
def test_no_folder_is_crowded(folder: str) -> None:
    assert len(python_files(folder)) <= MOST_FILES


def test_the_house_has_few_floors() -> None:
    @cache
    def floor(room: str) -> int:
        return 1 + max(map(floor, rooms_below(room)), default=0)

    highest = max(ROOMS, key=floor)
    assert floor(highest) <= MOST_FLOORS, highest


def picture(page: str) -> str:
    """The block of text on a page that begins with the line `pipeline/`."""
    block = re.search(r"^```text\n(pipeline/ .*?)^```$", (ROOT / page).read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert block, f"{page} has no picture of the rooms"
    return block[1]


@pytest.mark.parametrize("page", PAGES_WITH_A_PICTURE)
def test_the_picture_shows_every_room_in_order(page: str) -> None:
    shown, top = [], ""
    for line in picture(page).splitlines():
        name = line.split()[0].removesuffix("/")
        if not line.startswith(" "):
            top = name
        shown.append(name if name == top else f"{top}/{name}")
    within = {top: [room for room in ROOMS if room.partition("/")[0] == top] for top in FOLDERS}
    assert shown == [room for top in FOLDERS for room in (top, *(r for r in within[top] if r != top))]
    assert picture(page) == picture(PAGES_WITH_A_PICTURE[0])


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
