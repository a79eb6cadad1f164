#!/usr/bin/env python3
"""`volary marks` at several sizes, from CSV to final scores, beside its floors.

    cargo build --release -p volary -p volary-ingest -p volary-crowd --bins --examples
    python3 bench/marks.py --scale 0.04 1.0

Scale 1 is the paper's own size: 1,252,539 classifications, 1,856,573 rows, 31,781 volunteers. The peer is
the scaling law of SATCHEL's own code (../shared/specs/marks.md, section 7), in processor seconds on a
machine like this one: it cannot be run at these sizes.
"""
import argparse
import json
import os
import resource
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TARGET = os.environ.get("CARGO_TARGET_DIR", os.path.join(HERE, "..", "target"))
RELEASE = os.path.join(TARGET, "release")
# Processor seconds: (classifications, build, weights, user table, seeds, one iteration); specification 7.3
# and 7.4, the last line extrapolated there.
SATCHEL = {
    0.04: (50_000, 1_100, 112, 87.9, 252, 242),
    1.0: (1_252_539, 27_000, 34_000, 128_000, 74_000, 51_000),
}
# Iterations that the authors needed.
SATCHEL_ITERATIONS = 24


def run(command):
    """Wall and processor seconds, peak memory in MB and standard output of one command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.time()
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    wall = time.time() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, out


def best(command, times):
    """The fastest of several runs."""
    return min((run(command) for _ in range(times)), key=lambda r: r[0])


def line(name, wall, cpu, peak=None):
    memory = "" if peak is None else f"{peak / 1e6:8.0f} MB"
    print(f"  {name:34} {wall:8.2f} s wall {cpu:8.2f} s processor {memory}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--scale", type=float, nargs="+", default=[0.04])
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--sweep", action="store_true", help="the 36 pairs too")
    arguments = parser.parse_args()
    volary = os.path.join(RELEASE, "volary")
    for scale in arguments.scale:
        with tempfile.TemporaryDirectory() as folder:
            sky = os.path.join(folder, "sky")
            run([volary, "simulate", "lightcurves", "-o", sky, "--scale", str(scale)])
            rows = os.path.join(sky, "classifications.csv")
            print(f"scale {scale}: {os.path.getsize(rows) / 1e6:.0f} MB of CSV")
            wall, cpu, _ = best(["wc", "-l", rows], arguments.times)
            line("wc -l", wall, cpu)
            floor = os.path.join(RELEASE, "examples", "csv_floor")
            wall, cpu, _ = best([floor, rows], arguments.times)
            line("csv crate alone (the floor)", wall, cpu)
            common = [volary, "marks", rows, "--signals", os.path.join(sky, "signals.csv"), "--no-figures"]
            for profile in ["paper", "volary"]:
                out = os.path.join(folder, profile)
                command = common + ["--profile", profile, "-o", out, "--json"]
                wall, cpu, text = best(command, arguments.times)
                record = json.loads(text)
                line(f"volary marks --profile {profile}", wall, cpu, record["peak_memory_bytes"])
                summary = record["summary"]
                print(f"    {summary['n_iterations']} iterations; build to scores {summary['pipeline_s']:.2f} s")
                if profile == "paper" and scale in SATCHEL:
                    n, *stages, iteration = SATCHEL[scale]
                    once = (sum(stages) + iteration) / cpu
                    whole = (sum(stages) + SATCHEL_ITERATIONS * iteration) / cpu
                    print(f"    SATCHEL's law at {n:,}: {once:,.0f} times with one iteration, {whole:,.0f} with 24")
            if arguments.sweep:
                command = [volary, "marks", "sweep", rows, "--signals", os.path.join(sky, "signals.csv")]
                wall, cpu, _ = run(command + ["--profile", "paper", "-o", os.path.join(folder, "sweep")])
                line("volary marks sweep (36 pairs)", wall, cpu)
            stages = os.path.join(RELEASE, "examples", "marks_stages")
            print(run([stages, str(scale), "10000"])[2])


if __name__ == "__main__":
    main()
