# /// script
# requires-python = ">=3.11"
# dependencies = ["trl-rltf[examples,peft]"]
# ///
"""
Train a code model from unit-test feedback and measure pass@k on held-out problems before and after.

Without an argument, a tiny model learns MiniAPPS on the CPU; nothing is downloaded:

    accelerate launch examples/train_apps.py

The same with an encoder-decoder: `--architecture t5`. A model of the Hub on APPS (or a local folder in its layout), with LoRA:

    accelerate launch examples/train_apps.py --model_name_or_path Qwen/Qwen2.5-Coder-0.5B --dataset_name codeparrot/apps \
        --use_peft --learning_rate 1e-5 --max_completion_length 512 --output_dir outputs/qwen-apps

The paper's settings for CodeT5-770M and CodeGen-2.7B are in examples/cli_configs:

    accelerate launch --config_file examples/accelerate_configs/deepspeed_zero2.yaml examples/train_apps.py \
        --config examples/cli_configs/codet5_770m.yaml

The script is trl_rltf/scripts/train.py, which `trl-rltf train` runs too; examples/train_mbpp.py writes its steps out. Running it is
the opt-in to running model-written code, in the sandbox described in docs/execution.md.
"""

from trl_rltf.scripts import short_errors
from trl_rltf.scripts.train import main, make_parser


if __name__ == "__main__":
    with short_errors():
        main(*make_parser().parse_args_and_config())
