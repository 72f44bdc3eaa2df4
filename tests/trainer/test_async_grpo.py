"""
TRL's experimental asynchronous trainer, with the process that generates and rewards, on the CPU.

Three parts need a GPU and are replaced: vLLM, by the stand-in of the other tests; NCCL, by a copy of the weights; and the kernel of
FlashAttention 3, by plain attention.
"""

import copy
import functools
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import trl
import vllm_stand_in
from datasets import Dataset
from support import SUM_TESTS, history

from trl_rltf import UnitTestRewardFunction
from trl_rltf.environments import UnitTestEnvironment
from trl_rltf.presets import paper_reward
from trl_rltf.rewards import AsyncUnitTestRewardFunction


pytest.importorskip("aiohttp", reason="TRL's asynchronous trainer needs aiohttp")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::UserWarning")]


class CopyOfWeights:
    """Pass the weights of the trainer to the stand-in, which is in the same process."""

    def __init__(self, engine):
        self.engine = engine
        self.num_sent = 0

    def send_weights(self, iterator):
        self.engine.load_weights(iterator)
        self.num_sent += 1

    def init_weight_transfer(self):
        """There is nothing to set up, nor to stop and resume."""

    pause = resume = destroy = init_weight_transfer


def plain_attention(query, key, value, starts_q, starts_k, max_q, max_k, softmax_scale, causal, window_size):
    """Attend in each segment, to the last keys of its path."""
    assert causal
    assert window_size == (-1, -1)
    outputs = []
    for number in range(len(starts_q) - 1):
        own = slice(int(starts_q[number]), int(starts_q[number + 1]))
        path = slice(int(starts_k[number]), int(starts_k[number + 1]))
        q, k, v = (part.transpose(0, 1) for part in (query[own], key[path], value[path]))
        mask = torch.ones(q.size(1), k.size(1), dtype=torch.bool).tril(k.size(1) - q.size(1))
        attended = torch.nn.functional.scaled_dot_product_attention(
            q, k, v, mask, scale=softmax_scale, enable_gqa=True
        )
        outputs.append(attended.transpose(0, 1))
    return torch.cat(outputs)


@pytest.fixture
def train(monkeypatch, model, tokenizer, tmp_path):
    """Train for two steps with TRL's trainer, its process and its metrics."""
    from trl.experimental.async_grpo import (
        AsyncGRPOConfig,
        AsyncGRPOTrainer,
        async_rollout_worker,
        packing,
    )

    monkeypatch.setattr(async_rollout_worker, "is_vllm_available", lambda: True)
    monkeypatch.setattr(packing, "_flash_attn", lambda: SimpleNamespace(flash_attn_varlen_func=plain_attention))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "CPU")  # TRL looks its peak speed up
    chat = copy.deepcopy(tokenizer)
    chat.chat_template = (Path(trl.__file__).parent / "chat_templates" / "qwen2_5.jinja").read_text()
    model.config.max_position_embeddings = 4096
    for part in (model, chat):
        part.save_pretrained(tmp_path / "start")
    rows = [{"prompt": [{"role": "user", "content": "Add two numbers."}], "tests": SUM_TESTS}] * 8

    def run(reward, **arguments):
        with vllm_stand_in.server(str(tmp_path / "start")) as (url, engine):
            transfer = CopyOfWeights(engine)
            trainer = AsyncGRPOTrainer(
                str(tmp_path / "start"),
                reward,
                AsyncGRPOConfig(
                    output_dir=str(tmp_path / "out"),
                    max_steps=2,
                    per_device_train_batch_size=4,
                    gradient_accumulation_steps=1,
                    num_generations=2,
                    max_completion_length=8,
                    token_budget=0,
                    vllm_server_base_url=url,
                    learning_rate=1e-3,
                    dtype="float32",
                    bf16=False,
                    use_cpu=True,
                    gradient_checkpointing=False,
                    logging_steps=1,
                    report_to="none",
                    save_strategy="no",
                    disable_tqdm=True,
                    dataloader_pin_memory=False,
                ),
                Dataset.from_list(rows),
                chat,
                weight_transfer=transfer,
                **arguments,
            )
            try:
                trainer.train()
            finally:
                trainer.rollout_worker.stop()
            assert transfer.num_sent == 3  # before the first step, and after each
            return trainer

    return run


@pytest.mark.parametrize("wrap", [lambda function: function, AsyncUnitTestRewardFunction], ids=["called", "awaited"])
def test_the_process_of_trl_rewards_programs_by_their_tests(train, wrap):
    trainer = train(wrap(paper_reward()))
    rewards = history(trainer, "rewards/unit_test_reward")
    assert len(rewards) == 2
    assert all(-1.0 <= reward < 0.0 for reward in rewards)  # most programs of an untrained model do not compile
    assert history(trainer, "reward") == rewards


def test_the_environment_runs_in_the_process_of_trl(train):
    factory = functools.partial(UnitTestEnvironment, max_calls=2)
    trainer = train(UnitTestRewardFunction(), environment_factory=factory)
    assert len(history(trainer, "env/reset_s")) == 2
    assert len(history(trainer, "rewards/unit_test_reward")) == 2
