"""Run the missing runs of the ablation in processes, a few at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

from tqdm import tqdm

from .run import Run


EXAMPLES = Path(__file__).resolve().parents[1]


def run_all(runs: Sequence[Run], num_jobs: int, description: str) -> list[Run]:
    """
    Execute runs, each in a separate process.

    Args:
        runs (`Sequence[Run]`): The runs.
        num_jobs (`int`): Runs at a time.
        description (`str`): Label of the progress bar.

    Returns:
        `list[Run]`: The failed runs.
    """
    left = [run for run in runs if not run.result_path.is_file()]
    processes: dict[Run, subprocess.Popen[bytes]] = {}
    failed = []
    progress = tqdm(total=len(runs), initial=len(runs) - len(left), desc=description, unit="run")
    pool = ThreadPoolExecutor(num_jobs)
    try:
        futures = {pool.submit(_execute, run, num_jobs, processes): run for run in left}
        for future in as_completed(futures):
            run = futures[future]
            if future.result() != 0:
                failed.append(run)
                progress.write(f"{run.name} failed, see {_log_path(run)}")
            progress.update()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in list(processes.values()):
            process.terminate()
        progress.close()
    return failed


def _execute(run: Run, num_jobs: int, processes: dict[Run, subprocess.Popen[bytes]]) -> int:
    threads = max(1, (os.cpu_count() or 1) // num_jobs)
    path_of_modules = os.pathsep.join(filter(None, [str(EXAMPLES), os.environ.get("PYTHONPATH")]))
    defaults = {"OMP_NUM_THREADS": str(threads), "TQDM_DISABLE": "1"}
    environment = {**defaults, **os.environ, "PYTHONPATH": path_of_modules}
    path = _log_path(run)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as log:
        command = [sys.executable, "-m", "ablation.run", json.dumps(asdict(run))]
        process = processes[run] = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
        try:
            return process.wait()
        finally:
            processes.pop(run, None)


def _log_path(run: Run) -> Path:
    return Path(run.folder) / "logs" / f"{run.name}.log"
