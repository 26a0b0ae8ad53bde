"""The aligners by name, as `model.aligner` of config.toml gives it."""

from models.aligners.fsvae import FSVAEAligner
from models.aligners.protocol import Aligner
from models.aligners.ridge import RidgeAligner
from models.fsvae.settings import ClassifierSettings, ModelSettings, TrainSettings


def make_aligner(model: ModelSettings, train: TrainSettings, classifier: ClassifierSettings) -> Aligner:
    """The aligner that `model.aligner` names."""
    if model.aligner == "ridge":
        return RidgeAligner(model.features)
    return FSVAEAligner(model, train, classifier)
