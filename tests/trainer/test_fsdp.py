"""Two real processes on the CPU with FSDP2: sharded weights are trained as whole ones."""

from pathlib import Path

import pytest
import torch
from support import load_script, results


pytestmark = pytest.mark.slow
processes = load_script(Path(__file__).parent / "scripts" / "processes.py")


@pytest.fixture
def folder(two_processes):
    """Results of the cases with sharded weights."""
    return two_processes / "fsdp"


@pytest.fixture
def result_of(folder):
    """Result of a case, the same on each process."""

    def read(name):
        first, second = results(folder, name)
        assert first == second
        return first

    return read


def test_a_sharded_run_is_one_run_of_twice_the_batch(folder, result_of):
    name = "one run of llama"
    assert result_of(name)["sharded weights"] > 0
    processes.train(name, folder, num_processes=1, rank=0)
    alone, together = torch.load(folder / f"{name} alone.pt"), torch.load(folder / f"{name}.pt")
    assert alone.keys() == together.keys()
    for key, value in alone.items():
        torch.testing.assert_close(together[key], value, rtol=1e-4, atol=1e-6)


def test_a_sharded_run_fills_the_buffer(result_of):
    assert result_of("online buffer")["buffer sizes"] == [16.0] * 3


def test_a_sharded_run_resumes_exactly(folder, result_of):
    assert [result_of(name)["steps"] for name in ("saved", "resumed")] == [5, 5]
    expected, found = torch.load(folder / "saved.pt"), torch.load(folder / "resumed.pt")
    assert all(torch.equal(found[key], value) for key, value in expected.items())
