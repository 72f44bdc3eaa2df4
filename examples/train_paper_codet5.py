# /// script
# requires-python = ">=3.11"
# dependencies = ["trl-rltf"]
# ///
"""
Train CodeT5-770M on APPS with the settings of the RLTF paper (arXiv 2307.04349), each with its source in `trl_rltf.presets`.

    accelerate launch --config_file examples/accelerate_configs/deepspeed_zero2.yaml examples/train_paper_codet5.py

This is the second stage of the paper. The first stage, supervised training, is `--warm_start_epochs` of train_apps.py.
Running the script is the opt-in to running model-written code, in the sandbox described in docs/execution.md.
"""

from dataclasses import dataclass

from transformers import HfArgumentParser

from trl_rltf import RLTFTrainer, load_apps
from trl_rltf.presets import paper
from trl_rltf.scripts import save_and_report, short_errors


@dataclass
class Arguments:
    model_name_or_path: str = "Salesforce/codet5-large-ntp-py"
    dataset_name: str = "codeparrot/apps"
    output_dir: str = "outputs/codet5-apps"
    max_steps: int = -1  # 20 epochs
    max_completion_length: int = 512  # paper


def main(args):
    recipe = paper(
        output_dir=args.output_dir,
        max_steps=args.max_steps,
        num_train_epochs=20,
        max_completion_length=args.max_completion_length,
        allow_code_eval=True,
    )
    trainer = RLTFTrainer(model=args.model_name_or_path, train_dataset=load_apps(args.dataset_name), **recipe)
    trainer.train()
    save_and_report(trainer)


if __name__ == "__main__":
    with short_errors():
        main(*HfArgumentParser(Arguments).parse_args_into_dataclasses())
