"""The page works in a real browser: filters, keyboard, hostile texts, many completions, dark, narrow and printed."""

import pytest

from trl_rltf import UnitTestRewardFunction
from trl_rltf.report import write_report


pytestmark = pytest.mark.slow
PROGRAM = "def add(a, b):\n    return a + c\n\nprint(add(1, 2))\n"
# Text of a completion, and what the page shows.
HOSTILE = [
    ("<script>alert(1)</script>", "<script>alert(1)</script>"),
    ("</script><script>alert(1)</script>", "</script><script>alert(1)</script>"),
    ("<!-- <script>", "<!-- <script>"),
    ("--><img src=x onerror=alert(1)>", "--><img src=x onerror=alert(1)>"),
    ("x = '\u202eevil\u202c' \u2066y\u2069", "x = 'U+202EevilU+202C' U+2066yU+2069"),
    ("a\x00b\x1b[31m", "aU+0000bU+001B[31m"),
    ("half \ud83d and \ude00 alone", "half U+D83D and U+DE00 alone"),
    ("\U0001f600 é 漢字", "\U0001f600 é 漢字"),
    ("one\u2028two\u2029three\u0085four", "oneU+2028twoU+2029threeU+0085four"),
    ("a\ufeffb\u200bc\u00add", "aU+FEFFbU+200BcU+00ADd"),
    ("&lt;b&gt; &amp; {{ 7 * 7 }} ${x} `", "&lt;b&gt; &amp; {{ 7 * 7 }} ${x} `"),
]


@pytest.mark.parametrize("place", ["completion", "prompt", "problem", "first_failure", "error_type", "difficulty"])
def test_texts_of_models_and_datasets_stay_text(open_page, write_records, place):
    folder = write_records(
        *({place: text, "problem": f"{n}", **({place: text})} for n, (text, _) in enumerate(HOSTILE))
    )
    page = open_page(write_report(folder))
    shown = {
        "completion": "#program",
        "prompt": "#prompt-text",
        "problem": "#name",
        "first_failure": "#tests",
        "error_type": "#tests",
        "difficulty": "#facts",
    }
    for number, (_, expected) in enumerate(HOSTILE):
        if number:
            page.press("j")
        assert expected in page.text(shown[place])
        assert (
            page.run(
                "return document.querySelectorAll('#completions :is(img, b, script:not(#data, #data + script))').length"
            )
            == 0
        )


def test_a_hostile_title_and_folder_stay_text(open_page, write_records, tmp_path):
    folder = write_records({}, folder=tmp_path / "<b>run&amp;")
    assert open_page(write_report(folder)).text("h1") == "<b>run&amp;"
    page = open_page(write_report(folder, title="</title><script>alert(1)</script>"))
    assert page.text("h1") == "</title><script>alert(1)</script>"


def test_a_script_that_is_not_the_pages_own_does_not_run(open_page, write_records):
    page = open_page(write_report(write_records({})))
    page.run(
        "const script = document.createElement('script'); script.textContent = 'window.ran = true';"
        "document.body.append(script); const image = new Image(); image.src = 'http://127.0.0.1:9/x.png';"
        "document.body.append(image)"
    )
    assert page.run("return window.ran") is None
    complaints = page.errors
    assert any("script-src" in text for text in complaints)
    assert any("img-src" in text for text in complaints)


def records_to_filter():
    return [
        {"problem": "a", "step": 0, "outcome": "PASS", "reward": 1.0, "tests_passed": "2/2"},
        {"problem": "a", "step": 5, "outcome": "FAILURE", "reward": 0.5, "completion": "print('needle')"},
        {"problem": "b", "step": 5, "outcome": "PASS", "reward": 0.9},
        {"problem": "c", "step": 5, "outcome": "SYNTAX_ERROR", "reward": None, "tests_passed": "0/4"},
        {"problem": "d", "step": 9, "outcome": "RUNTIME_ERROR", "reward": -0.25},
    ]


