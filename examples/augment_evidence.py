# /// script
# dependencies = ["trl-rltf"]
# ///
"""
Measure what new tests do to right and to wrong programs.

    python examples/augment_evidence.py apps path/to/apps --split train --output outputs/augmentation
    python examples/augment_evidence.py mbpp path/to/mbpp.jsonl --split test --allow_single_solution
"""

from benchmarks.augmentation import main

from trl_rltf.scripts import short_errors


if __name__ == "__main__":
    with short_errors():
        main()
