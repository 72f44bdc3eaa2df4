"""Calls of reward functions: their results, errors, and overlap with generation."""

import asyncio
import threading
import time

import numpy as np
import pytest
import torch
from support import history

from trl_rltf import TokenReward
from trl_rltf.trainer.reward_calls import RewardCalls


IDS = [[1, 2], [3, 4, 5]]


@pytest.fixture(scope="module")
def loop():
    """An event loop in a thread, as TRL starts one for asynchronous functions."""
    running = asyncio.new_event_loop()
    thread = threading.Thread(target=running.run_forever)
    thread.start()
    yield running
    running.call_soon_threadsafe(running.stop)
    thread.join()
    running.close()


@pytest.fixture
def make_calls(loop):
    """Wrap reward functions; their threads end with the test."""
    made = []

    def make(*functions):
        calls = RewardCalls(list(functions), [function.__name__ for function in functions], "the tokenizer", loop)
        calls.begin(None)
        made.append(calls)
        return calls

    yield make
    for calls in made:
        calls.close()


def call(calls, index=0, **columns):
    """Call a function as TRL does."""
    arguments = {"prompts": ["a", "b"], "completions": ["c", "d"], "completion_ids": IDS, **columns}
    return calls.wrapped[index](**arguments)


class Sparse:
    """A result that is not a list."""


@pytest.mark.parametrize(
    ("make_reward", "message"),
    [
        (lambda ids: [0.5] * len(ids), r"returned a list for completion 1.*return `TokenReward\(reward, tokens="),
        (lambda ids: (0.5,), r"returned a tuple for completion 1.*`TokenReward"),
        (lambda ids: np.zeros(len(ids)), r"returned a ndarray for completion 1.*`TokenReward"),
        (lambda ids: torch.zeros(len(ids)), r"returned a Tensor for completion 1.*`TokenReward"),
        (lambda ids: "0.5", "returned a str for completion 1, which is not a number. Return a number, or `None`"),
        (lambda ids: {"reward": 1.0}, "returned a dict for completion 1"),
        (lambda ids: Sparse(), "returned a Sparse for completion 1"),
    ],
)
@pytest.mark.parametrize("is_async", [False, True])
def test_a_reward_that_is_not_a_number_is_refused_with_function_and_row(make_calls, make_reward, message, is_async):
    def my_reward(completion_ids, **columns):
        return [0.0, *(make_reward(ids) for ids in completion_ids[1:])]

    async def my_reward_later(completion_ids, **columns):
        return my_reward(completion_ids)

    function = my_reward_later if is_async else my_reward
    with pytest.raises(ValueError, match=f"The reward function '{function.__name__}' {message}"):
        call(make_calls(function))


@pytest.mark.parametrize(
    ("result", "kind"),
    [(None, "NoneType"), (0.5, "float"), ("good", "str"), ({"a": 1}, "dict"), (torch.tensor(1), "Tensor")],
)
def test_a_result_that_is_not_a_list_is_refused(make_calls, result, kind):
    def my_reward(**columns):
        return result

    with pytest.raises(ValueError, match=f"'my_reward' returned a {kind}, but must return a list with one number"):
        call(make_calls(my_reward))


def test_rows_of_a_table_of_rewards_are_refused(make_calls):
    def my_reward(**columns):
        return torch.ones(2, 3)

    with pytest.raises(ValueError, match="returned a Tensor for completion 0"):
        call(make_calls(my_reward))


def test_a_result_with_too_few_rewards_is_refused_by_trl(make_trainer):
    with pytest.raises(ValueError, match="returned 3 rewards, but 4 were expected"):
        make_trainer(lambda completions, **columns: [0.0] * 3).train()


@pytest.mark.parametrize(
    "result",
    [
        lambda: torch.ones(2),
        lambda: np.ones(2, dtype=np.float32),
        lambda: [np.float32(1), torch.tensor(1.0)],
        lambda: [True, 1],
        lambda: iter([1.0, 1.0]),
        lambda: (1.0 for _ in range(2)),
    ],
)
def test_numbers_of_any_kind_are_rewards(make_calls, result):
    def my_reward(**columns):
        return result()

    assert [float(reward) for reward in call(make_calls(my_reward))] == [1.0, 1.0]


def test_rewards_reach_trl(make_trainer):
    trainer = make_trainer(lambda completions, **columns: iter([torch.tensor(1.0)] * 4), max_steps=1)
    trainer.train()
    assert history(trainer, "reward") == [1.0]


def test_token_rewards_are_kept_as_the_difference_from_the_reward_of_the_sequence(make_calls):
    def my_reward(**columns):
        return [TokenReward(1.0, [1.0, 0.5]), TokenReward(2.0, [2.0, 2.0, 5.0], [0.5, 0.25, 1.0])]

    calls = make_calls(my_reward)
    assert call(calls) == [1.0, 2.0]
    assert calls.token_rewards == {0: [[0.0, -0.5], [0.0, 0.0, 3.0]]}
    assert calls.token_weights == {0: [None, [0.5, 0.25, 1.0]]}
    calls.begin(None)
    assert calls.token_rewards == calls.token_weights == {}


