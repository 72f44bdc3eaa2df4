# /// script
# requires-python = ">=3.11"
# dependencies = ["trl-rltf[examples,peft]"]
# ///
"""
Measure pass@k of a model on APPS, overall and by difficulty.

    accelerate launch examples/evaluate_apps.py --model_name_or_path Qwen/Qwen2.5-Coder-0.5B --num_samples 20

A local folder in the layout of APPS, and a check of grader and data that needs no model:

    python examples/evaluate_apps.py --dataset_name <folder of APPS> --programs reference

A killed run is resumed by the same command. The script is trl_rltf/scripts/evaluate.py, which `trl-rltf evaluate --benchmark apps`
runs too. Running it is the opt-in to running model-written code, in the sandbox described in docs/execution.md;
docs/evaluation.md describes the figures.
"""

from trl_rltf.scripts import short_errors
from trl_rltf.scripts.evaluate import main, make_parser


if __name__ == "__main__":
    with short_errors():
        parser = make_parser()
        parser.set_defaults(benchmark="apps")
        main(*parser.parse_args_and_config())
