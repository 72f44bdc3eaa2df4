"""The evaluation script with the real vLLM: the completions are those of transformers, and a killed run is resumed."""

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
import vllm_engines


pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vLLM is not installed"),
]

# The engine of the CPU has its memory from this variable, in GB.
VLLM = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_LOGGING_LEVEL": "WARNING", "VLLM_NO_USAGE_STATS": "1"}
GREEDY = ["--temperature", "0", "--max_completion_length", "32"]
SAMPLED = ["--temperature", "1", "--num_samples", "4", "--max_completion_length", "32", "--samples_per_shard", "4"]
NUM_PROBLEMS = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory, problems):
    folder = vllm_engines.save_mini_model(problems, tmp_path_factory.mktemp("models") / "mini")
    # What evaluation ignores, and vLLM's server would use.
    config = folder / "generation_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "repetition_penalty": 1.5, "top_k": 2}))
    return folder


@pytest.fixture
def evaluate(run_script, start_script, tmp_path, tmp_path_factory, folder):
    """A function that runs the command in a new process and returns the samples, or starts it."""
    data = vllm_engines.save_problems(tmp_path / "mbpp.jsonl", NUM_PROBLEMS)

    def call(*flags, output, wait=True):
        flags = ["--benchmark", "mbpp", "--model_name_or_path", folder, "--dataset_name", data, *flags]
        flags += ["--output_dir", tmp_path / output]
        if not wait:
            return start_script("-m", "trl_rltf.scripts.evaluate", *flags, env=VLLM, start_new_session=True)
        code = "from trl_rltf.cli import main; main()"
        launcher = ["--num_processes", "1", "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
        run_script(code, "evaluate", *launcher, *flags, env=VLLM, timeout=900)
        return [json.loads(line) for line in (tmp_path / output / "samples.jsonl").read_text().splitlines()]

    return call


@pytest.fixture(scope="module")
def server(tmp_path_factory, folder):
    """Address of vLLM's server."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", folder]
    command += ["--served-model-name", "policy", "--host", "127.0.0.1", "--port", port, "--dtype", "float32"]
    command += ["--enforce-eager", "--no-enable-chunked-prefill"]
    log = tmp_path_factory.mktemp("server") / "log"
    with open(log, "w") as output:
        process = subprocess.Popen(
            list(map(str, command)),
            stdout=output,
            stderr=output,
            env={**os.environ, **VLLM},
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 900
    while process.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"{url}/health", timeout=5).close()
            break
        except OSError:
            time.sleep(0.5)
    else:
        pytest.fail(log.read_text()[-3000:])
    yield url
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_greedy_completions_are_those_of_transformers(evaluate, server):
    expected = evaluate(*GREEDY, output="transformers")
    remote = evaluate(*GREEDY, "--vllm_server_base_url", server, output="server")
    local = evaluate(*GREEDY, "--use_vllm", output="engine")
    assert len({sample["completion"] for sample in expected}) > NUM_PROBLEMS / 2
    assert remote == expected
    assert local == expected


def test_a_killed_run_is_resumed_with_the_same_samples_and_the_engine_draws_them_too(evaluate, server, tmp_path):
    remote = [*SAMPLED, "--vllm_server_base_url", server]
    whole = evaluate(*remote, output="whole")
    killed = evaluate(*remote, "--batch_size", "1", output="run", wait=False)
    shards = tmp_path / "run" / "shards"
    deadline = time.monotonic() + 200
    while len(list(shards.glob("[0-9]*.jsonl"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.005)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    assert 2 <= len(list(shards.glob("[0-9]*.jsonl"))) < NUM_PROBLEMS
    assert evaluate(*remote, output="run") == whole
    assert len({sample["completion"] for sample in whole}) > 2 * NUM_PROBLEMS
    assert evaluate(*SAMPLED, "--use_vllm", output="engine") == whole
