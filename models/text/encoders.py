"""Text encoders: texts in, (n, D) float32 features out.

    encoder = load_text_encoder("minilm")
    features = encoder.encode(["drink water", "sit down"])  # (2, 384)

`clip` is the text tower of CLIP ViT-B/32 with its projection, as in the published work (512-d, not normalised);
`minilm` is all-MiniLM-L6-v2 as installed by the `demo` extra (384-d, of length 1), which needs no network. Any other
name or folder is read as a CLIP-like model of transformers or as a sentence-transformers model. Features are as the
model publishes them: a CLIP's are its projection's output, a sentence encoder's are normalised when its own modules
say so.

torch and the encoders' libraries are imported when an encoder is loaded.
"""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.text.sources import has_file, not_loaded, quiet_transformers, source_of
from models.text.whole_encoder import recorded_loading, require_vocabulary, require_whole

if TYPE_CHECKING:
    import torch

GPU_BATCH = 32
PROBE = ("a b", "one, two")  # any texts, short enough for any context


class TextEncoder(ABC):
    """A loaded encoder. `max_tokens` is the length of its context, begin and end marks included; None = no limit."""

    def __init__(self, name: str, model: "torch.nn.Module", tokenizer: Any, max_tokens: int | None) -> None:
        self.name = name
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.max_tokens = max_tokens

    def count_tokens(self, text: str) -> int:
        """How much of the context `text` takes, begin and end marks included."""
        return len(self.tokenizer([text], truncation=False, verbose=False)["input_ids"][0])

    def fits(self, text: str) -> bool:
        """Whether `text` is encoded whole."""
        return self.max_tokens is None or self.count_tokens(text) <= self.max_tokens

    def unknown_share(self, text: str) -> float:
        """The share of unknown tokens among those of `text`, 0 to 1. A tokeniser of bytes knows every text."""
        tokens: list[int] = self.tokenizer(text, add_special_tokens=False, truncation=False, verbose=False)["input_ids"]
        return tokens.count(self.tokenizer.unk_token_id) / max(len(tokens), 1)

    def encode(self, texts: Sequence[str], batch_size: int | None = None) -> NDArray[np.float32]:
        """Features of n >= 1 texts, (n, D).

        On a CPU texts go through one at a time by default and in one thread, so that a feature depends, to its last
        bit, neither on the texts beside it nor on the machine's number of cores; a text is too small a job to gain
        from more. Raises ModelError naming the first text that is longer than the encoder's context, or whose features
        are not finite.
        """
        for text in texts:
            if not self.fits(text):
                raise ModelError(
                    f'the text "{text[:60]}..." has {self.count_tokens(text)} tokens, but {self.name} reads '
                    f"{self.max_tokens}; shorten the text"
                )
        features = self.encode_unchecked(texts, batch_size)
        for text, row in zip(texts, features, strict=True):
            if not np.isfinite(row).all():
                raise ModelError(f'{self.name} makes NaN or infinite features of the text "{text[:60]}"')
        return features

    def encode_unchecked(self, texts: Sequence[str], batch_size: int | None = None) -> NDArray[np.float32]:
        """As `encode`, without a check of the texts and of the features."""
        import torch

        on_cpu = self.device.type == "cpu"
        step = batch_size or (1 if on_cpu else GPU_BATCH)
        with torch.inference_mode(), _one_thread() if on_cpu else nullcontext():
            batches = [self._encode_batch(texts[start : start + step]) for start in range(0, len(texts), step)]
        return np.concatenate(batches).astype(np.float32)

    def fingerprint(self) -> str:
        """SHA-256 of all that a feature depends on: weights, tokeniser, context length and library versions."""
        digest = hashlib.sha256(f"{type(self).__name__} {self.max_tokens}".encode())
        for package in ("transformers", "sentence-transformers"):
            digest.update(metadata.version(package).encode())
        digest.update(_tokenizer_state(self.tokenizer).encode())
        for name, tensor in sorted(self.model.state_dict().items()):
            digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
            digest.update(tensor.detach().cpu().float().contiguous().numpy())
        return digest.hexdigest()

    @property
    def device(self) -> "torch.device":
        """Where the model is."""
        return next(self.model.parameters()).device

    @abstractmethod
    def _encode_batch(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(B, D) of B texts that fit."""


class ClipEncoder(TextEncoder):
    """The text tower of a CLIP or of a model like it, with its projection."""

    def __init__(self, name: str, model: "torch.nn.Module", tokenizer: Any, padding: str) -> None:
        config: Any = model.config
        super().__init__(name, model, tokenizer, config.get_text_config().max_position_embeddings)
        self.padding = padding

    def _encode_batch(self, texts: Sequence[str]) -> NDArray[np.float32]:
        words = self.tokenizer(list(texts), padding=self.padding, max_length=self.max_tokens, return_tensors="pt")
        words = words.to(self.device)  # (B, T)
        features = getattr(self.model, "get_text_features", self.model)(**words)
        named = getattr(features, "text_embeds", None)
        return np.asarray((features.pooler_output if named is None else named).float().cpu())  # (B, D)


class SentenceEncoder(TextEncoder):
    """A sentence-transformers model."""

    def __init__(self, name: str, model: Any) -> None:
        tokenizer = getattr(model.tokenizer, "tokenizer", model.tokenizer)  # a processor holds one
        super().__init__(name, model, tokenizer, model.max_seq_length)

    def _encode_batch(self, texts: Sequence[str]) -> NDArray[np.float32]:
        model: Any = self.model
        return np.asarray(model.encode(list(texts), batch_size=len(texts), show_progress_bar=False))  # (B, D)


def load_text_encoder(name: str, device: str = "cpu") -> TextEncoder:
    """The encoder `name`: clip, minilm, the name of a model on the Hugging Face Hub, or a folder.

    Raises ModelError when it is neither on this disk nor to be had, is no text encoder, or is not whole.
    """
    source = source_of(name)
    with quiet_transformers(), recorded_loading() as loaded:
        try:
            encoder = _load(name, source)
        except Exception as error:  # the libraries raise anything about files that are damaged or missing
            raise ModelError(not_loaded(name, source, error)) from error
        require_vocabulary(name, source, encoder.tokenizer)
        require_whole(name, source, encoder.model, loaded, lambda: encoder.encode_unchecked(PROBE))
    encoder.model.to(device)
    return encoder


def _load(name: str, source: str) -> TextEncoder:
    if not has_file(source, "modules.json"):
        from transformers import AutoConfig

        config = AutoConfig.from_pretrained(source)
        if config.model_type in ("clip", "clip_text_model"):
            return _load_clip(name, source)
        if hasattr(config, "text_config") and hasattr(config, "vision_config"):
            return _load_clip_like(name, source)
    from sentence_transformers import SentenceTransformer

    return SentenceEncoder(name, SentenceTransformer(source, device="cpu"))


def _load_clip(name: str, source: str) -> ClipEncoder:
    from transformers import AutoTokenizer, CLIPTextModelWithProjection

    model = CLIPTextModelWithProjection.from_pretrained(source)
    return ClipEncoder(name, model, AutoTokenizer.from_pretrained(source), padding="longest")


def _load_clip_like(name: str, source: str) -> ClipEncoder:
    """SigLIP and its like: they are trained on texts padded to the full context."""
    from transformers import AutoModel, AutoTokenizer

    model = AutoModel.from_pretrained(source)
    if not hasattr(model, "get_text_features"):
        raise ValueError(f"{type(model).__name__} has no text features")
    return ClipEncoder(name, model, AutoTokenizer.from_pretrained(source), padding="max_length")


def _tokenizer_state(tokenizer: Any) -> str:
    """What `tokenizer` makes tokens with; how the last call padded and cut is no part of that."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return repr(tokenizer)
    state = json.loads(backend.to_str())
    return json.dumps({key: value for key, value in state.items() if key not in ("padding", "truncation")})


@contextmanager
def _one_thread() -> Iterator[None]:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
