"""The inputs of the critic, and the weights that it gives to tokens."""

import copy
import json
import pickle

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import SUM_PROGRAM, SUM_TESTS

from trl_rltf import CriticRewardFunction, TokenReward, UnitTestRewardFunction
from trl_rltf.completions import token_ranges
from trl_rltf.critic import Critic, CriticOutput
from trl_rltf.critic.model import LABELS, OUTCOMES, encode_program
from trl_rltf.execution import ExecutionReport, Outcome, Verdict
from trl_rltf.mini import make_mini_critic
from trl_rltf.rewards import AsyncUnitTestRewardFunction


@pytest.fixture(scope="module")
def critic(tokenizer):
    return Critic(make_mini_critic(tokenizer, hidden_size=32, num_layers=2), tokenizer)


class Saying(Critic):
    """A critic that predicts one outcome at the tokens that a function selects, and none elsewhere."""

    def __init__(self, tokenizer, outcome, is_sure):
        self.processing_class, self.outcome, self.is_sure, self.num_read = tokenizer, outcome, is_sure, 0

    def __call__(self, prompts, completions):
        self.num_read += len(completions)
        outputs = []
        for prompt, text in zip(prompts, completions, strict=True):
            ranges = encode_program(self.processing_class, prompt, text, None).ranges
            logits = torch.zeros(len(ranges), len(LABELS))
            logits[[self.is_sure(begin, end) for begin, end in ranges], OUTCOMES.index(self.outcome)] = 50.0
            outputs.append(CriticOutput(logits, ranges))
        return outputs


def weights_of(runner, policy_tokenizer, critic, completions, prompt="Add."):
    function = CriticRewardFunction(UnitTestRewardFunction(runner), critic)
    ids = [policy_tokenizer(text, add_special_tokens=False)["input_ids"] for text in completions]
    count = len(completions)
    return function([prompt] * count, completions, ids, tests=[SUM_TESTS] * count, processing_class=policy_tokenizer)


def test_a_weight_is_the_critics_probability_of_the_outcome_at_that_token(runner, tokenizer, critic):
    for source, outcome in ((SUM_PROGRAM, Outcome.PASS), ("print(9)\n", Outcome.FAILURE), ("print(", 0)):
        (reward,) = weights_of(runner, tokenizer, critic, [source])
        prompt, ids = tokenizer("Add.")["input_ids"], tokenizer(source)["input_ids"]
        row = torch.tensor([[tokenizer.bos_token_id, *prompt, *ids, tokenizer.eos_token_id]])
        with torch.no_grad():
            expected = critic.model(row).logits[0, 1 + len(prompt) : -1].softmax(-1)[:, outcome]
        assert reward.outcome is Outcome(outcome)
        assert reward.weights == pytest.approx(expected.tolist(), abs=1e-5)


def test_the_end_token_of_the_policy_has_the_weight_of_the_end_of_the_program(tokenizer, critic):
    (output,) = critic(["Add."], ["x = 1\n"])
    function = CriticRewardFunction(lambda **columns: [TokenReward(0.0, [0.0] * 5, outcome=Outcome.PASS)], critic)
    ids = [*tokenizer("x = 1\n")["input_ids"], tokenizer.eos_token_id]
    (reward,) = function(["Add."], ["x = 1\n"], [ids], processing_class=tokenizer)
    assert reward.weights[-1] == pytest.approx(float(output.verdict[OUTCOMES.index(Outcome.PASS)]))


@pytest.mark.parametrize(
    ("policy_ranges", "expected"),
    [
        ([(0, 2), (2, 4), (5, 8)], [0.1, 0.2, 0.4]),  # the same tokens; a blank between them belongs to none
        ([(0, 4)], [0.15]),  # over two of them: their mean
        ([(0, 1), (1, 3)], [0.1, 0.15]),
        ([(4, 5)], [0.2]),  # a blank: the token before it
        ([(8, 8)], [0.9]),  # the end
        ([(3, 3)], [0.2]),  # a special token within
        ([(5, 6), (6, 9)], [0.4, 0.65]),
        ([], []),
    ],
)
def test_the_tokens_of_another_tokenizer_are_found_by_their_characters(policy_ranges, expected):
    probabilities = torch.tensor([0.1, 0.2, 0.4, 0.9])
    logits = torch.stack([probabilities.log(), *[((1 - probabilities) / 3).log()] * 3], dim=1)
    output = CriticOutput(logits, [(0, 2), (2, 4), (5, 8), (8, 10**9)])
    assert output.at_tokens(policy_ranges, Outcome.SYNTAX_ERROR) == pytest.approx(expected)


