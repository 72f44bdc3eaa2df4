"""The benchmarks: their commands, and the places that they measure."""

import json
import runpy
import subprocess
import sys

import pytest
from benchmarks import gpu, phases, trainer
from benchmarks.workloads import assert_workload, fork_cost, one_script_per_test, stdin_workload, with_loops
from source import ROOT
from test_package import COMMANDS

from trl_rltf import make_mini_apps
from trl_rltf.completions.tokens import span_tokens, token_ranges
from trl_rltf.execution import Outcome
from trl_rltf.mini import make_mini_model


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_command_finds_the_code_next_to_it(name, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    with pytest.raises(SystemExit) as exit_:
        runpy.run_path(str(ROOT / "examples" / name), run_name="__main__")
    assert exit_.value.code == 0
    assert f"usage: {name}" in capsys.readouterr().out


def test_the_error_that_is_localized_is_the_start_of_the_twelfth_line():
    _, tokenizer = make_mini_model(make_mini_apps("train", num_problems=256))
    ids, text, span = trainer.make_error(tokenizer)
    ranges = token_ranges(ids, text, tokenizer)
    found = span_tokens(span, text, 0, ranges)
    assert (ranges[found[0]][0], ranges[found[-1]][1]) == (467, 477)
    assert text[467:477] == "value_12 ="


@pytest.mark.slow
def test_the_benchmark_of_the_trainer_prints_its_figures(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["bench_trainer.py", "--rounds", "1", "--steps", "2", "--num_batches", "1"])
    trainer.main()
    printed = capsys.readouterr().out
    assert "step of RLTFTrainer / step of GRPOTrainer" in printed
    assert "localise" in printed
    assert "bytes in the buffer" in printed


def test_the_programs_of_the_benchmark_of_the_grader_are_right_but_for_the_loops(runner):
    programs = [*assert_workload(3), *stdin_workload(3, num_tests=2)]
    assert {report.outcome for report in runner.run(programs)} == {Outcome.PASS}
    mixed = with_loops(programs, every=6)
    assert [report.error_type for report in runner.run(mixed)].count("TimeoutError") == 1


@pytest.mark.parametrize(
    ("programs", "measured"),
    [
        (assert_workload(12), {("program", "compile"), ("program", "report"), ("worker", "move the answers")}),
        (
            stdin_workload(10, 2),
            {("server of a script", "compile"), ("server of a script", "exit"), ("program", "run")},
        ),
    ],
    ids=["functions", "scripts"],
)
def test_each_phase_of_a_program_is_measured_once(programs, measured):
    figures = phases.phases(programs, 4, "auto")
    assert measured < figures.keys()
    assert ("worker", "run") not in figures  # the warm-up does not count
    sum_of_program = sum(row[0] for (process, _), row in figures.items() if process == "program")
    # A program begins within the fork of its parent, and ends while it is reaped.
    around = ("fork", "wait for the program", "kill and reap")
    waited = sum(row[1] for (process, phase), row in figures.items() if process != "program" and phase in around)
    assert 0 < sum_of_program < waited


def test_the_figures_of_the_phases_are_a_markdown_table(capsys):
    args = phases.PhaseArguments(rounds=1, num_programs=10, num_forks=10)
    references = {"one process per test": one_script_per_test(stdin_workload(1)[0])}
    phases.print_table("Per test", phases.measure(stdin_workload(9), 10, args, references))
    printed = capsys.readouterr().out
    assert "| process | phase | CPU | elapsed | page faults |" in printed
    assert "| no sandbox | one process per test |" in printed
    assert "nan" not in printed


def test_a_fork_that_fails_its_test_has_no_cost():
    with pytest.raises(subprocess.CalledProcessError):
        fork_cost(["assert False"], count=1)


TINY = [
    "bench_gpu.py",
    "--size",
    "tiny",
    "--batch_size",
    "8",
    "--max_completion_length",
    "8",
    "--warm_start_steps",
    "0",
]


@pytest.mark.slow
def test_the_benchmark_of_a_gpu_measures_each_variant(monkeypatch, capsys, tmp_path):
    file = tmp_path / "figures" / "gpu.json"
    monkeypatch.setattr(sys, "argv", [*TINY, "--steps", "2", "--rounds", "1", "--output", str(file)])
    gpu.main()
    figures = json.loads(file.read_text())
    assert figures["missing"] == []
    runs = {run["variant"]: run for run in figures["runs"]}
    assert list(runs) == [variant.name for variant in gpu.VARIANTS]
    for variant in gpu.VARIANTS:
        run = runs[variant.name]
        assert len(run["seconds_of_steps"]) == 2
        assert run["seconds_per_step"] == pytest.approx(sum(run["seconds_of_steps"]) / 2)
        assert (run["num_trained_parameters"] < figures["num_parameters"]) == variant.uses_lora
        assert (run["reward_seconds"] is not None) == variant.is_ours
    waited = {
        name: run["reward_seconds_waited_for"] / run["reward_seconds"] for name, run in runs.items() if "RLTF" in name
    }
    assert waited["RLTFTrainer, full, token rewards, buffer, no overlap"] > 0.9
    assert (
        waited["RLTFTrainer, full, token rewards, buffer"] < 0.9
    )  # the first batch of a refresh runs in the background
    assert "Missing" not in capsys.readouterr().out


def test_the_benchmark_of_a_gpu_says_what_it_had_no_time_for(monkeypatch, capsys, tmp_path):
    file = tmp_path / "gpu.json"
    monkeypatch.setattr(sys, "argv", [*TINY, "--rounds", "1", "--max_seconds", "0", "--output", str(file)])
    gpu.main()
    figures = json.loads(file.read_text())
    assert figures["runs"] == []
    assert figures["missing"] == [f"{variant.name}, round 1" for variant in gpu.VARIANTS]
    assert "Missing, for lack of time: GRPOTrainer, full, round 1;" in " ".join(capsys.readouterr().out.split())


def test_a_run_of_the_benchmark_of_a_gpu_ends_at_its_deadline(runner):
    args = gpu.GPUArguments(size="tiny", steps=2, batch_size=8, max_completion_length=4, warm_start_steps=0)
    problems = make_mini_apps("train", num_problems=8)
    setup = gpu.Setup(*gpu.make_start(args, problems, "unused"), problems, runner)
    result = gpu.run(gpu.VARIANTS[1], args, setup, deadline=0.0)
    assert not result["is_complete"]
    assert result["seconds_of_steps"] == []
