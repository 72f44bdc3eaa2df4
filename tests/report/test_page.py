"""The file needs no network, holds no text of a model as markup, and is readable in light and dark."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from importlib import resources

import pytest

from trl_rltf.report import Run, read_run, write_report
from trl_rltf.report.curves import draw_curves, points_of
from trl_rltf.report.page import completion_data, escape_json, make_page


HISTORY = [
    {"step": 1, "reward": 0.25, "reward_std": 0.1, "loss": 0.5, "outcome/pass": 0.25, "outcome/failure": 0.75},
    {"step": 2, "reward": float("nan"), "reward_std": 0.1, "loss": 0.4, "outcome/pass": 0.5, "outcome/failure": 0.5},
    {"step": 2, "eval_pass@1": 0.75},
    {"step": 3, "reward": 0.5, "loss": None, "outcome/pass": 1.0, "outcome/failure": 0.0, "buffer/age": 2.0},
    {"step": 3, "train_runtime": 1.0},
]
ROW = {
    "name": "pass@1",
    "before": {"value": 0.25, "low": 0.125, "high": 0.5},
    "after": {"value": 0.5, "low": 0.25, "high": 0.75},
}
ROW["difference"] = {"value": 0.25, "low": -0.0625, "high": 0.5}
OTHER = {"name": "PASS", "before": {"value": 0.25}, "after": {"value": 0.125}, "difference": {"value": -0.125}}
RESULTS = {"version": 1, "num_problems": 8, "num_samples": 4, "rows": [ROW, OTHER]}


class Elements(HTMLParser):
    """Tags and texts of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts = [("", {})], {}
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, text):
        tag, attributes = self.tags[-1]
        self.texts.setdefault(attributes.get("id", tag), []).append(text)


@pytest.mark.parametrize(
    "text", ["</script>", "<!--", "<script>", "]]>", "&lt;", "\u2028\u2029", "\x00", "\ud800", "\u202e", "é"]
)
def test_a_block_of_json_has_no_character_that_ends_it(text):
    written = escape_json({"text": text})
    assert not re.search(r"[<>&\x00-\x1f\x7f-\U0010ffff]", written)
    assert json.loads(written) == {"text": text}


def test_the_policy_allows_the_script_and_the_style_of_the_page_and_nothing_else(write_records):
    page = make_page(read_run(write_records({})))
    elements = Elements(page)
    (policy,) = (attributes["content"] for tag, attributes in elements.tags if "http-equiv" in attributes)
    parts = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert parts["default-src"] == parts["base-uri"] == parts["form-action"] == "'none'"
    for name, tag in (("script-src", "script"), ("style-src", "style")):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert parts[name] == f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_the_page_loads_nothing(write_records):
    folder = write_records({})
    (folder / "trainer_state.json").write_text(json.dumps({"log_history": HISTORY}))
    page = make_page(read_run(folder))
    for _, attributes in Elements(page).tags:
        for name in ("src", "href", "action", "srcset", "poster", "data", "style"):
            assert re.match(r"#|data:,", attributes.get(name) or "#"), attributes
    assert not re.search(r"@import|url\((?!#)|https?://", page)


def test_the_same_run_gives_the_same_file(write_records):
    folder = write_records({})
    (folder / "trainer_state.json").write_text(json.dumps({"log_history": HISTORY}))
    first = write_report(folder).read_bytes()
    assert write_report(folder).read_bytes() == first


def test_long_texts_are_cut_and_the_rest_is_counted(write_records):
    folder = write_records({"completion": "x" * 8001, "prompt": "y" * 9000, "prompt_length": 20_000})
    data = completion_data(read_run(folder))
    completion = dict(zip(data["fields"], data["completions"][0], strict=True))
    assert (len(completion["text"]), completion["leftOut"]) == (8000, 1)
    (problem,) = data["problems"]
    assert (len(problem[2]), problem[3]) == (8000, 12_000)


def test_a_prompt_is_written_once_for_its_completions(write_records):
    data = completion_data(read_run(write_records(*({"problem": "a", "reward": n} for n in range(3)))))
    assert len(data["problems"]) == 1
    assert [row[data["fields"].index("problem")] for row in data["completions"]] == [0, 0, 0]


