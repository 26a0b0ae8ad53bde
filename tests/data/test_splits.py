from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from data.errors import DataError
from data.settings import DatasetSettings
from data.splits import (
    CUSTOM,
    NUM_ACTIONS,
    VAL_UNSEEN_DRAW,
    Split,
    action_label,
    draws_val_unseen,
    known_splits,
    parse_action,
    random_splits,
    resolve_split,
    split_dataset,
    split_family,
    split_names,
    splits_named,
)

# name: data set, number of unseen and of pseudo-unseen actions, sum of each
NAMED = {
    "ntu60-synse-55-5": ("ntu60", 5, 5, 127, 146),
    "ntu60-synse-48-12": ("ntu60", 12, 12, 409, 338),
    "ntu120-synse-110-10": ("ntu120", 10, 10, 609, 596),
    "ntu120-synse-96-24": ("ntu120", 24, 24, 1408, 1480),
    "ntu60-purls-40-20": ("ntu60", 20, 0, 585, 0),
    "ntu60-purls-30-30": ("ntu60", 30, 0, 849, 0),
    "ntu120-purls-80-40": ("ntu120", 40, 0, 2800, 0),
    "ntu120-purls-60-60": ("ntu120", 60, 0, 3540, 0),
    "ntu60-smie-55-5-1": ("ntu60", 5, 0, 157, 0),
    "ntu60-smie-55-5-2": ("ntu60", 5, 0, 181, 0),
    "ntu60-smie-55-5-3": ("ntu60", 5, 0, 157, 0),
    "ntu120-smie-110-10-1": ("ntu120", 10, 0, 594, 0),
    "ntu120-smie-110-10-2": ("ntu120", 10, 0, 483, 0),
    "ntu120-smie-110-10-3": ("ntu120", 10, 0, 583, 0),
    "ntu60-sadvae-55-5-1": ("ntu60", 5, 0, 102, 0),
    "ntu60-sadvae-55-5-2": ("ntu60", 5, 0, 159, 0),
    "ntu60-sadvae-55-5-3": ("ntu60", 5, 0, 209, 0),
    "ntu120-sadvae-110-10-1": ("ntu120", 10, 0, 411, 0),
    "ntu120-sadvae-110-10-2": ("ntu120", 10, 0, 969, 0),
    "ntu120-sadvae-110-10-3": ("ntu120", 10, 0, 617, 0),
    "pku51-46-5": ("pku51", 5, 0, 119, 0),
    "pku51-39-12": ("pku51", 12, 0, 304, 0),
    "pku51-smie-46-5-1": ("pku51", 5, 0, 131, 0),
    "pku51-smie-46-5-2": ("pku51", 5, 0, 145, 0),
    "pku51-smie-46-5-3": ("pku51", 5, 0, 95, 0),
    "pku51-sadvae-46-5-1": ("pku51", 5, 0, 147, 0),
    "pku51-sadvae-46-5-2": ("pku51", 5, 0, 103, 0),
    "pku51-sadvae-46-5-3": ("pku51", 5, 0, 166, 0),
}


def settings(**keys: Any) -> DatasetSettings:
    return DatasetSettings(**keys)


def custom(actions: list[int], seed: int = 0, **keys: Any) -> Split:
    return resolve_split(settings(name="mine", split=CUSTOM, **keys), actions, seed)


def test_all_published_splits_are_defined() -> None:
    assert set(split_names()) == set(NAMED)


@pytest.mark.parametrize(("name", "facts"), NAMED.items())
def test_named_splits_are_the_published_ones(name: str, facts: tuple[str, int, int, int, int]) -> None:
    dataset, unseen, val_unseen, unseen_sum, val_unseen_sum = facts
    split = resolve_split(settings(name=dataset, split=name), (), seed=5)
    assert split_dataset(name) == dataset
    assert (split.name, len(split.unseen), sum(split.unseen)) == (name, unseen, unseen_sum)
    assert split.val_unseen_drawn == (val_unseen == 0)
    assert draws_val_unseen(settings(name=dataset, split=name)) == (val_unseen == 0)
    if val_unseen:
        assert (len(split.val_unseen), sum(split.val_unseen)) == (val_unseen, val_unseen_sum)
    else:
        assert 1 <= len(split.val_unseen) <= len(split.seen) / 4
    check(split, range(1, NUM_ACTIONS[dataset] + 1))


def check(split: Split, actions: Any) -> None:
    """Checks that `split` divides `actions`, and that its pseudo-unseen actions are seen."""
    assert not set(split.seen) & set(split.unseen)
    assert split.actions == tuple(sorted(actions))
    assert set(split.val_unseen) < set(split.seen)
    for part in (split.seen, split.unseen, split.val_unseen):
        assert list(part) == sorted(set(part))


