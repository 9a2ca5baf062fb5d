"""dg beside its peers: starts a process for each of them with the same weights and inputs, checks that they agree, and then lets them run in turn.

Each side answers to the lines that worker.c describes, and sleeps while it is not asked. A round runs every side once (several times where
that is short); the ratio of a round is that of the medians in it, and the table shows the median of the rounds' ratios with the least and the largest.
"""
import argparse
import json
import os
import random
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time

import numpy

HERE = os.path.dirname(os.path.abspath(__file__))
AGREE = {"f32": 1e-4, "bf16": 5e-2}  # largest difference over the largest value
BUSY = 0.03  # of the CPUs, by others: no report

CIFAR = {"channels": 3, "ch": 128, "mults": [1, 2, 2, 2], "attn": [16]}
MNIST = {"channels": 1, "ch": 32, "mults": [1, 2, 2], "attn": [8]}
NETWORKS = {"cifar": ("unet", CIFAR), "mnist": ("unet", MNIST), "mlp": ("mlp", {}),
            "dit": ("dit", {"channels": 3, "width": 192, "depth": 6, "heads": 3})}


class Case:
    """One row: a network at a batch, an entry, a precision; asked: the least ratio, and the largest share of memory."""

    def __init__(self, network, batch, entry, asked, precision="f32", peers=("torch",), memory=None, drop=0.0, busy=False):
        self.network, self.batch, self.entry, self.asked, self.precision = network, batch, entry, asked, precision
        self.peers, self.memory, self.drop, self.busy = peers, memory, drop, busy

    @property
    def name(self):
        what = {"step": "train step", "forward": "forward", "ddim50": "DDIM 50"}[self.entry]
        return f"{self.network} b{self.batch} {what} {self.precision}" + (", a busy neighbour" if self.busy else "")


BOTH = ("torch", "ort")
CASES = [
    Case("cifar", 8, "step", 1.7, drop=0.1, memory=(0.60, "torch")),
    Case("cifar", 16, "step", 1.7, drop=0.1),
    Case("mnist", 64, "step", 2.0, memory=(0.35, "torch")),
    Case("cifar", 8, "step", 1.7, "bf16", drop=0.1),
    Case("cifar", 16, "step", 1.7, "bf16", drop=0.1),
    Case("mnist", 64, "step", 1.7, "bf16"),
    Case("cifar", 1, "forward", 1.3, peers=BOTH),
    Case("cifar", 4, "forward", 1.5, peers=BOTH),
    Case("cifar", 8, "forward", 1.6, peers=BOTH),
    Case("cifar", 1, "ddim50", 1.3, peers=BOTH),
    Case("cifar", 4, "ddim50", 1.5, peers=BOTH, memory=(0.6, "ort")),
    Case("cifar", 8, "ddim50", 1.6, peers=BOTH),
    Case("mnist", 16, "forward", 1.8, peers=("ort", "torch")),
    Case("mnist", 64, "forward", 1.8, peers=("ort", "torch")),
    Case("mnist", 16, "ddim50", 1.8, peers=("ort", "torch"), memory=(0.35, "ort")),
    Case("mnist", 64, "ddim50", 1.8, peers=("ort", "torch")),
    Case("cifar", 8, "forward", 1.7, "bf16"),
    Case("mlp", 512, "step", 3.0),
    Case("dit", 32, "step", 1.3),
    Case("mnist", 16, "forward", None, peers=("ort", "torch"), busy=True),
]


def has(what):
    if what == "torch":
        return subprocess.run([sys.executable, "-c", "import torch"], capture_output=True).returncode == 0
    if what == "onnx":
        return subprocess.run([sys.executable, "-c", "import torch, onnx"], capture_output=True).returncode == 0
    node = shutil.which("node")
    return bool(node) and subprocess.run([node, "-e", 'require("onnxruntime-node")'], capture_output=True).returncode == 0


