"""Programs, rewards and helpers that many tests use."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

from trl_rltf.execution import Span


SUM_TESTS = {"inputs": ["1 2\n", "3 4\n"], "outputs": ["3\n", "7\n"]}
SUM_PROGRAM = "a, b = map(int, input().split())\nprint(a + b)\n"


def span_at(line: int, column: int, end_line: int, end_column: int) -> Span:
    """A span in the order in which an editor shows a selection."""
    return Span(line=line, column=column, end_line=end_line, end_column=end_column)


def by_length(completions: list[str], **columns: Any) -> list[float]:
    """A cheap reward that differs between completions."""
    return [len(set(text)) / 10 for text in completions]


def snapshot(model: Any) -> dict[str, Any]:
    """A copy of all weights."""
    return {name: value.detach().clone() for name, value in model.named_parameters()}


def load_script(path: Path) -> ModuleType:
    """Import a script by its path, without running its main part."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def history(trainer: Any, key: str) -> list[Any]:
    """All values that a trainer has logged by this name."""
    return [row[key] for row in trainer.state.log_history if key in row]


class Spy:
    """Record what goes into the loss of each batch."""

    def __init__(self, trainer: Any):
        self.batches: list[dict[str, Any]] = []
        original = trainer._compute_loss

        def compute_loss(model: Any, inputs: dict[str, Any]) -> Any:
            self.batches.append({key: value.clone() for key, value in inputs.items() if hasattr(value, "clone")})
            return original(model, inputs)

        trainer._compute_loss = compute_loss


def made_up_rollout(prompts: list[Any], trainer: Any) -> dict[str, Any]:
    """Return made-up completions for TRL's `rollout_func`, with other prompts, and tokens of an environment."""
    return {
        "prompt_ids": [[3, 4, 5]] * len(prompts),
        "completion_ids": [[5 + (i + t) % 50 for t in range(6)] for i in range(len(prompts))],
        "logprobs": [[-1.0] * 6] * len(prompts),
        "env_mask": [[1, 1, 0, 0, 1, 1]] * len(prompts),
    }


def gradients_of_log_probs(trainer: Any) -> list[Any]:
    """Return a list that collects the gradient of the completions' log-probs of each loss, `(B, T)`."""
    gradients: list[Any] = []
    original = trainer._get_per_token_logps_and_entropies

    def with_gradient(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        if result[0].requires_grad:
            result[0].register_hook(gradients.append)
        return result

    trainer._get_per_token_logps_and_entropies = with_gradient
    return gradients


# Pieces of text of which, in any order, tests make completions that no parser expects.
COMPLETION_PIECES = [
    *("```", "~~~", "````", "`", "\n", "\n", "\r\n", "\r", " ", "    ", "\t", "python", "text", "markdown", "<think>"),
    *(
        "</think>",
        "</reasoning>",
        "<|im_end|>",
        "<answer>",
        "def f(x):\n    return x",
        "x = 1",
        "print(f(1))",
        "'",
        '"""',
    ),
    *("'''", "# hi", "- ", "1. ", "(", "[", "}", "\\", "\0", "\ud800", "é", "\u200b", "\u2028", "\x0c", "🐍", "if x:"),
    *(
        "lambda",
        "from math import *",
        "assert f(1)",
        "Here: ",
        "f'{",
        "\\d",
        "0or 1",
        "return",
        "nonlocal x",
        "await x",
    ),
]


def results(folder: Path, name: str) -> list[Any]:
    """Results of a case on each of two processes, or a failure that shows what they printed."""
    errors = [path.read_text() for path in sorted(folder.glob(f"{name}-error-*.txt"))]
    files = [folder / f"{name}-{rank}.json" for rank in range(2)]
    output = next(path for path in (folder / "output.txt", folder.parent / "output.txt") if path.is_file())
    assert all(file.exists() for file in files), "\n".join([*errors, output.read_text()[-3000:]])
    return [json.loads(file.read_text()) for file in files]
