"""The built-in texts follow the guide in descriptions/README.md."""

import re

import numpy as np
import pytest
from numpy.typing import NDArray

from descriptions.levels import LEVELS
from descriptions.loader import builtin_descriptions
from models.text.encoders import load_text_encoder
from pipeline.texts.similarity import similarities

TEXTS = builtin_descriptions("ntu120")
TWO_PEOPLE = {*range(50, 61), *range(106, 121)}
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


@pytest.mark.parametrize("level", LEVELS)
def test_texts_are_complete_and_distinct(level: str) -> None:
    assert list(TEXTS) == list(range(1, 121))
    assert len({row[level].lower() for row in TEXTS.values()}) == 120


@pytest.mark.parametrize("action", TEXTS)
def test_a_text_follows_the_guide(action: int) -> None:
    row = TEXTS[action]
    assert len(words(row["label"])) <= 9
    for level in ("local", "global"):
        assert len(row[level].split()) in WORDS_ALLOWED, f"{level}: {len(row[level].split())} words"
        assert row[level][0].isupper()
        assert row[level].endswith(".")
        assert not re.search(r"\b(he|she|his|her|him|you|your|is being|will|was|were)\b", row[level], re.IGNORECASE)
    assert row["global"].startswith("Two people" if action in TWO_PEOPLE else "One person")
    assert ("person" in row["local"] or "people" in row["local"]) == (action in TWO_PEOPLE)


@pytest.mark.parametrize("action", TEXTS)
def test_a_local_text_describes_the_motion_instead_of_naming_the_action(action: int) -> None:
    free = {stem(word) for word in words(BODY + GRAMMAR)}
    label = {stem(word) for word in words(TEXTS[action]["label"])} - free
    assert not label & {stem(word) for word in words(TEXTS[action]["local"])}


@pytest.mark.slow
def test_minilm_does_not_confuse_any_two_actions() -> None:
    encoder = load_text_encoder("minilm")
    features: dict[str, NDArray[np.float32]] = {
        level: encoder.encode([row[level] for row in TEXTS.values()], batch_size=40) for level in LEVELS
    }
    alike = similarities(list(TEXTS), features)
    assert alike["local"].between.max() < CLOSEST_LOCAL
    assert all(similarity.between.max() < 0.96 for similarity in alike.values())
    one, two = (
        [index for index, action in enumerate(TEXTS) if (action in TWO_PEOPLE) == pair] for pair in (False, True)
    )
    within, across = (np.mean(alike["local"].cosines[np.ix_(two, others)]) for others in (two, one))
    assert within > across + 0.1  # texts of two people must be closer to each other than to those of one
