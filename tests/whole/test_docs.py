"""The documentation agrees with the program: the manual of commands, the table in README.md, links, commands, files."""

import re
import runpy
from importlib import import_module
from pathlib import Path

import pytest

from pipeline.cli.main import main

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("descriptions/*.md")])


def test_the_manual_of_the_commands_is_up_to_date() -> None:
    manual = runpy.run_path(str(ROOT / "docs" / "commands.py"))["manual"]()
    assert (ROOT / "docs" / "commands.md").read_text("utf-8") == manual, "python docs/commands.py > docs/commands.md"


def test_the_page_about_layouts_is_up_to_date() -> None:
    page = runpy.run_path(str(ROOT / "docs" / "layouts.py"))["page"]()
    assert (ROOT / "docs" / "layouts.md").read_text("utf-8") == page, "python docs/layouts.py > docs/layouts.md"


def test_the_readme_lists_every_command() -> None:
    table = set(re.findall(r"^\| `([a-z-]+)", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE))
    assert table == set(main.commands)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text("utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_on_a_page_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    for name in re.findall(r"^ {4}(?:\.venv/bin/)?fsvae-pipe (?:-w \S+ )?([a-z][a-z-]*)", text, re.MULTILINE):
        assert name in main.commands, f"{page.name}: fsvae-pipe {name}"


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/how-it-works.md", "docs/fs-vae.md", "docs/file-formats.md"])
def test_files_that_a_page_names_exist(page: str) -> None:
    named = re.findall(r"`((?:pipeline|models|data|tests)/[\w/.-]+\.\w+)`", (ROOT / page).read_text("utf-8"))
    files = [file for file in named if "ctr_gcn" not in file and "NAME" not in file]  # examples of what is not there
    assert files
    assert [file for file in files if not (ROOT / file).is_file()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_imports_on_a_page_work(page: Path) -> None:
    imports = re.findall(r"^from ((?:pipeline|models|data)[.\w]*) import (\w+)$", page.read_text("utf-8"), re.MULTILINE)
    for module, name in imports:
        assert hasattr(import_module(module), name), f"{page.name}: from {module} import {name}"
