"""Is the embedded task worth searching on, does the run keep its time, and what comes out on real data?

Runs ``bigfast run`` on the embedded default for several seeds, and on a directory of real data if one is
given; finished runs in ``--out`` are read and not repeated. Beside the found models stands a classifier that
sees only the words of the second text.

    python benchmarks/whole_way.py --data my-mnli --teacher my-teacher
    python benchmarks/whole_way.py --quick --json figures.json
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from figures import Figure, at_least, at_most, show, unknown
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from bigfast.data import Rows, read_data

HELP_BAR_S = 0.3
RUN_BAR_S = 600.0


def help_seconds(repeats: int) -> float:
    """Median wall time of ``bigfast --help``."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "bigfast.cli", "--help"], check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def read(path: Path) -> dict[str, Any]:
    """A JSON file."""
    value: dict[str, Any] = json.loads(path.read_text())
    return value


def finished_run(out: Path, *options: str) -> Path:
    """A run's directory, made by ``bigfast run`` unless it is there."""
    if not (out / "report.html").exists():
        subprocess.run([sys.executable, "-m", "bigfast.cli", "run", "--out", str(out), *options], check=False)
    return out


def synthetic_figures(runs: list[Path], *, full: bool) -> list[Figure]:
    """Whether the task separates large from small, and how long the runs took."""
    rows, figures = [], []
    for run in runs:
        task, search = read(run / "task.json"), read(run / "search.json")
        took_s = sum(stage["took_s"] for stage in read(run / "stages.json")["stages"])
        ends = (task["teacher_accuracy"], search["largest"]["accuracy"], search["smallest"]["accuracy"])
        rows.append((*ends, took_s))
        print(
            f"{run.name}: teacher {ends[0]:.2%}, largest {ends[1]:.2%}, smallest {ends[2]:.2%} (int8), {took_s:.0f} s"
        )
    points = 100.0
    figures.append(at_least("teacher above smallest, points", points * min(t - s for t, _, s, _ in rows), 10.0))
    figures.append(at_least("largest above smallest, points", points * min(b - s for _, b, s, _ in rows), 5.0))
    longest = max(took_s for *_, took_s in rows)
    if full:
        figures.append(at_most("default run, seconds", longest, RUN_BAR_S))
    else:
        figures.append(unknown("default run, seconds", f"at most {RUN_BAR_S:g}", "--quick runs it shortened"))
    return figures


def words_alone(train: Rows, dev: Rows) -> float:
    """Accuracy on ``dev`` of a linear classifier on the words of the second text, trained on the same rows."""
    classifier = make_pipeline(
        CountVectorizer(ngram_range=(1, 2), min_df=2, binary=True), LogisticRegression(C=0.1, max_iter=300)
    )
    classifier.fit(list(train.second or train.first), train.labels)
    return float(classifier.score(list(dev.second or dev.first), dev.labels))


def real_figures(run: Path, data: str) -> list[Figure]:
    """The found models beside words alone."""
    labels = tuple(read(run / "task.json")["labels"])
    task = read_data(data, label_order=labels)
    dev = task.read_dev()
    if dev is None:
        return [unknown("above words alone, points", "above 0", f"{data} has no development rows")]
    baseline = words_alone(task.train, dev)
    print(f"words of the second text alone: {baseline:.2%} on {len(dev)} development rows")
    figures = []
    for model in sorted((run / "models").iterdir()):
        about = read(model / "bigfast.json")
        latency, share = about["latency"], about["accuracy"]["dev"]
        print(
            f"{model.name}: {about['arch']}, {share:.2%}, median {latency['p50_s'] * 1e3:.3g} ms "
            f"[{latency['p50_low_s'] * 1e3:.3g}, {latency['p50_high_s'] * 1e3:.3g}]"
        )
        figures.append(at_least(f"{model.name} above words alone, points", 100 * (share - baseline), 0.0))
        figures.append(at_most(f"{model.name} upper median, ms", latency["p50_high_s"] * 1e3, about["limit_ms"]))
    return figures


def main() -> None:
    """Runs what is missing and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/whole-way"), help="where the runs are")
    parser.add_argument("--data", help="a directory of real data")
    parser.add_argument("--teacher", help="its teacher")
    parser.add_argument("--minutes", default="30", help="of the real run")
    parser.add_argument("--quick", action="store_true", help="one shortened run, at most 4 minutes")
    parser.add_argument("--json", type=Path, help="write the figures here")
    asked = parser.parse_args()

    figures = [at_most("bigfast --help, seconds", help_seconds(5 if asked.quick else 15), HELP_BAR_S)]
    if asked.quick:
        runs = [finished_run(asked.out / "quick", "--minutes", "2.5", "--architectures", "16", "--population", "8")]
    else:
        runs = [finished_run(asked.out / f"seed-{seed}", "--seed", str(seed)) for seed in range(3)]
    figures += synthetic_figures(runs, full=not asked.quick)
    if asked.data is None or asked.teacher is None or asked.quick:
        why = "it takes half an hour" if asked.quick else "no --data and --teacher"
        figures.append(unknown("above words alone, points", "above 0", why))
    else:
        recipe = str(Path(__file__).parents[1] / "recipes/mnli-30-minutes.toml")
        options = (recipe, "--data", asked.data, "--teacher", asked.teacher, "--minutes", asked.minutes)
        figures += real_figures(finished_run(asked.out / "real", *options), asked.data)
    print()
    show(figures, asked.json)


if __name__ == "__main__":
    main()
