"""Samplers of vLLM, in this process and at a server: the completions, seeds and limits, with stand-ins for both."""

import sys

import pytest
import torch
import vllm_engines
from transformers import AutoModelForCausalLM, AutoTokenizer

from trl_rltf.generation import CompletionsServer, Sampling, weight_files_fingerprint
from trl_rltf.metrics import PolicySampler, VLLMSampler, VLLMServerSampler


GREEDY = Sampling(temperature=0.0, max_completion_length=16)
SAMPLED = Sampling(temperature=1.0, top_p=0.95, max_completion_length=8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, problems):
    return vllm_engines.save_mini_model(problems, tmp_path_factory.mktemp("models") / "mini")


@pytest.fixture(scope="module")
def loaded(folder):
    return AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder, padding_side="left")


@pytest.fixture(scope="module")
def server(folder):
    with vllm_engines.serving(folder) as server:
        yield server


@pytest.fixture(params=["engine", "server"])
def make(request, folder, loaded, server, monkeypatch):
    """A function that makes a sampler of either kind."""
    monkeypatch.setitem(sys.modules, "vllm", vllm_engines)

    def start(sampling, **options):
        if request.param == "server":
            return VLLMServerSampler(CompletionsServer(server.url, "policy"), loaded[1], sampling, **options)
        engine = vllm_engines.LLM(str(folder))
        return VLLMSampler(engine, loaded[1], sampling, weight_files_fingerprint(folder), **options)

    return start


@pytest.mark.parametrize("prompt_style", ["plain", "chat", "code_block"])
@pytest.mark.parametrize("stop_strings", [(), ("e", "1")])
def test_greedy_completions_are_those_of_transformers(make, loaded, problems, prompt_style, stop_strings):
    sampling = Sampling(temperature=0.0, max_completion_length=16, stop_strings=stop_strings)
    rows = list(problems.select(range(8)))
    expected = PolicySampler(*loaded, sampling, prompt_style=prompt_style).sample(rows, 1, 0)
    completions = make(sampling, prompt_style=prompt_style).sample(rows, 1, 0)
    assert completions == expected
    assert [one.is_clipped for (one,) in completions] == [one.is_clipped for (one,) in expected]
    assert len({str(one) for (one,) in completions}) > 4


def test_an_end_token_of_the_caller_ends_a_completion(make, loaded, problems):
    rows = [problems[0]]
    (whole,) = make(GREEDY).sample(rows, 1, 0)[0]
    ids = loaded[1](str(whole))["input_ids"]
    (ended,) = make(GREEDY, end_token_ids=[ids[3]]).sample(rows, 1, 0)[0]
    assert whole.startswith(ended)
    assert len(ended) < len(whole)
    assert not ended.is_clipped


def test_a_sample_depends_on_its_seed_position_and_number_alone(make, problems):
    rows = list(problems.select(range(3)))
    sampler = make(SAMPLED)
    completions = sampler.sample(rows, 4, 7)
    assert sampler.sample(rows, 4, 7) == completions
    assert sampler.sample(rows[:1], 2, 7) == [completions[0][:2]]
    assert sampler.sample(rows, 4, 8) != completions
    assert len({str(one) for row in completions for one in row}) > 10
    assert len({str(one) for row in sampler.sample([rows[0]] * 2, 2, 7) for one in row}) == 4, "positions differ"


def test_engine_and_server_draw_the_same_samples(folder, loaded, server, problems, monkeypatch):
    monkeypatch.setitem(sys.modules, "vllm", vllm_engines)
    rows = list(problems.select(range(3)))
    engine = VLLMSampler(vllm_engines.LLM(str(folder)), loaded[1], SAMPLED, "digest")
    remote = VLLMServerSampler(CompletionsServer(server.url, "policy"), loaded[1], SAMPLED)
    assert remote.sample(rows, 3, 5) == engine.sample(rows, 3, 5)


def test_prompt_and_completion_that_do_not_fit_are_refused(make, problems):
    message = (
        r"longest prompt has \d+ tokens and `max_completion_length` is 2040, but the context of the engine has 2048"
    )
    with pytest.raises(ValueError, match=message):
        make(Sampling(max_completion_length=2040)).sample([problems[0]], 1, 0)


def test_a_long_prompt_loses_its_beginning_as_with_transformers(make, loaded, problems):
    sampling = Sampling(temperature=0.0, max_completion_length=16, max_prompt_length=20)
    rows = list(problems.select(range(4)))
    assert make(sampling).sample(rows, 1, 0) == PolicySampler(*loaded, sampling).sample(rows, 1, 0)


def test_the_generation_config_of_a_server_is_not_used(loaded, server, problems, monkeypatch):
    sampler = VLLMServerSampler(CompletionsServer(server.url, "policy"), loaded[1], SAMPLED)
    expected = sampler.sample([problems[0]], 4, 0)
    config = {"top_k": 1, "top_p": 0.1, "min_p": 0.5, "repetition_penalty": 1.1}
    monkeypatch.setattr(server, "defaults", config)
    assert sampler.sample([problems[0]], 4, 0) == expected
    assert len(set(map(str, expected[0]))) > 1


def test_the_text_of_a_server_that_returns_no_token_ids_is_used(loaded, server, problems, monkeypatch):
    rows = list(problems.select(range(4)))
    sampler = VLLMServerSampler(CompletionsServer(server.url, "policy"), loaded[1], GREEDY)
    expected = sampler.sample(rows, 1, 0)
    monkeypatch.setattr(server, "returns_ids", False)
    completions = sampler.sample(rows, 1, 0)
    assert completions == expected
    assert [one.is_clipped for (one,) in completions] == [one.is_clipped for (one,) in expected]


def test_the_fingerprint_of_a_server_names_its_model_and_the_files(folder, loaded, server):
    remote = CompletionsServer(server.url, "policy")
    without = VLLMServerSampler(remote, loaded[1], GREEDY).fingerprint
    assert without == f"policy from {folder}, without digest"
    assert VLLMServerSampler(remote, loaded[1], GREEDY, weights="ab12").fingerprint == f"policy from {folder}, ab12"


@pytest.mark.parametrize("form", ["safetensors", "bin"])
def test_the_digest_of_weight_files_changes_with_the_weights(tmp_path, loaded, form):
    model = loaded[0]

    def save(name):
        folder = tmp_path / name
        model.save_pretrained(folder)
        if form == "bin":
            (folder / "model.safetensors").unlink()
            torch.save(model.state_dict(), folder / "pytorch_model.bin")
        return weight_files_fingerprint(folder)

    first = save("first")
    assert save("same") == first
    weight = model.model.norm.weight  # the smallest tensor
    with torch.no_grad():
        weight[3] += 1.0
    changed = save("changed")
    with torch.no_grad():
        weight[3] -= 1.0
    assert changed != first
    assert weight_files_fingerprint(tmp_path) is None
