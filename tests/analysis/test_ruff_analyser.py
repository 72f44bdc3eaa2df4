"""Findings of ruff in programs, hostile ones among them."""

import json
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import COMPLETION_PIECES, span_at

from trl_rltf.analysis import DEFAULT_RULES, AnalysisError, Finding, RuffAnalyser
from trl_rltf.analysis.findings import one_line, read_findings
from trl_rltf.analysis.ruff_process import find_ruff
from trl_rltf.analysis.rules import COMPILE_RULES
from trl_rltf.execution import Outcome, Program


pytest.importorskip("ruff", reason="ruff is not installed")


@pytest.fixture(scope="module")
def analyser():
    return RuffAnalyser()


def rules_of(analyser, *sources):
    return [[finding.rule for finding in found] for found in analyser(sources)]


DEFECTS = {
    "F821": "print(x)\n",
    "F823": "x = 1\ndef f():\n    print(x)\n    x = 2\n    return x\n",
    "F811": "def f():\n    return 1\ndef f():\n    return 2\n",
    "F841": "def f():\n    x = 1\n",
    "F402": "import os\nfor os in range(3):\n    print(os)\n",
    "B006": "def f(a=[]):\n    return a\n",
    "B020": "x = [1]\nfor x in x:\n    print(x)\n",
    "B023": "def f(a):\n    for i in a:\n        yield lambda: i\n",
    "PLW0127": "x = 1\nx = x\n",
    "PLW0128": "x, x = 1, 2\n",
    "F631": "assert (1, 'a')\n",
    "F632": "x = 1\nprint(x is 'a')\n",
    "F634": "if (1, 2):\n    pass\n",
    "PLR0124": "x = 1\nprint(x == x)\n",
    "PLR0133": "print(1 == 2)\n",
    "PLW0129": "assert 'always'\n",
    "PLW0177": "x = 1\nprint(x == float('nan'))\n",
    "PLW0711": "try:\n    pass\nexcept ValueError or KeyError:\n    pass\n",
    "RUF034": "x = 1\nprint(1 if x else 1)\n",
    "RUF060": "x = 1\nprint(x in [])\n",
    "SIM220": "x = 1\nprint(x and not x)\n",
    "SIM221": "x = 1\nprint(x or not x)\n",
    "SIM222": "x = 1\nif x or True:\n    pass\n",
    "SIM223": "x = 1\nif x and False:\n    pass\n",
    "B002": "n = 1\nprint(++n)\n",
    "B015": "x = 1\nx == 2\n",
    "B018": "x = 1\nx\n",
    "B032": "x = {}\nx['a']: 1\n",
    "PLW0133": "ValueError('a')\n",
    "B012": "def f():\n    try:\n        pass\n    finally:\n        return 1\n",
    "B016": "raise 'error'\n",
    "B025": "try:\n    pass\nexcept ValueError:\n    pass\nexcept ValueError:\n    pass\n",
    "B029": "try:\n    pass\nexcept ():\n    pass\n",
    "B030": "try:\n    pass\nexcept 1:\n    pass\n",
    "B031": "from itertools import groupby\nfor k, g in groupby([1]):\n    for _ in range(2):\n        print(list(g))\n",
    "B033": "print({1, 1})\n",
    "B035": "print({'a': i for i in range(3)})\n",
    "F601": "print({'a': 1, 'a': 2})\n",
    "PLE0101": "class A:\n    def __init__(self):\n        return 1\n",
    "PLE0643": "print([1, 2][3])\n",
    "PLE1132": "def f(**k): ...\nf(a=1, **{'a': 2})\n",
    "PLE1307": "print('%d' % 'a')\n",
    "PLE1310": "print('abc'.strip('aa'))\n",
    "RUF016": "print([1]['a'])\n",
    "RUF024": "print(dict.fromkeys('ab', []))\n",
    "F501": "print('%' % 1)\n",
    "F502": "print('%(a)s' % (1,))\n",
    "F503": "print('%s %s' % {'a': 1})\n",
    "F505": "print('%(a)s' % {'b': 1})\n",
    "F506": "print('%s %(a)s' % {'a': 1})\n",
    "F507": "print('%s %s' % (1,))\n",
    "F508": "print('%*.*f' % {'a': 1})\n",
    "F509": "print('%y' % 1)\n",
    "F521": "print('{'.format(1))\n",
    "F524": "print('{} {}'.format(1))\n",
    "F525": "print('{} {0}'.format(1))\n",
}


