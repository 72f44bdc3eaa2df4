"""Sampling from models of both kinds: batches, end tokens, prompts, and the generation config."""

import copy
import pickle

import architectures
import pytest
import torch

from trl_rltf.generation import Sampling, generate_completions, prompt_lengths, weights_fingerprint
from trl_rltf.generation.sampling import encode_prompt
from trl_rltf.trainer.prompt_limit import PromptLimit


GREEDY = Sampling(temperature=0, max_completion_length=8)
PROMPTS = ["print", "Read a line of integers. Print how many there are.\n", "def f(x):\n    return"]


@pytest.fixture
def policy(request):
    """A model with weights large enough for varied outputs, and its tokenizer."""
    model, tokenizer = architectures.make(request.param)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return model.eval(), tokenizer


@pytest.mark.parametrize("policy", ["llama", "gpt2", "codet5", "bart"], indirect=True)
def test_a_batch_gives_the_completions_of_each_prompt_alone(policy):
    model, tokenizer = policy
    together = generate_completions(model, tokenizer, PROMPTS, GREEDY)
    alone = [generate_completions(model, tokenizer, [prompt], GREEDY)[0] for prompt in PROMPTS]
    assert together == alone
    assert all(together)


@pytest.mark.parametrize("policy", ["llama", "codet5"], indirect=True)
def test_only_the_completion_comes_back(policy):
    model, tokenizer = policy
    inputs = tokenizer(PROMPTS[1], return_tensors="pt")
    ids = model.generate(input_ids=inputs["input_ids"], do_sample=False, max_new_tokens=8)[0]
    own = ids[1:] if model.config.is_encoder_decoder else ids[inputs["input_ids"].size(1) :]
    assert generate_completions(model, tokenizer, [PROMPTS[1]], GREEDY) == [
        tokenizer.decode(own, skip_special_tokens=True)
    ]


@pytest.mark.parametrize("policy", ["llama"], indirect=True)
def test_a_stop_string_ends_a_completion_and_is_not_part_of_it(policy):
    model, tokenizer = policy
    whole = generate_completions(model, tokenizer, PROMPTS, Sampling(max_completion_length=16))
    stop = whole[0][3:5]
    cut = generate_completions(model, tokenizer, PROMPTS[:1], Sampling(max_completion_length=16, stop_strings=(stop,)))
    assert len(stop) == 2
    assert stop not in cut[0]


@pytest.mark.parametrize("policy", ["llama", "codet5"], indirect=True)
def test_long_prompts_are_cut_at_their_beginning(policy):
    model, tokenizer = policy
    tail = "x = input()\n"
    length = len(tokenizer(tail)["input_ids"])
    bounded = Sampling(temperature=0, max_completion_length=8, max_prompt_length=length - 1)
    texts = generate_completions(model, tokenizer, ["a\n" * 50 + tail, "b\n" * 60 + tail], bounded)
    assert texts[0] == texts[1]


CHAT = "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}</>{% endfor %}<assistant>"


@pytest.mark.parametrize("policy", ["qwen2"], indirect=True)
def test_a_long_chat_prompt_keeps_its_template_as_in_the_trainer(policy):
    tokenizer = copy.deepcopy(policy[1])
    tokenizer.chat_template = CHAT
    prompt = [{"role": "system", "content": "s"}, {"role": "user", "content": "first words, " * 20 + "the end"}]
    (length,) = prompt_lengths(tokenizer, [prompt])
    ids = encode_prompt(tokenizer, prompt, length - 30, {})
    text = tokenizer.decode(ids)
    assert length - 32 <= len(ids) <= length - 30
    assert text.startswith("<system>s</><user>")
    assert text.endswith("the end</><assistant>")
    limit = PromptLimit(
        length - 30, lambda prompts, _: tokenizer.apply_chat_template(prompts, return_dict=True)["input_ids"]
    )
    assert tokenizer.apply_chat_template(limit.shorten(prompt), tokenize=False) == text


