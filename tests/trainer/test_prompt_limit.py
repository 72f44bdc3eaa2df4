"""Prompts above `max_prompt_length`: shortened, counted, or dropped."""

import copy
import logging

import pandas as pd
import pytest
from datasets import Dataset, IterableDataset
from support import Spy, by_length, history, made_up_rollout

from trl_rltf import OnlineBuffer
from trl_rltf.generation.prompt_shortening import shorten_prompt


CHAT = (
    "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] if m['content'] is string else m['content'][-1]['text'] }}"
    "</>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
)


def words(prompt):
    """A tokenizer that counts blanks, with two special tokens around a text."""
    text = prompt if isinstance(prompt, str) else "".join(f"<{m['role']}> {m['content']} </> " for m in prompt)
    return len(text.split()) + 2


@pytest.fixture
def chat(tokenizer):
    chat = copy.deepcopy(tokenizer)
    chat.chat_template = CHAT
    return chat


def length_of(chat, prompt):
    return len(chat.apply_chat_template(prompt, add_generation_prompt=True, return_dict=True)["input_ids"])


def user(content):
    return [{"role": "user", "content": content}]


def as_dataset(contents):
    return Dataset.from_list([{"prompt": user(content)} for content in contents])


def test_a_text_loses_as_much_of_its_beginning_as_is_needed():
    assert shorten_prompt("one two three four", 4, words) == "three four".rjust(11)
    assert shorten_prompt("one two", 4, words) == "one two"
    assert shorten_prompt("one two three", 3, words).split() == ["three"]


def test_of_a_chat_the_first_messages_are_cut_first_and_those_of_the_system_not_at_all():
    prompt = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "an example"},
        {"role": "assistant", "content": "an answer"},
        {"role": "user", "content": "a long question at the end"},
        {"role": "assistant", "content": "Well,"},
    ]
    original = copy.deepcopy(prompt)
    one, three, all_but_one = (shorten_prompt(prompt, words(prompt) - n, words) for n in (1, 3, 10))
    assert [m["content"].strip() for m in one[1:]] == ["example", "an answer", "a long question at the end", "Well,"]
    assert [m["content"].strip() for m in three[1:]] == ["", "answer", "a long question at the end", "Well,"]
    assert [m["content"].strip() for m in all_but_one[1:]] == ["", "", "", "Well,"]
    assert [m["role"] for m in all_but_one] == [m["role"] for m in prompt]
    assert one[0] == three[0] == all_but_one[0] == prompt[0]
    assert prompt == original  # the row of the dataset is unchanged


def test_of_a_message_in_parts_the_text_is_cut_and_nothing_else():
    image = {"type": "image", "text": None}
    prompt = user([{"type": "text", "text": "one two "}, image, {"type": "text", "text": "three four"}])

    def count(prompt):
        return sum(len((part["text"] or "").split()) for part in prompt[0]["content"])

    (message,) = shorten_prompt(prompt, 1, count)
    assert [part["text"] and part["text"].strip() for part in message["content"]] == ["", None, "four"]
    assert message["content"][1] is image


def test_messages_without_content_are_passed_over():
    calls = [{"role": "assistant", "tool_calls": []}, {"role": "tool", "content": None}]
    prompt = [*user("one two"), *calls, *user("three four")]

    def count(prompt):
        return sum(len((message.get("content") or "").split()) for message in prompt)

    shortened = shorten_prompt(prompt, 1, count)
    assert [message.get("content") for message in shortened] == ["", None, None, " four"]
    assert shortened[1:3] == calls


def test_no_room_for_content_is_an_error_with_numbers():
    with pytest.raises(ValueError, match=r"It has 9 tokens, and still 8 when .* `max_prompt_length` is 5"):
        shorten_prompt([{"role": "system", "content": "x"}, *user("y z")], 5, words)


