"""New programs from the best prefixes of earlier ones, for both kinds of models."""

import pytest
import torch

from trl_rltf.critic import Critic, CriticOutput
from trl_rltf.critic.model import LABELS, OUTCOMES, encode_program
from trl_rltf.critic.sampling import best_prefix, continue_completions, refine_with_critic
from trl_rltf.execution import Outcome
from trl_rltf.generation import Sampling, generate_completions
from trl_rltf.mini import make_mini_model


SHORT = Sampling(max_completion_length=12)
PASS = OUTCOMES.index(Outcome.PASS)


@pytest.fixture(params=["causal", "encoder-decoder"])
def policy(request, model, problems):
    if request.param == "causal":
        return model
    return make_mini_model(problems, hidden_size=32, num_layers=1, vocab_size=400, architecture="t5")[0]


class Preferring(Critic):
    """A critic that prefers programs with many occurrences of a word, and cuts after the first one."""

    def __init__(self, tokenizer, word):
        self.processing_class, self.word = tokenizer, word

    def __call__(self, prompts, completions):
        outputs = []
        for text in completions:
            ranges = encode_program(self.processing_class, "", text, None).ranges
            end = text.find(self.word) + len(self.word)
            logits = torch.zeros(len(ranges), len(LABELS))
            for token, (begin, stop) in enumerate(ranges):
                logits[token, PASS] = 5.0 * (begin < end <= stop)
            logits[-1, PASS] = text.count(self.word)
            outputs.append(CriticOutput(logits, ranges))
        return outputs


def output_of(probabilities, ranges):
    passing = torch.tensor(probabilities)
    return CriticOutput(torch.stack([*[((1 - passing) / 3).log()] * 3, passing.log()], dim=1), ranges)


@pytest.mark.parametrize(
    ("probabilities", "prefix"),
    [
        ([0.1, 0.6, 0.3, 0.2, 0.9], "abcd"),  # after the second token; the end token is not considered
        ([0.1, 0.2, 0.3, 0.8, 0.9], "abcdef"),  # nor is the last token
        ([0.5, 0.5, 0.5, 0.5, 0.5], "ab"),  # the first of equal ones
    ],
)
def test_a_completion_is_cut_after_the_token_with_the_highest_probability_of_pass(probabilities, prefix):
    ranges = [(0, 2), (2, 4), (4, 6), (6, 8), (8, 10**9)]
    assert best_prefix("abcdefgh", output_of(probabilities, ranges)) == prefix


@pytest.mark.parametrize("text", ["", "a"])
def test_a_completion_of_one_token_is_resampled_from_its_start(text):
    ranges = [(0, 1)] * len(text) + [(len(text), 10**9)]
    assert best_prefix(text, output_of([0.9] * len(ranges), ranges)) == ""


def test_a_completion_continues_its_prefix_as_the_policy_would(policy, tokenizer):
    """Greedy decoding takes the most probable token after prompt and prefix."""
    prompts, prefixes = ["QUESTION: add", "Q", "Q"], ["x = 1\nprint(", "", "y = "]
    texts = continue_completions(
        policy, tokenizer, prompts, prefixes, Sampling(temperature=0, max_completion_length=20)
    )
    for prompt, prefix, text in zip(prompts, prefixes, texts, strict=True):
        prompt_ids, ids = tokenizer(prompt)["input_ids"], tokenizer(prefix)["input_ids"] if prefix else []
        with torch.no_grad():
            while len(ids) < 20 and ids[-1:] != [tokenizer.eos_token_id]:
                if policy.config.is_encoder_decoder:
                    decoder_ids = torch.tensor([[policy.config.decoder_start_token_id, *ids]])
                    logits = policy(input_ids=torch.tensor([prompt_ids]), decoder_input_ids=decoder_ids).logits
                else:
                    logits = policy(input_ids=torch.tensor([[*prompt_ids, *ids]])).logits
                ids.append(int(logits[0, -1].argmax()))
        assert text == tokenizer.decode(ids, skip_special_tokens=True)
        assert text.startswith(prefix)


