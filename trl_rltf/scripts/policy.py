"""Load a policy: a model of the Hub or of a folder, a GGUF file, or an adapter."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer
from transformers.utils.peft_utils import find_adapter_config_file
from trl import ModelConfig, get_quantization_config


def load_policy(
    model_args: ModelConfig,
    *,
    gguf_file: str | None = None,
    adapter: str | None = None,
    trust_remote_code: bool = False,
) -> tuple[Any, Any]:
    """
    Load a model and its tokenizer.

    Args:
        model_args ([`~trl.ModelConfig`]): Name or folder of the model, revision, data type, quantization. It may be the folder of
            an adapter, as training with `--use_peft` and its checkpoints write it: its base model is loaded too.
        gguf_file (`str`, *optional*): File in GGUF format in that folder or repository. Its weights are dequantized, so that
            the model can be trained and saved.
        adapter (`str`, *optional*): Name or folder of a PEFT adapter, which is merged into the weights.
        trust_remote_code (`bool`, *optional*, defaults to `False`): Whether code of the model's repository may run.

    Returns:
        `tuple`: The model, of the class named by its configuration, and its tokenizer, with a padding token.

    Raises:
        FileNotFoundError: If there is no such folder, or no model in it.
        ImportError: If it is an adapter and PEFT is not installed.
        ValueError: If it is an adapter whose base model is unknown or cannot be found.
    """
    source = model_args.model_name_or_path
    check_source(source, gguf_file)
    adapter_config = find_adapter_config(source, model_args.model_revision)
    if adapter_config is not None:
        model, tokenizer = _load_base(source, adapter_config, model_args, gguf_file, trust_remote_code)
        for folder in (source, adapter):
            model = model if folder is None else _merge(model, folder)
        if (Path(source) / "tokenizer_config.json").is_file():  # training may have changed it
            tokenizer = load_tokenizer(source, trust_remote_code=trust_remote_code)
        return model, tokenizer
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
        model = _dequantize(model, model_class)
        name_model(model, source)
    if adapter is not None:
        model = _merge(model, adapter)
    return model, load_tokenizer(source, **where)


def check_source(source: str, gguf_file: str | None = None) -> None:
    """
    Check that a name can be that of a model, before a library searches for it.

    Args:
        source (`str`): Name or folder of the model.
        gguf_file (`str`, *optional*): File in GGUF format in that folder.

    Raises:
        FileNotFoundError: If there is no such folder, or no model in it.
    """
    path = Path(source).expanduser()
    if path.is_file():
        advice = f" It is a GGUF file: `--model_name_or_path {path.parent} --gguf_file {path.name}`."
        raise FileNotFoundError(
            f"`model_name_or_path` is {source!r}, which is a file, but must be a folder or the id of a model on the Hub."
            + (advice if path.suffix == ".gguf" else "")
        )
    if not path.is_dir():
        if source.startswith((".", "/", "~")) or source.count("/") > 1 or source.endswith("/"):
            raise FileNotFoundError(
                f"`model_name_or_path` is {source!r}, but there is no such folder. Give the folder of a model or of an adapter, or "
                "the id of a model on the Hub, such as Qwen/Qwen2.5-Coder-0.5B."
            )
        return
    if gguf_file is not None:
        if not (path / gguf_file).is_file():
            raise FileNotFoundError(f"`gguf_file` is {gguf_file!r}, but {source!r} has {_files(path, '*.gguf')}.")
        return
    if not any((path / name).is_file() for name in ("config.json", "adapter_config.json")):
        found = sorted(file.name for file in path.glob("*.gguf"))
        checkpoints = sorted(folder.name for folder in path.glob("checkpoint-*/"))
        advice = "Give the folder of a model or of an adapter."
        if found:
            advice = f"It has the GGUF file {found[0]}: add `--gguf_file {found[0]}`."
        elif checkpoints:
            advice = f"It has the checkpoint {checkpoints[-1]}: give {path / checkpoints[-1]}."
        raise FileNotFoundError(
            f"`model_name_or_path` is {source!r}, a folder without `config.json` or `adapter_config.json`. {advice}"
        )


def _files(folder: Path, pattern: str) -> str:
    return ", ".join(sorted(file.name for file in folder.glob(pattern))) or f"no file {pattern}"


def name_model(model: Any, name: str) -> None:
    """
    Name a model after the folder or repository of its weights.

    An adapter that is trained on the model finds its base model by this name.

    Args:
        model ([`~transformers.PreTrainedModel`]): The model.
        name (`str`): Folder or repository.
    """
    model.name_or_path = model.config._name_or_path = name


def load_tokenizer(source: str, **where: Any) -> Any:
    """
    Load a tokenizer for generation, with a padding token.

    Args:
        source (`str`): Name or folder of the model.
        **where: Arguments of `from_pretrained`, such as `revision` and `trust_remote_code`.
    """
    tokenizer = AutoTokenizer.from_pretrained(source, padding_side="left", **where)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    return tokenizer


def _merge(model: Any, adapter: str) -> Any:
    try:
        from peft import PeftModel
    except ImportError as error:
        raise ImportError(
            f"{adapter} is an adapter, which needs PEFT, but PEFT cannot be imported: {error}. Run "
            '`pip install "trl-rltf[peft]"`, or give a whole model.'
        ) from error

    merged = PeftModel.from_pretrained(model, adapter).merge_and_unload()
    name_model(merged, adapter)
    return merged


def find_adapter_config(source: str, revision: str | None) -> dict[str, Any] | None:
    """Configuration of the adapter, if the source is an adapter and not a whole model."""
    if (Path(source) / "config.json").is_file():
        return None
    path = find_adapter_config_file(source, revision=revision)
    return None if path is None else json.loads(Path(path).read_text(encoding="utf-8"))


def _load_base(
    source: str,
    adapter_config: dict[str, Any],
    model_args: ModelConfig,
    gguf_file: str | None,
    trust_remote_code: bool,
) -> tuple[Any, Any]:
    """Load the base model of an adapter, by its recorded name or from a nearby folder."""
    remedy = (
        "Give the model that it was trained on as --model_name_or_path, and the adapter as --adapter_name_or_path."
    )
    base = adapter_config.get("base_model_name_or_path")
    if not base:
        raise ValueError(f"The adapter {source!r} does not name the model that it was trained on. {remedy}")
    nearby = [folder / Path(base).name for folder in (Path(source), Path(source).parent)]
    if Path(base).resolve() == Path(source).resolve():
        raise ValueError(f"The adapter {source!r} was written over the model that it was trained on. {remedy}")
    if not Path(base).is_dir():
        base = next((str(folder) for folder in nearby if (folder / "config.json").is_file()), base)
    try:
        return load_policy(
            replace(model_args, model_name_or_path=base, model_revision=adapter_config.get("revision") or "main"),
            gguf_file=gguf_file,
            trust_remote_code=trust_remote_code,
        )
    except OSError as error:
        raise ValueError(
            f"The adapter {source!r} was trained on {base!r}, which is neither a local folder nor a model of the Hub that can "
            f"be reached. {remedy}"
        ) from error


def _dequantize(model: Any, model_class: Any) -> Any:
    """Copy the model without its quantization config, which prevents training."""
    config = model.config
    del config.quantization_config
    dequantized = model_class.from_config(config, dtype=model.dtype)
    dequantized.load_state_dict(model.state_dict())
    dequantized.generation_config = model.generation_config
    return dequantized
