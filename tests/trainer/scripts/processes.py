"""
Train on several processes, one case after the other, and write the results of each case to a folder.

    processes.py FOLDER

The cases with sharded weights are the last ones, and write to FOLDER/fsdp.
"""

import json
import os
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import DistributedType
from datasets import Dataset
from torch.distributed.tensor import DTensor
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer
from trl import GRPOConfig, GRPOTrainer

from trl_rltf import OnlineBuffer, RLTFConfig, RLTFTrainer, TokenReward, UnitTestRewardFunction, make_mini_apps
from trl_rltf.execution import Outcome
from trl_rltf.trainer import PassAtKCallback


# Without sampling and dropout, so that random numbers make no difference.
ONE_RUN = {
    "generation_kwargs": {"do_sample": False},
    "baseline": "none",
    "scale_rewards": "none",
    "optim": "sgd",
    "learning_rate": 0.1,
    "ce_loss_weight": 0.3,
    "max_grad_norm": 0.0,
    "disable_dropout": True,
}
WITH_SOLUTIONS = {"ce_loss_weight": 0.5, "baseline": "greedy", "scale_rewards": "none"}
SAVED = {"save_strategy": "steps", "save_steps": 1, "max_steps": 5}
CASES: dict[str, dict[str, Any]] = {
    "plain rewards on one": {},
    "no rewards on one": {},
    "weights on one": {},
    "solutions for some": {"settings": WITH_SOLUTIONS},
    "online buffer": {"buffer": (16, 2)},
    "saved": {"buffer": (16, 2), "settings": SAVED},
    "resumed": {"buffer": (16, 2), "settings": SAVED, "resume": "saved/checkpoint-3"},
    "dynamic sampling": {"settings": {"max_generation_batches": 3, "curriculum_probability": 0.5}},
    "corrections": {"settings": {"ce_loss_weight": 1.0, "correction_share": 0.8, "max_completion_length": 60}},
    "one run of llama": {"settings": ONE_RUN},
    "one run of codet5": {"settings": ONE_RUN, "start": "codet5"},
}
CORRECTED = {
    "tests": json.dumps({"asserts": ["assert f(1) == 4"]}),
    "solutions": ["def f(x):\n    z = x + 1\n    return z * 2\n"],
}
SHARDED_CASES = ["one run of llama", "online buffer", "saved", "resumed"]
# As `accelerate launch` sets them for `examples/accelerate_configs/fsdp.yaml`.
FSDP = {
    "ACCELERATE_USE_FSDP": "true",
    "FSDP_VERSION": "2",
    "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
    "FSDP_RESHARD_AFTER_FORWARD": "true",
    "FSDP_STATE_DICT_TYPE": "FULL_STATE_DICT",
}


def train(name: str, folder: Path, num_processes: int, rank: int) -> dict[str, Any]:
    """Train in one of the cases, and return what the processes of the run agree on."""
    case = CASES[name]
    start, output = folder / case.get("start", "llama"), folder / (name if num_processes > 1 else f"{name} alone")
    is_second = rank == 1

    def reward(prompts, completions, completion_ids, **columns):
        if name == "plain rewards on one" and is_second:
            return [0.5] * len(completions)
        if name == "no rewards on one" and is_second:
            return [None] * len(completions)
        groups = [prompts[i : i + 4] for i in range(0, len(prompts), 4)]
        assert all(len(set(group)) == 1 for group in groups), "a group is not whole on its process"
        if name == "dynamic sampling":
            # The rewards of a prompt of odd length are equal, and its group is replaced.
            return [
                TokenReward(number, [number] * len(ids), None, Outcome.PASS if number == 1.0 else Outcome.FAILURE)
                for ids, prompt in zip(completion_ids, prompts, strict=True)
                for number in [1.0 if len(prompt) % 2 else sum(ids) % 7 / 7]
            ]
        has_weights = name == "weights on one" and not is_second
        return [
            TokenReward(
                sum(ids) % 7 / 7, [0.1 * (t % 3) for t in range(len(ids))], [0.5] * len(ids) if has_weights else None
            )
            for ids in completion_ids
        ]

    dataset = make_mini_apps("train", num_problems=16)
    if name == "solutions for some":
        dataset = dataset.map(
            lambda row, i: {"solutions": row["solutions"] if i % 2 else []}, with_indices=True, keep_in_memory=True
        )
    is_encoder_decoder = AutoConfig.from_pretrained(start).is_encoder_decoder
    model_class = AutoModelForSeq2SeqLM if is_encoder_decoder else AutoModelForCausalLM
    settings = {
        "output_dir": str(output),
        "per_device_train_batch_size": 8 // num_processes,
        "num_generations": 4,
        "max_completion_length": 6,
        "max_steps": 3,
        "report_to": "none",
        "save_strategy": "no",
        "logging_steps": 1,
        "disable_tqdm": True,
        "gradient_checkpointing": False,
        **case.get("settings", {}),
    }
    if name == "corrections":
        dataset = Dataset.from_list([{**CORRECTED, "prompt": f"Task {i}:"} for i in range(8)])
    trainer = RLTFTrainer(
        model=model_class.from_pretrained(start),
        reward_funcs=UnitTestRewardFunction(allow_code_eval=True) if name == "corrections" else reward,
        args=RLTFConfig(**settings),
        train_dataset=dataset,
        processing_class=AutoTokenizer.from_pretrained(start),
        callbacks=[OnlineBuffer(*case["buffer"])] if "buffer" in case else None,
    )
    if name == "corrections":
        # All completions of the second process pass.
        text = CORRECTED["solutions"][0] if is_second else "def f(x):\n    y = x + 1\n    return y\n"
        ids = trainer.processing_class(text)["input_ids"]
        trainer._generate_single_turn = lambda prompts, *rest, **kw: ([list(ids) for _ in prompts], None)
    trainer.train(resume_from_checkpoint=str(folder / case["resume"]) if "resume" in case else None)
    state = trainer.accelerator.unwrap_model(trainer.model).state_dict()
    weights = {name: _whole(weight) for name, weight in state.items()}
    total = sum(weight.double().sum() for weight in weights.values())
    gathered = trainer.accelerator.gather(total.reshape(1))
    if rank == 0:
        torch.save(weights, f"{output}.pt")
    trainer.accelerator.wait_for_everyone()
    return {
        "steps": trainer.state.global_step,
        "sums of weights": gathered.tolist(),
        "buffer sizes": [row["buffer/size"] for row in trainer.state.log_history if "buffer/size" in row],
        "generated groups": [
            row["groups/generated"] for row in trainer.state.log_history if "groups/generated" in row
        ],
        "corrections": [row["corrections/found"] for row in trainer.state.log_history if "corrections/found" in row],
        "logs of a finished run": sum("train_runtime" in row for row in trainer.state.log_history),
        "sharded weights": sum(isinstance(weight, DTensor) for weight in state.values()),
    }


