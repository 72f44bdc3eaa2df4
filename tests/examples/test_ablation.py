"""The ablation: one short comparison, its queue, its results, its statistics and the reward of PPOCoder."""

import json
import sys
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from ablation import compare, problems, run
from ablation.arms import ARMS, TABLES
from ablation.ppocoder import PPOCoderReward, ast_match, data_flow_match
from ablation.results import budget_ratio, curve, difference, late_difference, mean_difference
from ablation.run import Run, Scale

from trl_rltf.presets import paper_reward


TINY = Scale(
    max_steps=2, samples_per_step=8, eval_steps=1, eval_samples=1, final_samples=1, eval_problems=4,
    warm_start_steps=2, bug_share=0.0, slip_share=0.0, critic_steps=1,
)  # fmt: skip


def compare_arms(monkeypatch, folder, *flags):
    """Run the command in this process; its runs are other processes."""
    monkeypatch.setattr(sys, "argv", ["ablation.py", "--output_dir", str(folder), *flags])
    compare.main()


@pytest.mark.slow
def test_one_command_compares_arms_resumes_and_names_failed_runs(tmp_path, monkeypatch, capsys):
    flags = ["--quick", "--arms", "grpo", "--architectures", "llama"]
    monkeypatch.setattr(compare, "QUICK", TINY)
    compare_arms(monkeypatch, tmp_path, *flags)
    assert "Arms: llama, 1 seed" in capsys.readouterr().out
    rows = pq.read_table(tmp_path / "results.parquet").to_pylist()
    assert {(row["arm"], row["step"]) for row in rows} == {("warm-start", 0), ("grpo", 1), ("grpo", 2)}
    for row in rows:
        assert row["train_samples"] == 8 * row["step"]
        assert len(row["num_correct"]) == len(row["problem_ids"]) == 4
        assert sum(row[name] for name in ("PASS", "FAILURE", "RUNTIME_ERROR", "SYNTAX_ERROR")) == pytest.approx(1)
    assert (tmp_path / "arms-llama.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "arms-llama-outcomes.png").read_bytes().startswith(b"\x89PNG")
    assert "| grpo |" in (tmp_path / "arms-llama.md").read_text()

    finished = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").iterdir()}
    monkeypatch.setattr(
        sys, "executable", "/bin/ls"
    )  # the process of the new arm fails, without the time of its imports
    # The finished arms are not run again, and are reported.
    with pytest.raises(SystemExit, match="1 runs failed: llama-seed1-rltf"):
        compare_arms(monkeypatch, tmp_path, "--quick", "--arms", "grpo", "rltf", "--architectures", "llama")
    assert "Arms: llama, 1 seed" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").iterdir()} == finished
    (log,) = (tmp_path / "logs").glob("*-rltf-*")
    assert "ls:" in log.read_text()


@pytest.fixture
def start(tmp_path, model, tokenizer):
    """A run whose warm start is an untrained model."""
    found = Run(str(tmp_path), "rltf", "llama", 1, TINY)
    for part in (model, tokenizer):
        part.save_pretrained(found.start / "warm-start")
    return found


@pytest.mark.parametrize(
    "arm", ["rloo", "coderl", "ppocoder", "supervised-clean", "grpo-rarity", "supervised-grpo", "corrections"]
)
def test_an_arm_of_each_kind_is_trained_and_evaluated(start, arm):
    if ARMS[arm].critic:
        run.execute(replace(start, arm="critic"))
    trained = replace(start, arm=arm)
    run.execute(trained)
    evaluations = json.loads(trained.result_path.read_text())["evaluations"]
    assert [(row["step"], row["train_samples"]) for row in evaluations] == [(1, 8), (2, 16)]
    assert all(len(row["num_correct"]) == 4 for row in evaluations)


def test_an_arm_with_twice_the_samples_or_steps_is_evaluated_as_often(start):
    for arm, expected in (("grpo-twice", [(1, 16), (2, 32)]), ("supervised-grpo-twice", [(2, 16), (4, 32)])):
        trained = replace(start, arm=arm)
        run.execute(trained)
        evaluations = json.loads(trained.result_path.read_text())["evaluations"]
        assert [(row["step"], row["train_samples"]) for row in evaluations] == expected


def test_the_tables_name_known_arms():
    assert {arm for table in TABLES.values() for arm in table.all_arms} <= set(ARMS)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"arms": ["gropo"]}, "--arms gropo: unknown. Choose from: rltf, rltf-no-fine"),
        ({"tables": ["main", "maim"]}, "--tables maim: unknown. Choose from: main, corrections"),
        ({"architectures": ["gpt"]}, "--architectures gpt: unknown. Choose from: llama, t5"),
        ({"num_seeds": 0}, "--num_seeds is 0, but must be at least 1"),
        ({"samples_per_step": 12}, "--samples_per_step is 12, but must be a multiple of the group size, 8"),
    ],
)
def test_arguments_out_of_range_are_refused(given, message):
    with pytest.raises(SystemExit, match=message):
        compare.comparisons(compare.AblationArguments(**given))


