"""The recipe of the paper (arXiv 2307.04349), each value with its source.

In the comments, "paper" is the text of the paper and "scripts" are those of its authors, where the text does not give a value
(github.com/Zyq-scut/RLTF, `scripts/*_deepspeed.sh`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .execution import Outcome, Runner
from .rewards import UnitTestRewardFunction
from .trainer import OnlineBuffer, RLTFConfig


PAPER_CONFIG: Mapping[str, Any] = {
    "baseline": "greedy",  # paper: the reward of the greedy decode of the same prompt
    "ce_loss_weight": 1.0,  # paper: the loss is the sum of the RL loss and the cross-entropy loss
    "loss_type": "grpo",  # paper: the mean over the tokens of a sample, then over samples
    "scale_rewards": "none",  # paper: rewards are not normalised
    "beta": 0.0,  # paper: no KL term
    "learning_rate": 2e-6,  # paper
    "weight_decay": 0.05,  # paper
    "lr_scheduler_type": "polynomial",  # paper
    "warmup_steps": 500,  # paper
    "temperature": 0.6,  # paper
    "top_p": 0.95,  # paper
    "vllm_importance_sampling_mode": "token_truncate",  # not given; ours: with vLLM, TRL's default would undo `top_p`
    "num_generations": 20,  # paper: samples per prompt
    "max_prompt_length": 800,  # paper: source tokens of CodeT5; for CodeGen 1024 tokens in all
    "max_completion_length": 512,  # paper: target tokens of CodeT5
    "disable_dropout": True,  # not given; ours: with dropout, the greedy baseline would be random
    "per_device_train_batch_size": 4,  # scripts, for CodeT5
    "gradient_accumulation_steps": 5,  # ours: one group of 20 samples per generation batch; scripts: 8
}
PAPER_REWARD: Mapping[str, Any] = {
    "coarse_rewards": {  # paper, section 3.3
        Outcome.PASS: 1.0,
        Outcome.FAILURE: -0.3,
        Outcome.RUNTIME_ERROR: -0.6,
        Outcome.SYNTAX_ERROR: -1.0,
    },
    "adaptive_weight": 1.0,  # paper: FAILURE gets -0.3 + 1.3 · (tests passed / tests)
    "adaptive_runtime_errors": False,  # paper: FAILURE alone
    "token_feedback": "statement_penalty",  # paper: fine-grained feedback on the lines of the error
    "token_weight": 0.3,  # paper: -0.3 for each of these tokens
}
PAPER_BUFFER: Mapping[str, Any] = {
    "capacity": 6400,  # paper: samples that the buffer holds
    "update_steps": 50,  # paper: optimizer steps between two refreshes
}


def paper_config(output_dir: str | None = None, **overrides: Any) -> RLTFConfig:
    """
    Configure the trainer as in the paper, for CodeT5.

    Args:
        output_dir (`str`, *optional*): Folder of checkpoints and of the model.
        **overrides: Any argument of [`RLTFConfig`]; it replaces the value of the paper.

    Returns:
        [`RLTFConfig`]: The configuration.
    """
    return RLTFConfig(output_dir=output_dir, **{**PAPER_CONFIG, **overrides})


def paper_reward(runner: Runner | None = None, **overrides: Any) -> UnitTestRewardFunction:
    """
    Make the multi-granularity feedback of the paper (section 3.3).

    `PASS` gets 1.0, `FAILURE` -0.3 and more with the share of tests passed, `RUNTIME_ERROR` -0.6, `SYNTAX_ERROR` -1.0, and each
    token of the failing statement another -0.3.

    Args:
        runner ([`~execution.Runner`], *optional*): Runs the tests. Defaults to a [`~execution.LocalRunner`].
        **overrides: Any argument of [`UnitTestRewardFunction`]; it replaces the value of the paper.

    Returns:
        [`UnitTestRewardFunction`]: The reward function.
    """
    return UnitTestRewardFunction(runner, **{**PAPER_REWARD, **overrides})


def paper_buffer(**overrides: Any) -> OnlineBuffer:
    """
    Make the online buffer of the paper: 6400 samples, refreshed every 50 steps.

    Args:
        **overrides: Any argument of [`OnlineBuffer`]; it replaces the value of the paper.

    Returns:
        [`OnlineBuffer`]: The callback.
    """
    return OnlineBuffer(**{**PAPER_BUFFER, **overrides})


def paper(
    output_dir: str | None = None,
    *,
    runner: Runner | None = None,
    allow_code_eval: bool | None = None,
    **overrides: Any,
) -> dict[str, Any]:
    """
    Collect the arguments of [`RLTFTrainer`] for a training run as in the paper.

    Example:

    ```python
    from trl_rltf import RLTFTrainer, load_apps
    from trl_rltf.presets import paper

    trainer = RLTFTrainer(
        model="Salesforce/codet5-large-ntp-py", train_dataset=load_apps(), **paper(output_dir="codet5-rltf")
    )
    ```

    Args:
        output_dir (`str`, *optional*): Folder of checkpoints and of the model.
        runner ([`~execution.Runner`], *optional*): Runs the tests. Defaults to a [`~execution.LocalRunner`].
        allow_code_eval (`bool`, *optional*): Opt in to running model-written code, for the default runner. Defaults to
            `HF_ALLOW_CODE_EVAL`.
        **overrides: Any argument of [`RLTFConfig`]; it replaces the value of the paper.

    Returns:
        `dict`: `args`, `reward_funcs` and `callbacks`.

    Raises:
        ValueError: If the user did not opt in to running model-written code.
    """
    return {
        "args": paper_config(output_dir, **overrides),
        "reward_funcs": paper_reward(runner, allow_code_eval=allow_code_eval),
        "callbacks": [paper_buffer()],
    }
