"""Text encoders small enough to build and save in a test. Weights are random; a token is a letter or a word."""

import importlib
import shutil
import string
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertModel,
    BertTokenizer,
    CLIPTextConfig,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    Gemma3TextConfig,
    Gemma3TextModel,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3Model,
    SiglipConfig,
    SiglipModel,
    T5Config,
    T5EncoderModel,
    XLMRobertaConfig,
    XLMRobertaModel,
)

CONTEXT = 16  # tokens, with begin and end marks
TOWER = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
LONG_CONTEXT = 64  # for encoders with a prompt
VOCABULARY = {"vocab_size": 300, "pad_token_id": 0, "eos_token_id": 1, "bos_token_id": None}
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


def byte_tokenizer(side: str) -> PreTrainedTokenizerFast:
    """A tokeniser of bytes that puts </s> after each text, and pads on `side`."""
    tokens = ["<pad>", "</s>", "<unk>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    backend = Tokenizer(models.BPE({token: index for index, token in enumerate(tokens)}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        padding_side=side,
        model_max_length=LONG_CONTEXT,
    )


def save_qwen3(folder: Path) -> Path:
    """Save a model like Qwen3-Embedding (16-d): the last token's output, of length 1, and a prompt for queries."""
    config = Qwen3Config(**VOCABULARY, **TOWER, num_key_value_heads=1, head_dim=8, max_position_embeddings=LONG_CONTEXT)
    prompts = {"query": "Instruct: find it\nQuery:", "document": ""}
    return _save_sentence_model(folder, Qwen3Model, config, "lasttoken", "left", prompts)


def save_gemma(folder: Path) -> Path:
    """Save a model like EmbeddingGemma (16-d): attention both ways, the mean, two Dense layers, length 1."""
    config = Gemma3TextConfig(
        **VOCABULARY,
        **TOWER,
        num_key_value_heads=1,
        head_dim=8,
        max_position_embeddings=LONG_CONTEXT,
        use_bidirectional_attention=True,
    )
    prompts = {"query": "task: search result | query: ", "STS": "task: sentence similarity | query: "}
    return _save_sentence_model(folder, Gemma3TextModel, config, "mean", "right", prompts, dense=True)


def save_e5(folder: Path) -> Path:
    """Save a model like multilingual-e5-instruct (16-d): the mean, of length 1, without prompts of its own."""
    config = XLMRobertaConfig(**VOCABULARY, **TOWER, max_position_embeddings=LONG_CONTEXT + 2)
    return _save_sentence_model(folder, XLMRobertaModel, config, "mean", "right", {})


def save_t5(folder: Path) -> Path:
    """Save a T5 encoder (16-d): the mean, a Dense layer, length 1."""
    config = T5Config(vocab_size=300, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2, pad_token_id=0)
    return _save_sentence_model(folder, T5EncoderModel, config, "mean", "right", {}, dense=True)


def _save_sentence_model(
    folder: Path, kind: Any, config: Any, pooling: str, side: str, prompts: dict[str, str], dense: bool = False
) -> Path:
    from sentence_transformers import SentenceTransformer

    torch.manual_seed(0)
    backbone: PreTrainedModel = kind(config)
    backbone.save_pretrained(folder / "backbone")
    byte_tokenizer(side).save_pretrained(folder / "backbone")
    modules = sentence_modules()
    parts = [modules.Transformer(str(folder / "backbone")), modules.Pooling(16, pooling)]
    parts += [modules.Dense(16, 32, bias=False), modules.Dense(32, 16, bias=False)] if dense else []
    model = SentenceTransformer(modules=[*parts, modules.Normalize()], prompts=prompts, device="cpu")
    model.save(str(folder))
    shutil.rmtree(folder / "backbone")
    return folder
