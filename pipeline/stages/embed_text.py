"""The stage `embed-text`: the descriptions of every action -> text.h5.

Features are stored as the encoder gives them (models/text/encoders.py). A text that the same encoder already encoded
for the existing text.h5 is not encoded again.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from data.errors import DataError
from data.splits import action_label
from data.stores.text_store import TextFeatures, read_text_features, write_text_features
from models.text.encoders import load_text_encoder
from models.text.settings import Templates
from models.text.text_encoder import TextEncoder, normalised
from pipeline.messages.errors import PipelineError
from pipeline.phases.features_and_texts import joined_levels
from pipeline.phases.known_actions import known_actions
from pipeline.phases.readable_texts import Texts, fill, require_readable, require_told_apart, same_features
from pipeline.phases.texts_in_use import texts_in_use
from pipeline.stages.inputs import encoder_files, fingerprints_of_texts
from pipeline.workspace.context import Context
from pipeline.workspace.provenance import Provenance, read_record

ENCODER_FINGERPRINT = "encoder_fingerprint"  # in the root attributes of text.h5

Rows = dict[tuple[Templates, str], NDArray[np.float32]]  # templates and text -> (D,)


def embed_text(context: Context, provenance: Provenance) -> None:
    """Write text.h5.

    Raises DescriptionError when a text is missing, longer than the encoder's context or in words that it does not know,
    DataError when all actions have the same features, ModelError when the encoder is not to be had.
    """
    settings = context.config.text
    texts, known = texts_in_use(context), known_actions(context)
    # the record must name the texts that were read: the file may have been edited since `provenance` was taken
    prints = fingerprints_of_texts(texts, settings.levels, known.texts if known else {})
    read = {**encoder_files(context), **prints}
    provenance = replace(provenance, inputs=read)
    encoder = load_encoder_of(context)
    require_readable(encoder, texts, settings)
    rows = earlier_rows(context, encoder.fingerprint())
    kept = ", the others kept" if rows else ""
    text, encoded = _text_features(context, encoder, texts, rows)
    joined, labels = joined_levels(list(text.features.values())), [action_label(action) for action in texts]
    require_told_apart(joined, labels)
    if known:
        require_readable(encoder, known.texts, settings, {a: f"{known.source} {action_label(a)}" for a in known.texts})
        of_known, more = _text_features(context, encoder, known.texts, rows)
        text, encoded = replace(text, known=of_known), encoded + more
    record = {**provenance.record(), ENCODER_FINGERPRINT: encoder.fingerprint()}
    write_text_features(context.workspace.text, text, record)
    context.console.print(
        f"text.h5: {len(texts)} actions{f' and {len(known.texts)} of {known.source}' if known else ''}, "
        f"{', '.join(settings.levels)}; "
        f"{encoded} texts encoded by {settings.encoder}{kept}"
    )
    for group in same_features(joined, labels):
        warning = f"warning: {', '.join(group)} have the same text features, so that nothing tells them apart"
        context.console.print(warning, style="yellow", markup=False)


def _text_features(context: Context, encoder: TextEncoder, texts: Texts, rows: Rows) -> tuple[TextFeatures, int]:
    """Return the features of `texts`, and how many of them are not in `rows`, which gets them."""
    features, encoded = encode_levels(context, encoder, texts, rows)
    words = {level: np.array([row[level] for row in texts.values()], dtype=np.str_) for level in features}
    return TextFeatures(context.config.text.encoder, np.array(list(texts), np.int64), features, words), encoded


def encode_levels(
    context: Context, encoder: TextEncoder, texts: Texts, rows: Rows | None = None
) -> tuple[dict[str, NDArray[np.float32]], int]:
    """Return level -> features (c, D) of c actions in the order of `texts`, and how many texts were encoded.

    Features that the workspace's text.h5 already holds are read from there, or from `rows`, which then gets the new
    ones too. Raises ModelError when a text is too long.
    """
    settings = context.config.text
    if rows is None:
        rows = earlier_rows(context, encoder.fingerprint())
    known = len(rows)
    features: dict[str, NDArray[np.float32]] = {}
    for level in settings.levels:
        templates = settings.templates.by_level()[level]
        features[level] = _encode(encoder, [row[level] for row in texts.values()], templates, rows)  # (c, D)
    return features, len(rows) - known


def load_encoder_of(context: Context) -> TextEncoder:
    """The encoder that config.toml names, set up as it says; a folder is relative to config.toml."""
    from models.devices import torch_device

    settings = context.config.text
    folder = context.user_path(settings.encoder)
    name = str(folder) if folder.is_dir() else settings.encoder
    device = str(torch_device(context.config.device))
    return load_text_encoder(name, device, settings.prompt, settings.dimensions, settings.dtype)


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
    each = [normalised(encoder.encode([fill(template, text) for text in texts])) for template in templates]
    return normalised(np.stack(each).mean(axis=0))


def earlier_rows(context: Context, encoder_state: str) -> Rows:
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
    for part in (text, text.known) if text.known else (text,):
        for level, features in part.features.items():
            templates = tuple(made_with.get(f"text.templates.{level}", ()))
            rows.update({(templates, str(words)): row for words, row in zip(part.texts[level], features, strict=True)})
    return rows