def test_results_of_other_settings_are_other_files():
    slow = Run("out", "grpo", "llama", 1, Scale())
    fast = replace(slow, scale=Scale(learning_rate=1e-4))
    assert slow.result_path != fast.result_path
    assert slow.start == fast.start != replace(slow, scale=Scale(slip_share=0.5)).start
    assert slow.critic == fast.critic != replace(slow, scale=Scale(max_steps=50)).critic


def test_an_option_of_the_reward_that_is_off_keeps_earlier_results():
    settings = Run("out", "grpo", "llama", 1, Scale()).settings["arm"]
    assert "test_weights" not in {**settings["defaults"], **settings["feedback"]}
    assert Run("out", "grpo-rarity", "llama", 1, Scale()).settings["arm"]["feedback"]["test_weights"] == "rarity"


def test_a_setting_of_arms_that_is_off_keeps_earlier_results():
    assert not {"sample_factor", "supervised_share", "step_share"} & set(ARMS["grpo"].to_dict())
    assert ARMS["supervised-grpo"].to_dict()["supervised_share"] == 0.5


def test_problems_of_another_kind_have_other_results_and_keep_those_of_miniapps():
    known = Run("out", "grpo", "llama", 1, Scale())
    assert not {"num_statements", "wrong_share"} & set(known.settings["scale"])
    long, longer = (replace(known, scale=Scale(num_statements=number)) for number in (8, 16))
    assert len({known.start, long.start, longer.start}) == len({known.name, long.name, longer.name}) == 3


@pytest.mark.slow
def test_an_arm_is_trained_on_long_programs_from_a_start_with_gaps(tmp_path, monkeypatch):
    monkeypatch.setattr(problems, "_NUM_LONG_PROBLEMS", 8)
    monkeypatch.setattr(problems, "_NUM_LONG_EXAMPLES", 16)
    start = Run(str(tmp_path), "warm-start", "llama", 1, replace(TINY, num_statements=4))
    run.execute(start)
    trained = replace(start, arm="corrections")
    run.execute(trained)
    for one, steps in ((start, [0]), (trained, [1, 2])):
        evaluations = json.loads(one.result_path.read_text())["evaluations"]
        assert [row["step"] for row in evaluations] == steps
        assert all(len(row["num_correct"]) == 4 for row in evaluations)


def rows_of(arm, *pass_at_1, seed=1):
    """Evaluations every 100 samples, on 2 problems of 10 samples."""
    shares = {"PASS": 0, "FAILURE": 0, "RUNTIME_ERROR": 0, "SYNTAX_ERROR": 1, "NOT_GRADABLE": 0}
    return [
        {
            "arm": arm, "architecture": "llama", "seed": seed, "step": step, "train_samples": 100 * step, "num_samples": 10,
            "pass_at_1": share, "num_correct": [10 * share, 10 * share], **shares,
        }
        for step, share in enumerate(pass_at_1, start=0 if arm == "warm-start" else 1)
    ]  # fmt: skip


