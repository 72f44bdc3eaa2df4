"""The loaders on real problems, and on broken ones."""

import json
from collections import Counter

import pytest
from datasets import Dataset

from trl_rltf import load_apps, load_mbpp
from trl_rltf.data import apps as apps_module
from trl_rltf.execution import LocalRunner, Outcome, Program, parse_tests


COLUMNS = ["prompt", "tests", "solutions", "problem_id", "difficulty", "starter_code"]
# Several answers are correct, and the tests have one of them.
FIRST_TWO_FAIL = {"2023", "2378", "2398"}


def solved(dataset, num_solutions):
    """Ids of the problems that are solved by one of their first solutions."""
    rows = [
        (row["problem_id"], source, row["tests"]) for row in dataset for source in row["solutions"][:num_solutions]
    ]
    with LocalRunner(timeout=5.0, isolation="auto") as runner:
        reports = runner.run([Program(source, tests) for _, source, tests in rows])
    return {name for (name, _, _), report in zip(rows, reports, strict=True) if report.outcome is Outcome.PASS}


@pytest.mark.filterwarnings("ignore:Programs run with resource limits only")
@pytest.mark.parametrize(("file", "count"), [("mbpp.jsonl", 974), ("sanitized-mbpp.json", 427)])
def test_every_reference_solution_of_mbpp_passes(shared_data, file, count):
    dataset = load_mbpp(shared_data / "mbpp" / file, split="all")
    assert len(dataset) == count
    assert solved(dataset, 1) == set(dataset["problem_id"])


def test_asserts_of_mbpp_are_split_and_the_few_that_are_not_are_known(shared_data):
    dataset = load_mbpp(shared_data / "mbpp" / "mbpp.jsonl", split="all")
    modes = Counter(parse_tests(row["tests"]).mode for row in dataset)
    assert modes == {"expression": 962, "inside": 12}


@pytest.mark.filterwarnings("ignore:Programs run with resource limits only")
def test_the_reference_solutions_of_apps_pass_except_the_known_ones(shared_data):
    dataset = load_apps(shared_data / "apps")
    assert len(dataset) == 140
    assert dataset.column_names == COLUMNS
    assert set(dataset["problem_id"]) - solved(dataset, 2) == FIRST_TWO_FAIL


def test_difficulties_of_apps_can_be_chosen(shared_data):
    assert len(load_apps(shared_data / "apps", difficulties=["introductory"])) == 53


def test_splits_of_mbpp_are_those_of_its_paper(shared_data):
    file = shared_data / "mbpp" / "mbpp.jsonl"
    sizes = {split: len(load_mbpp(file, split)) for split in ("prompt", "test", "validation", "train")}
    assert sizes == {"prompt": 10, "test": 500, "validation": 90, "train": 374}


@pytest.fixture
def apps_folder(tmp_path):
    """One stdin problem and one call-based problem in the layout of APPS."""
    for name, tests, starter in (
        ("0000", {"inputs": ["1 2\n"], "outputs": ["3\n"]}, None),
        ("0001", {"fn_name": "add", "inputs": [[1, 2]], "outputs": [3]}, "def add(a, b):\n"),
    ):
        folder = tmp_path / "train" / name
        folder.mkdir(parents=True)
        (folder / "question.txt").write_text("Add two numbers.")
        (folder / "input_output.json").write_text(json.dumps(tests))
        (folder / "solutions.json").write_text(json.dumps(["print(3)"]))
        (folder / "metadata.json").write_text(json.dumps({"difficulty": "interview", "url": ""}))
        if starter:
            (folder / "starter_code.py").write_text(starter)
    return tmp_path


def test_prompts_have_the_form_of_apps(apps_folder):
    first, second = load_apps(apps_folder)["prompt"]
    assert first == "\nQUESTION:\nAdd two numbers.\nUse Standard Input format\nANSWER:\n"
    assert second == "\nQUESTION:\nAdd two numbers.\ndef add(a, b):\n\nUse Call-Based format\nANSWER:\n"