def test_each_default_rule_finds_its_defect(analyser):
    assert set(DEFECTS) == set(DEFAULT_RULES)
    found = dict(zip(DEFECTS, rules_of(analyser, *DEFECTS.values()), strict=True))
    missed = {rule: names for rule, names in found.items() if rule not in names}
    assert not missed


NOT_COMPILED = {
    "F404": "x = 1\nfrom __future__ import annotations\n",
    "F406": "def f():\n    from math import *\n",
    "F622": "*a, *b = [1]\n",
    "F701": "break\n",
    "F702": "continue\n",
    "F704": "yield 1\n",
    "F707": "try:\n    pass\nexcept:\n    pass\nexcept ValueError:\n    pass\n",
    "PLE0118": "def f():\n    print(x)\n    global x\n",
    "PLE1142": "def f():\n    await x\n",
}


def test_programs_that_python_does_not_compile_have_an_invalid_syntax(analyser):
    assert {*NOT_COMPILED, "F621"} == COMPILE_RULES  # the last one needs 16 million names
    for source in NOT_COMPILED.values():
        with pytest.raises(SyntaxError):
            compile(source, "p", "exec")
    assert rules_of(analyser, *NOT_COMPILED.values()) == [["invalid-syntax"]] * len(NOT_COMPILED)


@pytest.mark.parametrize(
    "source", ["x = = 1\n", "print(1", "if x:\n", "x = 'a\n", "\tx\n  y\n", "def f(a, a): pass\n", "a\0b"]
)
def test_a_syntax_error_is_the_only_finding(analyser, source):
    assert rules_of(analyser, f"undefined\n{source}") == [["invalid-syntax"]]


def test_a_script_that_the_grader_runs_inside_a_function_has_a_valid_syntax(analyser, runner):
    programs = ["print(3)\nreturn\n", "a = 1\ndef f():\n    nonlocal a\n    a = 3\nf()\nprint(a)\n"]
    tests = {"inputs": [""], "outputs": ["3"]}
    reports = runner.run([Program(program, tests) for program in programs])
    assert [report.outcome for report in reports] == [Outcome.PASS] * 2
    assert not any("invalid-syntax" in rules for rules in rules_of(analyser, *programs))


def test_a_finding_has_the_lines_and_columns_of_the_program(analyser):
    (found,) = analyser(["a = 1\né = '🐍' + nothing\n"])
    assert found == (Finding("F821", "Undefined name `nothing`", span_at(2, 10, 2, 17)),)
    assert str(found[0]) == "2: F821 Undefined name `nothing`"


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_all_line_ends_count(analyser, line_end):
    (found,) = analyser([f"a = 1{line_end}\x0c{line_end}print(nothing)"])
    assert [finding.span for finding in found] == [span_at(3, 6, 3, 13)]


def test_a_byte_order_mark_belongs_to_the_first_line(analyser):
    (found,) = analyser(["\ufeffprint(a)\nprint(b)\n"])
    assert [finding.span for finding in found] == [span_at(1, 7, 1, 8), span_at(2, 6, 2, 7)]


def test_findings_are_in_the_order_of_their_positions(analyser):
    (found,) = analyser(["print(b)\ndef f(x=[]):\n    print(a)\n"])
    assert [finding.span.line for finding in found] == [1, 2, 3]


@pytest.mark.parametrize(
    "comment",
    [
        "# ruff: noqa",
        "# flake8: noqa",
        "# ruff: noqa: F821",
        "# ruff: file-ignore[F821]",
        "# ruff: disable[F821]",
        "# ruff: ignore[F821]",
        "# type: ignore",
        "# pylint: disable=all",
        "# isort: skip_file",
        '# /// script\n# requires-python = ">=3.14"\n# [tool.ruff]\n# exclude = ["*"]\n# ///',
    ],
)
def test_a_program_cannot_switch_rules_off(analyser, comment):
    assert rules_of(analyser, f"{comment}\nprint(nothing)  # noqa\n{comment}\n") == [["F821"]]


