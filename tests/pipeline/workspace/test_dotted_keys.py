import pytest

from pipeline.messages.errors import ConfigError
from pipeline.workspace.config import Config, build_config, config_of
from pipeline.workspace.dotted_keys import flattened, nested
from pipeline.workspace.provenance import Provenance


def test_both_forms_hold_the_same() -> None:
    tree = {"seed": 3, "train": {"alpha": 0.5, "seeds": [1, 2]}, "model": {"frequency": {"cutoff": 0.4}}}
    settings = {"seed": 3, "train.alpha": 0.5, "train.seeds": [1, 2], "model.frequency.cutoff": 0.4}
    assert flattened(tree) == settings
    assert nested(settings) == tree


def test_settings_come_back_from_a_record() -> None:
    config = build_config({"seed": 7, "text": {"templates": {"label": ["a {}"]}}, "train": {"lambda": 2.5}}, "test")
    record = Provenance("train", 1, config.flat(), {}).record()
    assert config_of(Provenance.from_record(record).settings, "test") == config != Config()


@pytest.mark.parametrize("settings", [{"train": 1, "train.alpha": 1}, {"train.alpha.x": 1}, {"train.lambdda": 1}])
def test_settings_that_are_none_are_told_with_their_source(settings: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=r"model\.safetensors: .*(table|train)"):
        config_of(settings, "model.safetensors")
