"""
Compare the findings of static analysis with the outcomes of graded samples; the code is in examples/benchmarks.

    python examples/analyser_evidence.py --runs outputs/mbpp outputs/humaneval --dataset_names none HumanEval.jsonl.gz
"""

from benchmarks.analyser import run_command

from trl_rltf.scripts import short_errors


if __name__ == "__main__":
    with short_errors():
        run_command()