def test_a_program_cannot_choose_the_version_of_python(analyser):
    header = '# /// script\n# requires-python = ">=3.99"\n# ///\n'
    newer = "import sys\ntype X[T] = T\n" if sys.version_info < (3, 12) else "print(f'{undefined}')\n"
    assert rules_of(analyser, header + newer) == rules_of(analyser, newer)


def test_no_configuration_is_read(monkeypatch, tmp_path):
    for name in ("ruff.toml", ".ruff.toml"):
        (tmp_path / name).write_text('exclude = ["*"]\nlint.ignore = ["F821"]\n')
    (tmp_path / "pyproject.toml").write_text("[tool.ruff]\nline-length = 'not a number'\n")
    (tmp_path / ".gitignore").write_text("*\n")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("RUFF_OUTPUT_FORMAT", "full")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert rules_of(RuffAnalyser(), "print(nothing)\n") == [["F821"]]
    assert {path.name for path in tmp_path.iterdir()} == {"ruff.toml", ".ruff.toml", "pyproject.toml", ".gitignore"}


def test_equal_programs_are_analysed_once_and_each_gets_the_findings(analyser, monkeypatch):
    runs = []
    original = analyser._run
    monkeypatch.setattr(analyser, "_run", lambda sources, timeout: runs.append(sources) or original(sources, timeout))
    found = analyser(["print(a)\n", "print(1)\n", "print(a)\n"])
    assert [len(one) for one in found] == [1, 0, 1]
    assert runs == [["print(a)\n", "print(1)\n"]]


def test_no_program_and_an_empty_program_have_no_findings(analyser):
    assert analyser([]) == []
    assert analyser(["", " \n", "\n\n"]) == [(), (), ()]


HOSTILE = {
    "null bytes": "\0" * 1000,
    "lone surrogates": "x = '\ud800\udfff'\n\ud800 = 1\n",
    "a line of 10 MB": "x = '" + "a" * 10**7 + "'\n",
    "brackets": "[" * 30_000 + "]" * 30_000,
    "operators": "x = " + "-" * 90_000 + "1\n",
    "attributes": "x" + ".a" * 40_000,
    "calls": "f" + "()" * 40_000,
    "sums": "x = " + "+".join("1" * 40_000),
    "else": "x = " + "1 if a else " * 8000 + "1\n",
    "lambdas": "x = " + "lambda: " * 9000 + "1\n",
    "many findings": "a;" * 49_000,
    "form feeds": "\x0c" * 50_000 + "x = 1\n",
    "tabs": "\t" * 99_000,
    "quotes": "'" * 99_000,
    "continued lines": "\\\n" * 49_000,
    "nested format strings": "f'" + "{f'" * 5000,
    "marks of direction": "\u202e\u2066x = 1\u2069\n",
    "a path": "# filename: ../../../etc/passwd\n",
}


def test_hostile_programs_hurt_neither_the_analyser_nor_other_programs(analyser):
    innocent = {f"x{i} = {i}\nprint(y{i})\n": f"Undefined name `y{i}`" for i in range(8)}
    sources = [source for pair in zip(innocent, list(HOSTILE.values())[:8], strict=True) for source in pair]
    sources += list(HOSTILE.values())[8:]
    began = time.monotonic()
    found = dict(zip(sources, analyser(sources), strict=True))
    assert time.monotonic() - began < 60
    assert [found[source][0].message for source in innocent] == list(innocent.values())
    assert [len(found[source]) for source in innocent] == [1] * 8
    results = {name: found[source] for name, source in HOSTILE.items()}
    rules = {name: None if found is None else [f.rule for f in found][:1] for name, found in results.items()}
    for name in ("brackets", "operators", "attributes", "calls", "sums", "else", "a line of 10 MB", "many findings"):
        assert rules[name] == ["unreadable"], name
    for name in ("null bytes", "lone surrogates", "nested format strings"):
        assert rules[name] in (["invalid-syntax"], ["unreadable"]), name
    assert None not in rules.values()


