#!/usr/bin/env python3
"""A training step of each network, timed: colrow exact, colrow with column-row sampling, and PyTorch
on the same work (where a Python with torch is given), in turn, several rounds. Prints Markdown:
medians and ratios, what of a step is outside the contractions, and the memory of kept activations.
Every sample goes to --out, a JSON object a line; the first line has the processor and the date.

    bench/step.py --torch python3 --case mlp
    bench/step.py --torch python3 --peer peer.py --case wrn-16-2 --layout 1x2 --rounds 3

--torch alone times the MLP, by step_torch.py. --peer names a program that trains the other networks,
called as PYTHON FILE --model cnn|wrn|lstm [--depth D --width W] --batch B --ranks R --threads T
--dtype f32|bf16 --channels-last --crs RATIO --steps N --max-seconds S --out FILE; it appends a JSON
object with the median milliseconds of a step, med_ms, to FILE.
"""
import argparse
import collections
import datetime
import json
import os
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
CONFIGS = os.path.join(HERE, "..", "configs")

Case = collections.namedtuple("Case", "name config batch ratio steps peer")
CASES = [
    Case("mlp", "mlp-mnist", 50, 0.4, 400, ()),
    Case("mlp-1024", "mlp-mnist", 1024, 0.4, 30, ()),
    Case("cnn", "cnn-mnist", 50, 0.3, 60, ("--model", "cnn")),
    Case("wrn-16-2", "wrn-16-2-cifar100", 128, 0.5, 12,
         ("--model", "wrn", "--depth", "16", "--width", "2")),
    Case("wrn-16-4", "wrn-16-4-cifar100", 128, 0.5, 8,
         ("--model", "wrn", "--depth", "16", "--width", "4")),
    Case("wrn-28-10", "wrn-28-10-cifar100", 32, 0.5, 5,
         ("--model", "wrn", "--depth", "28", "--width", "10")),
    Case("lstm", "lstm-ptb", 20, 0.5, 40, ("--model", "lstm")),
]
Row = collections.namedtuple("Row", "case ranks threads precision")  # of the tables
PRODUCTS = ("contract_forward", "contract_backward")
NOT_A_STEP = ("other", "evaluate", "checkpoint")


def settings(options, row, ratio):
    """The -s arguments that make a run of a config the case's, on synthetic data or on a text."""
    case = row.case
    values = {
        "batch": case.batch, "micro_batch": case.batch // row.ranks, "epochs": 0,
        "steps": case.steps, "threads": row.threads, "sampling.ratio": ratio,
        "evaluate.every_epochs": 0, "checkpoint.every_steps": 0, "log.level": "warn",
    }
    if case.name == "lstm":
        values["data.path"] = options.text
    else:
        values.update({"data.kind": "synthetic", "data.validation": 0,
                       "data.samples": 8 * case.batch})
    if row.precision != "f32":
        values.update({"precision": row.precision, "engine": options.bf16_engine})
    given = [f"{key}={value}" for key, value in values.items()] + options.set
    return [word for text in given for word in ("-s", text)]


def colrow_step(options, row, ratio):
    """Median ms of a step and mean ms of its phases, of one run."""
    with tempfile.TemporaryDirectory() as folder:
        command = [options.colrow, "train", os.path.join(CONFIGS, row.case.config + ".yaml"),
                   "-o", folder] + settings(options, row, ratio)
        if row.ranks > 1:
            command = ["mpirun", "--allow-run-as-root", "--bind-to", "core", "-n",
                       str(row.ranks)] + command
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        with open(os.path.join(folder, "summary.json"), encoding="utf-8") as file:
            summary = json.load(file)
    return {"ms": summary["step_ms"]["median"], "phases": summary["phase_ms"]}


def kept_bytes(options, row, ratio):
    """Bytes kept for the backward pass of a micro-batch."""
    command = [options.colrow, "info", os.path.join(CONFIGS, row.case.config + ".yaml"), "--json"]
    out = subprocess.run(command + settings(options, row, ratio), check=True, capture_output=True)
    return json.loads(out.stdout)["activation_bytes"]


def torch_mlp(options, row):
    command = [options.torch, os.path.join(HERE, "step_torch.py")]
    command += [str(n) for n in (row.case.batch, row.ranks, row.case.steps, row.threads)]
    out = subprocess.run(command, check=True, capture_output=True, text=True)
    return {"ms": float(out.stdout.strip().splitlines()[-1])}


def peer_step(options, row, ratio):
    case = row.case
    with tempfile.NamedTemporaryFile(mode="r", suffix=".jsonl") as file:
        command = [
            options.torch, options.peer, *case.peer, "--batch", str(case.batch),
            "--ranks", str(row.ranks), "--threads", str(row.threads), "--dtype", row.precision,
            "--channels-last", "--crs", str(ratio), "--steps", str(case.steps),
            "--max-seconds", "15", "--out", file.name]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return {"ms": json.loads(file.read().splitlines()[-1])["med_ms"]}


def contenders(options, row):
    """What is timed for a row: name to function."""
    found = {"exact": lambda: colrow_step(options, row, 1),
             "sampled": lambda: colrow_step(options, row, row.case.ratio)}
    if options.torch and not row.case.peer and row.precision == "f32":
        found["torch"] = lambda: torch_mlp(options, row)
    if options.torch and options.peer and row.case.peer:
        found["torch"] = lambda: peer_step(options, row, 1)
        found["torch_sampled"] = lambda: peer_step(options, row, row.case.ratio)
    return found


