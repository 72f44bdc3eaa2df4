"""Settings: TRL's, ours, the paper's, and those that contradict each other."""

import dataclasses
import inspect
import re

import pytest
from trl import GRPOConfig

from trl_rltf import RLTFConfig


def test_docstring_help_and_default_agree():
    inherited = {field.name: field.default for field in dataclasses.fields(GRPOConfig)}
    doc = inspect.getdoc(RLTFConfig)
    for field in dataclasses.fields(RLTFConfig):
        if field.name in inherited and field.name not in RLTFConfig.__annotations__:
            continue
        entry = re.search(rf"^    {field.name} \((.*?)\):\n((?:        .*\n?)+)", doc, re.MULTILINE)
        assert entry, f"{field.name} is not documented"
        if field.default is None:
            assert "*optional*" in entry[1]
        else:
            shown = f'"{field.default}"' if isinstance(field.default, str) else field.default
            assert f"defaults to `{shown}`" in entry[1]
        words = re.findall(r"[a-z]{4,}", entry[2].lower())[:6]
        assert all(word in field.metadata["help"].lower() for word in words), field.name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"baseline": "median"}, "`baseline` is 'median'"),
        ({"ce_loss_weight": -1.0}, "`ce_loss_weight` is -1.0"),
        ({"max_prompt_length": 0}, "`max_prompt_length` is 0"),
        ({"baseline": "greedy", "multi_objective_aggregation": "normalize_then_sum"}, "always subtracts group means"),
        ({"baseline": "greedy", "use_vllm": True}, "does not work with `use_vllm=True`"),
    ],
)
def test_values_out_of_range_are_refused(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        RLTFConfig(output_dir=str(tmp_path), **arguments)


def test_it_runs_on_a_machine_without_an_accelerator(tmp_path):
    import torch

    assert RLTFConfig(output_dir=str(tmp_path)).bf16 is torch.accelerator.is_available()