def test_the_share_of_samples_is_interpolated_on_the_curve():
    rows = (
        rows_of("warm-start", 0.2) + rows_of("slow", 0.3, 0.4) + rows_of("fast", 0.6, 0.8) + rows_of("bad", 0.1, 0.1)
    )
    slow, fast, bad = (curve(rows, name, "llama", [1]) for name in ("slow", "fast", "bad"))
    assert slow.pass_at_1.tolist() == [[0.2, 0.3, 0.4]]
    # From 0.2 to 0.6 within 100 samples, 0.4 is reached after 50, a quarter of the 200 that the slow one used.
    assert budget_ratio(fast, slow, "train_samples").value == pytest.approx(0.25)
    assert budget_ratio(slow, slow, "train_samples").value == pytest.approx(1)
    assert budget_ratio(bad, slow, "train_samples").value == np.inf
    assert np.isnan(budget_ratio(fast, bad, "train_samples").value)  # nothing was gained, so there is nothing to reach
    assert difference(fast, slow).value == pytest.approx(0.4)
    assert late_difference(fast, slow, 1).value == pytest.approx(0.4)
    assert late_difference(fast, slow, 2).value == pytest.approx((0.6 + 0.8) / 2 - (0.3 + 0.4) / 2)
    assert mean_difference(fast, slow).value == pytest.approx((0.6 + 0.8) / 2 - (0.3 + 0.4) / 2)


def test_an_arm_without_all_seeds_is_not_in_the_table():
    rows = rows_of("warm-start", 0.2) + rows_of("grpo", 0.3) + rows_of("warm-start", 0.2, seed=2)
    assert curve(rows, "grpo", "llama", [1]) is not None
    assert curve(rows, "grpo", "llama", [1, 2]) is None


REFERENCE = "v = [x + 1 for x in v]\nprint(sum(v))\n"


@pytest.mark.parametrize(
    ("program", "syntax", "flow"),
    [
        (REFERENCE, 1.0, 1.0),
        ("w = [y + 1 for y in w]\nprint(sum(w))\n", 1.0, 1.0),  # names do not matter
        ("", 0.0, 0.0),
        ("(" * 5000 + "1" + ")" * 5000, 0.0, 0.0),
        # Subtrees of print(sum(v)): two calls with their arguments. The comprehension has four, the assignment and its
        # statement two, the program one.
        ("print(sum(v))\n", 5 / 11, 0.0),
    ],
)
def test_ppocoder_counts_subtrees_and_data_flow_of_the_reference(program, syntax, flow):
    assert ast_match(program, REFERENCE) == pytest.approx(syntax)
    assert data_flow_match(program, REFERENCE) == pytest.approx(flow)


def test_a_different_source_of_a_value_is_a_different_data_flow():
    reference = "a = 1\nb = a\nc = b\n"
    # Edges of the reference: three definitions and two uses; the other program shares all but c's source and its use.
    assert data_flow_match("a = 1\nb = a\nc = a\n", reference) == pytest.approx(3 / 5)


def test_the_reward_of_ppocoder_is_the_outcome_plus_both_matches(runner):
    tests = json.dumps({"inputs": ["1 2\n"], "outputs": ["3\n"]})
    program = "print(sum(map(int, input().split())))\n"
    reward = PPOCoderReward(paper_reward(runner, adaptive_weight=0.0, token_weight=0.0))
    rewards = reward(prompts=["", ""], completions=[program, "print("], solutions=[[program]] * 2, tests=[tests] * 2)
    assert rewards[0] == pytest.approx(2.0)  # no variables: nothing flows
    assert rewards[1] == pytest.approx(-1.0, abs=0.2)
