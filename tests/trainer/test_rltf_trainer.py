"""The trainer, in real training runs."""

import ast
import copy
import inspect
import textwrap

import pytest
import torch
from datasets import IterableDataset
from support import Spy, by_length, gradients_of_log_probs, history, snapshot
from trl import GRPOConfig, GRPOTrainer

from trl_rltf import OnlineBuffer, RLTFTrainer, TokenReward, UnitTestRewardFunction
from trl_rltf.presets import paper_reward
from trl_rltf.trainer import Seq2SeqGRPOTrainer


def test_every_parameter_moves(make_trainer, runner):
    trainer = make_trainer(paper_reward(runner))
    before = snapshot(trainer.model)
    trainer.train()
    assert [name for name, value in trainer.model.named_parameters() if torch.equal(value, before[name])] == []


def test_token_rewards_without_differences_are_grpo_too(make_trainer, model):
    def spread(completions, completion_ids, **columns):
        return [TokenReward(r, [r] * len(ids)) for r, ids in zip(by_length(completions), completion_ids, strict=True)]

    losses = []
    for function in (by_length, spread):
        trainer = make_trainer(function, model_override=copy.deepcopy(model))
        trainer.train()
        losses.append(history(trainer, "loss"))
    assert losses[0] == losses[1]


def test_two_tokens_of_one_completion_get_different_gradients(make_trainer, tokenizer):
    """One position is punished: the log-probability of that token alone gets a gradient, in the sign of the penalty."""

    def punish_third(completion_ids, **columns):
        return [TokenReward(0.0, [0.0, 0.0, -0.3] + [0.0] * (len(ids) - 3)) for ids in completion_ids]

    trainer = make_trainer(punish_third, max_steps=1, loss_type="grpo", generation_kwargs={"min_new_tokens": 5})
    gradients = gradients_of_log_probs(trainer)
    trainer.train()
    (gradient,) = gradients
    _size, length = gradient.shape
    assert torch.all(gradient[:, 2] > 0)  # descending makes the punished token less likely
    others = torch.ones(length, dtype=torch.bool)
    others[2] = False
    assert torch.all(gradient[:, others] == 0)


def test_the_error_line_of_a_program_gets_its_own_advantage(make_trainer, runner, tokenizer):
    source = "a = 1\nb = undefined\nc = 3\n"
    ids = tokenizer(source)["input_ids"]
    reward = paper_reward(runner)
    trainer = make_trainer(reward, baseline="none", scale_rewards="none", max_steps=1)
    trainer._generate_single_turn = lambda prompts, *rest, **kw: ([list(ids) for _ in prompts], None)
    spy = Spy(trainer)
    trainer.train()
    advantages = spy.batches[0]["advantages"]
    marked = [tokenizer.decode([i]) for i, a in zip(ids, advantages[0].tolist(), strict=True) if a < -0.7]
    assert "".join(marked).strip() == "b = undefined"
    assert sorted({round(a, 4) for a in advantages[0].tolist()}) == [-0.9, -0.6]


def test_lines_are_compared_with_those_of_their_group(make_trainer, runner, tokenizer):
    """Half of a group stops parsing in its second line; its first line is as good as that of the others."""
    sources = ["a = 1\nb = 2\nc = 3\n", "a = 1\nb = = 2\nc = 3\n"]
    ids = [tokenizer(source)["input_ids"] for source in sources]
    trainer = make_trainer(UnitTestRewardFunction(runner), max_steps=1)
    trainer._generate_single_turn = lambda prompts, *rest, **kw: (
        [list(ids[i % 2]) for i in range(len(prompts))],
        None,
    )
    spy = Spy(trainer)
    trainer.train()
    batch = spy.batches[0]
    found: dict[tuple[bool, int], set[float]] = {}
    for row, mask, advantages in zip(
        batch["completion_ids"], batch["completion_mask"], batch["advantages"], strict=True
    ):
        text = ""
        for token, advantage in zip(row[mask.bool()].tolist(), advantages.tolist(), strict=False):
            found.setdefault(("= =" in tokenizer.decode(row), text.count("\n")), set()).add(round(advantage, 4))
            text += tokenizer.decode([token])
    assert found == {
        (False, 0): {0.0}, (False, 1): {0.5}, (False, 2): {0.0}, (True, 0): {0.0}, (True, 1): {-0.5}, (True, 2): {0.0},
    }  # fmt: skip