def test_the_first_split_of_synse_has_its_actions() -> None:
    split = resolve_split(settings(), (), seed=5)
    assert split.unseen == (11, 12, 20, 27, 57)
    assert split.val_unseen == (17, 22, 26, 32, 49)
    assert split.seen[:12] == (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14)


@pytest.mark.parametrize(
    ("name", "unseen"),
    [
        ("ntu60-smie-55-5-1", (5, 20, 32, 48, 52)),
        ("ntu60-smie-55-5-3", (8, 21, 29, 40, 59)),
        ("ntu60-sadvae-55-5-1", (1, 9, 16, 29, 47)),
        ("ntu120-smie-110-10-2", (6, 13, 15, 16, 18, 43, 68, 83, 101, 120)),
        ("ntu120-sadvae-110-10-3", (10, 15, 18, 45, 61, 76, 82, 90, 109, 111)),
        ("pku51-46-5", (2, 10, 21, 35, 51)),
        ("pku51-smie-46-5-2", (3, 16, 40, 42, 44)),
        ("pku51-sadvae-46-5-1", (11, 20, 28, 39, 49)),
    ],
)
def test_splits_of_one_size_have_the_actions_of_their_number(name: str, unseen: tuple[int, ...]) -> None:
    split = resolve_split(settings(name=split_dataset(name), split=name), (), seed=5)
    assert split.unseen == unseen
    assert split.val_unseen_drawn


def test_a_named_split_does_not_depend_on_the_seed_or_on_the_actions_found() -> None:
    assert resolve_split(settings(), (1, 2), seed=1) == resolve_split(settings(), range(1, 61), seed=2)


@given(st.sets(st.integers(1, 999), min_size=4, max_size=40), st.data())
def test_custom_splits_are_disjoint_and_complete(actions: set[int], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(sorted(actions)))
    unseen = shuffled[: data.draw(st.integers(1, len(actions) - 3))]
    seen = shuffled[len(unseen) :]
    val_unseen = seen[: data.draw(st.integers(0, len(seen) - 2))]
    assume(len(seen) - max(1, len(val_unseen)) >= 2)
    seed = data.draw(st.integers(0, 9))
    keys = {"unseen": [action_label(action) for action in unseen]}
    keys["val_unseen"] = [action_label(action) for action in val_unseen]
    split = custom(shuffled, seed, **keys)
    check(split, actions)
    assert set(split.unseen) == set(unseen)
    assert split.val_unseen_drawn == draws_val_unseen(settings(split=CUSTOM, **keys)) == (not val_unseen)
    if val_unseen:
        assert set(split.val_unseen) == set(val_unseen)


@pytest.mark.parametrize(("seen", "drawn"), [(3, 1), (4, 2), (5, 2), (40, 3)])
def test_at_least_two_pseudo_unseen_actions_are_drawn_where_possible(seen: int, drawn: int) -> None:
    unseen = ["A001"] if seen < 40 else ["A001", "A002", "A003"]
    assert len(custom(list(range(1, seen + len(unseen) + 1)), 0, unseen=unseen).val_unseen) == drawn


def test_pseudo_unseen_actions_are_drawn_by_the_seed_alone() -> None:
    drawn = {seed: custom(list(range(1, 31)), seed, unseen=["A001", "A002"]).val_unseen for seed in range(20)}
    assert all(len(actions) == 2 for actions in drawn.values())
    assert len(set(drawn.values())) > 10
    assert drawn[3] == custom(list(range(30, 0, -1)), 3, unseen=["A002", "A001"]).val_unseen