def measure(options, row, number):
    """One round of a row: every contender once, in turn."""
    sample = {"case": row.case.name, "ranks": row.ranks, "threads": row.threads,
              "precision": row.precision, "round": number}
    for name, run in contenders(options, row).items():
        sample[name] = run()
    with open(options.out, "a", encoding="utf-8") as file:
        file.write(json.dumps(sample) + "\n")
    return sample


def median(samples, value):
    """Median over the rounds; None where a contender is missing."""
    try:
        return statistics.median(value(sample) for sample in samples)
    except KeyError:
        return None


def cell(value, form):
    return "-" if value is None else format(value, form)


def line(*cells):
    print("| " + " | ".join(cells) + " |")


def title(row):
    return f"{row.case.name}, {row.case.batch}", f"{row.ranks} x {row.threads}", row.precision


def print_times(results):
    names = ("torch", "torch_sampled", "exact", "sampled")
    pairs = (("torch", "exact"), ("exact", "sampled"), ("torch", "sampled"))
    line("network, batch", "ranks x threads", "precision", "kept", "PyTorch, ms",
         "PyTorch sampled, ms", "exact, ms", "sampled, ms", "exact / PyTorch rate",
         "sampled / exact", "sampled / PyTorch")
    print("|" + "---|" * 11)
    for row, samples in results.items():
        times = [cell(median(samples, lambda s, n=n: s[n]["ms"]), ".2f") for n in names]
        rates = [median(samples, lambda s, a=a, b=b: s[a]["ms"] / s[b]["ms"]) for a, b in pairs]
        line(*title(row), f"{100 * row.case.ratio:.0f}%", *times,
             *(cell(rate, ".2f") + ("x" if rate else "") for rate in rates))


def shares(samples, name):
    """Per cent of a step by phase, without what belongs to no step."""
    phases = {p: median(samples, lambda s, p=p: s[name]["phases"][p])
              for p in samples[0][name]["phases"] if p not in NOT_A_STEP}
    whole = sum(phases.values())
    return {p: 100 * ms / whole for p, ms in phases.items()}


def print_phases(results):
    outside = None
    for row, samples in results.items():
        for name in ("exact", "sampled"):
            found = shares(samples, name)
            if outside is None:
                outside = [p for p in found if p not in PRODUCTS]
                print("\nOutside the contractions, per cent of a step:\n")
                line("network, batch", "ranks x threads", "precision", "", "all", *outside)
                print("|" + "---|" * (5 + len(outside)))
            line(*title(row), name, f"{sum(found[p] for p in outside):.1f}",
                 *(f"{found[p]:.1f}" for p in outside))


def print_memory(options, results):
    print("\nKept activations of a micro-batch, MB:\n")
    line("network, batch", "ranks x threads", "precision", "exact", "sampled", "sampled / exact")
    print("|" + "---|" * 6)
    for row in results:
        exact, sampled = (kept_bytes(options, row, r) / 1e6 for r in (1, row.case.ratio))
        line(*title(row), f"{exact:.1f}", f"{sampled:.1f}", f"{sampled / exact:.2f}x")


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = [text.split(":")[1].strip() for text in file if text.startswith("model name")]
    return f"{len(names)} x {names[0]}" if names else "unknown"


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [case.name for case in CASES]
    parser.add_argument("--colrow", default=os.path.join(HERE, "..", "build", "colrow"))
    parser.add_argument("--torch", help="a Python that has torch; none: not compared")
    parser.add_argument("--peer", help="a program for what step_torch.py does not train")
    parser.add_argument("--text", default="data/ptb", help="folder of the text that lstm reads")
    parser.add_argument("--case", action="append", choices=names, help="all unless given")
    parser.add_argument("--layout", action="append", help="RANKSxTHREADS; 1x2 and 2x1 unless given")
    parser.add_argument("--precision", action="append", choices=["f32", "bf16"],
                        help="f32 unless given")
    parser.add_argument("--bf16-engine", default="auto", help="engine of bf16 runs")
    parser.add_argument("-s", "--set", action="append", default=[], metavar="KEY=VALUE",
                        help="of colrow's runs, e.g. optimizer.rows=kept")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", default="step-samples.jsonl")
    return parser.parse_args()


def main():
    options = parse()
    cases = [case for case in CASES if not options.case or case.name in options.case]
    layouts = [tuple(int(n) for n in text.split("x")) for text in options.layout or ("1x2", "2x1")]
    rows = [Row(case, *layout, precision) for case in cases for layout in layouts
            for precision in options.precision or ["f32"]]
    results = {row: [] for row in rows}
    about = {"processor": processor(), "date": datetime.date.today().isoformat(),
             "set": options.set}
    with open(options.out, "w", encoding="utf-8") as file:
        file.write(json.dumps(about) + "\n")
    for number in range(options.rounds):
        for row in rows:
            results[row].append(measure(options, row, number))
        print(f"round {number + 1} of {options.rounds} done", file=sys.stderr)
    print(f"{about['processor']}, {about['date']}; medians of {options.rounds} rounds\n")
    print_times(results)
    print_phases(results)
    print_memory(options, results)


if __name__ == "__main__":
    main()
