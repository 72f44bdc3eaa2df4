"""
Grade the completions of a finished evaluation with another grader, and show where it disagrees; the code is in examples/benchmarks.

    HF_ALLOW_CODE_EVAL=1 python examples/grader_agreement.py --folder outputs/humaneval-model --dataset_name HumanEval.jsonl.gz
"""

from benchmarks.grader_agreement import main

from trl_rltf.scripts import short_errors


if __name__ == "__main__":
    with short_errors():
        main()