def test_a_completion_without_a_reward_has_no_token_rewards(make_calls):
    def my_reward(**columns):
        return [None, TokenReward(float("nan"), [1.0] * 3)]

    calls = make_calls(my_reward)
    call(calls)
    assert calls.token_rewards == {0: [None, None]}


@pytest.mark.parametrize(
    ("reward", "message"),
    [
        (TokenReward(0.0, [0.0]), "returned 1 token rewards for completion 0, which has 2 tokens. `tokens` needs"),
        (TokenReward(0.0, [0.0] * 2, [1.0]), "returned 1 token weights for completion 0, which has 2 .* `weights`"),
        (TokenReward(0.0, [float("nan"), 0.0]), "returned non-finite token rewards for completion 0"),
        (TokenReward(0.0, [float("inf"), 0.0]), "returned non-finite token rewards for completion 0"),
        (TokenReward(0.0, [0.0] * 2, [1.0, float("nan")]), "returned non-finite token weights for completion 0"),
    ],
)
def test_token_numbers_that_are_not_finite_or_not_one_per_token_are_refused(make_calls, reward, message):
    def my_reward(**columns):
        return [reward, 0.0]

    with pytest.raises(ValueError, match=message):
        call(make_calls(my_reward))


def test_a_function_with_that_argument_gets_the_tokenizer(make_calls):
    def with_argument(processing_class, **columns):
        return [1.0 if processing_class == "the tokenizer" else 0.0] * 2

    def without_argument(prompts, completions, completion_ids):
        return [2.0] * 2

    calls = make_calls(with_argument, without_argument)
    assert [call(calls, index) for index in range(2)] == [[1.0, 1.0], [2.0, 2.0]]


def test_functions_run_while_the_next_completions_are_generated(make_calls):
    """Each side waits for the other: this ends only if both run at the same time."""
    is_rewarding, is_generating = threading.Event(), threading.Event()

    def my_reward(**columns):
        is_rewarding.set()
        assert is_generating.wait(5)
        return [1.0, 2.0]

    def generate():
        assert is_rewarding.wait(5)
        is_generating.set()

    calls = make_calls(my_reward)
    calls.while_running = generate
    assert call(calls) == [1.0, 2.0]
    assert calls.while_running is None


def test_generation_happens_once_for_all_functions(make_calls):
    def one(**columns):
        return [1.0] * 2

    async def two(**columns):
        await asyncio.sleep(0)
        return [2.0] * 2

    calls, generated = make_calls(one, two), []
    calls.while_running = lambda: generated.append(1)
    assert [call(calls, index) for index in range(2)] == [[1.0] * 2, [2.0] * 2]
    assert generated == [1]


def test_the_time_of_a_function_and_the_time_that_was_waited_for_are_measured(make_calls):
    def slow(**columns):
        time.sleep(0.2)
        return [1.0] * 2

    calls = make_calls(slow)
    call(calls)
    assert calls.exposed_seconds >= calls.seconds >= 0.2
    calls.begin(None)
    calls.while_running = lambda: time.sleep(0.3)
    call(calls)
    assert calls.seconds >= 0.2
    assert calls.exposed_seconds < 0.1


def test_greedy_completions_are_graded_by_the_same_functions_and_without_logs(make_calls):
    seen = []

    def my_reward(completions, completion_ids, log_metric, **columns):
        log_metric("calls", 1.0)
        seen.append(completions)
        return [TokenReward(float(len(ids)), [9.0] * len(ids)) for ids in completion_ids]

    logged = []
    calls = make_calls(my_reward)
    calls.begin((["greedy", "greedy"], [[7], [7]]))
    arguments = {"log_metric": lambda *metric: logged.append(metric), "log_extra": print}
    assert call(calls, **arguments) == [2.0, 3.0]
    kept = dict(calls.token_rewards)
    with calls.greedy_pass() as (completions, ids):
        assert call(calls, completions=completions, completion_ids=ids, **arguments) == [1.0, 1.0]
    assert seen == [["c", "d"], ["greedy", "greedy"]]
    assert logged == [("calls", 1.0)]
    assert calls.token_rewards == kept


def test_an_error_in_the_background_is_raised_with_its_message(make_calls):
    def broken(**columns):
        raise LookupError("no such grader")

    calls = make_calls(broken)
    calls.while_running = lambda: None
    with pytest.raises(LookupError, match="no such grader"):
        call(calls)


def test_an_error_cancels_the_calls_that_have_not_started(make_calls):
    started = []

    def first(**columns):
        time.sleep(0.05)
        raise LookupError("no such grader")

    def second(**columns):
        started.append("second")
        time.sleep(0.1)
        return [0.0] * 2

    def third(**columns):
        started.append("third")
        return [0.0] * 2

    calls = make_calls(first, second, third)
    calls.while_running = lambda: None
    with pytest.raises(LookupError):
        call(calls)
    assert "third" not in started


def test_closing_ends_the_thread_and_the_next_call_starts_one(make_calls):
    threads = []

    def my_reward(**columns):
        threads.append(threading.current_thread())
        return [0.0] * 2

    calls = make_calls(my_reward)
    for _ in range(2):
        calls.begin(None)
        calls.while_running = lambda: None
        call(calls)
        calls.close()
        threads[-1].join(timeout=5)
        assert not threads[-1].is_alive()
    first, second = threads
    assert first is not second
    assert threading.current_thread() not in threads
