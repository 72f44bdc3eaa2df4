"""Rewards that an environment owns, and methods of a trainer that was never initialised."""

import asyncio
import copy
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import trl
from datasets import Dataset
from support import history
from trl import GRPOTrainer

from trl_rltf import RLTFTrainer, TokenReward


pytestmark = pytest.mark.filterwarnings("ignore:You are using 'environment_factory'")


class Guess:
    """An environment that owns its reward, and adds to the prompt."""

    score = 0.25

    def reset(self, **columns):
        return " Guess."

    def say(self, text: str) -> str:
        """
        Say something.

        Args:
            text: What to say.

        Returns:
            An answer.
        """
        return "no"

    def get_reward(self):
        return self.score


class SlowGuess(Guess):
    """An environment with an asynchronous reward."""

    score = 0.5

    async def get_reward(self):
        await asyncio.sleep(0)
        return self.score


class Plain(Guess):
    """An environment without a reward."""

    get_reward = None


@pytest.fixture
def make_environment_trainer(make_trainer, tokenizer):
    chat = copy.deepcopy(tokenizer)
    chat.chat_template = (Path(trl.__file__).parent / "chat_templates" / "qwen2_5.jinja").read_text()
    dataset = Dataset.from_list([{"prompt": [{"role": "user", "content": "Which number?"}]}] * 4)

    def make(environment_factory, reward_funcs=None, dataset=dataset, **settings):
        return make_trainer(
            reward_funcs,
            dataset=dataset,
            tokenizer_override=chat,
            environment_factory=environment_factory,
            max_steps=1,
            **settings,
        )

    return make


@pytest.mark.parametrize("environment", [Guess, SlowGuess])
def test_a_reward_that_an_environment_owns_trains(make_environment_trainer, environment):
    trainer = make_environment_trainer(environment)
    trainer.train()
    assert history(trainer, f"rewards/{environment.__name__}/mean") == [environment.score]


def test_it_works_next_to_a_function_that_rewards_tokens(make_environment_trainer):
    def shares(completions, completion_ids, **columns):
        return [TokenReward(1.0, [1.0] * len(ids)) for ids in completion_ids]

    trainer = make_environment_trainer(Guess, reward_funcs=[shares])
    trainer.train()
    assert history(trainer, "reward") == [1.25]


def test_reward_functions_of_a_trainer_are_those_that_it_was_given(make_environment_trainer):
    """TRL's tests call the function that it makes of an environment with the argument `environments` only."""

    def none(completions, **columns):
        return [0.0] * len(completions)

    dataset = Dataset.from_dict({"environment": ["guess", "slow", "plain", "guess"]})
    factories = {"guess": Guess, "slow": SlowGuess, "plain": Plain}
    trainer = make_environment_trainer(factories, reward_funcs=none, dataset=dataset)
    first, guess, slow = trainer.reward_funcs
    assert first is none
    assert guess(environments=[Guess(), Plain()]) == [0.25, None]
    assert asyncio.run(slow(environments=[Guess(), SlowGuess()])) == [None, 0.5]


def test_prompts_of_an_environment_are_cut_together_with_its_observation(make_environment_trainer):
    trainer = make_environment_trainer(Guess, max_prompt_length=10_000)
    trainer.train()
    assert history(trainer, "prompts/clipped_ratio") == [0.0]
    prompt_length = len(trainer._prompt_ids([[{"role": "user", "content": "Which number? Guess."}]])[0])
    trainer = make_environment_trainer(Guess, max_prompt_length=prompt_length - 3, log_completions=True)
    trainer.train()
    assert history(trainer, "prompts/clipped_ratio") == [1.0]
    for ((message,),) in ([prompt] for prompt in trainer._logs["prompt"]):
        assert message["content"].endswith("Guess.")
        assert message["content"] != "Which number? Guess."


def test_dropping_prompts_that_an_environment_makes_is_refused(make_environment_trainer):
    with pytest.raises(ValueError, match="does not work with `environment_factory`"):
        make_environment_trainer(Guess, max_prompt_length=100, prompt_overflow="drop")


@pytest.mark.parametrize("trainer_class", [GRPOTrainer, RLTFTrainer])
def test_generation_works_on_a_trainer_that_was_never_initialised(trainer_class):
    """One of TRL's tests calls it on a trainer with only the attributes that TRL's method needs."""
    trainer = object.__new__(trainer_class)
    trainer.accelerator = SimpleNamespace(device=torch.device("cpu"), is_main_process=True, gather=lambda rows: rows)
    trainer.args = SimpleNamespace(report_to=[])
    trainer.model = SimpleNamespace(training=True)
    trainer.state = SimpleNamespace(global_step=2, num_input_tokens_seen=0)
    trainer.use_vllm = False
    trainer.processing_class = SimpleNamespace(batch_decode=lambda ids, **others: ["decoded"] * len(ids))
    trainer._tokenizer = SimpleNamespace(eos_token_id=2, pad_token_id=0)
    trainer.eos_token_ids = [2]
    trainer.tools = None
    trainer._metrics = {"train": defaultdict(list)}
    trainer.rollout_func = lambda prompts, trainer: {
        "prompt_ids": [[1]], "completion_ids": [[2]], "logprobs": [[-0.1]], "env_mask": [[1]],
    }  # fmt: skip
    prompt_ids, completion_ids, tool_mask, completions, *_ = trainer._generate(["prompt"])
    assert (prompt_ids, completion_ids, tool_mask, completions) == ([[1]], [[2]], [[1]], ["decoded"])
