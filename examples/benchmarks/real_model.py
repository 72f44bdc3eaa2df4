"""
Train adapters (LoRA) of a real code model on MBPP, with one of two trainers.

    HF_ALLOW_CODE_EVAL=1 python examples/train_real_model.py --arm rltf --ce_loss_weight 10 --output_dir outputs/real/rltf-10

The arm `grpo` is TRL's `GRPOTrainer` with the share of tests passed; `rltf` is `RLTFTrainer` with the default reward. All arms
see the same prompts in the same order and sample as many completions per step. The learning rate is constant after its warm-up,
so that the same command with a larger `--max_steps` continues a finished run. Every `--save_steps` steps an adapter is saved, for

    trl-rltf evaluate --benchmark mbpp --prompt_style code_block --temperature 0.8 --num_samples 4 \
        --model_name_or_path Qwen/Qwen2.5-Coder-0.5B-Instruct --adapter_name_or_path outputs/real/rltf-10/checkpoint-20
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer, HfArgumentParser
from transformers.trainer_utils import get_last_checkpoint
from trl import GRPOConfig, GRPOTrainer, apply_chat_template

from trl_rltf import RLTFConfig, RLTFTrainer, UnitTestRewardFunction, load_mbpp
from trl_rltf.generation import prompt_lengths
from trl_rltf.metrics.prompt_styles import styled_prompt

from . import head_on_cpu


@dataclass
class RealModelArguments:
    """The arm, the model and the scale."""

    arm: Literal["grpo", "rltf"] = field(default="rltf", metadata={"help": "Trainer."})
    ce_loss_weight: float = field(default=0.0, metadata={"help": "Weight of the reference solutions; of rltf only."})
    model_name_or_path: str = field(
        default="Qwen/Qwen2.5-Coder-0.5B-Instruct", metadata={"help": "A model, or its folder."}
    )
    dataset_name: str = field(default="google-research-datasets/mbpp", metadata={"help": "MBPP, or its mbpp.jsonl."})
    output_dir: str = field(
        default="outputs/real_model", metadata={"help": "Folder of the run; resumed if it exists."}
    )
    max_steps: int = field(default=60, metadata={"help": "Optimizer steps."})
    save_steps: int = field(default=10, metadata={"help": "Optimizer steps between checkpoints."})
    samples_per_step: int = field(default=32, metadata={"help": "Completions per optimizer step."})
    num_generations: int = field(default=8, metadata={"help": "Completions per prompt."})
    micro_batch_size: int = field(default=4, metadata={"help": "Completions per backward pass."})
    max_prompt_length: int = field(default=192, metadata={"help": "Problems with longer prompts are left out."})
    max_completion_length: int = field(default=192, metadata={"help": "Tokens of the longest completion."})
    temperature: float = field(default=0.8, metadata={"help": "Sampling temperature."})
    learning_rate: float = field(default=1e-4, metadata={"help": "Learning rate after 3 steps of warm-up."})
    seed: int = field(default=1, metadata={"help": "Seed of the adapters, the order of prompts and the sampling."})
    use_vllm: bool = field(default=False, metadata={"help": "Sample with vLLM in this process."})

    def __post_init__(self) -> None:
        if self.samples_per_step % self.micro_batch_size:
            raise SystemExit("--samples_per_step must be a multiple of --micro_batch_size.")


def main() -> None:
    """Train, or continue, one arm."""
    (args,) = HfArgumentParser(RealModelArguments).parse_args_into_dataclasses()
    if args.use_vllm and not torch.cuda.is_available():
        os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
        # vLLM would bind this process, which trains too, to some of the cores.
        os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")
        from . import vllm_on_cpu

        vllm_on_cpu.use_colocate_mode(dtype="bfloat16")
    if not torch.cuda.is_available():
        head_on_cpu.use_full_logits()
    trainer = make_trainer(args)
    trainer.train(resume_from_checkpoint=get_last_checkpoint(args.output_dir))


def make_trainer(args: RealModelArguments) -> GRPOTrainer:
    """Make the trainer of an arm."""
    tokenizer = AutoTokenizer.from_pretrained(args.model_name_or_path)
    reward_function = UnitTestRewardFunction(**({"token_weight": 0.0} if args.arm == "grpo" else {}))
    settings: dict[str, Any] = {
        "output_dir": args.output_dir, "max_steps": args.max_steps, "save_steps": args.save_steps, "seed": args.seed,
        "per_device_train_batch_size": args.micro_batch_size,
        "gradient_accumulation_steps": args.samples_per_step // args.micro_batch_size,
        "num_generations": args.num_generations, "max_completion_length": args.max_completion_length,
        "temperature": args.temperature, "learning_rate": args.learning_rate, "warmup_steps": 3,
        "lr_scheduler_type": "constant_with_warmup", "bf16": False, "gradient_checkpointing": False, "logging_steps": 1,
        "report_to": "none", "dataloader_pin_memory": torch.cuda.is_available(),
        # A ratio of vLLM's and the trainer's probabilities would cost one more forward pass.
        "use_vllm": args.use_vllm, "vllm_importance_sampling_correction": False,
        "vllm_max_model_length": args.max_prompt_length + args.max_completion_length,
    }  # fmt: skip
    if args.use_vllm:
        # TRL passes no stop strings to transformers, whose completions continue after the code block.
        settings["generation_kwargs"] = {"stop": ["\n```"], "include_stop_str_in_output": True}
    if args.arm == "grpo":
        trainer_class, config = GRPOTrainer, GRPOConfig(**settings)
    else:
        trainer_class, config = RLTFTrainer, RLTFConfig(**settings, ce_loss_weight=args.ce_loss_weight)
    model = AutoModelForCausalLM.from_pretrained(args.model_name_or_path, dtype=torch.bfloat16)
    # On a CPU, torch multiplies a slice of the hidden states with one copy of the head per row: 14 of 47 seconds of a batch.
    model.lm_head.register_forward_pre_hook(lambda head, inputs: (inputs[0].contiguous(),))
    return trainer_class(
        model=model,
        reward_funcs=reward_function,
        args=config,
        train_dataset=load_prompts(args, tokenizer),
        processing_class=tokenizer,
        peft_config=LoraConfig(
            r=16, lora_alpha=32, target_modules=["q_proj", "k_proj", "v_proj", "o_proj"], task_type="CAUSAL_LM"
        ),
    )


def load_prompts(args: RealModelArguments, tokenizer: Any) -> Dataset:
    """Load short prompts, with an answer that begins with a code block."""
    dataset = load_mbpp(args.dataset_name)
    if tokenizer.chat_template is not None:
        # As text: TRL's trainers do not continue the message of an assistant.
        dataset = dataset.map(
            lambda row: apply_chat_template({"prompt": styled_prompt(row, "code_block")}, tokenizer),
        )
    lengths = prompt_lengths(tokenizer, dataset["prompt"])
    return dataset.select([index for index, length in enumerate(lengths) if length <= args.max_prompt_length])
