"""Record what a trainer gets from vLLM, and compare it with plain loops over a model of transformers."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch

from trl_rltf import TokenReward


GROUP_SIZE = 4
MAX_TOKENS = 12
SETTINGS: dict[str, Any] = {
    "use_vllm": True,
    "per_device_train_batch_size": GROUP_SIZE,
    "num_generations": GROUP_SIZE,
    "max_completion_length": MAX_TOKENS,
    "max_steps": 2,
    "logging_steps": 1,
    "learning_rate": 0.02,
    "temperature": 0.8,
    "scale_rewards": "none",
    "loss_type": "grpo",
    "ce_loss_weight": 0.0,
    "bf16": False,
    "gradient_checkpointing": False,
    "report_to": "none",
    "save_strategy": "no",
    "disable_tqdm": True,
}


def reward_of(ids: list[int]) -> float:
    """Reward of a completion."""
    return sum(ids) % 7 / 7


def token_reward_of(ids: list[int], position: int) -> float:
    """Reward of a token of a completion."""
    return reward_of(ids) - 0.1 * (position % 3)


def reward(completion_ids: list[list[int]], **columns: Any) -> list[TokenReward]:
    """A reward function, made of the two above."""
    return [TokenReward(reward_of(ids), [token_reward_of(ids, t) for t in range(len(ids))]) for ids in completion_ids]


class Recorder:
    """
    Record the calls of vLLM with the weights of the trainer at that time, and the batches that the trainer makes of them.

    Attributes:
        calls (`list[dict]`): Prompts, completions, log-probs and weights of each call.
        batches (`list[dict]`): Generation batches.
    """

    def __init__(self, trainer: Any):
        self.calls: list[dict[str, Any]] = []
        self.batches: list[dict[str, Any]] = []
        generate, score = trainer.vllm_generation.generate, trainer.score

        def recorded_generate(**arguments: Any) -> Any:
            result = generate(**arguments)
            model = copy.deepcopy(trainer.accelerator.unwrap_model(trainer.model))
            model = model.merge_and_unload() if hasattr(model, "merge_and_unload") else model
            self.calls.append(
                {
                    "prompts": arguments["prompts"],
                    "ids": [list(ids) for ids in result[1]],
                    "logps": [[token[0] for token in row] for row in result[2]],
                    "is_greedy": arguments["num_generations"] == 1,
                    "weights": {name: value.clone() for name, value in model.state_dict().items()},
                }
            )
            return result

        def recorded_score(rows: Any) -> Any:
            batch = score(rows)
            self.batches.append({name: value.clone() for name, value in batch.items()})
            return batch

        trainer.vllm_generation.generate = recorded_generate
        trainer.score = recorded_score

    def record(self) -> dict[str, Any]:
        """Return all that was recorded, in types that `torch.load` accepts."""
        return {"calls": self.calls, "batches": self.batches}


@torch.no_grad()
def slow_logps(model: Any, prompt: list[int], ids: list[int], temperature: float) -> list[float]:
    """Log-probs of a completion, with one forward pass per token."""
    found = []
    for position, token in enumerate(ids):
        logits = model(torch.tensor([prompt + ids[:position]])).logits[0, -1] / temperature
        found.append(float(torch.log_softmax(logits, -1)[token]))
    return found


@torch.no_grad()
def slow_greedy(model: Any, prompt: list[int], eos: int) -> list[int]:
    """The likeliest tokens, with one forward pass per token."""
    ids: list[int] = []
    while len(ids) < MAX_TOKENS and eos not in ids:
        ids.append(int(model(torch.tensor([prompt + ids])).logits[0, -1].argmax()))
    return ids


def greedy_after(calls: list[dict[str, Any]], call: dict[str, Any]) -> dict[tuple[int, ...], list[int]]:
    """Greedy completions by their prompts, if the call after this one is for them."""
    position = next(index for index, other in enumerate(calls) if other is call)
    following = calls[position + 1 : position + 2]
    return {
        tuple(prompt): ids
        for later in following
        if later["is_greedy"]
        for prompt, ids in zip(later["prompts"], later["ids"], strict=True)
    }


def check(record: dict[str, Any], model: Any, top_p: float = 1.0, mode: str = "sequence_mask") -> None:
    """
    Compare tokens, log-probs, ratios and advantages with plain loops.

    Args:
        record (`dict`): What a [`Recorder`] returned.
        model (`PreTrainedModel`): A model of the same architecture, to load the weights into.
        top_p (`float`, *optional*): The nucleus that vLLM sampled from.
        mode (`str`, *optional*): `vllm_importance_sampling_mode` of the run.
    """
    eos = model.config.eos_token_id
    sampled = [call for call in record["calls"] if not call["is_greedy"]]
    assert len(sampled) == len(record["batches"]) > 0
    for call in record["calls"]:
        model.load_state_dict(call["weights"])
        model.eval()
        for prompt, ids in zip(call["prompts"], call["ids"], strict=True):
            assert 0 < len(ids) <= MAX_TOKENS
            assert eos not in ids[:-1]
            assert ids[-1] == eos or len(ids) == MAX_TOKENS
            if call["is_greedy"]:
                assert ids == slow_greedy(model, prompt, eos)
    for call, batch in zip(sampled, record["batches"], strict=True):
        model.load_state_dict(call["weights"])
        greedy = greedy_after(record["calls"], call)
        for row, (prompt, ids, logps) in enumerate(zip(call["prompts"], call["ids"], call["logps"], strict=True)):
            length = len(ids)
            assert batch["prompt_ids"][row][batch["prompt_mask"][row].bool()].tolist() == prompt
            assert batch["completion_ids"][row][:length].tolist() == ids
            assert batch["completion_mask"][row].sum() == length
            expected = slow_logps(model, prompt, ids, SETTINGS["temperature"])
            assert batch["old_per_token_logps"][row][:length].tolist() == pytest.approx(expected, abs=1e-4)
            assert batch["sampling_per_token_logps"][row][:length].tolist() == pytest.approx(logps, abs=1e-6)
            differences = [mine - of_vllm for mine, of_vllm in zip(expected, logps, strict=True)]
            if top_p == 1.0:
                assert max(map(abs, differences)) < 1e-4
            else:  # of a token of the nucleus, vLLM divides the probability by that of the nucleus
                assert min(differences) > math.log(top_p) - 1e-4
                assert max(differences) < 1e-4
                assert min(differences) < -0.01
            ratio = batch["importance_sampling_ratio"][row]
            if mode == "sequence_mask":
                assert ratio.tolist() == pytest.approx([math.exp(sum(differences))], rel=1e-3)
            else:
                assert ratio[:length].tolist() == pytest.approx(list(map(math.exp, differences)), rel=1e-3)
            group = call["ids"][row - row % GROUP_SIZE :][:GROUP_SIZE]
            baseline = sum(map(reward_of, group)) / GROUP_SIZE
            if greedy:
                baseline = reward_of(greedy[tuple(prompt)])
            advantages = [token_reward_of(ids, t) - baseline for t in range(length)]
            assert batch["advantages"][row][:length].tolist() == pytest.approx(advantages, abs=1e-6)
            assert batch["advantages"][row][length:].tolist() == [0.0] * (batch["advantages"].size(1) - length)
