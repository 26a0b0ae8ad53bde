"""Text encoders small enough to build and save in a test. Weights are random; a token is a letter or a word."""

import importlib
import string
from pathlib import Path
from typing import Any

import torch
from transformers import (
    BertConfig,
    BertModel,
    BertTokenizer,
    CLIPTextConfig,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    SiglipConfig,
    SiglipModel,
)

CONTEXT = 16  # tokens, with begin and end marks
TOWER = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
LETTERS = string.ascii_lowercase + string.punctuation + string.digits


def sentence_modules() -> Any:
    """The package of sentence-transformers' modules, which has another name since version 6."""
    try:
        return importlib.import_module("sentence_transformers.sentence_transformer.modules")
    except ImportError:
        return importlib.import_module("sentence_transformers.models")


def letter_tokenizer() -> CLIPTokenizer:
    """CLIP's tokeniser without merges, so that each letter is a token."""
    tokens = ["<|startoftext|>", "<|endoftext|>", *LETTERS, *(f"{letter}</w>" for letter in LETTERS)]
    return CLIPTokenizer(
        vocab={token: index for index, token in enumerate(tokens)}, merges=[], model_max_length=CONTEXT
    )


def text_config() -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=2 + 2 * len(LETTERS),
        max_position_embeddings=CONTEXT,
        projection_dim=8,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
        **TOWER,
    )


def save_clip(folder: Path, seed: int = 0) -> Path:
    """Save a CLIP text tower with its projection (8-d)."""
    torch.manual_seed(seed)
    CLIPTextModelWithProjection(text_config()).save_pretrained(folder)
    letter_tokenizer().save_pretrained(folder)
    return folder


def save_siglip(folder: Path) -> Path:
    """Save a SigLIP (16-d), which pads texts to its full context."""
    torch.manual_seed(0)
    text = {**TOWER, "vocab_size": 2 + 2 * len(LETTERS), "max_position_embeddings": CONTEXT, "projection_size": 16}
    marks = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    vision = {**TOWER, "image_size": 32, "patch_size": 16}
    SiglipModel(SiglipConfig(text_config={**text, **marks}, vision_config=vision)).save_pretrained(folder)
    letter_tokenizer().save_pretrained(folder)
    return folder


def save_bert(folder: Path) -> Path:
    """Save a BERT (16-d), which sentence-transformers reads with mean pooling. An unknown word is one token."""
    torch.manual_seed(0)
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "one", "hand", "rises", "both", "legs"]
    BertModel(BertConfig(vocab_size=len(tokens), max_position_embeddings=CONTEXT, **TOWER)).save_pretrained(folder)
    vocabulary = {token: index for index, token in enumerate(tokens)}
    BertTokenizer(vocab=vocabulary, model_max_length=CONTEXT).save_pretrained(folder)
    return folder
