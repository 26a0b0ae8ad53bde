import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.clip_name import ClipName
from data.errors import DataError

numbers = st.integers(1, 999)


def test_a_name_says_setup_camera_subject_replication_and_action() -> None:
    assert ClipName.parse("S001C002P003R004A120") == ClipName(setup=1, camera=2, subject=3, replication=4, action=120)


@given(st.builds(ClipName, numbers, numbers, numbers, numbers, numbers))
def test_a_written_name_is_parsed_back(name: ClipName) -> None:
    assert ClipName.parse(str(name)) == name


@given(st.lists(st.builds(ClipName, numbers, numbers, numbers, numbers, numbers)))
def test_the_order_is_that_of_the_written_names(names: list[ClipName]) -> None:
    assert [str(name) for name in sorted(names)] == sorted(str(name) for name in names)


@pytest.mark.parametrize(
    "name",
    ["", "S001C002P003R004", "s001c002p003r004a005", "S001C002P003R004A005 ", "S001C002P003R004A005.skeleton",
     "S1C2P3R4A5", "S001C002P003R004A000", "S001C002P003R004A0050", "S\u0660\u0660\u0661C002P003R004A005",
     "clip\nS001C002P003R004A005"],
)  # fmt: skip
def test_other_names_are_refused_and_quoted(name: str) -> None:
    with pytest.raises(DataError, match="is not a clip name") as refused:
        ClipName.parse(name)
    assert name in str(refused.value)