def test_the_loss_and_its_gradient_are_those_worked_out_by_hand(make_trainer, model):
    """REINFORCE with a mean over tokens, then over completions, and the cross entropy of a reference solution."""
    reference = copy.deepcopy(model)  # before TRL patches its forward pass

    def rewards(completion_ids, **columns):
        return [
            TokenReward(0.2 * i, [0.2 * i - 0.1 * t for t in range(len(ids))]) for i, ids in enumerate(completion_ids)
        ]

    trainer = make_trainer(
        rewards,
        max_steps=1,
        baseline="none",
        scale_rewards="none",
        loss_type="grpo",
        temperature=0.6,
        ce_loss_weight=0.5,
        max_grad_norm=0.0,
        weight_decay=0.0,
        optim="sgd",
        learning_rate=0.1,
        lr_scheduler_type="constant",
        generation_kwargs={"min_new_tokens": 3},
        max_completion_length=40,
    )
    spy = Spy(trainer)
    trainer.train()
    batch = spy.batches[0]

    def logps(prompt_ids, ids, temperature):
        row = torch.cat([prompt_ids, ids])[None]
        logits = reference(input_ids=row).logits[0, len(prompt_ids) - 1 : -1] / temperature
        return logits.log_softmax(-1)[torch.arange(len(ids)), ids]

    expected = 0.0
    reinforce = []
    cross_entropy = []
    for row in range(4):
        prompt = batch["prompt_ids"][row][batch["prompt_mask"][row].bool()]
        ids = batch["completion_ids"][row][batch["completion_mask"][row].bool()]
        place = round(batch["advantages"][row, 0].item() / 0.2)  # TRL shuffles the completions
        advantage = torch.tensor([0.2 * place - 0.1 * t for t in range(len(ids))])
        reinforce.append(-(advantage * logps(prompt, ids, 0.6)).mean())
        expected += -advantage.mean().item() / 4  # TRL writes the ratio of equal probabilities, 1, for the value
        question = batch["reference_prompt_ids"][row][batch["reference_prompt_mask"][row].bool()]
        answer = batch["reference_ids"][row][batch["reference_mask"][row].bool()]
        cross_entropy.append(-logps(question, answer, 1.0))
    ce_loss = torch.cat(cross_entropy).mean()
    (torch.stack(reinforce).mean() + 0.5 * ce_loss).backward()

    assert history(trainer, "loss")[0] == pytest.approx(expected + 0.5 * ce_loss.item(), abs=1e-5)
    assert history(trainer, "loss/rl")[0] == pytest.approx(expected, abs=1e-5)
    assert history(trainer, "loss/ce")[0] == pytest.approx(ce_loss.item(), abs=1e-5)
    for (_name, moved), start in zip(trainer.model.named_parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(moved.data, start.data - 0.1 * start.grad, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("baseline", "expected"),
    [("none", [0.0, 1.0, 5.0]), ("leave_one_out", [-3.0, -1.5, 4.5]), ("group_mean", [-2.0, -1.0, 3.0])],
)
def test_the_baseline_of_the_settings_is_used_and_a_completion_without_a_reward_does_not_count(
    make_trainer, baseline, expected
):
    """If it counted as 0, the mean of the group would be 1.5, and that of the others of the first would be 2."""
    seen = {}

    def rewards(completions, completion_ids, **columns):
        values = [None, 0.0, 1.0, 5.0]
        seen.update({tuple(ids): value for ids, value in zip(completion_ids, values, strict=True)})
        return values

    trainer = make_trainer(rewards, baseline=baseline, scale_rewards="none", max_steps=1)
    spy = Spy(trainer)
    trainer.train()
    batch = spy.batches[0]
    found = {
        seen[tuple(ids[mask.bool()].tolist())]: advantage
        for ids, mask, advantage in zip(
            batch["completion_ids"], batch["completion_mask"], batch["advantages"].tolist(), strict=True
        )
    }
    assert found == pytest.approx({None: 0.0, **dict(zip((0.0, 1.0, 5.0), expected, strict=True))})


def test_the_greedy_baseline_is_the_reward_of_the_greedy_completion(make_trainer, model, tokenizer):
    start = copy.deepcopy(model)
    calls = []

    def rewards(completions, completion_ids, log_extra, log_metric, **columns):
        calls.append([list(ids) for ids in completion_ids])
        log_extra("first", [text[:1] for text in completions])
        log_metric("calls", float(len(calls)))
        return by_length(completions)

    trainer = make_trainer(rewards, baseline="greedy", scale_rewards="none", max_steps=1, log_completions=True)
    spy = Spy(trainer)
    trainer.train()
    sampled, greedy = calls
    batch = spy.batches[0]
    prompt = batch["prompt_ids"][0][batch["prompt_mask"][0].bool()][None]
    alone = start.generate(prompt, do_sample=False, max_new_tokens=12, pad_token_id=tokenizer.pad_token_id)[
        0, prompt.size(1) :
    ]
    assert all(ids == greedy[0] for ids in greedy)
    assert greedy[0] == alone.tolist()[: len(greedy[0])]
    texts = tokenizer.batch_decode(sampled, skip_special_tokens=True)
    baseline = by_length(tokenizer.batch_decode(greedy[:1], skip_special_tokens=True))[0]
    assert sorted(batch["advantages"].tolist()) == pytest.approx(
        sorted(r - baseline for r in by_length(texts)), abs=1e-6
    )
    assert history(trainer, "calls") == [1.0]  # of the sampled completions alone


def test_centered_token_rewards_have_no_mass_in_a_group(make_trainer):
    def rewards(completion_ids, **columns):
        return [TokenReward(0.0, [-0.3 * (i == 0)] * len(ids)) for i, ids in enumerate(completion_ids)]

    trainer = make_trainer(rewards, center_token_rewards=True, max_steps=1)
    spy = Spy(trainer)
    trainer.train()
    batch = spy.batches[0]
    means = (batch["advantages"] * batch["completion_mask"]).sum(1) / batch["completion_mask"].sum(1)
    assert means.sum().item() == pytest.approx(0.0, abs=1e-6)
    assert means.min().item() == pytest.approx(-0.3 + 0.075, abs=1e-6)


def test_async_reward_functions_may_return_token_rewards(make_trainer):
    async def fine(completion_ids, **columns):
        return [TokenReward(0.0, [-1.0] + [0.0] * (len(ids) - 1)) for ids in completion_ids]

    trainer = make_trainer([by_length, fine], max_steps=1)
    spy = Spy(trainer)
    trainer.train()
    assert spy.batches[0]["advantages"].dim() == 2


def test_lora_training_changes_adapter_weights_only(make_trainer, runner):
    from peft import LoraConfig

    trainer = make_trainer(
        paper_reward(runner),
        peft_config=LoraConfig(r=4, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM"),
    )
    before = snapshot(trainer.model)
    trainer.train()
    moved = {name for name, value in trainer.model.named_parameters() if not torch.equal(value, before[name])}
    assert moved
    assert all("lora_" in name for name in moved)


def test_the_reward_function_works_in_an_unmodified_grpo_trainer(make_trainer, runner):
    trainer = make_trainer(UnitTestRewardFunction(runner), trainer_class=GRPOTrainer, config_class=GRPOConfig)
    trainer.train()
    assert len(history(trainer, "outcome/syntax_error")) == 2
    assert -1.0 <= history(trainer, "reward")[0] <= 1.0


def test_the_reward_function_works_in_an_unmodified_rloo_trainer(make_trainer, runner):
    from trl import RLOOConfig, RLOOTrainer

    trainer = make_trainer(
        UnitTestRewardFunction(runner), trainer_class=RLOOTrainer, config_class=RLOOConfig, beta=0.0
    )
    trainer.train()
    assert -1.0 <= history(trainer, "reward")[0] <= 1.0


def test_metrics_and_the_completions_table_are_logged(make_trainer, runner, tmp_path):
    import pandas as pd

    trainer = make_trainer(UnitTestRewardFunction(runner), log_completions=True, max_steps=1)
    trainer.train()
    shares = ["pass", "failure", "runtime_error", "syntax_error", "not_gradable"]
    assert sum(history(trainer, f"outcome/{name}")[0] for name in shares) == pytest.approx(1.0)
    for key in ("outcome/pass_ratio", "grading/seconds", "entropy", "rewards/unit_test_reward/mean"):
        assert len(history(trainer, key)) == 1
    table = pd.read_parquet(next((tmp_path / "out" / "completions").glob("*.parquet")))
    assert {"outcome", "error_type", "error_line", "first_failure", "tests_passed", "rltf_advantage"} <= set(
        table.columns
    )
    assert len(table) == 4


def test_the_table_shows_the_first_test_that_a_hostile_program_did_not_pass(make_trainer, runner, tokenizer, tmp_path):
    """The table is stored as UTF-8, which has no lone surrogates: the name and the message of an error are escaped."""
    import pandas as pd

    metaclass = "class M(type):\n    __name__ = '\\ud800'\n"
    ids = tokenizer(metaclass + "class E(Exception, metaclass=M): pass\nraise E('\\ud800')\n")["input_ids"]
    trainer = make_trainer(UnitTestRewardFunction(runner), log_completions=True, max_steps=1)
    trainer._generate_single_turn = lambda prompts, *rest, **kw: ([list(ids) for _ in prompts], None)
    trainer.train()
    table = pd.read_parquet(next((tmp_path / "out" / "completions").glob("*.parquet")))
    assert all(text.startswith("input: ") and "\nexpected: " in text for text in table["first_failure"])
    assert all(text.endswith("\ngot: \\ud800: \\ud800") for text in table["first_failure"])
    assert set(table["error_type"]) == {"?"}


def test_long_prompts_lose_their_beginning(make_trainer):
    trainer = make_trainer(by_length, max_prompt_length=5, max_steps=1)
    spy = Spy(trainer)
    trainer.train()
    assert spy.batches[0]["prompt_ids"].size(1) == 5


def test_evaluation_works(make_trainer, runner, problems):
    trainer = make_trainer(UnitTestRewardFunction(runner), per_device_eval_batch_size=4, ce_loss_weight=0.1)
    metrics = trainer.evaluate(problems.select(range(2)))
    assert "eval_reward" in metrics


def test_gradient_accumulation_gives_the_same_step(make_trainer, model):
    weights = []
    for size, steps in ((8, 1), (4, 2)):
        trainer = make_trainer(
            by_length,
            model_override=copy.deepcopy(model),
            per_device_train_batch_size=size,
            gradient_accumulation_steps=steps,
            max_steps=1,
            ce_loss_weight=0.0,
        )
        trainer.train()
        weights.append(snapshot(trainer.model))
    for name, value in weights[0].items():
        torch.testing.assert_close(value, weights[1][name], rtol=1e-4, atol=1e-5)


def test_a_dataset_that_would_fail_later_is_refused_at_construction(make_trainer, runner, problems):
    malformed = problems.map(lambda row, i: {"tests": "{" if i == 3 else row["tests"]}, with_indices=True)
    rewards = [by_length, UnitTestRewardFunction(runner)]  # the one that checks may be any of several
    with pytest.raises(ValueError, match="`train_dataset`: row 3 "):
        make_trainer(rewards, dataset=malformed)
    with pytest.raises(ValueError, match=r"`eval_dataset\['bad'\]`: row 3 "):
        make_trainer(rewards, eval_dataset={"good": problems, "bad": malformed})


def test_streams_are_not_checked_but_evaluated(make_trainer, runner, problems):
    rows = problems.to_list()[:2]
    stream = IterableDataset.from_generator(lambda: iter(rows))
    trainer = make_trainer(
        UnitTestRewardFunction(runner),
        eval_dataset={"rows": problems.select(range(2)), "stream": stream},
        per_device_eval_batch_size=4,
        max_prompt_length=30,
    )
    assert {"eval_rows_loss", "eval_stream_loss"} <= set(trainer.evaluate())


@pytest.mark.parametrize("settings", [{"loss_type": "vespo"}, {"off_policy_mask_threshold": 0.5}])
def test_token_rewards_are_refused_where_one_advantage_decides(make_trainer, settings):
    def rewards(completion_ids, **columns):
        return [TokenReward(0.0, [0.0] * len(ids)) for ids in completion_ids]

    with pytest.raises(ValueError, match="one decision per sequence"):
        make_trainer(rewards, **settings).train()


def test_another_configuration_class_is_refused(make_trainer):
    with pytest.raises(TypeError, match="must be an `RLTFConfig`"):
        make_trainer(by_length, config_class=GRPOConfig)


def signature(trainer_class):
    """Annotation and default of each argument of a constructor, as text."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(trainer_class.__init__)))
    arguments = tree.body[0].args
    defaults = [None] * (len(arguments.args) - len(arguments.defaults)) + arguments.defaults
    return {
        argument.arg: (
            argument.annotation and ast.unparse(argument.annotation).replace("'", ""),
            default and ast.unparse(default),
        )
        for argument, default in zip(arguments.args, defaults, strict=True)
    }


@pytest.mark.parametrize(
    ("trainer_class", "config"), [(RLTFTrainer, "RLTFConfig"), (Seq2SeqGRPOTrainer, "GRPOConfig")]
)
def test_the_constructor_has_the_signature_of_trl(trainer_class, config):
    expected = {
        name: (annotation and annotation.replace("GRPOConfig", config), default)
        for name, (annotation, default) in signature(GRPOTrainer).items()
    }
    expected["tools"] = ("list[Callable[..., Any]] | None", "None")  # as strict type checking needs it
    assert list(signature(trainer_class)) == list(expected)
    assert signature(trainer_class) == expected


def test_the_completions_table_marks_the_tokens_with_a_penalty(make_trainer, tmp_path, tokenizer):
    import pandas

    seen = []

    def reward(completions, completion_ids, **columns):
        seen.extend(completion_ids)
        return [TokenReward(0.0, [-0.3 * (t in (1, 2)) for t in range(len(ids))]) for ids in completion_ids]

    make_trainer(reward, log_completions=True, max_steps=1, generation_kwargs={"min_new_tokens": 5}).train()
    (file,) = (tmp_path / "out" / "completions").glob("*.parquet")
    expected = [
        f"{tokenizer.decode(ids[:1])}⟦{tokenizer.decode(ids[1:3])}⟧{tokenizer.decode(ids[3:])}" for ids in seen
    ]
    assert list(pandas.read_parquet(file)["marked_completion"]) == expected


def test_tensorboard_gets_the_metrics_of_training(make_trainer, runner, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    make_trainer(
        UnitTestRewardFunction(runner),
        callbacks=[OnlineBuffer(capacity=16, update_steps=2)],
        report_to="tensorboard",
        ce_loss_weight=0.1,
    ).train()
    (folder,) = {path.parent for path in (tmp_path / "out").rglob("events.out.tfevents.*")}
    events = EventAccumulator(str(folder))
    events.Reload()
    wanted = (
        "outcome/pass outcome/syntax_error outcome/pass_ratio token_rewards/share buffer/age buffer/ratio baseline loss/rl loss/ce "
        "entropy grading/tests_per_second reward"
    ).split()
    assert {f"train/{name}" for name in wanted} <= set(events.Tags()["scalars"])


def test_a_reward_that_is_nan_does_not_count_as_in_trl(make_trainer):
    def reward(completions, completion_ids, **columns):
        return [
            TokenReward(float("nan") if i == 0 else float(i), [float(i)] * len(ids))
            for i, ids in enumerate(completion_ids)
        ]

    trainer = make_trainer(reward)
    trainer.train()
    assert all(torch.isfinite(value).all() for value in trainer.model.parameters())


def test_a_reward_function_may_have_exactly_the_arguments_of_trl(make_trainer):
    def reward(prompts, completions, completion_ids, trainer_state, log_extra, log_metric, **columns):
        return by_length(completions)

    def narrow(
        prompts, completions, completion_ids, tests, solutions, problem_id, difficulty, starter_code, trainer_state, log_extra,
        log_metric,
    ):  # fmt: skip
        return by_length(completions)

    trainer = make_trainer([reward, narrow])
    trainer.train()
    assert trainer.state.global_step == 2


def test_no_thread_of_rewards_is_left_after_training(make_trainer):
    import threading

    used = set()

    def reward(completions, **columns):
        used.add(threading.current_thread())
        return by_length(completions)

    make_trainer(reward, callbacks=[OnlineBuffer(capacity=16, update_steps=2)], max_steps=1).train()
    (thread,) = used - {threading.main_thread()}
    thread.join(timeout=5)
    assert not thread.is_alive()
