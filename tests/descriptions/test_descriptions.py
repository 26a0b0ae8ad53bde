"""The built-in texts follow the guide in descriptions/README.md."""

import re

import numpy as np
import pytest
from numpy.typing import NDArray

from descriptions.levels import LEVELS
from descriptions.loader import builtin_descriptions
from models.text.encoders import load_text_encoder
from pipeline.texts.similarity import similarities

TEXTS = {name: builtin_descriptions(name) for name in ("ntu120", "pku51")}
NUMBERS = {"ntu120": 120, "pku51": 51}
TWO_PEOPLE = {"ntu120": {*range(50, 61), *range(106, 121)}, "pku51": {12, 14, 16, 18, 21, 24, 26, 27}}
ACTIONS = [(name, action) for name, texts in TEXTS.items() for action in texts]
WORDS_ALLOWED = range(8, 26)
CLOSEST_LOCAL = 0.92
# A local text may share these words with its label: parts of the body, which have no other name, and grammar.
BODY = """
    arm back body chest ear face finger foot front hair hand head heel lip neck nose palm person people stomach
    thumb toe
"""
GRAMMAR = """
    a aching an and another another's at away behind both down each feeling for from in into of off on one oneself or
    other out over somebody something something's the their things to together towards turn up whole with
"""


def stem(word: str) -> str:
    return re.sub(r"(?:'s|ing|ed|es|s|e)$", "", word)


def words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("level", LEVELS)
def test_texts_are_complete_and_distinct(level: str, name: str) -> None:
    assert list(TEXTS[name]) == list(range(1, NUMBERS[name] + 1))
    assert len({row[level].lower() for row in TEXTS[name].values()}) == NUMBERS[name]


@pytest.mark.parametrize(("name", "action"), ACTIONS)
def test_a_text_follows_the_guide(name: str, action: int) -> None:
    row, two_people = TEXTS[name][action], action in TWO_PEOPLE[name]
    assert len(words(row["label"])) <= 9
    for level in ("local", "global"):
        assert len(row[level].split()) in WORDS_ALLOWED, f"{level}: {len(row[level].split())} words"
        assert row[level][0].isupper()
        assert row[level].endswith(".")
        assert not re.search(r"\b(he|she|his|her|him|you|your|is being|will|was|were)\b", row[level], re.IGNORECASE)
    assert row["global"].startswith("Two people" if two_people else "One person")
    assert ("person" in row["local"] or "people" in row["local"]) == two_people


@pytest.mark.parametrize(("name", "action"), ACTIONS)
def test_a_local_text_describes_the_motion_instead_of_naming_the_action(name: str, action: int) -> None:
    free = {stem(word) for word in words(BODY + GRAMMAR)}
    row = TEXTS[name][action]
    label = {stem(word) for word in words(row["label"])} - free
    assert not label & {stem(word) for word in words(row["local"])}


def test_an_action_of_two_data_sets_has_the_same_texts_in_both() -> None:
    """One name for one thing. What NTU lacks: the bow alone, and the two ways of a pocket."""
    ntu = {row["label"]: row for row in TEXTS["ntu120"].values()}
    only_pku = [action for action, row in TEXTS["pku51"].items() if row["label"] not in ntu]
    assert only_pku == [1, 29, 38]
    assert all(row == ntu[row["label"]] for action, row in TEXTS["pku51"].items() if action not in only_pku)


@pytest.mark.slow
@pytest.mark.parametrize("name", TEXTS)
def test_minilm_does_not_confuse_any_two_actions(name: str) -> None:
    texts = TEXTS[name]
    encoder = load_text_encoder("minilm")
    features: dict[str, NDArray[np.float32]] = {
        level: encoder.encode([row[level] for row in texts.values()], batch_size=40) for level in LEVELS
    }
    alike = similarities(list(texts), features)
    assert alike["local"].between.max() < CLOSEST_LOCAL
    assert all(similarity.between.max() < 0.96 for similarity in alike.values())
    one, two = (
        [index for index, action in enumerate(texts) if (action in TWO_PEOPLE[name]) == pair] for pair in (False, True)
    )
    within, across = (np.mean(alike["local"].cosines[np.ix_(two, others)]) for others in (two, one))
    assert within > across + 0.1  # texts of two people must be closer to each other than to those of one
