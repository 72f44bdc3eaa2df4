"""open-r1: not on PyPI, so these tests follow `src/open_r1/rewards.py` of its repository."""

import functools
import inspect

import pytest

from trl_rltf.integrations import binary_code_reward, code_reward


def info(tests):
    """An entry of `verification_info`, as in `open-r1/verifiable-coding-problems-python`."""
    cases = [
        {"input": input_, "output": output, "type": "stdin_stdout", "fn_name": None}
        for input_, output in zip(tests["inputs"], tests["outputs"], strict=True)
    ]
    return {"language": "python", "test_cases": cases}


def chat(completions):
    """Completions as TRL passes them for chat prompts."""
    return [[{"role": "assistant", "content": text}] for text in completions]


def test_the_arguments_are_those_of_open_r1():
    for function in (code_reward, binary_code_reward):
        names = list(inspect.signature(function).parameters)
        assert names == ["completions", "num_parallel", "provider_type", "enforce_same_language", "columns"]


def test_each_completion_gets_its_share_of_tests(completions, shares, stdin_tests):
    columns = {
        "verification_info": [info(stdin_tests)] * len(completions),
        "prompts": [[{"role": "user", "content": "Add."}]] * len(completions),
        "problem_id": list(range(len(completions))),
        "trainer_state": None,
    }
    reward = functools.partial(code_reward, num_parallel=2, provider_type="e2b", enforce_same_language=False)
    assert reward(chat(completions), **columns) == shares
    assert all(isinstance(value, float) for value in reward(completions=chat(completions), **columns))
    binary = binary_code_reward(chat(completions), num_parallel=2, **columns)
    assert binary == [float(share == 1.0) for share in shares]


def test_limits_of_a_problem_replace_those_of_the_runner(limited, stdin_tests):
    columns = {name: [row.get(name) for _, row, _ in limited] for name in ("time_limit", "memory_limit")}
    infos = [info(stdin_tests)] * len(limited)
    found = code_reward(chat([text for text, *_ in limited]), verification_info=infos, **columns)
    assert found == [share for *_, share in limited]
    with pytest.raises(ValueError, match="row 1 of the batch: `time_limit` is -1"):
        code_reward(chat(["", ""]), verification_info=infos[:2], time_limit=[None, -1])


def test_a_batch_without_the_column_is_refused():
    with pytest.raises(ValueError, match="no column `verification_info`"):
        code_reward(chat(["print(1)"]))


def test_a_column_of_another_length_is_refused(stdin_tests):
    with pytest.raises(ValueError, match="1 entries of `verification_info` and 2 completions"):
        code_reward(chat(["print(1)"] * 2), verification_info=[info(stdin_tests)])


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (None, "of type NoneType"),
        ({"language": "python", "test_cases": []}, "at least one test"),
        ({"language": "rust", "test_cases": [{"input": "", "output": "", "type": "stdin_stdout"}]}, "only Python"),
    ],
)
def test_a_malformed_entry_is_an_error_that_names_the_row(entry, message, stdin_tests):
    with pytest.raises(ValueError, match=f"row 1 of the batch, column `verification_info`: .*{message}"):
        code_reward(chat(["print(1)"] * 2), verification_info=[info(stdin_tests), entry])


def test_trl_trains_with_it(tmp_path, model, tokenizer, stdin_tests):
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    rows = [{"prompt": "a = 1", "verification_info": info(stdin_tests)}] * 4
    config = GRPOConfig(
        output_dir=str(tmp_path),
        max_steps=1,
        per_device_train_batch_size=4,
        num_generations=4,
        max_completion_length=8,
        report_to=[],
        use_cpu=True,
        bf16=False,
        disable_tqdm=True,
        logging_steps=1,
    )
    trainer = GRPOTrainer(
        model, reward_funcs=code_reward, args=config, train_dataset=Dataset.from_list(rows), processing_class=tokenizer
    )
    trainer.train()
    assert trainer.state.log_history[0]["rewards/code_reward/mean"] == 0.0
