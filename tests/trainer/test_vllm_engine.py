"""Training with the real vLLM on a CPU: what it samples and returns, against plain loops over a model of transformers."""

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest
import torch
from processes import wait_until
from source import ROOT
from vllm_rollouts import GROUP_SIZE, check


pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(
        importlib.util.find_spec("vllm") is None, reason="vLLM is not installed: `make test-vllm` installs it"
    ),
]
SCRIPT = ROOT / "tests" / "trainer" / "scripts" / "engine.py"
CONFIG = ROOT / "examples" / "accelerate_configs" / "cpu.yaml"
ENVIRONMENT = {
    "PYTHONPATH": f"{ROOT}:{ROOT / 'examples'}:{ROOT / 'tests'}",
    "OMP_NUM_THREADS": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_SERVER_DEV_MODE": "1",
    "VLLM_NO_USAGE_STATS": "1",
}
CASES = ("buffer", "resumed", "greedy", "lora", "nucleus")


@pytest.fixture(scope="module")
def start(tmp_path_factory, problems):
    """A folder with an untrained model and its tokenizer."""
    from trl_rltf.mini import make_mini_model

    folder = tmp_path_factory.mktemp("vllm")
    # vLLM on a CPU wants heads of at least 32 numbers.
    for part in make_mini_model(problems, hidden_size=64, num_layers=2, vocab_size=400):
        part.save_pretrained(folder / "start")
    return folder


def run_cases(run_script, start, folder, mode, cases, launcher=()):
    """Train in some cases in one process, or in as many as the launcher starts; return the folder of the results."""
    folder.mkdir()
    (folder / "start").symlink_to(start / "start")
    command = [*launcher, SCRIPT, folder, mode, *cases]
    result = run_script(*command, env=ENVIRONMENT, timeout=1000, check=False)
    (folder / "output.txt").write_text(result.stdout + result.stderr)
    return folder


def result_of(folder, name, rank=0):
    """The results of a case."""
    file = folder / f"{name}-{rank}.pt"
    errors = [path.read_text() for path in sorted(folder.glob("*-error-*.txt"))]
    assert file.exists(), "\n".join([*errors, (folder / "output.txt").read_text()[-3000:]])
    return torch.load(file)


@pytest.fixture(scope="module")
def colocate(run_script, start):
    """Results of all cases in colocate mode."""
    return run_cases(run_script, start, start / "colocate", "colocate", CASES)


@pytest.fixture(scope="module")
def server(run_script, start):
    """Results of all cases in server mode, with one server."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [
        *(sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(start / "start")),
        *("--host", "127.0.0.1", "--port", str(port), "--dtype", "float32", "--enforce-eager"),
        *("--max-model-len", "512", "--max-logprobs", "-1"),
        *("--logprobs-mode", "processed_logprobs"),
        *("--worker-extension-cls", "benchmarks.vllm_cpu_worker.FileWeights"),
    ]
    log = start / "server.txt"
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            env={**os.environ, **ENVIRONMENT},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # it starts more processes, which end with it
        )
        try:
            is_up = wait_until(lambda: process.poll() is not None or answers(f"{url}/health"), seconds=600)
            assert is_up, log.read_text()[-3000:]
            return run_cases(run_script, start, start / "server", url, CASES)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def answers(url):
    """Whether a server answers at this address."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status == 200
    except OSError:
        return False


@pytest.fixture(scope="module")
def two_processes(run_script, start):
    """Results of a case in colocate mode, on two processes."""
    launcher = ("-m", "accelerate.commands.launch", "--config_file", CONFIG, "--num_processes", 2)
    return run_cases(run_script, start, start / "processes", "colocate", ["buffer"], launcher)


@pytest.fixture(params=["colocate", "server"])
def folder(request):
    """Folder with the results of each mode."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def model(start):
    """A model to load weights into."""
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(start / "start")


@pytest.mark.parametrize("name", ["buffer", "resumed", "greedy", "lora"])
def test_the_engine_agrees_with_plain_loops(folder, model, name):
    check(result_of(folder, name), model)


def test_with_a_nucleus_the_ratio_is_its_share_of_the_probability(folder, model):
    check(result_of(folder, "nucleus"), model, top_p=0.8, mode="token_truncate")


def test_the_engine_gets_the_weights_of_each_step(folder):
    for name in ("buffer", "lora"):
        calls = result_of(folder, name)["calls"]
        assert any(not torch.equal(calls[0]["weights"][key], calls[-1]["weights"][key]) for key in calls[0]["weights"])


def test_the_ratio_that_is_logged_is_1(folder):
    for name in ("buffer", "resumed", "greedy", "lora"):
        log = json.loads(result_of(folder, name)["log"])
        ratios = [
            row["sampling/importance_sampling_ratio/mean"]
            for row in log
            if "sampling/importance_sampling_ratio/mean" in row
        ]
        assert ratios == pytest.approx([1.0] * len(ratios), abs=1e-4)
        assert len(ratios) >= 2


def test_a_run_resumes_with_the_weights_of_its_checkpoint(folder):
    saved, resumed = result_of(folder, "buffer"), result_of(folder, "resumed")
    assert (saved["steps"], resumed["steps"]) == (4, 4)
    # The first call of the resumed run is the refresh of step 2, with the weights of the checkpoint.
    expected, found = saved["calls"][2]["weights"], resumed["calls"][0]["weights"]
    assert all(torch.equal(found[key], value) for key, value in expected.items())


def test_two_processes_sample_different_completions_with_equal_weights(two_processes, model):
    first, second = (result_of(two_processes, "buffer", rank) for rank in range(2))
    for result in (first, second):
        check(result, model)
        assert {len(call["prompts"]) for call in result["calls"]} == {GROUP_SIZE}
    assert first["sum of weights"] == second["sum of weights"]
    assert [call["ids"] for call in first["calls"]] != [call["ids"] for call in second["calls"]]
