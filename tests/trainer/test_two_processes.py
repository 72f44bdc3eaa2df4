"""Two real processes on the CPU: neither waits for the other in vain, and both are one run."""

from functools import partial
from pathlib import Path

import pytest
import torch
from support import by_length, load_script, results

from trl_rltf import OnlineBuffer


pytestmark = pytest.mark.slow
processes = load_script(Path(__file__).parent / "scripts" / "processes.py")


@pytest.fixture
def result_of(two_processes):
    """Results of a case on each process."""
    return partial(results, two_processes)


@pytest.mark.parametrize(
    "name", ["plain rewards on one", "no rewards on one", "weights on one", "solutions for some", "online buffer"]
)
def test_two_processes_train_together(result_of, name):
    first, second = result_of(name)
    assert first == second
    assert first["steps"] == 3
    assert first["logs of a finished run"] == 1
    assert len(set(first["sums of weights"])) == 1
    assert len(first["sums of weights"]) == 2
    assert first["buffer sizes"] == ([16.0] * 3 if name == "online buffer" else [])


@pytest.mark.parametrize("architecture", ["llama", "codet5"])
def test_two_processes_are_one_run_of_twice_the_batch(two_processes, result_of, architecture):
    name = f"one run of {architecture}"
    result_of(name)
    processes.train(name, two_processes, num_processes=1, rank=0)
    alone, together = torch.load(two_processes / f"{name} alone.pt"), torch.load(two_processes / f"{name}.pt")
    for key, value in alone.items():
        torch.testing.assert_close(together[key], value, rtol=1e-4, atol=1e-6)


def test_two_processes_agree_on_the_groups_that_are_replaced(result_of):
    first, second = result_of("dynamic sampling")
    assert first == second
    assert first["steps"] == 3
    assert len(set(first["sums of weights"])) == 1
    assert max(first["generated groups"]) > 1


def test_two_processes_learn_the_corrections_of_one(result_of):
    """All completions of the first process fail and are corrected; those of the second one pass."""
    first, second = result_of("corrections")
    assert first["steps"] == second["steps"] == 3
    assert len(set(first["sums of weights"])) == 1
    assert first["corrections"] == [1.0, 1.0, 1.0]


def test_two_processes_evaluate_each_problem_once(result_of):
    """
    Also if the last batch is filled up with problems of the first one, and if a group is divided between the processes.

    Of five problems, all four completions of two pass, two of four of two, and none of one.
    """
    first, second = result_of("evaluated")
    assert first == second
    assert len(first) == 2 * 2 * 2  # trainers, batch sizes, and a dataset or a stream
    for metrics in first:
        expected = {
            "eval_pass@1": (2 * 1 + 2 * 1 / 2 + 0) / 5,
            "eval_pass@2": (2 * 1 + 2 * 5 / 6 + 0) / 5,  # 1 - C(2, 2) / C(4, 2)
            "eval_pass@4": 4 / 5,
            "eval_pass@1/easy": 1.0,
            "eval_pass@1/hard": 1 / 3,
            "eval_outcome/pass": 12 / 20,
            "eval_outcome/failure": 8 / 20,
        }
        assert {name: metrics[name] for name in expected} == pytest.approx(expected)


def test_two_processes_resume_exactly(two_processes, result_of):
    for name in ("saved", "resumed"):
        assert [result["steps"] for result in result_of(name)] == [5, 5]
    expected, found = torch.load(two_processes / "saved.pt"), torch.load(two_processes / "resumed.pt")
    assert all(torch.equal(found[key], value) for key, value in expected.items())


def test_one_process_is_told_that_a_checkpoint_is_of_two(two_processes, result_of, make_trainer):
    result_of("saved")
    checkpoint = two_processes / "saved" / "checkpoint-3"
    assert len(list((checkpoint / "rltf").glob("online_buffer-rank*.parquet"))) == 2
    with pytest.raises(ValueError, match="`num_processes` was 2 and is 1"):
        make_trainer(by_length, [OnlineBuffer(16, 2)]).train(resume_from_checkpoint=str(checkpoint))