def test_a_problem_without_tests_is_left_out_with_a_warning(apps_folder, caplog):
    (apps_folder / "train" / "0000" / "input_output.json").unlink()
    assert load_apps(apps_folder)["problem_id"] == ["0001"]
    assert "1 problems have no tests and are left out: 0000" in caplog.text


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("input_output.json", "{", "input_output.json: not valid JSON"),
        ("input_output.json", '{"inputs": [], "outputs": []}', "input_output.json: the tests are empty"),
        ("input_output.json", '{"inputs": ["1"]}', "input_output.json: the tests are of an unknown format"),
        ("solutions.json", "[", "solutions.json: not valid JSON"),
    ],
)
def test_a_broken_file_is_named(apps_folder, file, text, message):
    (apps_folder / "train" / "0000" / file).write_text(text)
    with pytest.raises(ValueError, match=message):
        load_apps(apps_folder)


def test_a_missing_question_is_named(apps_folder):
    (apps_folder / "train" / "0000" / "question.txt").unlink()
    with pytest.raises(ValueError, match=r"0000: `question.txt` is missing"):
        load_apps(apps_folder)


@pytest.mark.parametrize(
    ("path", "split", "message"),
    [("./nowhere", "train", "there is no folder"), ("{folder}", "test", "has no folder 'test'")],
)
def test_a_missing_folder_is_named(apps_folder, path, split, message):
    with pytest.raises(FileNotFoundError, match=message):
        load_apps(path.format(folder=apps_folder), split=split)


def test_an_unknown_difficulty_is_refused(apps_folder):
    with pytest.raises(ValueError, match=r"'hard'.*introductory, interview, competition"):
        load_apps(apps_folder, difficulties=["hard"])


def test_the_hub_form_of_apps_is_read(monkeypatch):
    """Rows with the columns of `codeparrot/apps`, since the Hub is not reachable here."""
    rows = Dataset.from_list(
        [
            {
                "problem_id": 7,
                "question": "Add.",
                "input_output": json.dumps({"inputs": ["1"], "outputs": ["1"]}),
                "solutions": json.dumps(["print(1)"]),
                "difficulty": "competition",
                "starter_code": "",
            },
            {
                "problem_id": 8,
                "question": "",
                "input_output": "",
                "solutions": "",
                "difficulty": "interview",
                "starter_code": "",
            },
        ]
    )
    monkeypatch.setattr(apps_module, "load_dataset", lambda name, split: rows)
    dataset = load_apps("codeparrot/apps")
    assert dataset["problem_id"] == ["0007"]
    assert dataset["solutions"] == [["print(1)"]]


def mbpp_row(**changes):
    row = {
        "task_id": 601,
        "text": "Add.",
        "code": "def add(a, b): return a + b",
        "test_list": ["assert add(1, 2) == 3"],
    }
    return {key: value for key, value in {**row, **changes}.items() if value is not None}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (mbpp_row(task_id=None), "line 1: a problem needs a whole number `task_id`"),
        (mbpp_row(code=None), r"line 1: the columns \['code'\] are missing"),
        (mbpp_row(text=None), r"the columns \['text'\] are missing"),
        (mbpp_row(test_list=[]), "line 1: the tests are empty"),
        ("{", "line 1: not valid JSON"),
    ],
)
def test_a_broken_line_of_mbpp_is_named(tmp_path, row, message):
    file = tmp_path / "mbpp.jsonl"
    file.write_text(row if isinstance(row, str) else json.dumps(row))
    with pytest.raises(ValueError, match=message):
        load_mbpp(file)


def test_a_missing_file_and_an_unknown_split_of_mbpp_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file"):
        load_mbpp(tmp_path / "mbpp.jsonl")
    with pytest.raises(ValueError, match="`split` is 'dev'"):
        load_mbpp(split="dev")


def test_a_problem_without_metadata_is_kept_unless_difficulties_are_chosen(apps_folder):
    (apps_folder / "train" / "0000" / "metadata.json").unlink()
    assert load_apps(apps_folder)["problem_id"] == ["0000", "0001"]
    assert load_apps(apps_folder, difficulties=["interview"])["problem_id"] == ["0001"]


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("metadata.json", "[]", "metadata.json: must be a JSON object"),
        ("solutions.json", '"print(3)"', "list of programs"),
    ],
)
def test_a_file_with_another_structure_is_named(apps_folder, file, text, message):
    (apps_folder / "train" / "0000" / file).write_text(text)
    with pytest.raises(ValueError, match=message):
        load_apps(apps_folder)


