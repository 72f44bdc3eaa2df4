"""Tell the weights in a folder apart without loading the model."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from safetensors import safe_open

from .sampling import spaced_values


_BLOCK = 2**24  # bytes that are read at a time


def weight_files_fingerprint(folder: str | Path) -> str | None:
    """
    Compute a digest of the weight files of a model.

    An engine such as vLLM keeps the weights in another process, fused and perhaps divided over devices. The files tell them
    apart in the same way for any engine.

    Args:
        folder (`str` or `Path`): Folder of the model.

    Returns:
        `str` or `None`: Digest of names, shapes and evenly spaced values of all tensors in safetensors files, or of all bytes
        of PyTorch files (`*.bin`); `None` if the folder has neither.
    """
    digest = hashlib.sha256()
    files = sorted(Path(folder).glob("*.safetensors"))
    for file in files:
        with safe_open(file, framework="pt") as tensors:
            for name in sorted(tensors.keys()):
                tensor = tensors.get_tensor(name)
                digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype} ".encode())
                digest.update(spaced_values(tensor).to(torch.float32).numpy().tobytes())
    if not files:
        files = sorted(Path(folder).glob("*.bin"))
        for file in files:
            digest.update(f"{file.name} ".encode())
            with open(file, "rb") as data:
                while block := data.read(_BLOCK):
                    digest.update(block)
    return digest.hexdigest() if files else None