def test_the_table_has_both_results_with_their_intervals_and_the_difference():
    elements = Elements(make_page(Run(None, history=HISTORY, results=RESULTS), "run"))
    cells = [text for name in ("td", "th") for text in elements.texts[name]]
    for cell in ("25.0 %", "[12.5 %, 50.0 %]", "50.0 %", "+25.0", "[\N{MINUS SIGN}6.2, +50.0]", "\N{MINUS SIGN}12.5"):
        assert cell in cells


def test_an_evaluation_has_its_scores_and_outcomes():
    score = {"value": 0.5, "low": 0.25, "high": 0.75}
    scores = {"all": {"pass@1": score, "pass@10": score}, "<hard>": {"pass@1": score}}
    summary = {"num_problems": 2, "num_samples": 10, "scores": scores, "outcomes": {"PASS": 5, "FAILURE": 15}}
    page = make_page(Run(None, summary=summary, settings={"benchmark": "<mbpp>"}), "evaluation")
    elements = Elements(page)
    assert {"all", "<hard>", "PASS", "FAILURE"} <= set(elements.texts["th"])
    assert {"[25.0 %, 75.0 %]", "25.0 %", "75.0 %"} <= set(elements.texts["td"])
    assert "<mbpp>" in elements.texts["p"]
    assert "pass@k with 95 % intervals over the problems" in elements.texts["figcaption"]


# ---------------------------------------------------------------------- curves


def test_logs_without_a_finite_value_are_left_out():
    assert points_of(HISTORY, "reward") == [(1, 0.25), (3, 0.5)]
    assert points_of(HISTORY, "loss") == [(1, 0.5), (2, 0.4)]
    assert points_of(HISTORY, "nothing") == []


def test_each_metric_that_was_logged_has_a_curve():
    curves = {curve.title: curve for curve in draw_curves(Run(None, history=HISTORY, results=RESULTS))}
    assert list(curves) == [
        "Reward of the training samples",
        "Programs that pass all tests",
        "Outcomes of the training samples",
        "Age of the samples in the buffer, optimizer steps",
        "Loss",
    ]
    assert curves["Loss"].description == "loss from 0.5 at 1 to 0.4 at 2"
    described = curves["Programs that pass all tests"].description
    assert "held-out pass@1 from 0.25 at 0 to 0.5 at 3" in described
    assert "pass@1 eval from 0.75 at 2 to 0.75 at 2" in described


def test_the_losses_are_apart_if_solutions_are_in_the_loss():
    history = [{"step": 1, "loss": 2.0, "loss/rl": 1.0, "loss/ce": 0.1}]
    titles = [curve.title for curve in draw_curves(Run(None, history=history))]
    assert titles == ["Loss of the advantages", "Cross entropy of the solutions, nats per token"]


def test_a_drawing_takes_its_colours_from_the_page():
    curves = draw_curves(Run(None, history=HISTORY, results=RESULTS))
    for curve in curves:
        assert not re.search(r'"#[0-9a-f]{6}"| style=|<style|<metadata', curve.svg)
        assert "<text" in curve.svg
    ids = re.findall(r' id="([^"]+)"', "".join(curve.svg for curve in curves))
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', "".join(curve.svg for curve in curves))) <= set(ids)


# ---------------------------------------------------------------------- colours


def variables(scheme):
    style = (resources.files("trl_rltf.report") / "page.css").read_text()
    light, dark = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[:2]
    found = dict(re.findall(r"(--[\w-]+): (#[0-9a-f]{6})", light))
    return found if scheme == "light" else {**found, **dict(re.findall(r"(--[\w-]+): (#[0-9a-f]{6})", dark))}


def luminance(colour):
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first, second):
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_have_the_contrast_that_wcag_asks_for(scheme):
    colours = variables(scheme)
    texts = "ink muted keyword string comment number name builtin".split()
    for name in texts:
        for ground in ("paper", "raised", "error-line"):
            assert contrast(colours[f"--{name}"], colours[f"--{ground}"]) >= 4.5, (name, ground)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_lines_have_the_contrast_that_wcag_asks_of_graphics(scheme):
    colours = variables(scheme)
    for name in ("line", "second", "focus"):
        assert contrast(colours[f"--{name}"], colours["--paper"]) >= 3