class Side:
    """A process that answers lines."""

    def __init__(self, command, environment=None):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=dict(os.environ, **(environment or {})))
        self.read()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"peers.py: {self.process.args[0]} ended with {self.process.wait()}")
        return line.strip()

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.read()

    def run(self, n):
        return [float(t) for t in self.ask(f"run {n}").split()]

    def places(self):
        self.process.stdin.write("places\n")
        self.process.stdin.flush()
        found = []
        while line := self.read():
            name, *dims = line.split()
            found.append((name, [int(d) for d in dims]))
        return found

    def cpu(self):
        with open(f"/proc/{self.process.pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_kib(self):
        """Largest resident size; not getrusage's, which a child process has from its parent."""
        with open(f"/proc/{self.process.pid}/status") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmHWM"))

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def write_weights(path, places):
    """Values for all parameters, also those that begin at zero, so that every part of the network counts."""
    r = numpy.random.default_rng(1)
    header, blobs, at = {}, [], 0
    for name, dims in places:
        if len(dims) > 1:
            fan_in = int(numpy.prod(dims[1:])) if len(dims) > 2 else dims[0]
            a = r.uniform(-1, 1, dims) * (3 / fan_in) ** 0.5
        else:
            a = (1.0 if name.endswith(".g") else 0.0) + 0.1 * r.standard_normal(dims)
        blob = a.astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": dims, "data_offsets": [at, at + len(blob)]}
        blobs.append(blob)
        at += len(blob)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def cpu_of_all():
    with open("/proc/stat") as f:
        t = [int(v) for v in f.readline().split()[1:9]]
    return (sum(t) - t[3] - t[4]) / os.sysconf("SC_CLK_TCK")


def config_of(case):
    program, config = NETWORKS[case.network]
    return program, dict(config, batch=case.batch, **({"drop": case.drop} if program == "unet" else {}))


def start(case, worker, folder, available):
    """The sides of a case by name, agreed upon the network's output."""
    program, config = config_of(case)
    text = lambda v: json.dumps(v)
    settings = [f"{k}={text(v)}" for k, v in config.items()]
    graph = os.path.join(HERE, program + ".dg")
    weights = os.path.join(folder, f"{case.network}.safetensors")
    if not os.path.exists(weights):
        side = Side([worker, graph, "forward", "f32", "-", *settings])
        write_weights(weights, side.places())
        side.end()
    r = numpy.random.default_rng(2)
    shape = [case.batch, 2] if program == "mlp" else [case.batch, config["channels"], 32, 32]
    x, t = os.path.join(folder, "x"), os.path.join(folder, "t")
    r.standard_normal(shape).astype("<f4").tofile(x)
    (numpy.arange(case.batch) * 37 % 1000).astype("<i4").tofile(t)

    def one(name, entry):
        if name == "dg":
            side = Side([worker, graph, entry, case.precision, weights, *settings])
        elif name == "torch":
            side = Side([sys.executable, os.path.join(HERE, "torch_peer.py"), program, entry, case.precision, weights, json.dumps(config)],
                        {"OMP_NUM_THREADS": "2", "OPENBLAS_CORETYPE": os.environ.get("OPENBLAS_CORETYPE", "SkylakeX")})
        else:
            model = os.path.join(folder, f"{case.network}-{case.batch}.onnx")
            if not os.path.exists(model):
                subprocess.run([sys.executable, os.path.join(HERE, "torch_peer.py"), program, "onnx", "f32", weights,
                                json.dumps(dict(config, onnx=model))], check=True, capture_output=True)
            side = Side(["node", os.path.join(HERE, "ort_peer.cjs"), model, entry, ",".join(map(str, shape))])
        side.ask(f"in x {x}")
        if entry == "forward":
            side.ask(f"in t {t}")
        return side

    names = ["dg"] + [p for p in case.peers if p in available]
    outputs = {}
    for name in names:
        side = one(name, "forward")
        side.run(1)
        path = os.path.join(folder, "y")
        side.ask(f"out {path}")
        outputs[name] = numpy.fromfile(path, "<f4")
        side.end()
    for name in names[1:]:
        off = numpy.abs(outputs["dg"] - outputs[name]).max() / numpy.abs(outputs[name]).max()
        if not off <= AGREE[case.precision]:
            raise SystemExit(f"peers.py: {case.name}: {name} and dg differ by {off:.2g} of the largest output")
    return {name: one(name, case.entry) for name in names}


def measure(case, sides, rounds):
    """Medians of each round by side, and what others took of the CPUs."""
    times = {name: [] for name in sides}
    repeat = {}
    for name, side in sides.items():  # also warms up: PyTorch and onnxruntime want two or three runs
        first = side.run(2)
        repeat[name] = max(1, min(50, int(600 / first[-1])))
        if repeat[name] > 1:
            side.run(1)
    before, own, wall = cpu_of_all(), sum(s.cpu() for s in sides.values()), time.monotonic()
    for _ in range(rounds):
        order = list(sides)
        random.shuffle(order)
        for name in order:
            times[name].append(statistics.median(sides[name].run(repeat[name])))
            time.sleep(0.05)
    others = cpu_of_all() - before - (sum(s.cpu() for s in sides.values()) - own)
    return times, others / ((time.monotonic() - wall) * os.cpu_count())


def row(case, times, rss, quiet):
    better = min((n for n in times if n != "dg"), key=lambda n: statistics.median(times[n]), default=None)
    cells = [case.name] + [f"{statistics.median(times[n]):.1f}" if n in times else "" for n in ("dg", "torch", "ort")]
    if case.busy:
        slower = {n: statistics.median(times[n]) / statistics.median(quiet[n]) for n in times if n in quiet}
        cells += [", ".join(f"{n} {v:.2f}x its quiet time" for n, v in slower.items()), "dg <= 1.6", ""]
    elif better:
        ratios = sorted(b / d for b, d in zip(times[better], times["dg"]))
        cells += [f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}) {better}", f"{case.asked}", ""]
    else:
        cells += ["", f"{case.asked}", ""]
    share = ""
    if case.memory and case.memory[1] in rss:
        share = f"{rss['dg'] / rss[case.memory[1]]:.2f} {case.memory[1]} (asked {case.memory[0]})"
    cells[-1] = f"{rss['dg'] / 1024:.0f} MiB" + (f", {share}" if share else "")
    return cells


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worker", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="rows whose name holds this text")
    parser.add_argument("--quick", action="store_true", help="without the 50-step rows and batch 16 of training")
    parser.add_argument("--anyway", action="store_true", help="report although other processes run")
    parser.add_argument("-o", "--output", help="write the table there, too")
    o = parser.parse_args()
    available = [p for p, need in (("torch", "torch"), ("ort", "ort")) if has(need)]
    if "ort" in available and not has("onnx"):
        available.remove("ort")
    for name, what in (("torch", "PyTorch (python3-torch)"), ("ort", "onnxruntime (npm onnxruntime-node in NODE_PATH, python3-onnx)")):
        if name not in available:
            print(f"without {what}: not installed", file=sys.stderr)
    head = ["workload", "dg ms", "PyTorch ms", "onnxruntime ms", "peer / dg (least to largest)", "asked", "peak RSS of dg"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    quiet, noisy = {}, 0.0
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            long = case.entry == "ddim50" or (case.entry == "step" and case.batch == 16)
            if o.only not in case.name or (o.quick and long):
                continue
            print(case.name, file=sys.stderr, flush=True)
            sides = start(case, o.worker, folder, available)
            neighbour = subprocess.Popen([sys.executable, "-c", "while True: pass"]) if case.busy else None
            try:
                times, others = measure(case, sides, o.rounds)
            finally:
                if neighbour:
                    neighbour.kill()
            rss = {name: side.peak_kib() for name, side in sides.items()}
            for side in sides.values():
                side.end()
            if not case.busy:
                noisy = max(noisy, others)
                quiet[(case.network, case.batch, case.entry, case.precision)] = times
            if others > BUSY and not case.busy and not o.anyway:
                raise SystemExit(f"peers.py: other processes took {100 * others:.0f} % of the CPUs: nothing is reported (--anyway)")
            cells = row(case, times, rss, quiet.get((case.network, case.batch, case.entry, case.precision), {}))
            lines.append("| " + " | ".join(cells) + " |")
            print(lines[-1], file=sys.stderr, flush=True)
    text = "\n".join(lines) + f"\n\nMedians of {o.rounds} rounds, 2 threads; others took at most {100 * noisy:.0f} % of the CPUs.\n"
    print(text, end="")
    if o.output:
        with open(o.output, "w") as f:
            f.write(text)


main()
