#!/usr/bin/env python3
"""From a classification export to votes and consensus: Volary, the floors and the peer, in one run.

Makes exports with ../shared/tools/gen_export.py, then runs in turn: `wc -l`, the `csv` crate alone
reading the same bytes, `volary consensus --extracts` (votes and consensus as Parquet) at three sizes,
and, with --peer, panoptes_aggregation 5.3.1 (extract + reduce) at a size that it finishes. Prints a
Markdown table of wall time, processor time and peak memory. Uses the standard library only.
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


def peer(folder, rows):
    """panoptes_aggregation in a virtual environment of its own."""
    venv = folder / "venv"
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
    return extract[1] + reduce[1]


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument("--folder", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir()) / "volary-bench")
    arguments.add_argument("--peer", type=int, default=0, metavar="ROWS", help="run the peer at this size too")
    arguments = arguments.parse_args()
    if not GENERATOR.exists():
        sys.exit(f"the generator is not here: {GENERATOR}")
    folder = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    volary = str(TARGET / "volary")
    print("| run | classifications | wall s | processor s | peak MB |\n|---|---|---|---|---|")
    ours = {}
    for rows in sorted({10_000, 100_000, arguments.rows}):
        file = str(export(folder, rows) / "classifications.csv")
        row("wc -l", rows, best(["wc", "-l", file], 3))
        floor = row("csv crate alone", rows, best([str(TARGET / "examples" / "csv_floor"), file], 3))
        out = folder / "out"
        ours[rows] = row("volary: votes + consensus", rows, best(
            [volary, "consensus", file, "--extracts", str(out), "-o", str(out / "consensus.parquet")], 3))
        row("volary extract", rows, best([volary, "extract", file, "-o", str(out)], 3))
        print(f"|   ratio to the csv crate | {rows:,} | {ours[rows][0] / floor[0]:.2f} | {ours[rows][1] / floor[1]:.2f} | |")
    if arguments.peer:
        seconds = peer(folder, arguments.peer)
        export(folder, arguments.peer)
        mine = ours.get(arguments.peer) or best(
            [volary, "consensus", str(folder / str(arguments.peer) / "classifications.csv"), "-o", str(folder / "p.parquet")], 3)
        print(f"\nAt {arguments.peer:,} classifications the peer takes {seconds / mine[1]:,.0f} times our processor time.")


if __name__ == "__main__":
    main()