@pytest.mark.parametrize("load", [load_apps, load_mbpp])
def test_a_dataset_that_is_neither_local_nor_on_the_hub_is_named(load):
    with pytest.raises(FileNotFoundError, match="'no-such/place' is neither a"):
        load("no-such/place")


def test_a_folder_in_place_of_the_file_of_mbpp_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="is a folder"):
        load_mbpp(tmp_path)


def test_a_hub_dataset_with_a_loading_script_is_read_from_its_files(monkeypatch):
    """`datasets` refuses loading scripts since 4.0; `codeparrot/apps` has one, and a file per split."""
    calls = []

    def load_dataset(name, split, data_files=None):
        calls.append((name, data_files))
        if data_files is None:
            raise RuntimeError("Dataset scripts are no longer supported, but found apps.py")
        tests = json.dumps({"inputs": ["1"], "outputs": ["1"]})
        row = {
            "id": 3,
            "question": "Q",
            "input_output": tests,
            "solutions": "",
            "difficulty": "interview",
            "starter_code": "",
        }
        return Dataset.from_list([row])

    monkeypatch.setattr(apps_module, "load_dataset", load_dataset)
    assert load_apps()["problem_id"] == ["0003"]
    assert calls[1] == ("json", {"train": "hf://datasets/codeparrot/apps/train.jsonl"})


BIG = "7" * 9131


def test_integers_of_any_size_in_the_tests_of_apps_are_loaded(apps_folder):
    text = f'{{"fn_name": "f", "inputs": [[{BIG}]], "outputs": [{BIG}]}}'
    (apps_folder / "train" / "0001" / "input_output.json").write_text(text)
    tests = load_apps(apps_folder)["tests"]
    assert len(tests) == 2
    assert tests[1] == text


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("input_output.json", b"[" * 100_000, "input_output.json: not valid JSON .*nested too deeply"),
        ("input_output.json", b'{"inputs": ["\xff"]}', "input_output.json: the file is not UTF-8 .* byte 13"),
        ("input_output.json", b"\0", "input_output.json: not valid JSON"),
        ("input_output.json", b'{"inputs": [1], "outputs": ["1"]}', "input_output.json: input 0 of a stdin test"),
        ("question.txt", b"\xff", "question.txt: the file is not UTF-8"),
        ("solutions.json", b"[null]", "solutions.json: the solutions must be a list of programs"),
        ("solutions.json", b'["\\ud800"]', "0000.*surrogate"),
        ("solutions.json", b"NaN", "solutions.json: the solutions must be a list"),
        ("metadata.json", b"[" * 100_000, "metadata.json: not valid JSON"),
    ],
)
def test_unreadable_bytes_raise_an_error_that_names_the_file(apps_folder, file, content, message):
    (apps_folder / "train" / "0000" / file).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        load_apps(apps_folder)


def test_byte_order_marks_windows_line_ends_and_nulls_are_accepted(apps_folder):
    folder = apps_folder / "train" / "0000"
    clean = load_apps(apps_folder).to_list()
    for file in folder.iterdir():
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert load_apps(apps_folder).to_list() == clean
    (folder / "question.txt").write_bytes(b"Add\r\ntwo.")
    (folder / "solutions.json").write_text("null")
    (folder / "metadata.json").write_text('{"difficulty": null}')
    first = load_apps(apps_folder)[0]
    assert "Add\ntwo." in first["prompt"]
    assert (first["solutions"], first["difficulty"]) == ([], "")
    (folder / "input_output.json").write_text("null")
    assert load_apps(apps_folder)["problem_id"] == ["0001"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"problem_id": None}, "row 0: the `problem_id` is None"),
        ({"question": None}, "row 0: there is no text in `question`"),
        ({"input_output": "{"}, "row 0, column `input_output`: not valid JSON"),
        ({"solutions": "[" * 100_000}, "row 0, column `solutions`: not valid JSON"),
        ({"solutions": "[1]"}, "row 0, column `solutions`: the solutions must be"),
    ],
)
def test_a_bad_row_of_the_hub_is_named(monkeypatch, changes, message):
    tests = json.dumps({"inputs": ["1"], "outputs": ["1"]})
    row = {"problem_id": 1, "question": "Q", "input_output": tests, "solutions": None, "difficulty": None}
    monkeypatch.setattr(apps_module, "load_dataset", lambda name, split: [{**row, **changes}])
    with pytest.raises(ValueError, match=message):
        load_apps("codeparrot/apps")


