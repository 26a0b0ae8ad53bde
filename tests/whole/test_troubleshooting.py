"""Pages of help agree with the program: messages in docs/troubleshooting.md, code in docs/your-own-data.md.

A page quotes a message in a block ```message as the program prints it; <...> stands for what differs from case to case.
A string in the source must be able to make the message. Constants in it, such as ADVICE, have their values.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from data.clean.bodies import clean
from data.raw.skeleton_file import parse_clip
from data.stores.files import ADVICE

ROOT = Path(__file__).parents[2]
LAYERS = ("pipeline", "models", "data", "descriptions")
HOLE = "\0"  # stands in a template for an expression in braces that is no constant
LEAST_CONSTANT = 0.5  # this share of a quoted message, without its <...>, must be in the source word for word
PREFIX = re.compile(r"^<[^<>]+>(?:, line <[^<>]+>)?: ")  # the file, which another string puts in front of a reason


def quoted_messages() -> list[str]:
    page = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")
    return [" ".join(block.split()) for block in re.findall(r"^```message\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)]


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


@cache
def constants_of(path: Path) -> dict[str, str]:
    """Name -> text, for the text constants at the top level of a module, including those imported from the project."""
    constants: dict[str, str] = {}
    for node in tree_of(path).body:
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            module = ROOT.joinpath(*node.module.split(".")).with_suffix(".py")
            theirs = constants_of(module) if node.module.startswith(LAYERS) and module.is_file() else {}
            constants |= {name.asname or name.name: theirs[name.name] for name in node.names if name.name in theirs}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            (target, *others) = node.targets if isinstance(node, ast.Assign) else [node.target]
            text = template_of(node.value, constants)
            if isinstance(target, ast.Name) and not others and text is not None:
                constants[target.id] = text
    return constants


def template_of(node: ast.expr | None, constants: dict[str, str]) -> str | None:
    """The string that an expression makes, with a HOLE for each unknown part; None when it makes no string."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if not isinstance(node, ast.JoinedStr):
        return None
    return "".join(part_of(part, constants) for part in node.values)


def part_of(part: ast.expr, constants: dict[str, str]) -> str:
    """One part of an f-string: its words, the value of a constant in braces, or a HOLE."""
    if isinstance(part, ast.FormattedValue):
        unformatted = part.conversion == -1 and part.format_spec is None
        return constants.get(part.value.id, HOLE) if unformatted and isinstance(part.value, ast.Name) else HOLE
    return template_of(part, constants) or ""


def templates_in(path: Path) -> Iterator[str]:
    """Every string of a module; adjacent literals are one string."""
    texts = (template_of(node, constants_of(path)) for node in ast.walk(tree_of(path)) if isinstance(node, ast.expr))
    yield from (text for text in texts if text is not None)


@cache
def templates() -> tuple[str, ...]:
    texts = {text for layer in LAYERS for path in (ROOT / layer).rglob("*.py") for text in templates_in(path)}
    return tuple(sorted(" ".join(text.split()) for text in texts if len(text) > 10))


def can_make(template: str, message: str) -> bool:
    parts = template.split(HOLE)
    constant = len(template) - template.count(HOLE)
    if constant < LEAST_CONSTANT * len(re.sub(r"<[^<>]*>", "", message)) or not all(part in message for part in parts):
        return False
    return re.fullmatch("(.*)".join(map(re.escape, parts)), message) is not None


def is_in_the_source(message: str) -> bool:
    forms = {message, PREFIX.sub("", message)}
    return any(can_make(template, form) for template in templates() for form in forms)


def test_the_page_quotes_the_messages_that_users_meet() -> None:
    messages = quoted_messages()
    assert len(messages) >= 25
    assert len(set(messages)) == len(messages)
    fences = re.findall(r"^```.*$", (ROOT / "docs" / "troubleshooting.md").read_text("utf-8"), re.MULTILINE)
    assert fences == ["```message", "```"] * len(messages), "a message stands outside of a block ```message"


@pytest.mark.parametrize("message", quoted_messages())
def test_a_quoted_message_is_one_of_the_program(message: str) -> None:
    assert is_in_the_source(message)


@pytest.mark.parametrize("message", quoted_messages())
def test_a_stale_message_would_be_noticed(message: str) -> None:
    words = {word for word in re.sub(r"<[^<>]*>", " ", PREFIX.sub("", message)).split() if word.isalpha()}
    changed = [re.sub(rf"(?<!\S){word}(?!\S)", "xyz", message) for word in words]
    assert sum(not is_in_the_source(stale) for stale in changed) >= LEAST_CONSTANT * len(words)


def test_constants_in_braces_are_compared_by_value() -> None:
    assert is_in_the_source(f"<file>: not a whole HDF5 file (<reason>); {ADVICE}")
    assert not is_in_the_source("<file>: not a whole HDF5 file (<reason>); delete it and make it again")


def test_an_array_becomes_a_clip_as_your_own_data_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "your-own-data.md").read_text("utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    recorded = np.random.default_rng(0).normal(size=(12, 2, 25, 3)).astype(np.float32)
    recorded[5:, 1] = 0  # the second body leaves
    (tmp_path / "recordings").mkdir()
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "docs/your-own-data.md", "exec"), {"joints": recorded})
    (written,) = (tmp_path / "recordings").iterdir()
    clip = parse_clip(written.read_bytes(), written.name)
    assert np.array_equal(clip.joints, recorded)
    clean(clip, "shift-gcn")
