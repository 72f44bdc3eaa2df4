"""Load a policy by flags: a causal or encoder-decoder model of the Hub or a folder, a GGUF file, with or without an adapter."""

from __future__ import annotations

from typing import Any

from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer
from trl import ModelConfig, get_quantization_config


def load_policy(
    model_args: ModelConfig, gguf_file: str | None = None, adapter: str | None = None, trust_remote_code: bool = False
) -> tuple[Any, Any]:
    """
    Load a model and its tokenizer.

    Args:
        model_args ([`~trl.ModelConfig`]): Name or folder of the model, revision, data type, quantization.
        gguf_file (`str`, *optional*): File in GGUF format in that folder or repository; its weights become ordinary ones, so
            that the model can be trained and saved.
        adapter (`str`, *optional*): Name or folder of a PEFT adapter, which is merged into the weights.
        trust_remote_code (`bool`, *optional*, defaults to `False`): Whether code of the model's repository may run.

    Returns:
        `tuple`: The model, of the class that its configuration asks for, and its tokenizer, with a padding token.
    """
    source = model_args.model_name_or_path
    where = {"revision": model_args.model_revision, "trust_remote_code": trust_remote_code, "gguf_file": gguf_file}
    config = AutoConfig.from_pretrained(source, **where)
    model_class = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    model = model_class.from_pretrained(
        source,
        **where,
        attn_implementation=model_args.attn_implementation,
        dtype=model_args.dtype,
        quantization_config=get_quantization_config(model_args),
    )
    if gguf_file is not None:
        model = _as_ordinary(model, model_class)
        model.config._name_or_path = source
    if adapter is not None:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, adapter).merge_and_unload()
    tokenizer = AutoTokenizer.from_pretrained(source, padding_side="left", **where)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    return model, tokenizer


def _as_ordinary(model: Any, model_class: Any) -> Any:
    """The same model without the mark of the quantized file that it came from, which can be neither trained nor saved."""
    config = model.config
    del config.quantization_config
    ordinary = model_class.from_config(config, dtype=model.dtype)
    ordinary.load_state_dict(model.state_dict())
    ordinary.generation_config = model.generation_config
    return ordinary