def test_completions_are_filtered_by_outcome_step_problem_and_text(open_page, write_records):
    page = open_page(write_report(write_records(*records_to_filter())))
    assert page.names == ["a", "a", "b", "c", "d"]
    page.choose("outcome", "PASS")
    assert page.names == ["a", "b"]
    page.choose("step", "5")
    assert page.names == ["b"]
    page.choose("outcome", "")
    assert page.names == ["a", "b", "c"]
    page.choose("problem", "0")
    assert page.names == ["a"]
    page.choose("text", "nothing has this")
    assert page.names == []
    assert page.text("#status") == "No completion passes the filters."
    page.press("r")
    page.choose("text", "needle")
    assert page.names == ["a"]
    assert page.text("#range") == "1–1 of 1"


def test_completions_are_sorted_by_reward(open_page, write_records):
    page = open_page(write_report(write_records(*records_to_filter())))
    # Without a reward, the share of the tests passed counts: 0 of 4.
    page.choose("order", "highest")
    assert page.names == ["a", "b", "a", "c", "d"]
    page.choose("order", "lowest")
    assert page.names == ["d", "c", "a", "b", "a"]
    assert page.text("#name") == "d"


def test_the_keyboard_moves_through_the_completions(open_page, write_records):
    from selenium.webdriver.common.keys import Keys

    page = open_page(write_report(write_records(*({"problem": str(number)} for number in range(5)))))
    seen = []
    for key in ("j", Keys.ARROW_RIGHT, "j", "k", Keys.ARROW_LEFT, "k", "k"):
        page.press(key)
        seen.append(page.text("#name"))
    assert seen == ["1", "2", "3", "2", "1", "0", "0"]
    page.press("/", "j", "k")  # in the search field these are letters
    assert page.run("return document.activeElement.value") == "jk"
    page.press(Keys.ESCAPE)
    page.press("r")
    assert page.names == ["0", "1", "2", "3", "4"]
    page.run("document.getElementById('list').focus()")
    page.press(Keys.END)
    assert page.text("#name") == "4"
    page.press(Keys.HOME, Keys.ARROW_DOWN)
    assert page.text("#name") == "1"
    assert page.run("return document.getElementById('list').getAttribute('aria-activedescendant')") == "option-1"
    page.run("document.getElementById('shortcuts').click(); document.activeElement.blur()")
    page.press("j")
    assert page.text("#name") == "1"


def test_credits_are_under_the_tokens_and_the_failing_line_is_named(open_page, write_records):
    begin = PROGRAM.index("a + c")
    text = f"\U0001f600 Sure:\n```python\n{PROGRAM}```\n"
    offset = text.index(PROGRAM)
    credits = [[offset + 4, offset + 7, 0.25], [offset + begin, offset + begin + 5, -1.0]]
    failure = "input: '1 2\\n'\nexpected: '3\\n'\ngot: NameError: name 'c' is not defined"
    change = {"completion": text, "credits": credits, "outcome": "RUNTIME_ERROR", "error_type": "NameError"}
    page = open_page(write_report(write_records({**change, "error_line": 2, "first_failure": failure})))
    marked = "return [...document.querySelectorAll(arguments[0])].map((part) => [part.textContent, part.title])"
    assert "".join(part for part, _ in page.run(marked, "#program .worse")) == "a + c"
    assert {title for _, title in page.run(marked, "#program .worse.h4")} == {"credit −1"}
    assert page.run(marked, "#program .better.h1") == [["add", "credit +0.25"]]
    assert page.text("#program .failing") == "The error is in this line:     return a + c\n"
    assert page.run("return document.querySelector('#program .failing').dataset.number") == "2"
    assert page.text("#program .k") == "def"
    told = page.run("return [...document.querySelectorAll('.test :is(dt, dd)')].map((part) => part.textContent)")
    assert told == [
        *("error", "NameError in line 2 of the program", "input", r"'1 2\n'", "expected", r"'3\n'"),
        *("got", "NameError: name 'c' is not defined"),
    ]
    cells = page.run("return [...document.querySelectorAll('#credits td')].map((cell) => cell.textContent)")
    assert cells == ["1", "+0.25", "add", "2", "−1", "a + c"]


