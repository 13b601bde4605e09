"""What more processes would gain: predicted from steps that were measured in one.

`python -m benchmarks.scaling [--quick] [--pair] [--json FILE] [--plot FILE]`. Outer steps of the default
training are measured in this process, with one, two and four episodes; those of a language model were
measured by `benchmarks.llm_scale` on one GPU. From them, a latency and a bandwidth, the seconds of a step of
W processes:

    seconds(W) = max over the processes of the seconds of their shares
               + 2 ceil(log2 W) latency + 2 (W - 1) / W * bytes / bandwidth

The second line is an all-reduce by halving and doubling (Thakur, Rabenseifner, Gropp: Optimization of
Collective Communication Operations in MPICH, 2005); bytes are those of the meta-gradient in float64. Steps
are drawn from the measured ones, so that the slowest process counts; a share that was not measured takes as
long as the next larger one that was. `--pair` measures one and two processes on this machine as well.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import ROOT, machine, provenance
from fewshot.algorithms.mamladam import MAMLAdam
from fewshot.chunks import Chunks
from fewshot.engine import Engine
from fewshot.files import write_json
from fewshot.loop import OuterLoop
from fewshot.models.encoder import LoraEncoder
from fewshot.outer import Training
from fewshot.processes import Processes
from fewshot.tasks.attributes import Attributes

RESULTS = Path(__file__).parent / "results"
LLM = RESULTS / "llm-scale.json"
SHARES = (1, 2, 4)  # episodes of a step that are measured
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000)
FIXED = 1024  # episodes of a step that all processes have together
DRAWS = 200
WARM = 2  # steps that are not counted
NUMBER = 8  # bytes of a number in what is added up


@dataclass(frozen=True)
class Network:
    """What connects the processes.

    Args:
        name: of it.
        latency: seconds of a message.
        bandwidth: bytes a second, of a process.
    """

    name: str
    latency: float
    bandwidth: float


NETWORKS = (Network("200 Gbit/s", 10e-6, 25e9), Network("10 Gbit/s", 50e-6, 1.25e9))


@dataclass(frozen=True)
class Measured:
    """Outer steps of one process.

    Args:
        name: what was trained, on what.
        parameters: numbers of the meta-gradient.
        steps: seconds of single steps, by their episodes.
    """

    name: str
    parameters: int
    steps: Mapping[int, Sequence[float]]

    def drawn(self, episodes: int, processes: int, generator: np.random.Generator) -> float:
        """Seconds that the slowest of some processes takes for as many episodes each."""
        if not episodes:
            return 0.0
        largest = max(self.steps)
        rest = next((n for n in sorted(self.steps) if n >= episodes % largest), largest)
        whole = generator.choice(self.steps[largest], (processes, episodes // largest)).sum(1)
        beside = generator.choice(self.steps[rest], processes) if episodes % largest else 0.0
        return float((whole + beside).max())


def all_reduce(parameters: int, size: int, network: Network) -> float:
    """Seconds in which W processes add up their meta-gradients."""
    sent = 2 * (size - 1) / size * NUMBER * parameters / network.bandwidth
    return 2 * math.ceil(math.log2(size)) * network.latency + sent


def predicted(measured: Measured, network: Network, grows: bool) -> list[dict[str, Any]]:
    """A row for each number of processes.

    Args:
        measured: steps of one.
        network: what connects them.
        grows: every process has as many episodes as were measured at most; else all together have `FIXED`.
    """
    generator, rows = np.random.Generator(np.random.Philox(0)), list[dict[str, Any]]()
    for size in SIZES:
        tasks = max(measured.steps) * size if grows else FIXED
        shares = Counter(len(_at(rank, size).share(tasks)) for rank in range(size))
        slowest = [
            max(measured.drawn(n, count, generator) for n, count in shares.items()) for _ in range(DRAWS)
        ]
        found = {"compute": statistics.mean(slowest), "sum": all_reduce(measured.parameters, size, network)}
        seconds = sum(found.values())
        alone = rows[0]["episodes_per_second"] if rows else tasks / seconds
        rate = {"episodes_per_second": tasks / seconds, "efficiency": tasks / seconds / size / alone}
        rows.append({"processes": size, "episodes": tasks, "seconds": seconds} | found | rate)
    return rows


def _at(rank: int, size: int) -> Processes:
    processes = Processes()
    processes.rank, processes.size = rank, size
    return processes


def here(steps: int, shares: Sequence[int]) -> tuple[Measured, Any]:
    """Steps of the default training in this process, and the device."""
    model, algorithm = LoraEncoder(), MAMLAdam()
    algorithm.prepare(model)
    engine, times = Engine(model, algorithm, Chunks(model, max(shares), algorithm.takes_parts)), {}
    for share in shares:
        loop = OuterLoop(Attributes(), engine, Training(steps=steps + WARM, meta_batch=share))
        times[share] = [line["seconds"] for line in loop.lines()][WARM:]
    count = sum(value.numel() for value in loop.parameters.values())
    return Measured(
        f"MiniLM, attribute tasks, one process on {_name(model.device)}", count, times
    ), model.device


def _name(device: Any) -> str:
    about = machine(device)
    return str(about["gpu"] or f"{about['processor']}, {about['threads']} thread(s)")


def on_a_gpu() -> list[Measured]:
    """Language models whose steps `benchmarks.llm_scale` measured, all tasks of a step together."""
    found = json.loads(LLM.read_text(encoding="utf-8"))["found"]
    together = [each for each in found if each["tasks"] == each["tasks_at_once"] and "error" not in each]
    return [
        Measured(
            f"{each['shape']}, one process on {each['machine']['gpu']}",
            each["trainable_parameters"],
            {each["tasks"]: each["all_seconds"]},
        )
        for each in together
    ]


def pair(steps: int) -> dict[str, float]:
    """Seconds of an outer step of four episodes, the median, of one and two processes with a thread each."""
    found = {}
    for size in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            run = Path(folder) / "run"
            few = ["--validation.every=0", "--evaluation.episodes=2", "--evaluation.inspected=0"]
            given = [f"--training.steps={steps + WARM}", "--training.meta_batch=4", "--training.save=0", *few]
            command = [sys.executable, "-W", "ignore", "-m", "torch.distributed.run", "--standalone"]
            words = [f"--nproc-per-node={size}", "-m", "fewshot", "train", *given, "--out", str(run)]
            alone = os.environ | {"OMP_NUM_THREADS": "1"}
            subprocess.run([*command, *words], check=True, capture_output=True, cwd=ROOT, env=alone)
            lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
            found[str(size)] = statistics.median(line["seconds"] for line in lines[WARM:])
    return found


def plot(found: Mapping[str, Any], path: Path) -> None:
    """One panel for each thing measured, one line for each network and way, as SVG."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    names = list(dict.fromkeys(each["name"] for each in found["predicted"]))
    figure, panels = plt.subplots(1, len(names), figsize=(5.5 * len(names), 3.8), layout="constrained")
    for panel, name in zip(np.atleast_1d(panels), names, strict=True):
        for each in (each for each in found["predicted"] if each["name"] == name):
            points = [(row["processes"], 100 * row["efficiency"]) for row in each["rows"]]
            way = "as many episodes each" if each["grows"] else f"{FIXED:,} episodes together"
            style = "o-" if each["grows"] else "s--"
            panel.plot(*zip(*points, strict=True), style, ms=3, label=f"{way}, {each['network']['name']}")
        panel.set(xscale="log", xlabel="processes", ylabel="predicted efficiency, %", ylim=(0, 105))
        panel.set_title(f"predicted from: {name}", fontsize=8)
        panel.grid(alpha=0.3)
        panel.legend(fontsize=7)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def measure(quick: bool, both: bool, networks: Sequence[Network]) -> dict[str, Any]:
    """All figures."""
    load = os.getloadavg()[0]  # what else ran on the machine
    own, device = here(3 if quick else 10, SHARES)
    rows = [
        {"name": each.name, "network": asdict(network), "grows": grows}
        | {"rows": predicted(each, network, grows)}
        for each in (own, *on_a_gpu())
        for grows in (True, False)
        for network in networks
    ]
    steps = [asdict(each) | {"bytes": NUMBER * each.parameters} for each in (own, *on_a_gpu())]
    pairs = {"pair": pair(3 if quick else 10)} if both else {}
    about = {"load_before": load, "machine": machine(device)} | provenance()
    return {"quick": quick, "measured": steps, "predicted": rows} | pairs | about


def main(arguments: Sequence[str]) -> None:
    """Measures, predicts, writes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few steps; says so in itself")
    parser.add_argument("--pair", action="store_true", help="measure one and two processes here too")
    parser.add_argument(
        "--latency", type=float, help="seconds of a message, in place of those of two networks"
    )
    parser.add_argument("--bandwidth", type=float, default=25e9, help="bytes a second, with --latency")
    parser.add_argument("--json", type=Path, default=RESULTS / "scaling.json")
    parser.add_argument("--plot", type=Path, default=RESULTS / "scaling.svg")
    given = parser.parse_args(list(arguments))
    networks: Sequence[Network] = NETWORKS
    if given.latency is not None:
        networks = (Network("given", given.latency, given.bandwidth),)
    found = measure(given.quick, given.pair, networks)
    write_json(given.json, found)
    plot(found, given.plot)
    for each in found["predicted"]:
        last = each["rows"][-1]
        way = "as many episodes each" if each["grows"] else f"{FIXED:,} episodes together"
        print(
            f"{each['name']}; {way}, {each['network']['name']}: predicted {last['efficiency']:.0%} at 1,000"
        )
    print(json.dumps(found.get("pair", {})))


if __name__ == "__main__":
    main(sys.argv[1:])