@settings(max_examples=25)
@given(st.lists(st.lists(st.sampled_from(COMPLETION_PIECES), max_size=30).map("".join), min_size=1, max_size=20))
def test_any_text_has_findings_within_it(sources):
    analyser = _analyser_for_examples()
    for source, found in zip(sources, analyser(sources), strict=True):
        assert found is not None
        lines = source.count("\n") + source.count("\r") + 1
        for finding in found:
            assert finding.rule in {*DEFAULT_RULES, "invalid-syntax"}
            assert 1 <= finding.span.line <= lines + 1
            assert finding.span.column >= 0
            assert finding.message.isprintable()


_KNOWN = []


def _analyser_for_examples():
    if not _KNOWN:
        _KNOWN.append(RuffAnalyser())
    return _KNOWN[0]


def test_when_the_time_is_over_the_programs_that_are_left_have_no_result():
    analyser = RuffAnalyser()
    analyser.timeout = 1e-9
    assert analyser(["print(a)\n", "x" * 200_000]) == [
        None,
        (Finding("unreadable", "The program has more than 100,000 characters."),),
    ]


def test_a_ruff_that_has_stopped_working_is_an_error(tmp_path):
    analyser = RuffAnalyser()
    analyser._ruff = str(tmp_path / "ruff")
    with pytest.raises(AnalysisError, match=r"Ruff ended with exit code 1 on an empty program: .*No such file"):
        analyser(["print(1)\n"])


def test_a_ruff_with_another_output_is_an_error(tmp_path):
    analyser = RuffAnalyser()
    fake = tmp_path / "ruff"
    fake.write_text("#!/bin/sh\necho '{}'\n")
    fake.chmod(0o755)
    analyser._ruff = str(fake)
    with pytest.raises(AnalysisError, match=r"The output of ruff cannot be read .* Install a version of ruff"):
        analyser(["print(1)\n"])


def test_without_ruff_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ruff", None)
    with pytest.raises(ImportError, match=r'pip install "trl-rltf\[analysis\]"'):
        find_ruff()


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ("F821", "`rules` is 'F821', but must be a list of codes"),
        ([], r"`rules` is \[\], but must be a list of codes"),
        (["undefined-name"], "must be a list of codes"),
        (["F821", 3], "must be a list of codes"),
        (["--fix"], "must be a list of codes"),
        (["F821,ALL"], "must be a list of codes"),
        (["F999"], "Ruff does not know one of `rules`: .*F999"),
        (["PLE4703"], "One of `rules` is not stable: .*PLE4703"),
    ],
)
def test_rules_that_ruff_does_not_have_are_refused(rules, message):
    with pytest.raises(ValueError, match=f"(?s){message}"):
        RuffAnalyser(rules)


@pytest.mark.parametrize(
    "limits", [{"timeout": 0}, {"timeout": float("inf")}, {"memory_limit": 10}, {"memory_limit": "1"}]
)
def test_limits_out_of_range_are_refused(limits):
    with pytest.raises(ValueError, match=f"`{next(iter(limits))}` is "):
        RuffAnalyser(**limits)


def test_only_the_rules_that_were_asked_for_are_found():
    assert rules_of(RuffAnalyser(["F841"]), "def f():\n    x = 1\n    print(y)\n", "x = = 1") == [
        ["F841"],
        ["invalid-syntax"],
    ]


def test_an_error_of_ruff_about_a_file_makes_it_unreadable():
    row = {"filename": "/tmp/0.py", "code": "panic", "message": "Panicked at 'index'"}
    assert read_findings(json.dumps(row), ["x"]) == [(Finding("unreadable", "Panicked at 'index'"),)]


def test_a_message_is_one_printable_line_of_bounded_length():
    assert one_line("a\n\0b\u202e" + "c" * 300) == "a �b�" + "c" * 194 + "…"
