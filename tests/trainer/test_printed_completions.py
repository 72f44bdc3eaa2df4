"""The table of completions that a training prints."""

from trl_rltf.trainer.printed_completions import print_completions, printed_shortly


def printed(capsys, monkeypatch, number, **options):
    monkeypatch.setenv("COLUMNS", "80")
    completions = [f"```python\nprint({index})\n```\n" + "x " * 500 for index in range(number)]
    prompts = ["A long prompt. " * 50 + f"Print {index}." for index in range(number)]
    extra = {"outcome": ["PASS"] * number, "first_failure": ["y " * 300] * number}
    print_completions(prompts, completions, {"tests": [0.5] * number}, [0.1] * number, 3, extra=extra, **options)
    return capsys.readouterr().out.splitlines()


def test_the_table_has_few_rows_and_fits_the_terminal(capsys, monkeypatch):
    lines = printed(capsys, monkeypatch, 64)
    assert len(lines) < 15
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    assert "5 of 64 completions" in text
    assert text.count("PASS") == 5
    assert text.count("0.50") == 5
    assert "Print 51." in text  # spread over all of them


def test_the_number_of_rows_is_that_of_the_settings(capsys, monkeypatch):
    assert "\n".join(printed(capsys, monkeypatch, 8, num_samples=2)).count("PASS") == 2


def test_the_printer_of_trl_is_restored():
    from trl.trainer import grpo_trainer

    before = grpo_trainer.print_prompt_completions_sample
    with printed_shortly():
        assert grpo_trainer.print_prompt_completions_sample is print_completions
    assert grpo_trainer.print_prompt_completions_sample is before
