#!/usr/bin/env python3
"""A training step of the 784-500-500-10 MLP (Adam), timed: colrow exact, colrow with column-row
sampling, and PyTorch exact (where a Python with torch is given), in turn, several rounds. Prints a
Markdown table of medians and ratios; every sample goes to --out as a JSON line.

    bench/step.py --colrow build/colrow --torch python3 --rounds 5
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
CONFIG = os.path.join(HERE, "..", "configs", "mlp-mnist.yaml")


def colrow_step(program, batch, ranks, ratio, steps):
    """Median ms of a step, and its phases, of one run on `ranks` ranks of one thread."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {
            "batch": batch, "micro_batch": batch // ranks, "epochs": 0, "steps": steps,
            "threads": 1, "sampling.ratio": ratio, "data.kind": "synthetic",
            "data.validation": 0, "data.samples": 8 * batch, "evaluate.every_epochs": 0,
            "checkpoint.every_steps": 0, "log.level": "warn",
        }
        command = [program, "train", CONFIG, "-o", folder]
        for key, value in settings.items():
            command += ["-s", f"{key}={value}"]
        if ranks > 1:
            command = ["mpirun", "--allow-run-as-root", "--bind-to", "core", "-n",
                       str(ranks)] + command
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        with open(os.path.join(folder, "summary.json")) as file:
            summary = json.load(file)
    return summary["step_ms"]["median"], summary["phase_ms"]


def torch_step(python, batch, ranks, steps):
    """Median ms of a PyTorch step (DDP on gloo for more ranks), one thread a rank."""
    command = [python, os.path.join(HERE, "step_torch.py"), str(batch), str(ranks), str(steps)]
    out = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(out.stdout.strip().splitlines()[-1])


def measure(options, case, samples):
    """One round of one case: every contender once, in turn."""
    batch, ranks, steps = case
    row = {"batch": batch, "ranks": ranks}
    for name, ratio in (("exact", 1), ("sampled", options.ratio)):
        row[name], row[name + "_phases"] = colrow_step(options.colrow, batch, ranks, ratio, steps)
    if options.torch:
        row["torch"] = torch_step(options.torch, batch, ranks, steps)
    samples.append(row)
    with open(options.out, "a") as file:
        file.write(json.dumps(row) + "\n")


def median_of(samples, case, value):
    rows = [s for s in samples if (s["batch"], s["ranks"]) == case[:2]]
    return statistics.median(value(row) for row in rows)


def print_table(options, cases, samples):
    percent = f"{100 * options.ratio:.0f}%"
    print(f"| batch | ranks | PyTorch, ms | exact, ms | {percent}, ms | exact / PyTorch rate | "
          f"{percent} / exact rate |")
    print("|---|---|---|---|---|---|---|")
    for case in cases:
        cells = [str(case[0]), str(case[1])]
        cells.append(f"{median_of(samples, case, lambda r: r['torch']):.2f}" if options.torch
                     else "-")
        for name in ("exact", "sampled"):
            cells.append(f"{median_of(samples, case, lambda r: r[name]):.2f}")
        cells.append(f"{median_of(samples, case, lambda r: r['torch'] / r['exact']):.2f}x"
                     if options.torch else "-")
        cells.append(f"{median_of(samples, case, lambda r: r['exact'] / r['sampled']):.2f}x")
        print("| " + " | ".join(cells) + " |")


def print_phases(cases, samples):
    print("\nphases, ms (median of the rounds' means)")
    for case in cases:
        for name in ("exact", "sampled"):
            rows = [s[name + "_phases"] for s in samples if (s["batch"], s["ranks"]) == case[:2]]
            means = {p: statistics.median(r[p] for r in rows) for p in rows[0]}
            text = "  ".join(f"{p} {ms:.3f}" for p, ms in means.items() if ms >= 0.001)
            print(f"batch {case[0]} ranks {case[1]} {name}: {text}")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--colrow", default=os.path.join(HERE, "..", "build", "colrow"))
    parser.add_argument("--torch", help="a Python that has torch; none: not compared")
    parser.add_argument("--ratio", type=float, default=0.4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=1000, help="steps a run at batch 50")
    parser.add_argument("--out", default="step-samples.jsonl")
    options = parser.parse_args()
    long_steps = max(20, options.steps // 20)
    cases = [(50, 1, options.steps), (1024, 1, long_steps), (50, 2, options.steps),
             (1024, 2, long_steps)]
    samples = []
    for number in range(options.rounds):
        for case in cases:
            measure(options, case, samples)
        print(f"round {number + 1} of {options.rounds} done", file=sys.stderr)
    print_table(options, cases, samples)
    print_phases(cases, samples)


if __name__ == "__main__":
    main()