def test_null_fields_of_a_row_of_the_hub_are_empty(monkeypatch):
    tests = json.dumps({"inputs": ["1"], "outputs": ["1"]})
    row = {"problem_id": 1, "question": "Q", "input_output": tests, "solutions": None, "starter_code": None}
    monkeypatch.setattr(apps_module, "load_dataset", lambda name, split: [row])
    loaded = load_apps("codeparrot/apps")[0]
    assert (loaded["solutions"], loaded["starter_code"], loaded["difficulty"]) == ([], "", "")


NAN = float("nan")


@pytest.mark.parametrize("null", [None, NAN])
@pytest.mark.parametrize("field", ["test_imports", "test_setup_code", "challenge_test_list"])
def test_null_fields_of_mbpp_are_empty(tmp_path, field, null):
    file = tmp_path / "mbpp.jsonl"
    file.write_text(json.dumps({**mbpp_row(), field: null}))
    (row,) = load_mbpp(file)
    assert json.loads(row["tests"]) == {"asserts": ["assert add(1, 2) == 3"], "setup": ""}
    assert row["solutions"] == ["def add(a, b): return a + b"]


@pytest.mark.parametrize("null", [None, NAN])
def test_a_problem_of_mbpp_without_code_has_no_solution(tmp_path, null):
    file = tmp_path / "mbpp.jsonl"
    file.write_text(json.dumps({**mbpp_row(), "code": null}))
    assert load_mbpp(file)["solutions"] == [[]]


def test_a_file_of_mbpp_may_come_from_windows_and_from_pandas(tmp_path):
    file = tmp_path / "mbpp.jsonl"
    lines = [{**mbpp_row(), "task_id": 601.0}, {**mbpp_row(), "task_id": 602, "test_setup_code": "n = 1"}]
    file.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(map(json.dumps, lines)).encode() + b"\r\n\r\n")
    assert load_mbpp(file)["problem_id"] == ["601", "602"]
    file.write_text("\ufeff" + json.dumps(lines), encoding="utf-8")
    assert load_mbpp(file)["problem_id"] == ["601", "602"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"test_list": None}, r"line 1: the columns \['test_list'\] are missing"),
        ({"test_list": NAN}, r"line 1: the columns \['test_list'\] are missing"),
        ({"test_list": 3}, "line 1: `test_list` must be a text"),
        ({"test_list": ["assert add(1, 2) == 3", None]}, "line 1: `test_list` must be a text"),
        ({"test_imports": [1]}, "line 1: `test_imports` must be a text"),
        ({"code": 1}, "line 1: `code` must be a text"),
        ({"code": "\ud800"}, "line 1: the text contains half a surrogate pair"),
        ({"text": None}, "line 1: the columns"),
        ({"task_id": True}, "line 1: a problem needs a whole number"),
        ({"task_id": 601.5}, "line 1: a problem needs a whole number"),
        ({"task_id": NAN}, "line 1: a problem needs a whole number"),
        ({"task_id": float("inf")}, "line 1: a problem needs a whole number"),
    ],
)
def test_a_row_of_mbpp_with_an_invalid_field_is_named(tmp_path, row, message):
    file = tmp_path / "mbpp.jsonl"
    file.write_text(json.dumps({**mbpp_row(), **row}))
    with pytest.raises(ValueError, match=message):
        load_mbpp(file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[" * 100_000, "mbpp.jsonl: not valid JSON .*nested too deeply"),
        (b'{"a": ' * 100_000, "mbpp.jsonl, line 1: not valid JSON .*nested too deeply"),
        (b"\xff\xfe{", "mbpp.jsonl: the file is not UTF-8"),
        (b'\n{"a": "\0"}', "mbpp.jsonl, line 2: not valid JSON"),
        (b"[1]", "mbpp.jsonl, item 0: a problem needs"),
        (b"1", "mbpp.jsonl, line 1: a problem needs"),
        (b"", "mbpp.jsonl: no problem has a task id"),
        (f'{{"task_id": {"7" * 5000}}}'.encode(), "mbpp.jsonl: no problem has a task id"),
    ],
)
def test_a_file_that_is_not_mbpp_raises_an_error_that_names_the_place(tmp_path, content, message):
    file = tmp_path / "mbpp.jsonl"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        load_mbpp(file)
