"""Settings: TRL's, ours, the paper's, and those that contradict each other."""

import dataclasses
import inspect
import re

import pytest

from trl_rltf import RLTFConfig


def plain(text):
    """Text without the marks of a docstring: back quotes, double quotes, links and line ends."""
    text = re.sub(r"\[`~?(?:\w+\.)*(\w+)`\]", r"\1", text)
    return " ".join(text.replace('"', "'").replace("`", "").split())


def test_docstring_help_and_default_agree():
    doc = inspect.getdoc(RLTFConfig)
    for field in dataclasses.fields(RLTFConfig):
        if field.name not in RLTFConfig.__annotations__:
            continue  # of TRL
        entry = re.search(rf"^    {field.name} \((.*?)\):\n((?:        .*\n?)+)", doc, re.MULTILINE)
        assert entry, f"{field.name} is not documented"
        assert "*optional*" in entry[1]
        if field.default is not None:
            shown = f'"{field.default}"' if isinstance(field.default, str) else field.default
            assert f"defaults to `{shown}`" in entry[1]
        assert plain(entry[2]) == plain(field.metadata["help"]), field.name


def test_the_choices_of_a_command_line_are_those_that_are_accepted(tmp_path):
    from trl import TrlParser

    parser = TrlParser(RLTFConfig)
    for name in ("baseline", "prompt_overflow"):
        (action,) = (action for action in parser._actions if action.dest == name)
        assert len(action.choices) > 1
        for choice in action.choices:
            config = RLTFConfig(str(tmp_path), max_prompt_length=9, **{name: choice})
            assert getattr(config, name) == choice


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"baseline": "median"}, "`baseline` is 'median'"),
        ({"ce_loss_weight": -1.0}, "`ce_loss_weight` is -1.0"),
        ({"max_prompt_length": 0}, "`max_prompt_length` is 0"),
        ({"prompt_overflow": "cut"}, "`prompt_overflow` is 'cut'"),
        ({"prompt_overflow": "drop"}, "needs a `max_prompt_length`"),
        ({"baseline": "greedy", "multi_objective_aggregation": "normalize_then_sum"}, "always subtracts group means"),
        ({"max_generation_batches": 0}, "`max_generation_batches` is 0, but must be a whole number of at least 1"),
        ({"max_generation_batches": 1.5}, r"`max_generation_batches` is 1\.5"),
        ({"curriculum_probability": 1.5}, r"`curriculum_probability` is 1\.5, but must be between 0 and 1"),
        ({"curriculum_probability": "0.5"}, r"`curriculum_probability` is '0\.5'"),
        ({"curriculum_probability": True}, "`curriculum_probability` is True"),
        ({"eval_pass_at_k": 4}, "`eval_pass_at_k` is 4, but must be a list of numbers"),
        ({"curriculum_probability": -0.5}, r"`curriculum_probability` is -0\.5"),
    ],
)
def test_values_out_of_range_are_refused(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        RLTFConfig(output_dir=str(tmp_path), **arguments)


def test_it_runs_on_a_machine_without_an_accelerator(tmp_path):
    import torch

    assert RLTFConfig(output_dir=str(tmp_path)).bf16 is torch.accelerator.is_available()
