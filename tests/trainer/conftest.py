"""A trainer on a tiny model, for tests of a few lines."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import architectures
import pytest
from source import ROOT

from trl_rltf import RLTFConfig, RLTFTrainer


SMALL: dict[str, Any] = {
    "per_device_train_batch_size": 4,
    "num_generations": 4,
    "max_completion_length": 12,
    "max_steps": 2,
    "logging_steps": 1,
    "learning_rate": 1e-3,
    "bf16": False,
    "gradient_checkpointing": False,
    "report_to": "none",
    "save_strategy": "no",
    "disable_tqdm": True,
    "dataloader_pin_memory": False,
}


@pytest.fixture
def make_trainer(tmp_path: Any, model: Any, tokenizer: Any, problems: Any) -> Callable[..., Any]:
    """Build a trainer; keyword arguments of the configuration override the small ones."""

    def make(
        reward_funcs: Any,
        callbacks: Any = None,
        trainer_class: Any = RLTFTrainer,
        config_class: Any = RLTFConfig,
        dataset: Any = None,
        peft_config: Any = None,
        model_override: Any = None,
        tokenizer_override: Any = None,
        eval_dataset: Any = None,
        rollout_func: Any = None,
        environment_factory: Any = None,
        **settings: Any,
    ) -> Any:
        if issubclass(config_class, RLTFConfig):
            settings.setdefault("ce_loss_weight", 0.0)  # few tests are about the reference solutions of the problems
        args = config_class(output_dir=str(tmp_path / "out"), **{**SMALL, **settings})
        return trainer_class(
            model=model if model_override is None else model_override,
            reward_funcs=reward_funcs,
            args=args,
            train_dataset=problems if dataset is None else dataset,
            eval_dataset=eval_dataset,
            processing_class=tokenizer if tokenizer_override is None else tokenizer_override,
            callbacks=callbacks,
            peft_config=peft_config,
            **({} if rollout_func is None else {"rollout_func": rollout_func}),
            **({} if environment_factory is None else {"environment_factory": environment_factory}),
        )

    return make


@pytest.fixture(scope="session")
def two_processes(tmp_path_factory: Any, problems: Any, run_script: Any) -> Path:
    """Results of all cases of `scripts/processes.py`, trained on two processes one after the other."""
    from trl_rltf.mini import make_mini_model

    folder = tmp_path_factory.mktemp("processes")
    for name, parts in {
        "llama": make_mini_model(problems, hidden_size=32, num_layers=2, vocab_size=400),
        "codet5": architectures.make("codet5"),
    }.items():
        for part in parts:
            part.save_pretrained(folder / name)
    shutil.copytree(folder / "llama", folder / "fsdp" / "llama")
    config, script = ROOT / "examples/accelerate_configs/cpu.yaml", Path(__file__).parent / "scripts/processes.py"
    with (folder / "output.txt").open("w") as output:
        run_script(
            *("-m", "accelerate.commands.launch", "--config_file", config, "--num_processes", 2, script, folder),
            env={"OMP_NUM_THREADS": "1"},
            capture_output=False,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=280,
            check=False,
        )
    return folder
