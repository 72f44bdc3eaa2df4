"""The command writes a report, or says in a sentence why it cannot."""

import json

import pytest

from trl_rltf import cli
from trl_rltf.execution import Outcome
from trl_rltf.metrics import Evaluation
from trl_rltf.metrics.statistics import ProblemCounts
from trl_rltf.scripts.tables import report_training


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "trainer_state.json").write_text(json.dumps({"log_history": [{"step": 1, "reward": 0.5}]}))
    return folder


def test_the_command_writes_the_file_and_prints_its_path(folder, capsys):
    assert cli.main(["report", str(folder)]) == 0
    assert capsys.readouterr().out == f"Report: {folder / 'report.html'}\n"
    assert "<title>run" in (folder / "report.html").read_text()


def test_the_file_and_its_title_are_chosen(folder, tmp_path):
    assert cli.main(["report", str(folder), "--output", str(tmp_path / "new/page.html"), "--title", "My run"]) == 0
    assert "<title>My run" in (tmp_path / "new/page.html").read_text()
    assert not (folder / "report.html").exists()


@pytest.mark.parametrize(
    ("arguments", "message"), [(["nowhere"], "There is no folder"), (["run", "--max_completions", "-1"], "at least 0")]
)
def test_bad_input_ends_with_a_sentence(folder, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        cli.main(["report", *arguments])
    assert end.value.code == 2
    assert message in capsys.readouterr().err


def test_the_command_imports_no_torch(folder, run_script):
    code = "import sys; from trl_rltf import cli; cli.main(['report', sys.argv[1]]); assert 'torch' not in sys.modules"
    run_script(code, folder)


def test_a_missing_package_is_named(folder, run_script):
    code = "import sys; sys.modules['jinja2'] = None; from trl_rltf import cli; cli.main(['report', sys.argv[1]])"
    result = run_script(code, folder, check=False)
    assert result.returncode == 2
    assert result.stderr == (
        "trl-rltf report: the package 'jinja2' is not installed. Run `pip install \"trl-rltf[report]\"`.\n"
    )


def evaluation(*num_correct):
    counts = [
        ProblemCounts(str(index), num_samples=2, num_correct=number, num_whole_correct=number)
        for index, number in enumerate(num_correct)
    ]
    outcomes = dict.fromkeys((outcome.name for outcome in reversed(Outcome)), 0)
    outcomes |= {"PASS": sum(num_correct), "FAILURE": 2 * len(num_correct) - sum(num_correct)}
    return Evaluation(counts, outcomes, num_clipped=1)


def test_the_end_of_a_training_writes_its_results_and_its_report(tmp_path, capsys):
    history = [{"step": 4, "reward": 0.5, **{f"outcome/{outcome.name.lower()}": 0.2 for outcome in Outcome}}]
    report_training(evaluation(0, 1), evaluation(1, 2), history, tmp_path)
    assert f"Report: {tmp_path / 'report.html'}" in capsys.readouterr().out.replace("\n", "")
    results = json.loads((tmp_path / "training_results.json").read_text())
    assert (results["version"], results["num_problems"], results["num_samples"]) == (1, 2, 2)
    assert results["history"] == history
    rows = {row["name"]: row for row in results["rows"]}
    assert list(rows) == ["pass@1", "PASS", "FAILURE", "cut at the length limit"]
    assert rows["pass@1"]["before"]["value"] == 0.25
    assert rows["pass@1"]["after"]["value"] == 0.75
    assert rows["pass@1"]["difference"] == {"value": 0.5, "low": 0.5, "high": 0.5}  # the same of each problem
    assert rows["FAILURE"]["difference"]["value"] == -0.5
    assert rows["cut at the length limit"]["before"]["value"] == 0.25