def test_whoever_changes_the_draw_changes_its_version() -> None:
    """By which `status` knows that features and runs on a drawn split are out of date."""
    drawn = resolve_split(settings(split="ntu60-purls-40-20"), (), seed=0).val_unseen
    assert (VAL_UNSEEN_DRAW, drawn) == ("2", (2, 4, 10, 19, 26, 33, 34, 35, 38, 51))
    assert not draws_val_unseen(settings(split="none of that name"))


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"split": "ntu60-synse"}, 'dataset.split = "ntu60-synse" is not a split; do you mean "ntu60-synse-'),
        ({"split": "ntu120-purls-80-40"}, 'divides ntu120, but dataset.name = "ntu60"'),
        ({"unseen": ["A001"]}, 'are only for split = "custom"'),
        ({"val_unseen": ["A001"]}, 'are only for split = "custom"'),
        ({"split": CUSTOM}, "dataset.unseen is empty"),
        ({"split": CUSTOM, "unseen": ["A1"]}, 'dataset.unseen: "A1" is not an action'),
        ({"split": CUSTOM, "unseen": ["A000"]}, 'dataset.unseen: "A000" is not an action'),
        ({"split": CUSTOM, "unseen": ["wave"]}, 'write its number, as "A001", which the descriptions give'),
        (
            {"split": CUSTOM, "unseen": ["A007"]},
            "dataset.unseen names A007, but the data set has only A001, A002, A003",
        ),
        ({"split": CUSTOM, "unseen": ["A001"], "val_unseen": ["A009"]}, "dataset.val_unseen names A009"),
        ({"split": CUSTOM, "unseen": ["A001", "A002", "A001"]}, "dataset.unseen lists A001 twice"),
        ({"split": CUSTOM, "unseen": ["A001", "A002"], "val_unseen": ["A002"]}, "A002 is in dataset.unseen and in"),
        (
            {"split": CUSTOM, "unseen": ["A001", "A002"], "val_unseen": ["A003", "A004"]},
            "would train on 1 of 5 actions",
        ),
        ({"split": CUSTOM, "unseen": ["A001", "A002", "A003", "A004", "A005"]}, "would train on 0 of 5 actions"),
        ({"split": CUSTOM, "unseen": ["A001", "A002", "A003"]}, "2 seen actions are too few to hold 1 back"),
    ],
)
def test_an_invalid_split_is_refused_with_the_reason(keys: dict[str, Any], reason: str) -> None:
    with pytest.raises(DataError) as refused:
        resolve_split(settings(**keys), range(1, 6), seed=0)
    assert reason in str(refused.value)


def test_actions_are_written_as_in_file_names() -> None:
    assert [parse_action(action_label(action)) for action in (1, 60, 999)] == [1, 60, 999]
    for text in ("", "1", "A01", "A0001", "a001", "A001 ", "A\u0660\u0660\u0661"):
        with pytest.raises(DataError, match="is not an action"):
            parse_action(text)


def test_a_family_is_its_three_sets() -> None:
    members = tuple(f"ntu60-smie-55-5-{number}" for number in (1, 2, 3))
    assert splits_named("ntu60-smie-55-5") == members
    assert {split_family(member) for member in members} == {"ntu60-smie-55-5"}
    assert splits_named("ntu60-synse-55-5") == ("ntu60-synse-55-5",)
    assert splits_named(members[1]) == (members[1],)
    assert splits_named("ntu60") == splits_named("ntu60-smie") == ()
    families = {split_family(name) for name in split_names() if split_family(name) != name}
    assert all(len(splits_named(family)) == 3 for family in families)
    assert len(families) == 6


def test_random_splits_are_drawn_by_the_seed_and_more_of_them_keep_the_first() -> None:
    actions = range(1, 26)
    drawn = random_splits(actions, 10, 5, seed=1)
    assert random_splits(list(reversed(actions)), 4, 5, seed=1) == drawn[:4]
    assert random_splits(actions, 10, 5, seed=2) != drawn
    assert len({unseen for unseen, _ in drawn}) == 10
    for unseen, val_unseen in drawn:
        assert len(unseen) == 5
        assert len(val_unseen) == 5  # a quarter of 20 seen ones
        assert not set(unseen) & set(val_unseen)
        assert list(unseen) == sorted(unseen)
    counts = [sum(action in unseen for unseen, _ in random_splits(actions, 200, 5, seed=3)) for action in actions]
    assert min(counts) > 20  # 40 of 200 each, on average
    assert max(counts) < 60
    # whoever changes the draw changes results that were published with it
    assert drawn[0] == ((2, 12, 16, 17, 25), (5, 7, 13, 20, 22))


@pytest.mark.parametrize(("actions", "number", "unseen"), [(5, 2, 3), (6, 21, 2), (4, 2, 9)])
def test_too_many_random_splits_are_refused(actions: int, number: int, unseen: int) -> None:
    with pytest.raises(DataError, match=rf"{number} different sets of {unseen} unseen actions can't be drawn"):
        random_splits(range(1, actions + 1), number, unseen, seed=0)


def test_all_sets_can_be_drawn() -> None:
    assert len(random_splits(range(1, 7), 15, 2, seed=0)) == 15


def test_a_mistyped_split_is_answered_by_the_closest_one_and_by_families() -> None:
    message = known_splits("NTU60-SMIE-55-5")
    assert message.startswith('do you mean "ntu60-smie-55-5-')
    assert "ntu60-smie-55-5-{1,2,3}, " in message
    assert "pku51-46-5, pku51-39-12, " in message
