"""Settings and datasets that are refused when a trainer is made."""

import pytest
from datasets import Dataset, IterableDataset
from support import by_length

from trl_rltf import OnlineBuffer, RLTFConfig, UnitTestRewardFunction
from trl_rltf.trainer.checks import check_datasets, check_settings, check_size, check_token_rewards, find_buffer


@pytest.fixture
def make_args(tmp_path):
    """Build a configuration of a batch of four completions of one prompt."""

    def make(**settings):
        return RLTFConfig(str(tmp_path), **{"per_device_train_batch_size": 4, "num_generations": 4, **settings})

    return make


class Picky:
    """A reward function that refuses a dataset with a bad row."""

    def __call__(self, completions, **columns):
        return by_length(completions)

    def check_dataset(self, dataset):
        if "bad" in dataset["prompt"]:
            raise ValueError(f"row {dataset['prompt'].index('bad')} is bad")


def as_dataset(*prompts, **columns):
    return Dataset.from_dict({"prompt": list(prompts), **columns})


@pytest.mark.parametrize(
    ("settings", "buffer", "arguments", "message"),
    [
        (
            {"prompt_overflow": "drop", "max_prompt_length": 9},
            None,
            {"environment_factory": object},
            "`prompt_overflow='drop'` does not work with `environment_factory`",
        ),
        ({"baseline": "greedy"}, None, {"rollout_func": print}, "does not work with `rollout_func`"),
        ({"baseline": "greedy"}, None, {"tools": [print]}, "does not work with `tools`"),
        ({"baseline": "greedy"}, None, {"environment_factory": object}, "does not work with `environment_factory`"),
        ({"off_policy_mask_threshold": 0.5}, {}, {}, "only with `importance_sampling=True`"),
        ({"num_iterations": 2}, {}, {}, "`num_iterations` is 2"),
        ({}, {"capacity": 3}, {}, "`capacity` of the online buffer is 3, but an optimizer step draws 4 samples"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(make_args, settings, buffer, arguments, message):
    with pytest.raises(ValueError, match=message):
        check_settings(make_args(**settings), None if buffer is None else OnlineBuffer(**buffer), **arguments)


def test_groups_that_are_cut_between_processes_are_refused_where_whole_ones_are_kept(make_args):
    args = make_args(gradient_accumulation_steps=2, num_generations=8)
    args.steps_per_generation = 1  # TRL accepts it with two processes, whose batches are whole groups together
    with pytest.raises(ValueError, match=r"4 completions .* not a multiple of `num_generations=8`"):
        check_settings(args, OnlineBuffer())
    args.max_generation_batches = 2
    with pytest.raises(ValueError, match="With dynamic sampling or a curriculum, each process keeps whole groups"):
        check_settings(args, None)


@pytest.mark.parametrize(
    ("settings", "buffer"),
    [
        ({"baseline": "greedy"}, {}),
        ({"off_policy_mask_threshold": 0.5}, {"importance_sampling": True}),
        ({"num_iterations": 2}, None),
        ({}, {"capacity": 4}),
    ],
)
def test_settings_that_work_together_are_accepted(make_args, settings, buffer):
    check_settings(make_args(**settings), None if buffer is None else OnlineBuffer(**buffer))


def test_the_buffer_is_found_among_the_callbacks():
    buffer = OnlineBuffer()
    assert find_buffer([buffer]) is buffer
    assert find_buffer(None) is None
    with pytest.raises(ValueError, match="has 2 online buffers"):
        find_buffer([buffer, OnlineBuffer()])
    with pytest.raises(ValueError, match="pass an instance"):
        find_buffer([OnlineBuffer])


@pytest.mark.parametrize(("loss_type", "threshold"), [("vespo", None), ("grpo", 0.5)])
def test_token_rewards_are_refused_where_the_loss_decides_per_sequence(loss_type, threshold):
    check_token_rewards("grpo", None)
    with pytest.raises(ValueError, match="one decision per sequence"):
        check_token_rewards(loss_type, threshold)


def test_a_training_set_smaller_than_a_generation_batch_is_refused(make_args):
    args = make_args(per_device_train_batch_size=16)
    check_size(as_dataset("a", "b", "c", "d"), args)
    with pytest.raises(ValueError, match="2 rows, but a generation batch needs 4 prompts"):
        check_size(as_dataset("a", "b"), args)


@pytest.mark.parametrize(
    ("train", "evaluation", "message"),
    [
        (as_dataset("a", "bad"), None, "`train_dataset`: row 1 is bad"),
        (as_dataset("a"), as_dataset("bad"), "`eval_dataset`: row 0 is bad"),
        (as_dataset("a"), {"one": as_dataset("a"), "two": as_dataset("bad")}, r"`eval_dataset\['two'\]`: row 0"),
        (Dataset.from_dict({"text": ["a"]}), None, "`train_dataset` has no column `prompt`; it has .'text'"),
        (as_dataset("a"), Dataset.from_dict({"text": ["a"]}), "`eval_dataset` has no column `prompt`"),
    ],
)
def test_a_dataset_that_would_stop_the_run_is_named(make_args, train, evaluation, message):
    with pytest.raises(ValueError, match=message):
        check_datasets(train, evaluation, make_args(), [by_length, Picky()])


def test_a_class_in_the_place_of_a_reward_function_is_refused(make_args):
    dataset = Dataset.from_list([{"prompt": "a", "tests": "{}"}] * 8)
    with pytest.raises(TypeError, match=r"Pass an instance: `UnitTestRewardFunction\(...\)`"):
        check_datasets(dataset, None, make_args(), UnitTestRewardFunction)


def test_streams_are_not_checked_and_an_environment_may_make_the_prompts(make_args):
    stream = IterableDataset.from_generator(lambda: iter([{"prompt": "bad"}]))
    check_datasets(stream, {"stream": stream}, make_args(), Picky())
    check_datasets(Dataset.from_dict({"text": ["a"]}), None, make_args(), by_length, environment_factory=object)


@pytest.mark.parametrize("arguments", [{"tools": [print]}, {"environment_factory": {"code": object}}])
def test_prompts_of_plain_text_are_refused_where_a_model_calls_tools(make_args, arguments):
    chat = as_dataset([{"role": "user", "content": "a"}])
    check_datasets(chat, chat, make_args(), by_length, **arguments)
    with pytest.raises(
        ValueError, match=f"`prompt` of `train_dataset` has plain text, but with `{next(iter(arguments))}`"
    ):
        check_datasets(as_dataset("a"), chat, make_args(), by_length, **arguments)
    with pytest.raises(ValueError, match=r"Column `prompt` of `eval_dataset\['one'\]` has plain text"):
        check_datasets(chat, {"one": as_dataset("a")}, make_args(), by_length, **arguments)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({}, "needs a column `solutions`"),
        ({"solutions": [[1, 2]]}, "`solutions` of the training set is of the type List"),
    ],
)
def test_a_weight_of_the_cross_entropy_needs_solutions(make_args, columns, message):
    args = make_args(ce_loss_weight=1.0)
    with pytest.raises(ValueError, match=message):
        check_datasets(as_dataset("a", **columns), None, args, by_length)
    check_datasets(as_dataset("a", solutions=[["x = 1"]]), None, args, by_length)