@pytest.mark.parametrize("kinds", [("tokenizer", "sentencepiece_tokenizer"), ("sentencepiece_tokenizer", "tokenizer")])
def test_tokenizers_of_two_kinds_agree_about_a_line(kinds, request, runner):
    policy, other = map(request.getfixturevalue, kinds)
    source = "x = [1]\nprint(x[3])\nprint(x)\n"
    first, last = source.index("print"), source.index("\nprint(x)\n")
    critic = Saying(other, Outcome.RUNTIME_ERROR, lambda begin, end: begin < last and end > first)
    (reward,) = weights_of(runner, policy, critic, [source])
    ids = policy(source, add_special_tokens=False)["input_ids"]
    believed = "".join(policy.decode([i]) for i, weight in zip(ids, reward.weights, strict=True) if weight > 0.9)
    assert believed.replace(" ", "").strip() == "print(x[3])"


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=30), cut=st.integers(0, 40))
def test_any_completion_has_a_weight_for_each_token(tokenizer, sentencepiece_tokenizer, text, cut):
    ids = sentencepiece_tokenizer(text, add_special_tokens=False)["input_ids"][:cut]
    text = sentencepiece_tokenizer.decode(ids, skip_special_tokens=True)
    critic = Saying(tokenizer, Outcome.PASS, lambda begin, end: begin % 2 == 0)
    function = CriticRewardFunction(
        lambda **columns: [TokenReward(0.0, [0.0] * len(ids), outcome=Outcome.PASS)], critic
    )
    (reward,) = function([""], [text], [ids], processing_class=sentencepiece_tokenizer)
    assert len(reward.weights) == len(ids)
    assert all(0.0 <= weight <= 1.0 for weight in reward.weights)


def test_a_batch_gives_the_output_of_each_program_alone_and_equal_ones_run_once(tokenizer, critic):
    texts = ["x = 1\n", SUM_PROGRAM * 3, "", "x = 1\n", "print(1)"]
    rows = []
    hook = critic.model.register_forward_hook(
        lambda module, args, kwargs, out: rows.append(len(out.logits)), with_kwargs=True
    )
    together = critic(["Add."] * 5, texts)
    hook.remove()
    assert sum(rows) == 4
    small = Critic(critic.model, tokenizer, batch_size=1)
    for text, output in zip(texts, together, strict=True):
        (alone,) = small(["Add."], [text])
        torch.testing.assert_close(output.logits, alone.logits, rtol=1e-4, atol=1e-5)
        assert output.ranges == alone.ranges
        assert len(output.logits) == len(tokenizer(text)["input_ids"]) + 1


def test_labels_in_another_order_mean_the_same(tokenizer, critic):
    model = copy.deepcopy(critic.model)
    order = [2, 0, 3, 1]
    model.config.id2label = {place: LABELS[index] for place, index in enumerate(order)}
    model.config.label2id = {LABELS[index]: place for place, index in enumerate(order)}
    model.score.weight.data = model.score.weight.data[order]
    model.score.bias.data = model.score.bias.data[order]
    (first,), (second,) = critic(["Add."], ["x"]), Critic(model, tokenizer)(["Add."], ["x"])
    torch.testing.assert_close(first.logits, second.logits)


def test_a_long_prompt_is_cut_at_its_beginning_and_a_long_completion_at_its_end(tokenizer):
    prompt, completion = tokenizer("Add the numbers. ")["input_ids"], tokenizer("print(12345)")["input_ids"]
    start, end = tokenizer.bos_token_id, tokenizer.eos_token_id

    def ids(max_length):
        return encode_program(tokenizer, "Add the numbers. ", "print(12345)", max_length).input_ids

    assert ids(None) == [start, *prompt, *completion, end]
    assert ids(len(completion) + 4) == [start, *prompt[-2:], *completion, end]
    assert ids(len(completion) + 2) == [start, *completion, end]
    assert ids(5) == [start, *completion[:3], end]


def test_tokens_beyond_the_maximum_length_have_the_weight_of_the_last_one(tokenizer, critic):
    short = Critic(critic.model, tokenizer, max_length=5)
    (output,) = short([""], ["print(12345)"])
    seen = output.ranges[-1][0]
    assert (
        output.at_tokens([(seen, seen + 1), (seen + 3, seen + 4)], Outcome.PASS)
        == [pytest.approx(float(output.probabilities(Outcome.PASS)[-1]))] * 2
    )


