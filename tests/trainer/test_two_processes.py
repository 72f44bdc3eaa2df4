"""Two real processes on the CPU: what one of them gets must not leave the other waiting, and both must be one run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import architectures
import pytest
import torch


CONFIG = Path(__file__).parents[2] / "examples" / "accelerate_configs" / "cpu.yaml"
SCRIPT = """
import json
import os
import sys
import warnings

warnings.filterwarnings("ignore")
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

from trl_rltf import OnlineBuffer, RLTFConfig, RLTFTrainer, TokenReward, make_mini_apps

start, output, case, resume = sys.argv[1:]
second = os.environ.get("RANK") == "1"


def reward(prompts, completions, completion_ids, **columns):
    if case == "plain rewards on one" and second:
        return [0.5] * len(completions)
    if case == "no rewards on one" and second:
        return [None] * len(completions)
    weights = None if case != "weights on one" or second else [[0.5] * len(ids) for ids in completion_ids]
    groups = [prompts[i : i + 4] for i in range(0, len(prompts), 4)]
    assert all(len(set(group)) == 1 for group in groups), "a group is not whole on its process"
    return [
        TokenReward(sum(ids) % 7 / 7, [0.1 * (t % 3) for t in range(len(ids))], weights and weights[i])
        for i, ids in enumerate(completion_ids)
    ]


data = make_mini_apps("train", num_problems=16)
model_class = AutoModelForSeq2SeqLM if AutoConfig.from_pretrained(start).is_encoder_decoder else AutoModelForCausalLM
settings = {}
if case == "solutions for some":
    data = data.map(lambda row, i: {"solutions": row["solutions"] if i % 2 else []}, with_indices=True)
    settings = {"ce_loss_weight": 0.5, "baseline": "greedy", "scale_rewards": "none"}
if case == "one run":
    # Without sampling, so that random numbers make no difference.
    settings = {
        "generation_kwargs": {"do_sample": False}, "baseline": "none", "scale_rewards": "none", "optim": "sgd",
        "learning_rate": 0.1, "ce_loss_weight": 0.3, "max_grad_norm": 0.0,
        "disable_dropout": True,
    }
num_processes = int(os.environ.get("WORLD_SIZE", 1))
buffer = None
if case in ("online buffer", "resumed"):
    buffer = [OnlineBuffer(16, 2)]
if case == "resumed":
    settings = {"save_strategy": "steps", "save_steps": 1, "max_steps": 5}
trainer = RLTFTrainer(
    model=model_class.from_pretrained(start),
    reward_funcs=reward,
    args=RLTFConfig(**{
        "output_dir": output, "per_device_train_batch_size": 8 // num_processes, "num_generations": 4, "max_completion_length": 6,
        "max_steps": 3, "report_to": "none", "save_strategy": "no", "logging_steps": 1, "disable_tqdm": True,
        "gradient_checkpointing": False, **settings,
    }),
    train_dataset=data,
    processing_class=AutoTokenizer.from_pretrained(start),
    callbacks=buffer,
)
trainer.train(resume_from_checkpoint=resume or None)
weights = sum(parameter.double().sum() for parameter in trainer.model.parameters())
gathered = trainer.accelerator.gather(weights.detach().reshape(1))
if not second:
    assert (gathered == gathered[0]).all(), gathered
    sizes = [row["buffer/size"] for row in trainer.state.log_history if "buffer/size" in row]
    print(json.dumps({"step": trainer.state.global_step, "sizes": sizes, "processes": len(gathered)}))
    torch.save(trainer.accelerator.unwrap_model(trainer.model).state_dict(), f"{output}-{num_processes}.pt")
trainer.accelerator.wait_for_everyone()
trainer.accelerator.end_training()
sys.stdout.flush()
os._exit(0)  # all is done; at the end of an interpreter, the threads of gloo abort about one process in thirty here
"""


@pytest.fixture
def launch(tmp_path, model, tokenizer):
    """Run the script in some processes and return what the first of them printed last."""
    model.save_pretrained(tmp_path / "start")
    tokenizer.save_pretrained(tmp_path / "start")
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)

    def run(case, num_processes=2, resume="", expect=0, output="out"):
        launcher = [sys.executable]
        if num_processes > 1:
            launcher += [
                "-m",
                "accelerate.commands.launch",
                "--config_file",
                str(CONFIG),
                "--num_processes",
                str(num_processes),
            ]
        result = subprocess.run(
            [*launcher, str(script), str(tmp_path / "start"), str(tmp_path / output), case, resume],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert (result.returncode == 0) == (expect == 0), result.stderr[-3000:]
        lines = [line for line in result.stdout.splitlines() if line.startswith('{"step')]
        return json.loads(lines[-1]) if lines else result.stderr, result.stdout

    return run


@pytest.mark.parametrize(
    "case",
    ["plain rewards on one", "no rewards on one", "weights on one", "solutions for some", "online buffer"],
)
def test_two_processes_train_together(launch, case):
    said, output = launch(case)
    assert (said["step"], said["processes"]) == (3, 2)
    assert output.count("'train_runtime'") == 1  # logged once
    if case == "online buffer":
        assert said["sizes"] == [16.0, 16.0, 16.0]


@pytest.mark.parametrize("architecture", ["llama", "codet5"])
def test_two_processes_are_one_run_of_twice_the_batch(launch, tmp_path, architecture):
    if architecture == "codet5":
        for part in architectures.make(architecture):
            part.save_pretrained(tmp_path / "start")
    launch("one run", num_processes=1)
    launch("one run", num_processes=2)
    alone, together = (torch.load(tmp_path / f"out-{number}.pt") for number in (1, 2))
    for name, value in alone.items():
        torch.testing.assert_close(together[name], value, rtol=1e-4, atol=1e-6)


def test_two_processes_resume_exactly_and_one_is_told_that_there_were_two(launch, tmp_path):
    launch("resumed")
    expected = torch.load(tmp_path / "out-2.pt")
    checkpoint = tmp_path / "out" / "checkpoint-3"
    assert len(list((checkpoint / "rltf").glob("online_buffer-rank*.parquet"))) == 2
    launch("resumed", resume=str(checkpoint), output="again")
    found = torch.load(tmp_path / "again-2.pt")
    assert all(torch.equal(found[name], value) for name, value in expected.items())
    error, _ = launch("resumed", num_processes=1, resume=str(checkpoint), output="alone", expect=1)
    assert "`num_processes` was 2 and is 1" in error
