"""The runner of a script: on this machine, or on a Ray cluster that the processes of a launch share."""

import os
import re
import socket

import pytest
from ray_cluster import start_cluster
from source import ROOT

from trl_rltf import RLTFConfig, RLTFTrainer, UnitTestRewardFunction
from trl_rltf.execution import LocalRunner, Outcome, Program
from trl_rltf.scripts.arguments import CriticScriptArguments, RLTFScriptArguments
from trl_rltf.scripts.evaluation_arguments import EvaluationArguments
from trl_rltf.scripts.runners import _name_of_job, make_runner, runner_of


TINY = [
    *("--num_processes", "2", "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no", "--cpu"),
    *("-m", "trl_rltf.scripts.train", "--warm_start_steps", "2", "--max_steps", "2", "--logging_steps", "1"),
    *("--per_device_train_batch_size", "4", "--num_generations", "2", "--warm_start_batch_size", "4"),
    *("--max_completion_length", "16", "--eval_samples", "2", "--eval_problems", "2", "--disable_tqdm", "True"),
]


@pytest.fixture(scope="module")
def cluster():
    """A node of two CPUs and three units for grading, to which this process is not connected."""
    started = start_cluster(1, num_cpus=2, resources={"grading": 3})
    yield started
    started.shutdown()


def test_programs_are_graded_on_this_machine_by_default():
    for arguments in (RLTFScriptArguments, EvaluationArguments, CriticScriptArguments):
        assert arguments(**{} if arguments is EvaluationArguments else {"dataset_name": "x"}).ray_address is None
    with make_runner(None, timeout=2.5, num_workers=3) as runner:
        assert isinstance(runner, LocalRunner)
        assert (runner.timeout, runner.num_workers) == (2.5, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ray_num_cpus": 1.0}, "`ray_num_cpus` is 1.0, but there is no `ray_address`"),
        ({"ray_resources": ["grading=1"]}, "but there is no `ray_address`"),
        ({"ray_address": "auto", "ray_num_cpus": -1.0}, "`ray_num_cpus` is -1.0, but must be a number of CPUs"),
        ({"ray_address": "auto", "ray_num_cpus": float("nan")}, "`ray_num_cpus` is nan"),
        *(
            ({"ray_address": "auto", "ray_resources": [pair]}, f"`ray_resources` has {pair!r}, but must have pairs")
            for pair in ("grading", "=1", "grading=much", "grading=0", "grading=-1", "grading=inf", "grading=nan")
        ),
    ],
)
def test_graders_that_are_described_badly_are_refused_when_the_arguments_are_parsed(arguments, message):
    for cls in (RLTFScriptArguments, EvaluationArguments):
        with pytest.raises(ValueError, match=re.escape(message)):
            cls(dataset_name="x", **arguments)


@pytest.mark.filterwarnings("ignore:Programs run with resource limits only")
def test_the_isolation_that_is_asked_for_is_that_of_the_runner():
    with make_runner(None, timeout=1.0, num_workers=1, isolation="process") as runner:
        assert runner.sandbox.name == "process"


@pytest.mark.filterwarnings("ignore:.*resource limits only")
def test_a_grader_on_a_cluster_asks_for_the_resources_of_the_flags(cluster):
    import ray

    flags = {"ray_num_cpus": 0.5, "ray_resources": ["grading=2"], "isolation": "process"}
    arguments = EvaluationArguments(ray_address=cluster.address, test_timeout=1.0, num_workers=1, **flags)
    try:
        with runner_of(arguments) as runner:
            (report,) = runner.run([Program("print(1)", {"inputs": [""], "outputs": ["1"]})])
            (sandbox,) = runner.sandboxes.values()
            free = ray.available_resources()
    finally:
        ray.shutdown()
    assert report.outcome is Outcome.PASS
    assert sandbox.name == "process"
    assert (free["CPU"], free["grading"]) == (1.5, 1.0)


def test_the_processes_of_a_launch_use_one_name_and_a_single_process_none(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert _name_of_job() is None
    for variable, value in {"WORLD_SIZE": "2", "MASTER_ADDR": "node-1", "MASTER_PORT": "29500"}.items():
        monkeypatch.setenv(variable, value)
    assert _name_of_job() == "trl-rltf node-1:29500"
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")  # also of every other launch on one node
    assert _name_of_job() == f"trl-rltf {socket.gethostname()} {os.getppid()}:29500"


@pytest.mark.slow
def test_a_training_gets_its_rewards_from_a_cluster(cluster, model, tokenizer, problems, tmp_path):
    import ray

    config = RLTFConfig(
        output_dir=str(tmp_path), max_steps=2, per_device_train_batch_size=4, num_generations=4, max_completion_length=16,
        logging_steps=1, report_to="none", use_cpu=True, bf16=False, gradient_checkpointing=False, ce_loss_weight=0.0,
        save_strategy="no", disable_tqdm=True,
    )  # fmt: skip
    with make_runner(cluster.address, timeout=1.0) as runner:
        reward = UnitTestRewardFunction(runner=runner)
        trainer = RLTFTrainer(
            model=model, reward_funcs=reward, args=config, train_dataset=problems, processing_class=tokenizer
        )
        trainer.train()
    ray.shutdown()
    logged = [row for row in trainer.state.log_history if "grading/programs_per_second" in row]
    assert len(logged) == 2
    assert all(row["outcome/not_gradable"] == 0.0 for row in logged)


@pytest.mark.slow
def test_the_processes_of_a_launch_share_the_graders(cluster, tmp_path, run_script):
    """The cluster has CPUs for one grader: a second one would not start."""
    arguments = [*TINY, "--ray_address", cluster.address, "--output_dir", tmp_path]
    result = run_script("-m", "accelerate.commands.launch", *arguments, timeout=280.0, cwd=ROOT)
    assert "pass@1" in result.stdout
    assert "outcome/not_gradable': '0'" in result.stdout or "outcome/not_gradable': 0" in result.stdout