def test_the_verdict_is_that_of_the_end_token_or_of_the_maximum_logits():
    logits = torch.tensor([[9.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 3.0]])
    ranges = [(0, 1), (1, 99)]
    assert int(CriticOutput(logits, ranges).verdict.argmax()) == 3
    assert int(CriticOutput(logits, ranges, "max").verdict.argmax()) == 0


def test_the_rewards_are_those_of_the_wrapped_function(runner, tokenizer, critic):
    sources = [SUM_PROGRAM, "a = 1\nprint(undefined)\n", "print("]
    plain = UnitTestRewardFunction(runner)
    ids = [tokenizer(text)["input_ids"] for text in sources]
    expected = plain([""] * 3, sources, ids, [SUM_TESTS] * 3, processing_class=tokenizer)
    found = weights_of(runner, tokenizer, critic, sources)
    assert found == expected
    assert [reward.tokens for reward in found] == [reward.tokens for reward in expected]
    assert CriticRewardFunction(plain, critic).__name__ == "unit_test_reward"


def test_a_program_that_could_not_be_graded_still_has_no_reward(tokenizer, critic):
    class Broken:
        def run(self, programs):
            return [ExecutionReport(Outcome.NOT_GRADABLE, (Verdict.NOT_RUN,)) for _ in programs]

    assert weights_of(Broken(), tokenizer, critic, ["print(1)"]) == [None]


def test_without_a_tokenizer_of_the_policy_the_critic_does_not_run(runner, tokenizer):
    critic = Saying(tokenizer, Outcome.PASS, lambda begin, end: True)
    function = CriticRewardFunction(UnitTestRewardFunction(runner), critic)
    (reward,) = function([""], [SUM_PROGRAM], [[1, 2]], tests=[SUM_TESTS])
    assert (float(reward), reward.weights, critic.num_read) == (1.0, None, 0)


def test_the_weights_of_two_critics_multiply(runner, tokenizer, critic):
    one = weights_of(runner, tokenizer, critic, [SUM_PROGRAM])[0].weights
    inner = CriticRewardFunction(UnitTestRewardFunction(runner), critic)
    ids = tokenizer(SUM_PROGRAM)["input_ids"]
    function = CriticRewardFunction(inner, critic)
    (both,) = function(["Add."], [SUM_PROGRAM], [ids], tests=[SUM_TESTS], processing_class=tokenizer)
    assert both.weights == pytest.approx([weight**2 for weight in one])


def test_chat_messages_are_read_by_their_text(runner, tokenizer, critic):
    text = f"```python\n{SUM_PROGRAM}```"
    ids = tokenizer(text)["input_ids"]
    function = CriticRewardFunction(UnitTestRewardFunction(runner), critic)
    chat = function(
        [[{"role": "user", "content": "Add."}]], [[{"role": "assistant", "content": text}]], [ids],
        tests=[SUM_TESTS], processing_class=tokenizer,
    )  # fmt: skip
    assert chat[0].weights == weights_of(runner, tokenizer, critic, [text])[0].weights


def in_call(code):
    return {"role": "assistant", "tool_calls": [{"function": {"name": "run_tests", "arguments": {"code": code}}}]}


def weights_in_chat(runner, tokenizer, critic, completion, written):
    function = CriticRewardFunction(UnitTestRewardFunction(runner), critic)
    ids = tokenizer(written)["input_ids"]
    (reward,) = function(["Add."], [completion], [ids], tests=[SUM_TESTS], processing_class=tokenizer)
    return reward.weights, ids


def test_the_critic_reads_the_program_of_a_tool_call(runner, tokenizer, critic):
    code = "print(9)"
    written = f'{{"code": "{code}"}}\nIt works.'
    report = {"role": "tool", "name": "run_tests", "content": "0 of 1 visible tests passed."}
    chat = [in_call(code), report, {"role": "assistant", "content": "It works."}]
    weights, ids = weights_in_chat(runner, tokenizer, critic, chat, written)
    (output,) = critic(["Add."], [code])
    assert weights == pytest.approx(output.at_tokens(token_ranges(ids, code, tokenizer), Outcome.FAILURE))


def test_a_program_that_is_escaped_in_a_call_has_its_mean_weight_at_all_tokens(runner, tokenizer, critic):
    code = "x = 9\nprint(x)\n"
    weights, ids = weights_in_chat(runner, tokenizer, critic, [in_call(code)], json.dumps({"code": code}))
    (output,) = critic(["Add."], [code])
    mean = float(output.probabilities(Outcome.FAILURE)[:-1].mean())
    assert weights == pytest.approx([mean] * len(ids))


