"""Limits of a problem are columns of its dataset, which the reward function reads."""

import pytest
from datasets import Dataset
from support import history

from trl_rltf import RLTFConfig, RLTFTrainer, UnitTestRewardFunction


LIMITED = {"inputs": [""], "outputs": ["3"]}
BUSY = "import time\nwhile time.process_time() < 0.4:\n    pass\nprint(3)"


def test_the_limits_of_a_problem_replace_those_of_the_runner(runner):
    extra = {}
    memory = "memory = bytearray(96 * 2**20)\nprint(3)"
    rewards = UnitTestRewardFunction(runner)(
        completions=[BUSY, BUSY, BUSY, memory, memory],
        tests=[LIMITED] * 5,
        time_limit=[None, 0.1, 2, None, 1.0],
        memory_limit=[None, 2**28, None, 64_000_000, None],
        log_extra=extra.__setitem__,
    )
    assert rewards == [1, 0, 1, 0, 1]
    assert extra["error_type"] == ["", "TimeoutError", "", "MemoryError", ""]


def test_malformed_limits_name_the_row_and_the_problem(runner):
    arguments = {"completions": ["", ""], "tests": [LIMITED] * 2, "problem_id": ["p0", "p1"]}
    with pytest.raises(
        ValueError, match=r"row 1 of the batch \(problem 'p1'\): `time_limit` is -1, but must be a number"
    ):
        UnitTestRewardFunction(runner)(**arguments, time_limit=[None, -1])
    with pytest.raises(ValueError, match="There are 1 `memory_limit` and 2 `completions`"):
        UnitTestRewardFunction(runner)(**arguments, memory_limit=[None])


def test_the_limits_of_a_dataset_are_checked_before_training(runner):
    rows = {"prompt": ["a", "b"], "tests": ['{"inputs": [""], "outputs": [""]}'] * 2}
    function = UnitTestRewardFunction(runner)
    function.check_dataset(Dataset.from_dict({**rows, "time_limit": [None, 1.5], "memory_limit": [2**20, None]}))
    with pytest.raises(ValueError, match="row 1: `memory_limit` is 0"):
        function.check_dataset(Dataset.from_dict({**rows, "memory_limit": [None, 0]}))


@pytest.fixture
def make_trainer(runner, tmp_path, model, tokenizer, problems):
    def make(**columns):
        rows = problems.select(range(4))
        for name, values in columns.items():
            rows = rows.add_column(name, values)
        return RLTFTrainer(
            model=model,
            reward_funcs=UnitTestRewardFunction(runner),
            args=RLTFConfig(
                output_dir=str(tmp_path),
                max_steps=2,
                per_device_train_batch_size=4,
                num_generations=2,
                max_completion_length=8,
                logging_steps=1,
                report_to="none",
                use_cpu=True,
            ),
            train_dataset=rows,
            processing_class=tokenizer,
        )

    return make


@pytest.mark.slow
def test_a_model_is_trained_on_problems_with_limits(make_trainer):
    trainer = make_trainer(time_limit=[None, 1.0, 2.0, None], memory_limit=[2**28, None, 64_000_000, None])
    trainer.train()
    assert len(history(trainer, "outcome/pass_ratio")) == 2


def test_a_malformed_limit_ends_the_run_before_training(make_trainer):
    with pytest.raises(ValueError, match=r"row 2 \(problem '[\w-]+'\): `time_limit` is -1.0, but must be a number"):
        make_trainer(time_limit=[None, 1.0, -1.0, None])
