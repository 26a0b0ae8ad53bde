"""The stage `embed-text`: the descriptions of every action -> text.h5.

Features are stored as the encoder gives them (models/text/encoders.py). A text that the same encoder already encoded
for the existing text.h5 is not encoded again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from data.errors import DataError
from data.splits import action_label
from data.stores.text_store import TextFeatures, read_text_features, write_text_features
from descriptions.errors import DescriptionError
from models.text.encoders import TextEncoder, load_text_encoder
from models.text.settings import PLACE, Templates, TextSettings
from pipeline.messages.errors import PipelineError
from pipeline.phases.texts_in_use import texts_in_use
from pipeline.stages.inputs import encoder_files, fingerprints_of_texts
from pipeline.workspace.context import Context
from pipeline.workspace.provenance import Provenance, read_record

ENCODER_FINGERPRINT = "encoder_fingerprint"  # in the root attributes of text.h5

Rows = dict[tuple[Templates, str], NDArray[np.float32]]  # templates and text -> (D,)


def embed_text(context: Context, provenance: Provenance) -> None:
    """Write text.h5.

    Raises DescriptionError when a text is missing or longer than the encoder's context, ModelError when the encoder
    can't be loaded.
    """
    settings = context.config.text
    texts = texts_in_use(context)
    # the record must name the texts that were read: the file may have been edited since `provenance` was taken
    read = {**encoder_files(context), **fingerprints_of_texts(texts, settings.levels)}
    provenance = replace(provenance, inputs=read)
    encoder = load_encoder_of(context)
    require_fitting(encoder, texts, settings)
    features, encoded = encode_levels(context, encoder, texts)
    words = {level: np.array([row[level] for row in texts.values()], dtype=np.str_) for level in features}
    text = TextFeatures(settings.encoder, np.array(list(texts), dtype=np.int64), features, words)
    record = {**provenance.record(), ENCODER_FINGERPRINT: encoder.fingerprint()}
    write_text_features(context.workspace.text, text, record)
    context.console.print(
        f"text.h5: {len(texts)} actions, {', '.join(settings.levels)}; "
        f"{encoded} texts encoded by {settings.encoder}, the others kept"
    )


def encode_levels(
    context: Context, encoder: TextEncoder, texts: Mapping[int, Mapping[str, str]]
) -> tuple[dict[str, NDArray[np.float32]], int]:
    """Return level -> features (c, D) of c actions in the order of `texts`, and how many texts were encoded.

    Features that the workspace's text.h5 already holds are read from there. Raises ModelError when a text is too long.
    """
    settings = context.config.text
    rows = _earlier_rows(context, encoder.fingerprint())
    known = len(rows)
    features: dict[str, NDArray[np.float32]] = {}
    for level in settings.levels:
        templates = settings.templates.by_level()[level]
        features[level] = _encode(encoder, [row[level] for row in texts.values()], templates, rows)  # (c, D)
    return features, len(rows) - known


def load_encoder_of(context: Context) -> TextEncoder:
    """The encoder that config.toml names; a folder is relative to config.toml."""
    name = context.config.text.encoder
    folder = context.user_path(name)
    from models.devices import torch_device

    return load_text_encoder(str(folder) if folder.is_dir() else name, str(torch_device(context.config.device)))


def fill(template: str, text: str) -> str:
    """Return `template` with `text` in its place."""
    return template.replace(PLACE, text)


def too_long(encoder: TextEncoder, texts: Mapping[int, Mapping[str, str]], settings: TextSettings) -> dict[int, str]:
    """Return action -> which of its texts, put into the templates, are longer than the encoder's context."""
    faults: dict[int, list[str]] = {}
    for level in settings.levels:
        templates = settings.templates.by_level()[level] or (PLACE,)
        for action, row in texts.items():
            tokens = max(encoder.count_tokens(fill(template, row[level])) for template in templates)
            if encoder.max_tokens is not None and tokens > encoder.max_tokens:
                faults.setdefault(action, []).append(
                    f"{level} is {tokens} tokens long, {encoder.name} reads {encoder.max_tokens}"
                )
    return {action: "; ".join(faults[action]) for action in sorted(faults)}


def require_fitting(encoder: TextEncoder, texts: Mapping[int, Mapping[str, str]], settings: TextSettings) -> None:
    """Raise DescriptionError naming every text that the encoder would cut."""
    faults = too_long(encoder, texts, settings)
    if faults:
        named = "; ".join(f"{action_label(action)}: {fault}" for action, fault in faults.items())
        raise DescriptionError(f"{named}; shorten these texts (or their templates), then run `fsvae-pipe embed-text`")


def _encode(encoder: TextEncoder, texts: Sequence[str], templates: Templates, rows: Rows) -> NDArray[np.float32]:
    """Return the features (c, D) of c texts. Texts that are not in `rows` are encoded and added to it."""
    new = [text for text in dict.fromkeys(texts) if (templates, text) not in rows]
    if new:
        rows.update({(templates, text): row for text, row in zip(new, ensemble(encoder, new, templates), strict=True)})
    return np.stack([rows[templates, text] for text in texts])


def ensemble(encoder: TextEncoder, texts: Sequence[str], templates: Templates) -> NDArray[np.float32]:
    """Return the features (n, D) of n texts.

    Without templates they are the encoder's output. With templates, the features of a text under all templates are
    normalised and averaged, as in CLIP's prompt ensembles. The mean is normalised again, so that a level does not count
    for less when its templates disagree.
    """
    if not templates:
        return encoder.encode(texts)
    each = [_normalised(encoder.encode([fill(template, text) for text in texts])) for template in templates]
    return _normalised(np.stack(each).mean(axis=0))


def _normalised(features: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    unit: NDArray[np.float32] = (features / np.maximum(lengths, np.finfo(np.float32).tiny)).astype(np.float32)
    return unit


def _earlier_rows(context: Context, encoder_state: str) -> Rows:
    """Return the features in the existing text.h5, if the same encoder made it."""
    path = context.workspace.text
    try:
        record = read_record(path)
        if record.get(ENCODER_FINGERPRINT) != encoder_state:
            return {}
        made_with, text = Provenance.from_record(record).settings, read_text_features(path)
    except (DataError, PipelineError):  # it is missing or damaged
        return {}
    rows: Rows = {}
    for level, features in text.features.items():
        templates = tuple(made_with.get(f"text.templates.{level}", ()))
        rows.update({(templates, str(words)): row for words, row in zip(text.texts[level], features, strict=True)})
    return rows
