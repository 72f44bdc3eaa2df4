"""Write, test, repair: whole conversations with a tool, from the text of the model to the loss."""

import copy
import json
from functools import partial
from pathlib import Path

import pytest
import torch
import trl
from datasets import Dataset
from support import SUM_PROGRAM, Spy, history
from trl import GRPOConfig, GRPOTrainer

from trl_rltf import OnlineBuffer, RLTFTrainer, UnitTestRewardFunction
from trl_rltf.environments import UnitTestEnvironment


pytestmark = pytest.mark.filterwarnings("ignore:You are using 'environment_factory'")

WRONG, BROKEN = "print(3)\n", "a, b = input().split()\nprint(c)\n"
ROW = {
    "prompt": [{"role": "user", "content": "Print the sum of two numbers."}],
    "tests": json.dumps({"inputs": ["10 20\n", "5 6\n"], "outputs": ["30\n", "11\n"]}),
    "visible_tests": json.dumps({"inputs": ["1 2\n", "3 4\n"], "outputs": ["3\n", "7\n"]}),
}


def call(code):
    return f"<tool_call>\n{json.dumps({'name': 'run_tests', 'arguments': {'code': code}})}\n</tool_call>"


def block(code):
    return f"Here it is:\n```python\n{code}```"


# What the model writes in the completions of a group: one list of turns for each.
TURNS = [
    [call(WRONG), call(SUM_PROGRAM), "It works."],
    [call(WRONG), block(SUM_PROGRAM)],
    [call(SUM_PROGRAM), block(BROKEN)],
    ["I do not know."],
]
REWARDS = [1.0, 1.0, 0.0, 0.0]


class Scripted:
    """A trainer whose model writes the turns above, in place of sampled tokens."""

    def _generate_single_turn(self, prompt_ids, images, multimodal_fields, num_generations=1, has_tool_images=False):
        if num_generations > 1:  # the first turn of each completion
            self.turns = [iter(TURNS[index % len(TURNS)]) for index in range(len(prompt_ids))]
            self.calling = range(len(prompt_ids))
        texts = {index: next(self.turns[index]) for index in self.calling}
        self.calling = [index for index, text in texts.items() if "<tool_call>" in text]  # they have a next turn
        return [self.processing_class(f"{text}<|im_end|>")["input_ids"] for text in texts.values()], None


class ScriptedGRPO(Scripted, GRPOTrainer):
    pass


class ScriptedRLTF(Scripted, RLTFTrainer):
    pass


@pytest.fixture
def make_environment_trainer(make_trainer, model, tokenizer, runner):
    chat = copy.deepcopy(tokenizer)
    chat.chat_template = (Path(trl.__file__).parent / "chat_templates" / "qwen2_5.jinja").read_text()
    chat.add_special_tokens({"eos_token": "<|im_end|>"})
    model.resize_token_embeddings(len(chat))
    model.config.max_position_embeddings = 8192

    def make(trainer_class, reward=None, callbacks=None, row=ROW, **settings):
        settings = {"max_completion_length": 2048, "max_steps": 1, "log_completions": True, **settings}
        if trainer_class is ScriptedGRPO:
            settings["config_class"] = GRPOConfig
        return make_trainer(
            UnitTestRewardFunction(runner) if reward is None else reward,
            callbacks=callbacks,
            trainer_class=trainer_class,
            dataset=Dataset.from_list([row] * 4),
            model_override=model,
            tokenizer_override=chat,
            environment_factory=partial(UnitTestEnvironment, max_calls=2, runner=runner),
            **settings,
        )

    return make


@pytest.mark.parametrize("trainer_class", [ScriptedGRPO, ScriptedRLTF])
def test_hidden_tests_reward_the_program_after_its_repair(make_environment_trainer, trainer_class):
    trainer = make_environment_trainer(trainer_class)
    before = {name: value.detach().clone() for name, value in trainer.model.named_parameters()}
    trainer.train()
    assert list(trainer._logs["rewards"]["unit_test_reward"]) == REWARDS
    assert history(trainer, "outcome/pass") == [0.5]
    assert history(trainer, "tools/call_frequency") == [1.0]
    assert history(trainer, "tools/failure_frequency") == [0.0]
    reports = [
        [message["content"].split("\n")[0] for message in completion if message["role"] == "tool"]
        for completion in trainer._logs["completion"]
    ]
    failed, passed = "1 of 2 visible tests passed. Test 2 did not:", "All 2 visible tests passed."
    assert reports == [[failed, passed], [failed], [passed], []]
    assert any(not torch.equal(value, before[name]) for name, value in trainer.model.named_parameters())


def test_hidden_outputs_are_in_no_text_of_a_run(make_environment_trainer):
    trainer = make_environment_trainer(ScriptedRLTF)
    trainer.train()
    texts = json.dumps([*trainer._logs["prompt"], *trainer._logs["completion"]])
    assert "expected: '7" in texts
    assert "30\\n" not in texts
    assert "10 20" not in texts


def test_tokens_of_the_final_program_are_rewarded_and_those_of_the_tool_are_not(make_environment_trainer, runner):
    reward = UnitTestRewardFunction(runner, token_feedback="statement_penalty", token_weight=0.5)
    trainer = make_environment_trainer(ScriptedRLTF, reward, scale_rewards=False)
    spy = Spy(trainer)
    trainer.train()
    (batch,) = spy.batches
    repaired = next(
        row for row, ids in enumerate(batch["completion_ids"]) if "print(c)" in trainer.processing_class.decode(ids)
    )
    counted = (batch["completion_mask"] * batch["tool_mask"]).bool()
    penalized = counted[repaired] & (
        batch["advantages"][repaired] < batch["advantages"][repaired][counted[repaired]].max() - 0.4
    )
    assert trainer.processing_class.decode(batch["completion_ids"][repaired][penalized]).strip() == "print(c)"
    # The program of a call is written as JSON: its tokens have the reward of the completion.
    in_call = next(
        row for row, ids in enumerate(batch["completion_ids"]) if "It works." in trainer.processing_class.decode(ids)
    )
    assert batch["advantages"][in_call][counted[in_call]].unique().numel() == 1


def test_samples_of_conversations_can_be_kept_in_a_buffer(make_environment_trainer):
    trainer = make_environment_trainer(ScriptedRLTF, callbacks=[OnlineBuffer(capacity=8, update_steps=1)], max_steps=2)
    trainer.train()
    assert history(trainer, "outcome/pass")[0] == 0.5


def test_groups_of_conversations_can_be_sampled_again(make_environment_trainer):
    trainer = make_environment_trainer(ScriptedRLTF, max_generation_batches=2, baseline="leave_one_out")
    trainer.train()
    assert history(trainer, "outcome/pass") == [0.5]


def test_a_greedy_baseline_is_refused(make_environment_trainer):
    with pytest.raises(ValueError, match="does not work with `environment_factory`"):
        make_environment_trainer(ScriptedRLTF, baseline="greedy")


def test_prompts_of_plain_text_are_refused(make_environment_trainer):
    with pytest.raises(
        ValueError, match="has plain text, but with `environment_factory` a model calls tools in a chat"
    ):
        make_environment_trainer(ScriptedRLTF, row={**ROW, "prompt": "Print the sum of two numbers."})
