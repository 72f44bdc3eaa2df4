"""The evaluation script with vLLM: the same table as with transformers, resumed runs, and what is refused."""

import json
import os
import signal
import sys
import time

import pytest
import vllm_engines
from transformers import AutoModelForCausalLM

from trl_rltf.scripts import EvaluationArguments
from trl_rltf.scripts import evaluate as script


GREEDY = ["--temperature", "0", "--max_completion_length", "12"]
SAMPLED = ["--temperature", "1", "--num_samples", "3", "--max_completion_length", "8", "--samples_per_shard", "3"]
NUM_PROBLEMS = 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory, problems):
    return vllm_engines.save_mini_model(problems, tmp_path_factory.mktemp("models") / "mini")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A file with problems in the format of MBPP."""
    return vllm_engines.save_problems(tmp_path_factory.mktemp("data") / "mbpp.jsonl", NUM_PROBLEMS)


@pytest.fixture
def server(folder):
    with vllm_engines.serving(folder) as server:
        yield server


@pytest.fixture
def call(run, tmp_path, folder, data, monkeypatch):
    """Evaluate on the problems; returns the printed text and the written samples."""
    monkeypatch.setitem(sys.modules, "vllm", vllm_engines)
    monkeypatch.setitem(sys.modules, "vllm.platforms", vllm_engines)

    def start(*flags, output="run", model=folder):
        where = ["--dataset_name", data, "--output_dir", tmp_path / output]
        printed = run(script, "--benchmark", "mbpp", "--model_name_or_path", model, *where, *flags)
        return printed, samples_of(tmp_path / output)

    return start


def samples_of(folder):
    return [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]


def table_of(printed):
    """The printed text without the names of the files."""
    return printed.partition("Samples:")[0]


@pytest.mark.parametrize("style", ["plain", "chat"])
def test_the_table_and_the_samples_are_those_of_transformers(call, server, style):
    flags = [*GREEDY, "--prompt_style", style, "--stop_strings", "e1"]
    printed, expected = call(*flags, output="transformers")
    assert "pass@1" in table_of(printed)
    assert len({sample["completion"] for sample in expected}) > 2
    for number, engine in enumerate((["--use_vllm"], ["--vllm_server_base_url", server.url])):
        out, samples = call(*flags, *engine, output=str(number))
        assert samples == expected
        assert table_of(out) == table_of(printed)


def test_the_engine_is_started_with_the_settings_of_the_run(call):
    flags = ["--use_vllm", "--batch_size", "5", "--dtype", "bfloat16", "--seed", "3", "--trust_remote_code"]
    flags += ["--vllm_gpu_memory_utilization", "0.5", "--vllm_tensor_parallel_size", "2"]
    call(*GREEDY, *flags, "--vllm_max_model_length", "400")
    started = vllm_engines.LLM.started[-1]
    assert started["max_num_seqs"] == 5
    assert started["dtype"] == "bfloat16"
    assert started["seed"] == 3
    assert started["trust_remote_code"] is True
    assert started["gpu_memory_utilization"] == 0.5
    assert started["tensor_parallel_size"] == 2
    assert started["enable_chunked_prefill"] is False, "on a CPU"
    with pytest.raises(ValueError, match="the context of the engine has 30 tokens"):
        call(*GREEDY, "--use_vllm", "--vllm_max_model_length", "30", output="short")


def test_a_run_is_resumed_with_the_samples_that_it_would_have_drawn(call, tmp_path, server):
    engine = ["--vllm_server_base_url", server.url]
    _, whole = call(*SAMPLED, *engine, output="whole")
    right = server.answer
    first = len(server.bodies)
    server.answer = lambda body, number: (500, {}) if number > first + 9 else right(body, number)
    with pytest.raises(RuntimeError, match="HTTP 500"):
        call(*SAMPLED, *engine, "--batch_size", "1")
    assert len(list((tmp_path / "run" / "shards").glob("[0-9]*.jsonl"))) >= 2
    server.answer = right
    before = len(server.bodies)
    _, resumed = call(*SAMPLED, *engine)
    assert resumed == whole
    assert len(resumed) == 3 * NUM_PROBLEMS
    assert len({sample["completion"] for sample in resumed}) > NUM_PROBLEMS
    assert len(server.bodies) - before <= 3 * (NUM_PROBLEMS - 2), "the shards that were written are not sampled again"


@pytest.mark.slow
def test_a_killed_run_is_resumed_with_the_same_samples(call, tmp_path, folder, data, server, start_script):
    engine = ["--vllm_server_base_url", server.url, "--batch_size", "2"]
    flags = ["--benchmark", "mbpp", "--model_name_or_path", folder, "--dataset_name", data, *SAMPLED, *engine]
    server.pause = 0.3
    killed = start_script(
        "-m", "trl_rltf.scripts.evaluate", *flags, "--output_dir", tmp_path / "run", start_new_session=True
    )
    shards = tmp_path / "run" / "shards"
    deadline = time.monotonic() + 100
    while not list(shards.glob("[0-9]*.jsonl")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    assert 1 <= len(list(shards.glob("[0-9]*.jsonl"))) < NUM_PROBLEMS
    server.pause = 0.0
    _, resumed = call(*SAMPLED, *engine)
    _, whole = call(*SAMPLED, *engine, output="whole")
    assert resumed == whole


@pytest.mark.slow
def test_two_processes_share_a_server(call, tmp_path, folder, data, server, start_script):
    engine = ["--vllm_server_base_url", server.url]
    flags = ["--benchmark", "mbpp", "--model_name_or_path", folder, "--dataset_name", data, *SAMPLED, *engine]
    started = [
        start_script(
            *("-m", "trl_rltf.scripts.evaluate", *flags, "--output_dir", tmp_path / "together"),
            env={"RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_RANK": str(rank)},
        )
        for rank in range(2)
    ]
    assert [process.wait(timeout=200) for process in started] == [0, 0]
    assert samples_of(tmp_path / "together") == call(*SAMPLED, *engine)[1]


def test_a_finished_run_is_not_mixed_with_another_engine_model_or_server(call, tmp_path, folder, problems, server):
    engine = ["--vllm_server_base_url", server.url]
    call(*GREEDY, *engine)
    with pytest.raises(ValueError, match=r"other settings: `engine` was 'server' and is 'vllm'"):
        call(*GREEDY, "--use_vllm")
    with pytest.raises(ValueError, match=r"other settings: `engine` was 'server' and is None"):
        call(*GREEDY)
    with vllm_engines.serving(folder) as moved:
        call(*GREEDY, "--vllm_server_base_url", moved.url)  # an address may change
    server.models["data"][0]["root"] = "/models/other"
    with pytest.raises(ValueError, match=r"other weights: .*from .*mini, .* and is 'policy from /models/other, "):
        call(*GREEDY, *engine, "--vllm_server_model", "policy")


def test_other_weights_of_the_same_name_are_noticed(call, tmp_path, problems):
    model = vllm_engines.save_mini_model(problems, tmp_path / "model")
    call(*GREEDY, "--use_vllm", model=model)
    call(*GREEDY, "--use_vllm", model=model)
    changed = AutoModelForCausalLM.from_pretrained(model)
    changed.model.norm.weight.data[0] += 1
    changed.save_pretrained(model)
    with pytest.raises(ValueError, match="other weights"):
        call(*GREEDY, "--use_vllm", model=model)


@pytest.mark.parametrize("form", ["adapter alone", "adapter of a base"])
def test_an_adapter_is_merged_for_the_engine(call, tmp_path, folder, form):
    from peft import LoraConfig, get_peft_model

    adapted = get_peft_model(
        AutoModelForCausalLM.from_pretrained(folder),
        LoraConfig(task_type="CAUSAL_LM", target_modules=["q_proj", "v_proj"], init_lora_weights=False),
    )
    adapted.save_pretrained(tmp_path / "adapter")
    flags = {"adapter_name_or_path": tmp_path / "adapter"} if form == "adapter of a base" else {}
    named = [part for name, value in flags.items() for part in (f"--{name}", value)]
    model = folder if named else tmp_path / "adapter"
    if not named:
        for file in folder.glob("*token*"):
            (tmp_path / "adapter" / file.name).write_bytes(file.read_bytes())
    _, expected = call(*GREEDY, *named, model=model, output="transformers")
    _, samples = call(*GREEDY, *named, "--use_vllm", model=model)
    assert samples == expected
    assert [row["completion"] for row in samples] != [row["completion"] for row in call(*GREEDY, output="base")[1]]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--use_vllm", "--vllm_server_base_url", "http://a"], "an engine in this process.*Give one of them"),
        (
            ["--use_vllm", "--critic_model_name_or_path", "c"],
            "`critic_model_name_or_path` does not work with `use_vllm`",
        ),
        (["--use_vllm", "--gguf_file", "a.gguf"], "`gguf_file` does not work with `use_vllm`: .*safetensors"),
        (["--use_vllm", "--use_cpu"], "`use_cpu` does not work with `use_vllm`: .*decides on the device"),
        (["--use_vllm", "--load_in_4bit"], "`load_in_4bit` does not work with `use_vllm`"),
        (["--use_vllm", "--attn_implementation", "sdpa"], "`attn_implementation` does not work with `use_vllm`"),
        (["--use_vllm", "--vllm_gpu_memory_utilization", "1.5"], "`vllm_gpu_memory_utilization` is 1.5, but must be"),
        (
            ["--use_vllm", "--vllm_tensor_parallel_size", "0"],
            "`vllm_tensor_parallel_size` is 0, but must be at least 1",
        ),
        (["--use_vllm", "--vllm_max_model_length", "0"], "`vllm_max_model_length` is 0, but must be at least 1"),
        (["--vllm_max_model_length", "99"], "`vllm_max_model_length` has no effect without `use_vllm`"),
        (["--vllm_server_model", "a"], "`vllm_server_model` has no effect without `vllm_server_base_url`"),
        (["--vllm_server_base_url", "http://a", "--vllm_server_timeout", "-1"], "`vllm_server_timeout` is -1"),
        (
            ["--vllm_server_base_url", "http://a", "--gguf_file", "a"],
            "`gguf_file` does not work with `vllm_server_base",
        ),
        (["--vllm_server_base_url", "http://a", "--adapter_name_or_path", "a"], "the server has the weights.*lora"),
        (["--vllm_server_base_url", "a:8000"], "is 'a:8000', but must start with 'http://'"),
    ],
)
def test_what_cannot_work_is_refused_in_a_sentence(call, refused, flags, message):
    with refused(message):
        call(*GREEDY, *flags)


def test_several_processes_with_an_engine_are_refused(call, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match=r"starts one engine, but there are 2 processes. Use `--num_processes 1`"):
        call(*GREEDY, "--use_vllm")


@pytest.mark.parametrize("pretrained", ["codet5"], indirect=True)
def test_an_encoder_decoder_is_refused(call, pretrained, server):
    for engine in (["--use_vllm"], ["--vllm_server_base_url", server.url]):
        with pytest.raises(ValueError, match="is an encoder-decoder, a t5, which vLLM does not have"):
            call(*GREEDY, *engine, model=pretrained)


def test_without_vllm_the_command_that_installs_it_is_named(call, monkeypatch):
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(ImportError, match=r'`use_vllm` needs the package vLLM.*pip install "trl-rltf\[vllm\]"'):
        call(*GREEDY, "--use_vllm")


def test_runs_with_transformers_have_the_settings_that_they_had_before(call, tmp_path):
    call(*GREEDY)
    recorded = json.loads((tmp_path / "run" / "settings.json").read_text())
    assert not [name for name in recorded if "vllm" in name or name == "engine"]
    assert set(recorded) >= set(vars(EvaluationArguments())) - set(script._MAY_CHANGE) - {
        name for name in vars(EvaluationArguments()) if name.startswith("vllm_")
    }