def test_the_same_seed_gives_the_same_completions_and_the_random_state_is_restored(policy, tokenizer):
    state = torch.random.get_rng_state()
    policy.train()
    first, second = (
        continue_completions(
            policy, tokenizer, ["Q"] * 3, ["a = ", "", "b"], Sampling(1.0, max_completion_length=8), seed=5
        )
        for _ in range(2)
    )
    assert first == second
    assert policy.training
    assert torch.equal(state, torch.random.get_rng_state())


def test_prefixes_are_taken_from_programs_that_pass_the_visible_tests(policy, tokenizer):
    critic = Preferring(tokenizer, "9")
    completions = [["a = 9\nb = 9\n", "c = 9\nd = 1\n", "e = 1\nf = 1\n"], ["g = 9\nh = 9\n", "i = 1\n"]]
    passed = [[False, True, True], [False, False]]
    found = refine_with_critic(policy, tokenizer, critic, ["Q", "R"], completions, passed, SHORT, num_samples=3)
    assert [len(texts) for texts in found] == [3, 3]
    assert all(text.startswith("c = 9") for text in found[0])  # `a` has the word more often, but fails
    assert all(text.startswith("g = 9") for text in found[1])  # none passes: all are candidates


def test_without_verdicts_all_are_candidates_and_several_prefixes_take_turns(policy, tokenizer):
    critic = Preferring(tokenizer, "9")
    completions = [["a = 9\nb = 1\n", "c = 9\nd = 9\n", "e = 1\nf = 1\n"]]
    (texts,) = refine_with_critic(
        policy, tokenizer, critic, ["Q"], completions, None, SHORT, num_samples=3, num_prefixes=2
    )
    assert [text[:5] for text in texts] == ["c = 9", "a = 9", "c = 9"]


def test_long_prompts_are_cut_at_their_beginning(policy, tokenizer):
    short = tokenizer.decode(tokenizer("QUESTION: add 2")["input_ids"][-2:])
    long, expected = (
        continue_completions(policy, tokenizer, [prompt], [""], Sampling(1.0, 0.95, 8, max_prompt_length=2))
        for prompt in ("QUESTION: add 2", short)
    )
    assert long == expected


def test_without_prefixes_it_samples_as_the_evaluation_does(policy, tokenizer):
    prompts = ["Q", "QUESTION", "R"]
    expected = generate_completions(policy, tokenizer, prompts, SHORT, seed=4)
    assert continue_completions(policy, tokenizer, prompts, [""] * 3, SHORT, seed=4) == expected


def test_a_stop_string_ends_a_completion(policy, tokenizer):
    (whole,) = continue_completions(policy, tokenizer, ["Q"], ["x = "], SHORT)
    stop = whole[6:8]
    (cut,) = continue_completions(
        policy, tokenizer, ["Q"], ["x = "], Sampling(max_completion_length=12, stop_strings=(stop,))
    )
    assert cut == whole[: whole.index(stop)]


def test_chat_prompts_are_formatted_with_their_template(model, tokenizer, monkeypatch):
    template = "{% for message in messages %}<s>{{ message.content }}{% endfor %}"
    monkeypatch.setattr(tokenizer, "chat_template", template, raising=False)
    chat = [{"role": "user", "content": "Q"}]
    assert continue_completions(model, tokenizer, [chat], ["x"], SHORT) == continue_completions(
        model, tokenizer, ["<s>Q"], ["x"], SHORT
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"completions": [[]]}, "Problem 0 has no completions"),
        ({"completions": [["x"], ["y"]]}, "one entry per problem"),
        ({"passed": [[True, False]]}, "one flag per completion"),
        ({"passed": []}, "one entry per problem"),
        ({"num_samples": 0}, "`num_samples=0`"),
        ({"num_prefixes": 0}, "`num_prefixes=0`"),
    ],
)
def test_inconsistent_arguments_are_refused(model, tokenizer, arguments, message):
    given = {"prompts": ["Q"], "completions": [["x"]], "passed": None, "sampling": SHORT, **arguments}
    with pytest.raises(ValueError, match=message):
        refine_with_critic(model, tokenizer, Preferring(tokenizer, "9"), **given)
