"""Two real processes on the CPU with FSDP2: sharded weights are trained as whole ones."""

import json
import subprocess
from pathlib import Path

import pytest
import torch
from support import load_script


pytestmark = pytest.mark.slow
SCRIPT = Path(__file__).parent / "scripts" / "processes.py"
processes = load_script(SCRIPT)
CASES = ["one run of llama", "online buffer", "saved", "resumed"]
# As `accelerate launch` sets them for `examples/accelerate_configs/fsdp.yaml`.
FSDP = {
    "ACCELERATE_USE_FSDP": "true",
    "FSDP_VERSION": "2",
    "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
    "FSDP_RESHARD_AFTER_FORWARD": "true",
    "FSDP_STATE_DICT_TYPE": "FULL_STATE_DICT",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, problems, run_script):
    """Results of the cases, trained on two processes one after the other."""
    from trl_rltf.mini import make_mini_model

    folder = tmp_path_factory.mktemp("fsdp")
    for part in make_mini_model(problems, hidden_size=32, num_layers=2, vocab_size=400):
        part.save_pretrained(folder / "llama")
    with (folder / "output.txt").open("w") as output:
        run_script(
            *("-m", "torch.distributed.run", "--nproc_per_node", 2, SCRIPT, folder, "--fsdp", *CASES),
            env={"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true", **FSDP},
            capture_output=False,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=200,
            check=False,
        )
    return folder


@pytest.fixture
def result_of(folder):
    """Result of a case, the same on each process."""

    def read(name):
        errors = [path.read_text() for path in sorted(folder.glob(f"{name}-error-*.txt"))]
        files = [folder / f"{name}-{rank}.json" for rank in range(2)]
        assert all(file.exists() for file in files), "\n".join([*errors, (folder / "output.txt").read_text()[-3000:]])
        first, second = (json.loads(file.read_text()) for file in files)
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
