"""Two real processes on the CPU: what one of them gets must not leave the other waiting."""

import os
import subprocess
import sys

import pytest


SCRIPT = """
import os
import sys
import warnings

warnings.filterwarnings("ignore")
from transformers import AutoModelForCausalLM, AutoTokenizer

from trl_rltf import OnlineBuffer, RLTFConfig, RLTFTrainer, TokenReward, make_mini_apps

start, output, case = sys.argv[1:]
second = os.environ["RANK"] == "1"


def reward(completions, completion_ids, **columns):
    if case == "plain rewards on one" and second:
        return [0.5] * len(completions)
    if case == "no rewards on one" and second:
        return [None] * len(completions)
    return [TokenReward(float(i % 2), [0.1 * t for t in range(len(ids))]) for i, ids in enumerate(completion_ids)]


data = make_mini_apps("train", num_problems=16)
settings = {}
if case == "solutions for some":
    data = data.map(lambda row, i: {"solutions": row["solutions"] if i % 2 else []}, with_indices=True)
    settings = {"ce_loss_weight": 0.5, "baseline": "greedy", "scale_rewards": "none"}
trainer = RLTFTrainer(
    model=AutoModelForCausalLM.from_pretrained(start),
    reward_funcs=reward,
    args=RLTFConfig(
        output_dir=output, per_device_train_batch_size=4, num_generations=4, max_completion_length=6, max_steps=3,
        report_to="none", save_strategy="no", logging_steps=1, disable_tqdm=True, gradient_checkpointing=False, use_cpu=True,
        **settings,
    ),
    train_dataset=data,
    processing_class=AutoTokenizer.from_pretrained(start),
    callbacks=[OnlineBuffer(16, 2)] if case == "online buffer" else None,
)
trainer.train()
weights = sum(parameter.double().sum() for parameter in trainer.model.parameters())
gathered = trainer.accelerator.gather(weights.detach())
if not second:
    assert gathered[0] == gathered[1], gathered
    sizes = [row["buffer/size"] for row in trainer.state.log_history if "buffer/size" in row]
    print("finished", trainer.state.global_step, sizes)
"""


@pytest.mark.parametrize("case", ["plain rewards on one", "no rewards on one", "solutions for some", "online buffer"])
def test_two_processes_train_together(tmp_path, model, tokenizer, case):
    model.save_pretrained(tmp_path / "start")
    tokenizer.save_pretrained(tmp_path / "start")
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    result = subprocess.run(
        [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--standalone",
            "--nproc_per_node",
            "2",
            str(script),
            str(tmp_path / "start"),
            str(tmp_path / "out"),
            case,
        ],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert "finished 3" in result.stdout
    if case == "online buffer":
        assert "[16.0, 16.0, 16.0]" in result.stdout