@pytest.mark.parametrize("policy", ["llama", "codet5"], indirect=True)
def test_a_completion_says_whether_it_was_cut_at_the_length_limit(policy):
    model, tokenizer = policy
    (whole,) = generate_completions(model, tokenizer, PROMPTS[:1], GREEDY)
    assert whole.is_clipped
    (stopped,) = generate_completions(
        model, tokenizer, PROMPTS[:1], Sampling(temperature=0, max_completion_length=8, stop_strings=(whole[1:3],))
    )
    assert not stopped.is_clipped
    # Each token is an end token: the first one ends the completion, also at the length limit.
    model.generation_config.eos_token_id = list(range(model.config.vocab_size))
    for length in (1, 8):
        (ended,) = generate_completions(
            model, tokenizer, PROMPTS[:1], Sampling(temperature=0, max_completion_length=length)
        )
        assert not ended.is_clipped
    assert [text.is_clipped for text in pickle.loads(pickle.dumps([whole, ended]))] == [True, False]


@pytest.mark.parametrize("policy", ["llama", "codet5"], indirect=True)
def test_sampling_settings_of_the_generation_config_are_ignored(policy):
    model, tokenizer = policy
    sampling = Sampling(temperature=1.0, top_p=1.0, max_completion_length=12)
    before = generate_completions(model, tokenizer, PROMPTS, sampling, seed=3)
    model.generation_config.update(top_k=1, repetition_penalty=5.0, temperature=0.01)
    assert generate_completions(model, tokenizer, PROMPTS, sampling, seed=3) == before


@pytest.mark.parametrize("policy", ["llama"], indirect=True)
def test_a_model_may_have_another_end_token_than_its_tokenizer(policy):
    model, tokenizer = policy
    inputs = tokenizer(PROMPTS[0], return_tensors="pt")
    first = model(**inputs).logits[0, -1].argmax().item()
    model.generation_config.eos_token_id = [tokenizer.eos_token_id, first]
    ended = Sampling(temperature=0, max_completion_length=8)
    assert len(generate_completions(model, tokenizer, [PROMPTS[0]], ended)[0]) <= len(tokenizer.decode([first]))


@pytest.mark.parametrize("policy", ["codet5"], indirect=True)
def test_a_chat_template_writes_the_special_tokens_alone(policy):
    model, tokenizer = policy
    assert tokenizer(PROMPTS[1])["input_ids"][0] == tokenizer.bos_token_id
    messages = [[{"role": "user", "content": PROMPTS[1]}]]
    with pytest.raises(ValueError, match="the tokenizer has no chat template"):
        generate_completions(model, tokenizer, messages, GREEDY)
    tokenizer.chat_template = "{{ bos_token }}{{ messages[0]['content'] }}{{ eos_token }}"
    try:
        chat = generate_completions(model, tokenizer, messages, GREEDY)
    finally:
        tokenizer.chat_template = None
    assert chat == generate_completions(model, tokenizer, [PROMPTS[1]], GREEDY)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": -1}, "`temperature` is -1"),
        ({"top_p": 0}, "`top_p` is 0"),
        ({"max_completion_length": 0}, "`max_completion_length` is 0"),
        ({"max_prompt_length": 0}, "`max_prompt_length` is 0"),
        ({"stop_strings": ("",)}, "an empty string"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Sampling(**settings)


def test_different_weights_have_different_fingerprints():
    first, second = architectures.make("llama")[0], architectures.make("llama")[0]
    assert weights_fingerprint(first) == weights_fingerprint(second)
    with torch.no_grad():
        second.lm_head.weight[0, 0] += 0.5
    assert weights_fingerprint(first) != weights_fingerprint(second)


@pytest.mark.parametrize("name", ["bart", "qwen2"])
def test_beams_and_forced_tokens_of_the_generation_config_are_ignored(name):
    model, tokenizer = architectures.make(name)
    sampling = Sampling(temperature=0, max_completion_length=8)
    plain = generate_completions(model, tokenizer, ["def f(x):"], sampling)
    own = model.generation_config
    own.forced_bos_token_id, own.forced_eos_token_id, own.min_new_tokens, own.num_beams = 40, 41, 8, 3
    own.suppress_tokens = list(range(50, 90))
    assert generate_completions(model, tokenizer, ["def f(x):"], sampling) == plain
    assert model.generation_config is own