def test_long_chat_prompts_keep_the_template_and_the_end_of_the_question(make_trainer, chat, tmp_path):
    """The model, the completions table and reward functions get the same prompt."""
    content = "first words of a question, " * 5 + "and its end"
    limit = length_of(chat, user(content)) - 20
    seen = []

    def reward(prompts, completions, **columns):
        seen.extend(prompts)
        return [float(len(completion[0]["content"])) for completion in completions]

    trainer = make_trainer(
        reward,
        tokenizer_override=chat,
        dataset=as_dataset([content]),
        max_prompt_length=limit,
        max_steps=1,
        log_completions=True,
    )
    spy = Spy(trainer)
    trainer.train()
    batch = spy.batches[0]
    texts = {
        chat.decode(ids[mask.bool()]) for ids, mask in zip(batch["prompt_ids"], batch["prompt_mask"], strict=True)
    }
    (text,) = texts
    assert text.startswith("<user>")
    assert text.endswith("and its end</><assistant>")
    assert limit - 3 <= batch["prompt_ids"].size(1) <= limit
    cut = text.removeprefix("<user>").removesuffix("</><assistant>")
    assert content.endswith(cut)
    assert seen == [user(cut)] * 4
    table = pd.read_parquet(next((tmp_path / "out" / "completions").glob("*.parquet")))
    assert [list(prompt) for prompt in table["prompt"]] == [user(cut)] * 4


@pytest.mark.parametrize("settings", [{}, {"baseline": "greedy"}])
@pytest.mark.parametrize("buffer", [None, {"capacity": 16, "update_steps": 2}])
def test_all_parts_of_training_see_the_same_cut_prompts(make_trainer, chat, settings, buffer):
    """Sampled, greedy and prefetched completions, the buffer, reference solutions, and evaluation."""
    contents = [f"{index} " + "words before " * 9 + f"the end of {index}" for index in range(8)]
    dataset = as_dataset(contents).add_column("solutions", [["print(1)"]] * 8)
    limit = length_of(chat, user(contents[0])) - 20
    prompts_of_calls = []

    def reward(prompts, completions, **columns):
        prompts_of_calls.append(prompts)
        return [float(len(completion[0]["content"])) for completion in completions]

    trainer = make_trainer(
        reward,
        callbacks=None if buffer is None else [OnlineBuffer(**buffer)],
        tokenizer_override=chat,
        dataset=dataset,
        eval_dataset=dataset.select(range(2)),
        max_prompt_length=limit,
        ce_loss_weight=1.0,
        per_device_eval_batch_size=4,
        **settings,
    )
    spy = Spy(trainer)
    trainer.train()
    trainer.evaluate()
    for prompts in prompts_of_calls:
        for ((message,),) in ([prompt] for prompt in prompts):
            assert "the end of" in message["content"]
            assert message["content"] not in contents
    for batch in spy.batches:
        for name in ("prompt", "reference_prompt"):
            if f"{name}_ids" in batch:
                rows = zip(batch[f"{name}_ids"], batch[f"{name}_mask"], strict=True)
                assert all(chat.decode(ids[mask.bool()]).startswith("<user>") for ids, mask in rows)
                assert batch[f"{name}_ids"].size(1) <= limit
    assert set(history(trainer, "prompts/clipped_ratio")) == {1.0}
    assert history(trainer, "eval_prompts/clipped_ratio") == [1.0]


def test_prompts_that_are_cut_are_counted_once_at_the_start_and_as_a_metric(make_trainer, tokenizer, caplog):
    prompts = ["short " * (1 + 9 * (index % 4 == 0)) for index in range(8)]
    lengths = [len(ids) for ids in tokenizer(prompts)["input_ids"]]
    dataset = Dataset.from_dict({"prompt": prompts})
    with caplog.at_level(logging.WARNING):
        trainer = make_trainer(
            by_length, dataset=dataset, max_prompt_length=min(lengths), per_device_train_batch_size=8, max_steps=4
        )
        trainer.train()
    (line,) = [record.getMessage() for record in caplog.records if "max_prompt_length" in record.getMessage()]
    assert line.startswith(
        f"2 of the 8 prompts of `train_dataset` have more than `max_prompt_length={min(lengths)}` tokens, the longest "
        f"{max(lengths)}: the beginning"
    )
    # Two prompts per generation batch, and all eight in four of them.
    assert sum(history(trainer, "prompts/clipped_ratio")) == pytest.approx(2 * 1 / 2)


