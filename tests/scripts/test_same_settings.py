"""The README's script and its command give the same settings."""

import ast
import re
import shlex

from peft import LoraConfig
from source import ROOT
from trl import get_peft_config

from trl_rltf import OnlineBuffer, RLTFConfig
from trl_rltf.scripts import train


README = (ROOT / "README.md").read_text()
CLASSES = {"RLTFConfig": RLTFConfig, "OnlineBuffer": OnlineBuffer, "LoraConfig": LoraConfig}
# Machines and clocks, and what the command line gives as a set or as a list.
VOLATILE = {"logging_dir", "run_name"}


def made_by_the_script():
    """The objects that the script makes, by the name of their class, and its other arguments."""
    block = next(text for text in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "RLTFTrainer(" in text)
    calls = [
        node for node in ast.walk(ast.parse(block)) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]
    made = {}
    for call in calls:
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        if call.func.id in CLASSES:
            made[call.func.id] = CLASSES[call.func.id](
                **{name: ast.literal_eval(value) for name, value in given.items()}
            )
        elif call.func.id == "RLTFTrainer":
            made["model"] = ast.literal_eval(given["model"])
    return made


def test_the_command_of_the_readme_has_the_settings_of_its_script():
    made = made_by_the_script()
    text = README.replace("\\\n", " ")
    command = next(line for line in text.splitlines() if line.startswith("trl-rltf train "))
    script_args, training_args, model_args = train.make_parser().parse_args_and_config(shlex.split(command)[2:])
    expected, found = made["RLTFConfig"].to_dict(), training_args.to_dict()
    assert {
        name: (value, found[name]) for name, value in expected.items() if found[name] != value and name not in VOLATILE
    } == {}
    assert model_args.model_name_or_path == made["model"]
    (buffer,) = train.make_callbacks(script_args)
    assert (buffer.capacity, buffer.update_steps) == (made["OnlineBuffer"].capacity, made["OnlineBuffer"].update_steps)
    assert get_peft_config(model_args).to_dict() == made["LoraConfig"].to_dict()