def test_the_accuracy_of_the_critic_is_logged(runner, tokenizer):
    metrics = {}
    critic = Saying(tokenizer, Outcome.PASS, lambda begin, end: True)
    sources = [SUM_PROGRAM, "print(9)"]
    CriticRewardFunction(UnitTestRewardFunction(runner), critic)(
        [""] * 2,
        sources,
        [tokenizer(text)["input_ids"] for text in sources],
        tests=[SUM_TESTS] * 2,
        processing_class=tokenizer,
        log_metric=metrics.__setitem__,
    )
    assert metrics["critic/accuracy"] == 0.5
    assert metrics["critic/probability"] == pytest.approx(0.5)
    assert metrics["outcome/pass"] == 0.5


@pytest.mark.parametrize("as_text", [True, False], ids=["by path", "encoder of T5"])
def test_a_critic_is_loaded_from_a_folder(tmp_path, tokenizer, as_text):
    from transformers import T5Config, T5ForTokenClassification

    from trl_rltf.critic.model import LABEL_SETTINGS

    model = make_mini_critic(tokenizer, hidden_size=32, num_layers=1)
    if not as_text:
        shape = {"d_model": 32, "d_ff": 64, "d_kv": 16, "num_layers": 1, "num_heads": 2}
        model = T5ForTokenClassification(T5Config(vocab_size=len(tokenizer), **shape, **LABEL_SETTINGS))
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    function = CriticRewardFunction(lambda **columns: [], str(tmp_path))
    (output,) = function.critic(["Add."], [SUM_PROGRAM])
    (expected,) = Critic(model, tokenizer)(["Add."], [SUM_PROGRAM])
    torch.testing.assert_close(output.logits, expected.logits)


def test_a_token_reward_with_weights_survives_pickling():
    again = pickle.loads(pickle.dumps(TokenReward(0.5, [0.5, 0.2], [1.0, 0.1], Outcome.FAILURE)))
    assert (again, again.tokens, again.weights, again.outcome) == (0.5, [0.5, 0.2], [1.0, 0.1], Outcome.FAILURE)


def test_the_dataset_is_checked_as_the_wrapped_function_does(runner, critic, problems):
    function = CriticRewardFunction(UnitTestRewardFunction(runner), critic)
    function.check_dataset(problems)
    with pytest.raises(ValueError, match="no column `tests`"):
        function.check_dataset(problems.remove_columns("tests"))
    CriticRewardFunction(lambda **columns: [], critic).check_dataset(problems.remove_columns("tests"))


def test_a_critic_with_other_labels_is_refused(tokenizer):
    model = make_mini_critic(tokenizer, hidden_size=32, num_layers=1)
    model.config.label2id = {"LABEL_0": 0, "LABEL_1": 1}
    with pytest.raises(
        ValueError, match=r"labels \['LABEL_0', 'LABEL_1'\], but must have SYNTAX_ERROR, RUNTIME_ERROR"
    ):
        Critic(model, tokenizer)


@pytest.mark.parametrize("reward", [0.5, TokenReward(0.5, [0.5])])
def test_a_reward_without_an_outcome_is_refused(tokenizer, critic, reward):
    function = CriticRewardFunction(lambda **columns: [None, reward], critic)
    with pytest.raises(TypeError, match="without an outcome for completion 1"):
        function(["", ""], ["", ""], [[1], [1]], processing_class=tokenizer)


def test_an_asynchronous_function_is_refused(critic, runner):
    async def function(**columns):
        return []

    for asynchronous in (function, AsyncUnitTestRewardFunction(UnitTestRewardFunction(runner))):
        with pytest.raises(TypeError, match="asynchronous"):
            CriticRewardFunction(asynchronous, critic)


@pytest.mark.parametrize(("options", "name"), [({"batch_size": 0}, "batch_size"), ({"max_length": 2}, "max_length")])
def test_numbers_out_of_range_are_refused(tokenizer, critic, options, name):
    with pytest.raises(ValueError, match=f"`{name}` is"):
        Critic(critic.model, tokenizer, **options)


def test_a_tokenizer_without_an_end_is_refused(tokenizer, critic):
    endless = copy.deepcopy(tokenizer)
    endless.eos_token = None
    with pytest.raises(ValueError, match="Give it an `eos_token`"):
        Critic(critic.model, endless)([""], ["x"])
