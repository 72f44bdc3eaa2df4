"""The order of prompts, and the pass rates that steer it."""

from types import SimpleNamespace

import pytest
from datasets import Dataset
from trl.trainer.utils import RepeatSampler

from trl_rltf.trainer.prompt_order import PassRates, PromptOrder


@pytest.fixture
def make_order():
    """Build the order of ten rows, two completions per group and two groups per generation batch."""

    def make(num_processes=1, rank=0, probability=1.0, shuffle=True, num_iterations=1):
        dataset = Dataset.from_dict({"prompt": [str(row) for row in range(10)]})
        args = SimpleNamespace(
            num_generations=2,
            generation_batch_size=4,
            num_iterations=num_iterations,
            steps_per_generation=2,
            seed=3,
            curriculum_probability=probability,
        )
        sampler = RepeatSampler(dataset, 2, 2, num_iterations * 2, shuffle, seed=3)
        return PromptOrder(dataset, lambda: sampler, args, rank, num_processes), sampler

    return make


def test_pass_rates_are_over_all_groups_and_the_last_group_decides():
    rates = PassRates(8)
    rates.add(0, num_passed=4, num_completions=4)
    rates.add(1, num_passed=0, num_completions=4)
    rates.add(2, num_passed=1, num_completions=4)
    rates.add(2, num_passed=4, num_completions=4)
    assert rates.metrics() == {
        "prompts/seen": 3 / 8,
        "prompts/pass_rate": (1 + 0 + 5 / 8) / 3,
        "prompts/always_passed": 1 / 3,
        "prompts/never_passed": 1 / 3,
    }
    assert [rates.teaches_nothing(row) for row in range(4)] == [True, True, True, False]
    restored = PassRates(8)
    restored.restore(rates.state())
    assert restored.metrics() == rates.metrics()
    assert [restored.teaches_nothing(row) for row in range(4)] == [True, True, True, False]


@pytest.mark.parametrize("num_iterations", [1, 2])
def test_rows_come_in_the_order_of_the_sampler_of_trl(make_order, num_iterations):
    order, _ = make_order(num_iterations=num_iterations)
    taken = [number for _ in range(10) for number in order.take(2).numbers]
    _, fresh = make_order(num_iterations=num_iterations)
    repeats = 4 * 2 * num_iterations
    epochs = [*fresh, *fresh]  # each generation batch has two rows, and is repeated for its optimizer steps
    assert taken == [epochs[start + offset] for start in range(0, len(epochs), repeats) for offset in (0, 2)]
    assert sorted(taken[:10]) == list(range(10))


def test_each_process_takes_its_share_of_one_order(make_order):
    alone = make_order()[0].take(4)
    shares = [make_order(num_processes=2, rank=rank)[0].take(2) for rank in range(2)]
    assert [share.numbers for share in shares] == [alone.numbers] * 2
    assert shares[0].rows + shares[1].rows == alone.rows
    assert [row["prompt"] for row in alone.rows] == [str(number) for number in alone.numbers for _ in range(2)]


def test_a_curriculum_leaves_out_rows_that_always_or_never_pass(make_order):
    order, _ = make_order(probability=0.0, shuffle=False)
    assert order.take(4).numbers == [0, 1, 2, 3]
    for row, num_passed in enumerate([2, 0, 1, 2]):
        order.pass_rates.add(row, num_passed, 2)
    assert order.take(10).numbers == [4, 5, 6, 7, 8, 9, 2, 4, 5, 6]


def test_such_rows_come_up_with_the_probability_that_was_set(make_order):
    order, _ = make_order(probability=0.25)
    for row in range(5):
        order.pass_rates.add(row, 2, 2)
    share = sum(number < 5 for number in order.take(2000).numbers) / 2000
    assert 0.17 < share < 0.23  # 0.25 / (1 + 0.25) = 0.2


def test_a_training_set_in_which_all_rows_always_pass_does_not_end_the_run(make_order):
    order, _ = make_order(probability=0.0)
    for row in range(10):
        order.pass_rates.add(row, 2, 2)
    assert len(order.take(3).numbers) == 3


def test_an_order_resumes_from_its_state(make_order):
    order, _ = make_order(probability=0.5)
    for row in range(5):
        order.pass_rates.add(row, 2, 2)
    order.take(13)
    resumed, _ = make_order(probability=0.5)
    resumed.restart(order.state())
    assert resumed.take(30).numbers == order.take(30).numbers
    assert resumed.num_samples == order.num_samples == 2 * 43
