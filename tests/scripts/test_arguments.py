"""Arguments of the scripts: their help, and the order in which defaults apply."""

from dataclasses import dataclass, fields

import pytest

from trl_rltf.mini.demo import DEMO_CRITIC_TRAINING, DEMO_EVALUATION, DEMO_MAX_STEPS, DEMO_TRAINING
from trl_rltf.presets import PAPER_CONFIG
from trl_rltf.scripts import CriticScriptArguments, EvaluationArguments, RLTFScriptArguments
from trl_rltf.scripts import train as train_script
from trl_rltf.scripts import train_critic as train_critic_script
from trl_rltf.scripts.parser import documented


def test_the_help_of_a_field_is_its_docstring():
    @dataclass
    class Parent:
        """
        Parent.

        Args:
            first (`int`):
                The first one.
        """

        first: int = 1

    @documented
    @dataclass
    class Child(Parent):
        """
        Child.

        Args:
            first (`int`, *optional*, defaults to `1`):
                The first one of a [`~package.Child`], in two
                lines.
            second (`int`, *optional*): Half of `first`, or 50 %.

        Raises:
            ValueError: If first is 0.
        """

        second: int = 2

    helps = {field.name: field.metadata.get("help") for field in fields(Child)}
    assert helps == {"first": "The first one of a Child, in two lines.", "second": "Half of first, or 50 %%."}
    assert "help" not in fields(Parent)[0].metadata


@pytest.mark.parametrize("arguments", [RLTFScriptArguments, EvaluationArguments, CriticScriptArguments])
def test_each_field_is_documented(arguments):
    inherited_from_trl = {"dataset_config", "dataset_streaming", "ignore_bias_buffers"}
    for field in fields(arguments):
        text = field.metadata["help"]
        assert field.name in inherited_from_trl or text.endswith("."), field.name
        assert field.name in inherited_from_trl or "`" not in text


def parse(*flags, script=train_script):
    return script.make_parser().parse_args_and_config(["--output_dir", "out", *flags])


def test_without_a_model_the_settings_of_the_demo_are_the_defaults():
    _, training_args, _ = parse()
    settings = {**DEMO_TRAINING, **DEMO_EVALUATION, "max_steps": DEMO_MAX_STEPS}
    for name in set(settings) - {"output_dir", "report_to"}:
        assert getattr(training_args, name) == settings[name], name
    assert training_args.ce_loss_weight == 0
    _, training_args, _ = parse("--model_name_or_path", "model")
    assert training_args.ce_loss_weight == 0
    assert training_args.per_device_train_batch_size == 8


def test_a_flag_comes_before_a_file_and_a_file_before_the_demo(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("max_steps: 7\nlearning_rate: 0.5\n")
    _, training_args, _ = parse("--config", str(file), "--max_steps", "3")
    assert (training_args.max_steps, training_args.learning_rate, training_args.num_generations) == (3, 0.5, 8)


def test_a_batch_that_only_the_defaults_of_the_demo_allow_is_parsed():
    _, training_args, _ = parse("--num_generations", "32")  # no divisor of TRL's batch of 8, but of the demo's 64
    assert training_args.num_generations == 32


def test_the_preset_changes_the_defaults_to_those_of_the_paper():
    script_args, training_args, _ = parse(
        "--preset", "paper", "--model_name_or_path", "model", "--num_generations", "10"
    )
    for name in set(PAPER_CONFIG) - {"num_generations"}:
        assert getattr(training_args, name) == PAPER_CONFIG[name], name
    assert training_args.num_generations == 10
    assert script_args.use_buffer
    assert script_args.paper_feedback
    assert (script_args.buffer_capacity, script_args.update_steps) == (6400, 50)


def test_the_demo_takes_the_method_of_a_preset_and_keeps_its_scale():
    script_args, training_args, _ = parse("--preset", "paper")
    assert (training_args.baseline, training_args.ce_loss_weight, script_args.use_buffer) == ("greedy", 1.0, True)
    assert (training_args.learning_rate, training_args.max_steps) == (3e-5, DEMO_MAX_STEPS)


def test_a_critic_without_a_model_has_the_settings_of_the_demo():
    _, training_args, _ = parse(script=train_critic_script)
    assert training_args.max_steps == DEMO_CRITIC_TRAINING["max_steps"]
    for flag in ("--model_name_or_path", "--critic_model_name_or_path"):
        assert parse(flag, "model", script=train_critic_script)[1].max_steps == -1


@pytest.mark.parametrize(
    ("settings", "temperature"),
    [
        ({"benchmark": "apps"}, 0),
        ({"benchmark": "mbpp"}, 0),
        ({"benchmark": "mbpp", "num_samples": 5}, 0.2),
        ({"benchmark": "apps", "preset": "paper"}, 0.6),
        ({"benchmark": "mbpp", "preset": "paper"}, 1.2),
        ({"benchmark": "mbpp", "preset": "paper", "temperature": 0.3}, 0.3),
        ({"benchmark": "mbpp", "temperature": 0.3}, 0.3),
        ({"benchmark": "apps", "temperature": 0.0}, 0),
    ],
)
def test_the_temperature_is_that_of_the_paper_only_with_its_preset(settings, temperature):
    assert EvaluationArguments(**settings).temperature == temperature


def test_the_preset_of_the_paper_is_refused_for_other_benchmarks():
    with pytest.raises(ValueError, match="`preset` 'paper' is for the benchmarks 'apps' and 'mbpp'"):
        EvaluationArguments(preset="paper")


def test_difficulties_of_mbpp_are_refused():
    with pytest.raises(ValueError, match="`difficulties` are levels of APPS, but `benchmark` is 'mbpp'"):
        RLTFScriptArguments(benchmark="mbpp", difficulties=["interview"])


@pytest.mark.parametrize("flag", ["--help", "--help_all"])
def test_the_help_has_our_arguments_first_and_all_others_on_demand(flag, capsys):
    with pytest.raises(SystemExit) as ended:
        parse(flag)
    assert ended.value.code == 0
    text = capsys.readouterr().out
    places = [text.index(name) for name in ("--tests_column", "--ce_loss_weight", "--learning_rate")]
    assert places == sorted(places)
    assert ("--torch_compile_backend" in text) == (flag == "--help_all")
    assert text.count("\n") < 500 or flag == "--help_all"
    for title in (
        "trl_rltf: RLTFScriptArguments:",
        "trl_rltf: RLTFConfig:",
        "the most used arguments of TRL and transformers:",
    ):
        assert title in text
    assert ("transformers: TrainingArguments:" in text) == (flag == "--help_all")