def test_ten_thousand_completions_load_and_move_without_stalling(open_page, write_records):
    names = ("PASS", "FAILURE", "RUNTIME_ERROR")
    folder = write_records(
        *(
            {
                "problem": f"p/{n % 700}",
                "step": n // 100,
                "outcome": names[n % 3],
                "reward": n / 10_000,
                "completion": PROGRAM * 4,
            }
            for n in range(10_000)
        )
    )
    page = open_page(write_report(folder))
    assert page.text("#range") == "1–100 of 10,000"
    # Elements of the page, whose number does not grow with that of the completions but for the filters.
    assert page.run("return document.querySelectorAll('*:not(option)').length") < 2500
    page.choose("order", "highest")
    assert page.names[0] == "p/199"
    page.choose("outcome", "PASS")
    assert page.text("#range") == "1–100 of 3,334"
    page.run("document.getElementById('later').click()")
    assert page.text("#range") == "101–200 of 3,334"
    # Seconds of the browser for all this, without those that it waited for a processor of a busy machine.
    page.browser.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
    page.browser.refresh()
    metrics = page.browser.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
    seconds = {metric["name"]: metric["value"] for metric in metrics}
    page.browser.execute_cdp_cmd("Performance.disable", {})
    assert seconds["TaskDuration"] < 5


def test_it_fits_a_narrow_window(open_page, write_records):
    folder = write_records({"completion": "x = " + "1 + " * 200 + "1", "problem": "long/" + "name" * 60})
    page = open_page(write_report(folder))
    size = {"width": 360, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    assert page.run("return document.documentElement.scrollWidth") <= 360


def test_it_follows_the_scheme_of_the_reader(open_page, write_records):
    page = open_page(write_report(write_records({})))
    backgrounds = []
    for scheme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        backgrounds.append(page.run("return getComputedStyle(document.body).backgroundColor"))
    assert backgrounds == ["rgb(255, 255, 255)", "rgb(20, 23, 26)"]


def test_printed_it_has_the_completion_and_not_the_controls(open_page, write_records):
    page = open_page(write_report(write_records({})))
    page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": []})
    visible = "return document.querySelector(arguments[0]).checkVisibility()"
    assert [page.run(visible, part) for part in ("#program", "#filters", "#list")] == [True, False, False]


def test_each_control_has_a_name_for_screen_readers(open_page, write_records):
    page = open_page(write_report(write_records({})))
    selector = "button, input, select, [role=listbox], [tabindex='0'], summary, figure, section"
    controls = page.browser.find_elements("css selector", selector)
    assert len(controls) > 10
    assert not [
        control.get_attribute("outerHTML")
        for control in controls
        if control.is_displayed() and not control.accessible_name
    ]
    assert page.text("#status") == "1 of 1: problem/0, FAILURE, reward 0"


def test_the_report_of_a_real_training_is_opened(open_page, tmp_path, model, tokenizer, problems, runner):
    from trl_rltf import RLTFConfig, RLTFTrainer

    args = RLTFConfig(
        str(tmp_path / "run"),
        max_steps=2,
        per_device_train_batch_size=8,
        num_generations=4,
        max_completion_length=12,
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=False,
        gradient_checkpointing=False,
    )
    trainer = RLTFTrainer(model, UnitTestRewardFunction(runner), args, problems, processing_class=tokenizer)
    trainer.train()
    trainer.save_state()
    page = open_page(write_report(tmp_path / "run"))
    assert page.text("#range") == "1–16 of 16"
    titles = page.run("return [...document.querySelectorAll('figcaption')].map((title) => title.textContent)")
    assert titles[:3] == [
        "Reward of the training samples",
        "Programs that pass all tests",
        "Outcomes of the training samples",
    ]
    assert page.run("return document.querySelectorAll('figure svg path').length") > 20
    rows = [
        row for path in sorted(tmp_path.glob("run/_report_completions/*")) for row in path.read_text().splitlines()
    ]
    assert len(rows) == 16
