#!/usr/bin/env python3
"""From a classification export to votes and consensus: Volary, the floors and the peer, in one run.

Makes exports with ../shared/tools/gen_export.py, then runs in turn: `wc -l`, the `csv` crate alone
reading the same bytes, `volary consensus --extracts` (votes and consensus as Parquet) at three sizes,
and, with --peer, panoptes_aggregation 5.3.1 (extract + reduce) at sizes that it finishes. Prints a
Markdown table of wall time, processor time and peak memory, the memory that extraction takes for each
further classification, and the peer's law of growth. Uses the standard library only.
"""
import argparse, os, pathlib, shutil, subprocess, sys, tempfile, time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
GENERATOR = ROOT.parent / "shared" / "tools" / "gen_export.py"


def run(command, cwd=None):
    """Wall seconds, processor seconds, peak MB of one command and its output."""
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit(f"failed: {command}\n{output}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, output


def best(command, times, cwd=None):
    return min((run(command, cwd) for _ in range(times)), key=lambda r: r[0])


def export(folder, rows):
    out = folder / str(rows)
    if not (out / "users.csv").exists():
        run([sys.executable, str(GENERATOR), "--rows", str(rows), "--seed", "1", "--out", str(out)])
    return out


def row(name, rows, result):
    wall, cpu, peak, _ = result
    print(f"| {name} | {rows:,} | {wall:.2f} | {cpu:.2f} | {peak:.0f} |", flush=True)
    return result


def peer(folder, rows, venv):
    """Processor seconds of panoptes_aggregation's extraction and reduction."""
    tool = venv / "bin" / "panoptes_aggregation"
    if not tool.exists():
        run([sys.executable, "-m", "venv", str(venv)])
        run([str(venv / "bin" / "pip"), "install", "-q", "panoptes-aggregation==5.3.1", "pandas==2.3.3", "numpy==2.2.6"])
    data = export(folder, rows)
    out = folder / "peer"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    run([str(tool), "config", str(data / "workflows.csv"), "9001", "-d", str(out)])
    extract = row("panoptes_aggregation extract", rows, run(
        [str(tool), "extract", str(data / "classifications.csv"), "Extractor_config_workflow_9001_V12.34.yaml"], out))
    reduce = row("panoptes_aggregation reduce", rows, run(
        [str(tool), "reduce", "question_extractor_extractions.csv",
         "Reducer_config_workflow_9001_V12.34_question_extractor.yaml"], out))
    return extract[1], reduce[1]


def law(points):
    """a, b of seconds = a n + b n², through the smallest and the largest size; b is 0 for a single size."""
    (n, s), (m, t) = points[0], points[-1]
    b = 0.0 if n == m else max(0.0, (t / m - s / n) / (m - n))
    return s / n - b * n, b


def peer_report(folder, sizes, venv, ours):
    """The peer at each size, its law of growth, and what that law says of our largest size."""
    measured = {rows: peer(folder, rows, venv) for rows in sizes}
    print()
    for rows, seconds in measured.items():
        if rows in ours:
            ratio = sum(seconds) / ours[rows][1]
            print(f"At {rows:,} classifications the peer takes {ratio:,.0f} times our processor time (measured).")
    if len(sizes) < 2:
        return
    largest = max(ours)
    total = 0.0
    for name, part in (("extract", 0), ("reduce", 1)):
        a, b = law([(rows, seconds[part]) for rows, seconds in measured.items()])
        total += a * largest + b * largest**2
        between = ", ".join(f"{rows:,}: {seconds[part]:.1f} s measured, {a * rows + b * rows**2:.1f} s by the law"
                            for rows, seconds in list(measured.items())[1:-1])
        print(f"{name}: {a * 1e6:.1f} µs n + {b * 1e12:.1f} ps n²" + (f" ({between})" if between else ""))
    print(f"Extrapolated to {largest:,}: {total:,.0f} s, {total / ours[largest][1]:,.0f} times our processor time.")

def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument("--folder", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir()) / "volary-bench")
    arguments.add_argument("--peer", type=int, nargs="*", default=[], metavar="ROWS", help="run the peer at these sizes")
    arguments.add_argument("--venv", type=pathlib.Path, help="where panoptes_aggregation is or will be installed")
    arguments.add_argument("--repeat", type=int, default=3, help="runs of each program, of which the fastest counts")
    arguments = arguments.parse_args()
    if not GENERATOR.exists():
        sys.exit(f"the generator is not here: {GENERATOR}")
    folder = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    volary = str(TARGET / "volary")
    print("| run | classifications | wall s | processor s | peak MB |\n|---|---|---|---|---|")
    ours, extracted, n = {}, {}, arguments.repeat
    for rows in sorted({10_000, 100_000, arguments.rows, *arguments.peer}):
        file = str(export(folder, rows) / "classifications.csv")
        row("wc -l", rows, best(["wc", "-l", file], n))
        floor = row("csv crate alone", rows, best([str(TARGET / "examples" / "csv_floor"), file], n))
        out = folder / "out"
        ours[rows] = row("volary: votes + consensus", rows, best(
            [volary, "consensus", file, "--extracts", str(out), "-o", str(out / "consensus.parquet")], n))
        extracted[rows] = row("volary extract", rows, best([volary, "extract", file, "-o", str(out)], n))
        print(f"|   ratio to the csv crate | {rows:,} | {ours[rows][0] / floor[0]:.2f} | {ours[rows][1] / floor[1]:.2f} | |")
    few, many = 100_000, max(ours)
    if many > few:
        bytes_each = (extracted[many][2] - extracted[few][2]) * 1024**2 / (many - few)
        print(f"\nExtraction takes {bytes_each:.1f} bytes more for each classification from {few:,} to {many:,}.")
    if arguments.peer:
        peer_report(folder, sorted(arguments.peer), arguments.venv or folder / "venv", ours)


if __name__ == "__main__":
    main()
