"""What every text encoder does: texts in, (n, D) float32 features out."""

import hashlib
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError

if TYPE_CHECKING:
    import torch

GPU_BATCH = 32
NAME_OF_A_PROMPT = r"[\w-]+"  # a single word, which no instruction is


class TextEncoder(ABC):
    """A loaded encoder.

    max_tokens: the length of its context, begin and end marks included; None = no limit.
    prompt: stands before each text. dimensions: how many first numbers of a feature are kept, brought to length 1;
    0 = all, as they are.
    """

    def __init__(
        self,
        name: str,
        model: "torch.nn.Module",
        tokenizer: Any,
        max_tokens: int | None,
        prompts: Mapping[str, str] | None = None,
        default_prompt: str = "",
    ) -> None:
        """`prompts` are those that the model brings, by name; `default_prompt` is the one that it uses by itself."""
        self.name = name
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.max_tokens = max_tokens
        self.prompts = prompts or {}
        self.default_prompt = default_prompt
        self.prompt = default_prompt
        self.dimensions = 0

    def set_prompt(self, prompt: str) -> None:
        """Put `prompt` before each text: a single word names one of the model's, anything else stands as it is.

        Raises ModelError when the model brings no prompt of this name.
        """
        if not re.fullmatch(NAME_OF_A_PROMPT, prompt):
            self.prompt = prompt
        elif prompt in self.prompts:
            self.prompt = self.prompts[prompt]
        else:
            named = ", ".join(f"{name} ({text!r})" for name, text in self.prompts.items())
            raise ModelError(
                f'text.prompt = "{prompt}": {self.name} brings {f"the prompts {named}" if named else "no prompts"}; '
                'name one of them, or write an instruction in words, as in "Instruct: Name the action\\nQuery:"'
            )

    def count_tokens(self, text: str) -> int:
        """How much of the context `text` takes, the prompt, begin and end marks included."""
        return len(self.tokenizer([self.prompt + text], truncation=False, verbose=False)["input_ids"][0])

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
        are not finite, or when tokeniser and weights do not belong together.
        """
        for text in texts:
            if not self.fits(text):
                raise ModelError(
                    f'the text "{text[:60]}..." has {self.count_tokens(text)} tokens, but {self.name} reads '
                    f"{self.max_tokens}; shorten the text"
                )
        try:
            features = self.encode_unchecked(texts, batch_size)
        except IndexError as error:
            raise ModelError(
                f"{self.name}: its tokeniser has more tokens than its weights ({error}): they do not belong together; "
                "copy the model's folder again, whole"
            ) from error
        except ValueError as error:  # of transformers, as of a tokeniser without a padding token
            raise ModelError(
                f"{self.name} can't encode texts ({error}); when a file of its tokeniser is missing, copy the model's "
                "folder again, whole"
            ) from error
        for text, row in zip(texts, features, strict=True):
            if not np.isfinite(row).all():
                raise ModelError(f'{self.name} makes NaN or infinite features of the text "{text[:60]}"')
        if not self.dimensions:
            return features
        if self.dimensions > features.shape[1]:
            raise ModelError(
                f"text.dimensions = {self.dimensions}, but features of {self.name} have {features.shape[1]} numbers"
            )
        return normalised(features[:, : self.dimensions])

    def encode_unchecked(self, texts: Sequence[str], batch_size: int | None = None) -> NDArray[np.float32]:
        """As `encode`, without a check of the texts and of the features."""
        import torch

        on_cpu = self.device.type == "cpu"
        step = batch_size or (1 if on_cpu else GPU_BATCH)
        with torch.inference_mode(), _one_thread() if on_cpu else nullcontext():
            batches = [self._encode_batch(texts[start : start + step]) for start in range(0, len(texts), step)]
        return np.concatenate(batches).astype(np.float32)

    def fingerprint(self) -> str:
        """SHA-256 of all that a feature depends on: weights, tokeniser, context, prompt, dimensions and libraries."""
        digest = hashlib.sha256(f"{type(self).__name__} {self.max_tokens}".encode())
        if self.dimensions or self.prompt != self.default_prompt:
            digest.update(json.dumps([self.prompt, self.dimensions]).encode())
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
        """(B, D) of B texts that fit, each with `self.prompt` before it."""


def normalised(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """The rows of `features` (n, D), each brought to length 1."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    unit: NDArray[np.float32] = (features / np.maximum(lengths, np.finfo(np.float32).tiny)).astype(np.float32)
    return unit


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
