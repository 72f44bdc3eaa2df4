"""Problems of a training that come from a file, a folder or a dataset on disk, and the command that evaluates on them."""

import json
import re
import shlex

import pytest
from datasets import Dataset, DatasetDict

from trl_rltf.scripts import RLTFScriptArguments, evaluate, load_problems, train


TINY = [
    *("--per_device_train_batch_size", "2", "--num_generations", "2", "--max_steps", "1", "--logging_steps", "1"),
    *("--max_completion_length", "8", "--report_to", "none", "--save_strategy", "no", "--disable_tqdm", "True"),
    *("--gradient_checkpointing", "False", "--dataloader_pin_memory", "False"),
]


@pytest.fixture
def rows():
    """Ten problems, with names of columns that are not ours."""
    return [
        {
            "question": f"Print {number}.",
            "checks": json.dumps({"inputs": [""], "outputs": [str(number)]}),
            "answer": f"print({number})",
        }
        for number in range(10)
    ]


COLUMNS = {"prompt_column": "question", "tests_column": "checks", "solutions_column": "answer"}


@pytest.mark.parametrize("form", ["jsonl", "parquet", "folder", "saved", "saved_splits"])
def test_problems_are_loaded_from_each_form_of_a_dataset(form, rows, tmp_path):
    data = Dataset.from_list(rows)
    path = tmp_path / (f"problems.{form}" if form in ("jsonl", "parquet") else "problems")
    if form == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif form == "parquet":
        data.to_parquet(str(path))
    elif form == "folder":
        path.mkdir()
        data.select(range(8)).to_json(str(path / "train.jsonl"))
        data.select([8, 9]).to_json(str(path / "test.jsonl"))
    elif form == "saved":
        data.save_to_disk(str(path))
    else:
        DatasetDict({"train": data.select(range(8)), "test": data.select([8, 9])}).save_to_disk(str(path))
    script_args = RLTFScriptArguments(dataset_name=str(path), **COLUMNS)
    assert script_args.benchmark == RLTFScriptArguments(dataset_name=str(path)).benchmark == "columns"
    train_set, test_set = load_problems(script_args)
    assert (len(train_set), len(test_set)) == (8, 2)
    assert set(train_set["prompt"]).isdisjoint(test_set["prompt"])
    for row in test_set:
        assert json.loads(row["tests"])["outputs"] == [re.sub(r"\D", "", row["prompt"])]
        assert row["solutions"] == [f"print({re.sub(r'[^0-9]', '', row['prompt'])})"]


def test_without_an_evaluation_all_problems_are_for_training(rows, tmp_path):
    Dataset.from_list(rows).to_json(str(tmp_path / "problems.jsonl"))
    path = str(tmp_path / "problems.jsonl")
    train_set, test_set = load_problems(RLTFScriptArguments(dataset_name=path, no_eval=True, **COLUMNS))
    assert (len(train_set), len(test_set)) == (10, 0)


def test_held_out_problems_are_limited_and_spread_over_all_of_them():
    _, everything = load_problems(RLTFScriptArguments(eval_problems=0))
    _, part = load_problems(RLTFScriptArguments(eval_problems=4))
    quarter = len(everything) // 4
    assert part["problem_id"] == [everything["problem_id"][index * quarter] for index in range(4)]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"dataset_name": "./nowhere.jsonl"}, "there is no file or folder 'nowhere.jsonl'. Give a file"),
        ({"dataset_name": "{path}"}, r"`tests`: .* the columns `question`, `checks`, `answer`.*`--tests_column NAME`"),
        ({"dataset_name": "{path}", "tests_column": "checks"}, "`prompt`: .*`--prompt_column NAME`"),
    ],
)
def test_a_dataset_that_cannot_be_read_is_described(given, message, rows, tmp_path):
    path = tmp_path / "problems.jsonl"
    Dataset.from_list(rows).to_json(str(path))
    with pytest.raises((FileNotFoundError, ValueError), match=message):
        load_problems(RLTFScriptArguments(**{name: value.format(path=path) for name, value in given.items()}))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"benchmark": "apps", "tests_column": "checks"}, "`tests_column` names a column of `benchmark` 'columns'"),
        ({"tests_column": "checks"}, "`dataset_name` is missing"),
        ({"eval_problems": -1}, "`eval_problems` is -1"),
    ],
)
def test_arguments_that_contradict_each_other_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        RLTFScriptArguments(**given)


def test_a_model_without_problems_is_not_trained_on_mini_apps(run, tmp_path, pretrained):
    with pytest.raises(ValueError, match="there is no `dataset_name` that says what to train on"):
        run(train, "--model_name_or_path", pretrained, "--output_dir", tmp_path / "out")


def test_a_training_says_what_it_does_and_how_to_evaluate_its_model(run, tmp_path, pretrained, rows, caplog):
    Dataset.from_list(rows).to_json(str(tmp_path / "problems.jsonl"))
    columns = [word for name, column in COLUMNS.items() for word in (f"--{name}", column)]
    flags = ["--model_name_or_path", pretrained, "--dataset_name", tmp_path / "problems.jsonl", *columns, *TINY]
    adapter = [
        "--use_peft",
        "--lora_target_modules",
        "q_proj",
        "v_proj",
        "--eval_samples",
        "3",
        "--ce_loss_weight",
        "2",
    ]
    adapter += ["--max_completion_length", "2"]
    out = tmp_path / "out"
    printed = run(train, *flags, *adapter, "--output_dir", out)
    assert "2 held-out problems x 3 samples = 6 programs each time" in printed
    assert (
        "+ 2 x cross entropy of reference solutions (column `solutions`, which 8 of 8 training problems have)"
        in printed
    )
    assert "`--ce_loss_weight 0` trains from the tests alone" in printed
    logged = json.loads((out / "training_results.json").read_text())["history"]
    assert {"time/ce", "reference/clipped_ratio", "loss/ce"} <= {name for row in logged for name in row}
    assert re.search(r"┃\s+before ┃\s+after RL ┃", printed)
    assert "reference solutions have more than `max_completion_length=2` tokens" in caplog.text
    command = printed.partition("To evaluate this model:\n")[2].splitlines()[0]
    words = shlex.split(command)
    assert words[:2] == ["trl-rltf", "evaluate"]
    assert words[words.index("--model_name_or_path") + 1] == str(out)
    table = run(evaluate, *words[2:], "--output_dir", tmp_path / "evaluated")
    assert "2 problems, 3 samples each" in table


def test_a_training_without_an_evaluation_samples_no_held_out_program(run, tmp_path, pretrained, rows):
    Dataset.from_list(rows).to_json(str(tmp_path / "problems.jsonl"))
    columns = [word for name, column in COLUMNS.items() for word in (f"--{name}", column)]
    flags = ["--model_name_or_path", pretrained, "--dataset_name", tmp_path / "problems.jsonl", *columns, *TINY]
    printed = run(train, *flags, "--ce_loss_weight", "0", "--no_eval", "--output_dir", tmp_path / "out")
    assert "held-out" not in printed
    assert "without reference solutions" in printed
    assert (tmp_path / "out" / "config.json").is_file()
