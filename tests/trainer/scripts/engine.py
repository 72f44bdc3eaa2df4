"""Train with the real vLLM on a CPU: `engine.py FOLDER colocate CASE ...`, or the URL of a server for `colocate`."""

import json
import os
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

import torch
import vllm_rollouts
from benchmarks import vllm_on_cpu
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer

from trl_rltf import OnlineBuffer, RLTFConfig, RLTFTrainer, make_mini_apps


BUFFER = {"max_steps": 4, "ce_loss_weight": 0.3}
CASES: dict[str, dict[str, Any]] = {
    "buffer": {"buffer": (8, 2), "settings": {**BUFFER, "save_strategy": "steps", "save_steps": 1}},
    "resumed": {"buffer": (8, 2), "settings": BUFFER, "resume": "buffer/checkpoint-2"},
    "greedy": {"settings": {"baseline": "greedy"}},
    "lora": {"peft_config": LoraConfig(r=4, target_modules=["q_proj", "v_proj"])},
    "nucleus": {"settings": {"top_p": 0.8, "vllm_importance_sampling_mode": "token_truncate"}},
}


def train(name: str, folder: Path, mode: str, url: str | None) -> dict[str, Any]:
    """Train in one of the cases, and return what was recorded."""
    case = CASES[name]
    trainer = RLTFTrainer(
        model=AutoModelForCausalLM.from_pretrained(folder / "start"),
        reward_funcs=vllm_rollouts.reward,
        args=RLTFConfig(
            output_dir=str(folder / name),
            vllm_mode=mode,
            vllm_server_base_url=url,
            vllm_max_model_length=512,
            **{**vllm_rollouts.SETTINGS, **case.get("settings", {})},
        ),
        train_dataset=make_mini_apps("train", num_problems=16),
        processing_class=AutoTokenizer.from_pretrained(folder / "start"),
        callbacks=[OnlineBuffer(*case["buffer"])] if "buffer" in case else None,
        peft_config=case.get("peft_config"),
    )
    recorder = vllm_rollouts.Recorder(trainer)
    trainer.train(resume_from_checkpoint=str(folder / case["resume"]) if "resume" in case else None)
    result = {**recorder.record(), "steps": trainer.state.global_step, "log": json.dumps(trainer.state.log_history)}
    with torch.no_grad():
        result["sum of weights"] = float(sum(value.double().sum() for value in trainer.model.parameters()))
    return result


def main(folder: Path, mode: str, cases: list[str]) -> None:
    """Train in some cases, one after the other."""
    if mode == "colocate":
        vllm_on_cpu.use_colocate_mode(dtype="float32")
        url = None
    else:
        vllm_on_cpu.use_server_mode()
        url, mode = mode, "server"
    rank = os.environ.get("RANK", "0")
    for name in cases:
        try:
            result = train(name, folder, mode, url)
        except Exception:
            (folder / f"{name}-error-{rank}.txt").write_text(traceback.format_exc())
            raise
        torch.save(result, folder / f"{name}-{rank}.pt")


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
    sys.stdout.flush()
    os._exit(0)  # all is written; threads of vLLM and gloo may abort at the end of an interpreter
