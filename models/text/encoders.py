"""Text encoders: texts in, (n, D) float32 features out.

    encoder = load_text_encoder("minilm")
    features = encoder.encode(["drink water", "sit down"])  # (2, 384)

`clip` is the text tower of CLIP ViT-B/32 with its projection, as in the published work (512-d, not normalised);
`minilm` is all-MiniLM-L6-v2 as installed by the `demo` extra (384-d, of length 1), which needs no network; `qwen3-0.6b`
and `qwen3-8b` are Qwen3-Embedding (1024-d and 4096-d). Any other name or folder is read as a CLIP-like model of
transformers or as a sentence-transformers model. Features are as the model publishes them: a CLIP's are its
projection's output, a sentence encoder's are pooled and normalised as its own modules.json says.

torch and the encoders' libraries are imported when an encoder is loaded.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.text.settings import DType
from models.text.sources import has_file, not_loaded, quiet_transformers, source_of
from models.text.text_encoder import TextEncoder
from models.text.whole_encoder import recorded_loading, require_vocabulary, require_whole

if TYPE_CHECKING:
    import torch

PROBE = ("a b", "one, two")  # any texts, short enough for any context


class ClipEncoder(TextEncoder):
    """The text tower of a CLIP or of a model like it, with its projection."""

    def __init__(self, name: str, model: "torch.nn.Module", tokenizer: Any, padding: str) -> None:
        config: Any = model.config
        super().__init__(name, model, tokenizer, config.get_text_config().max_position_embeddings)
        self.padding = padding

    def _encode_batch(self, texts: Sequence[str]) -> NDArray[np.float32]:
        prompted = [self.prompt + text for text in texts]
        words = self.tokenizer(prompted, padding=self.padding, max_length=self.max_tokens, return_tensors="pt")
        words = words.to(self.device)  # (B, T)
        features = getattr(self.model, "get_text_features", self.model)(**words)
        named = getattr(features, "text_embeds", None)
        return np.asarray((features.pooler_output if named is None else named).float().cpu())  # (B, D)


class SentenceEncoder(TextEncoder):
    """A sentence-transformers model."""

    def __init__(self, name: str, model: Any) -> None:
        tokenizer = getattr(model.tokenizer, "tokenizer", model.tokenizer)  # a processor holds one
        prompts = {name: prompt for name, prompt in model.prompts.items() if prompt}
        default_prompt = prompts.get(model.default_prompt_name, "")
        super().__init__(name, model, tokenizer, model.max_seq_length, prompts, default_prompt)

    def _encode_batch(self, texts: Sequence[str]) -> NDArray[np.float32]:
        model: Any = self.model
        return np.asarray(
            model.encode(list(texts), prompt=self.prompt, batch_size=len(texts), show_progress_bar=False)
        )  # (B, D)


def load_text_encoder(
    name: str, device: str = "cpu", prompt: str = "", dimensions: int = 0, dtype: DType = "float32"
) -> TextEncoder:
    """The encoder `name`: a short name (models/text/sources.py), a model on the Hugging Face Hub, or a folder.

    `prompt`, `dimensions` and `dtype` are the settings of the same names in [text]. Raises ModelError when the encoder
    is neither on this disk nor to be had, is no text encoder, is not whole, or brings no prompt of this name.
    """
    source = source_of(name)
    with quiet_transformers(), recorded_loading() as loaded:
        try:
            encoder = _load(name, source, dtype)
        except Exception as error:  # the libraries raise anything about files that are damaged or missing
            raise ModelError(not_loaded(name, source, error)) from error
        require_vocabulary(name, source, encoder.tokenizer)
        require_whole(name, source, encoder.model, loaded, lambda: encoder.encode_unchecked(PROBE))
    encoder.model.to(device)
    encoder.dimensions = dimensions
    if prompt:
        encoder.set_prompt(prompt)
    return encoder


def _load(name: str, source: str, dtype: DType) -> TextEncoder:
    import torch

    number_type: torch.dtype = getattr(torch, dtype)
    if not has_file(source, "modules.json"):
        from transformers import AutoConfig

        config = AutoConfig.from_pretrained(source)
        if config.model_type in ("clip", "clip_text_model"):
            return _load_clip(name, source, number_type)
        if hasattr(config, "text_config") and hasattr(config, "vision_config"):
            return _load_clip_like(name, source, number_type)
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(source, device="cpu", model_kwargs={"dtype": number_type})
    for module in list(model)[1:]:  # Dense and the like; the first keeps buffers that must be float32
        module.to(number_type)
    return SentenceEncoder(name, model)


def _load_clip(name: str, source: str, dtype: "torch.dtype") -> ClipEncoder:
    from transformers import AutoTokenizer, CLIPTextModelWithProjection

    model = CLIPTextModelWithProjection.from_pretrained(source, dtype=dtype)
    return ClipEncoder(name, model, AutoTokenizer.from_pretrained(source), padding="longest")


def _load_clip_like(name: str, source: str, dtype: "torch.dtype") -> ClipEncoder:
    """SigLIP and its like: they are trained on texts padded to the full context."""
    from transformers import AutoModel, AutoTokenizer

    model = AutoModel.from_pretrained(source, dtype=dtype)
    if not hasattr(model, "get_text_features"):
        raise ValueError(f"{type(model).__name__} has no text features")
    return ClipEncoder(name, model, AutoTokenizer.from_pretrained(source), padding="max_length")