def _whole(weight: torch.Tensor) -> torch.Tensor:
    return weight.full_tensor() if isinstance(weight, DTensor) else weight


def shard_weights() -> None:
    """
    Let accelerate shard the models of all further trainers, on the CPU.

    torch shards on the CPU, but accelerate 1.15 sets up FSDP only for accelerators. The device and the collectives stay those
    of the CPU: only the type of the distributed run is named differently.
    """
    start = PartialState.__init__

    def start_as_accelerator(self: PartialState, *args: Any, **kwargs: Any) -> None:
        start(self, *args, **kwargs)
        if self._shared_state["distributed_type"] == DistributedType.MULTI_CPU:
            self._shared_state["distributed_type"] = DistributedType.MULTI_GPU

    PartialState.__init__ = start_as_accelerator
    os.environ.update(FSDP)


def evaluate(folder: Path) -> list[dict[str, Any]]:
    """
    Evaluate five problems in groups of four, and return what each evaluation logs.

    Of problem i, all completions pass if i is 0 or 3, half of them if i is 1 or 4, and none if i is 2. If a batch has two rows
    per process, a group is divided between two processes; if it has four, the last batch lacks a group.
    """
    rows = {"prompt": [f"problem {i}" for i in range(5)], "difficulty": ["easy", "hard", "hard", "easy", "hard"]}
    dataset = Dataset.from_dict(rows)

    def reward(prompts, completion_ids, **columns):
        numbers = [int(prompt.split()[-1]) % 3 for prompt in prompts]
        passed = [number == 0 or (number == 1 and i % 2 == 0) for i, number in enumerate(numbers)]
        return [
            TokenReward(0.0, [0.0] * len(ids), None, Outcome.PASS if is_right else Outcome.FAILURE)
            for ids, is_right in zip(completion_ids, passed, strict=True)
        ]

    results = []
    for trainer_class, config_class in ((RLTFTrainer, RLTFConfig), (GRPOTrainer, GRPOConfig)):
        trainer = trainer_class(
            model=AutoModelForCausalLM.from_pretrained(folder / "llama"),
            reward_funcs=reward,
            args=config_class(
                output_dir=str(folder / "evaluated"),
                num_generations=4,
                per_device_train_batch_size=4,
                max_completion_length=2,
                report_to="none",
                disable_tqdm=True,
                use_cpu=True,
                bf16=False,
            ),
            train_dataset=dataset,
            eval_dataset=dataset,
            processing_class=AutoTokenizer.from_pretrained(folder / "llama"),
        )
        if trainer_class is GRPOTrainer:
            trainer.add_callback(PassAtKCallback(trainer))
        for batch_size in (2, 4):
            trainer.args.per_device_eval_batch_size = batch_size
            for part in (dataset, dataset.to_iterable_dataset()):
                metrics = trainer.evaluate(part)
                results.append({key: value for key, value in metrics.items() if "pass" in key or "failure" in key})
    return results


def main(folder: Path, names: list[str]) -> None:
    """Train in some cases, on all processes."""
    num_processes, rank = int(os.environ["WORLD_SIZE"]), int(os.environ["RANK"])
    for name in names:
        try:
            result = evaluate(folder) if name == "evaluated" else train(name, folder, num_processes, rank)
        except Exception:
            (folder / f"{name}-error-{rank}.txt").write_text(traceback.format_exc())
            raise
        (folder / f"{name}-{rank}.json").write_text(json.dumps(result))


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    main(Path(sys.argv[1]), [*CASES, "evaluated"])
    shard_weights()
    main(Path(sys.argv[1]) / "fsdp", SHARDED_CASES)
    sys.stdout.flush()
    os._exit(0)  # all is written; at the end of an interpreter, the threads of gloo abort about one process in thirty