def test_rows_with_long_prompts_can_be_dropped(make_trainer, tokenizer, caplog):
    prompts = [f"{index} " * (1 + 9 * (index % 4 == 0)) for index in range(8)]
    limit = len(tokenizer("1 ")["input_ids"])
    dataset = Dataset.from_dict({"prompt": prompts})
    seen = set()

    def reward(prompts, completions, **columns):
        seen.update(prompts)
        return by_length(completions)

    trainer = make_trainer(
        reward,
        dataset=dataset,
        eval_dataset={"all": dataset, "one": dataset.select([0, 1])},
        max_prompt_length=limit,
        prompt_overflow="drop",
        max_steps=8,
    )
    assert list(trainer.train_dataset["prompt"]) == [
        prompt for prompt in prompts if prompt not in ("0 " * 10, "4 " * 10)
    ]
    assert {name: len(part) for name, part in trainer.eval_dataset.items()} == {"all": 6, "one": 1}
    assert "2 of the 8 prompts of `eval_dataset['all']`" in caplog.text
    trainer.train()
    assert seen == set(prompts) - {"0 " * 10, "4 " * 10}
    assert set(history(trainer, "prompts/clipped_ratio")) == {0.0}


def test_a_stream_is_cut_or_filtered_as_it_comes(make_trainer, tokenizer):
    rows = [{"prompt": f"{index} " * (1 + 9 * (index % 2))} for index in range(8)]
    stream = IterableDataset.from_generator(lambda: iter(rows))
    limit = len(tokenizer("0 ")["input_ids"])
    for overflow, share in (("truncate", 0.5), ("drop", 0.0)):
        trainer = make_trainer(
            by_length,
            dataset=stream,
            max_prompt_length=limit,
            prompt_overflow=overflow,
            per_device_train_batch_size=8,
            steps_per_generation=1,
            max_steps=2,
        )
        trainer.train()
        shares = history(trainer, "prompts/clipped_ratio")
        assert sum(shares) / len(shares) == share


@pytest.mark.filterwarnings("ignore:You are using 'rollout_func'")
def test_a_rollout_function_gets_the_cut_prompts(make_trainer):
    prompts_of_calls = []

    def rollout(prompts, trainer):
        prompts_of_calls.extend(prompts)
        return made_up_rollout(prompts, trainer)

    dataset = Dataset.from_dict({"prompt": ["words " * 20 + "end"] * 4})
    make_trainer(by_length, dataset=dataset, max_prompt_length=6, max_steps=1, rollout_func=rollout).train()
    assert len(set(prompts_of_calls)) == 1
    assert prompts_of_calls[0].endswith("end")
    assert len(prompts_of_calls[0]) < 30


@pytest.mark.parametrize(
    ("settings", "contents", "message"),
    [
        (
            {"max_prompt_length": 3},
            ["x", "y"],
            r"Row 0 of `train_dataset`: A prompt cannot be shortened\. It has \d+ tokens",
        ),
        (
            {"max_prompt_length": 3, "prompt_overflow": "drop"},
            ["x", "y"],
            "drops every row of `train_dataset`: all 2 prompts",
        ),
        (
            {"max_prompt_length": 40, "prompt_overflow": "drop"},
            ["x", "y " * 50],
            "has 1 rows, but a generation batch needs 2",
        ),
    ],
)
def test_a_limit_that_cannot_be_held_is_refused_at_construction(make_trainer, chat, settings, contents, message):
    with pytest.raises(ValueError, match=message):
        make_trainer(
            by_length,
            tokenizer_override=chat,
            dataset=as_dataset(contents),
            per_device_train_batch_size=8,
            **settings,
        )


def test_special_tokens_of_an_encoder_stay(make_trainer):
    import architectures

    model, tokenizer = architectures.make("codet5")
    dataset = Dataset.from_dict({"prompt": ["words " * 20 + "end"] * 4})
    trainer = make_trainer(
        by_length,
        dataset=dataset,
        model_override=model,
        tokenizer_override=tokenizer,
        max_prompt_length=8,
        max_steps=1,
        disable_dropout=True,
    )
    spy = Spy(trainer)
    trainer.train()
    ids = spy.batches[0]["prompt_ids"][0].tolist()
    assert (ids[0], ids[-1]) == (tokenizer.bos_token_id, tokenizer.eos_token_id)
    assert tokenizer.decode(ids, skip_special_tokens=True).endswith("end")
