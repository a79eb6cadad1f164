#!/usr/bin/env python3
"""Shape clustering: ours and panoptes_aggregation's, in turn, in processor time.

    cargo build --release -p volary
    python3 -m venv /tmp/peer && /tmp/peer/bin/pip install panoptes-aggregation==5.3.1
    python3 bench/shapes.py --volary target/release/volary --peer /tmp/peer/bin/panoptes_aggregation

Draws circles of 20 volunteers on 5,000 subjects (100,000 marks: most near one of two vortices, some
stray) with a fixed seed, writes them as an extraction (what both programs reduce) and as a shapes table
(what `volary shapes` reads), and gives the processor seconds of each program.

panoptes_aggregation selects the rows of each subject from the whole table, so that its time tends to the
square of the number of subjects; with --subjects 500 it finishes in seconds.
"""

import argparse
import csv
import random
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

YAML = {
    "dbscan": "reducer_config:\n    shape_reducer_dbscan:\n        shape: circle\n        eps: 20\n        min_samples: 3\n",
    "iou": "reducer_config:\n    shape_reducer_dbscan:\n        shape: circle\n        metric_type: IoU\n        eps: 0.5\n"
    "        min_samples: 3\n        estimate_average: true\n",
    "hdbscan": "reducer_config:\n    shape_reducer_hdbscan:\n        shape: circle\n        min_cluster_size: 3\n        min_samples: 3\n",
    "optics": "reducer_config:\n    shape_reducer_optics:\n        shape: circle\n        min_samples: 3\n",
}


def circles(rng, n_marks):
    """The marks of one subject, volunteer by volunteer."""
    vortices = [(rng.uniform(60, 160), rng.uniform(60, 340), rng.uniform(15, 40)) for _ in range(2)]
    vortices[1] = (vortices[1][0] + 200, *vortices[1][1:])
    for _ in range(n_marks):
        if rng.random() < 0.1:
            yield rng.uniform(0, 400), rng.uniform(0, 400), rng.uniform(5, 40)
        else:
            x, y, r = rng.choice(vortices)
            yield rng.gauss(x, 4), rng.gauss(y, 4), max(1.0, rng.gauss(r, 2))


def write(folder, n_subjects, marks_per_subject):
    rng = random.Random(1)
    extraction, shapes = folder / "extraction.csv", folder / "shapes.csv"
    with extraction.open("w", newline="") as e, shapes.open("w", newline="") as s:
        e, s = csv.writer(e), csv.writer(s)
        e.writerow(
            "classification_id,user_name,user_id,workflow_id,task,created_at,subject_id,extractor,"
            "data.frame0.T0_tool0_x,data.frame0.T0_tool0_y,data.frame0.T0_tool0_r,data.aggregation_version".split(",")
        )
        s.writerow(
            "classification_id,workflow_id,subject_id,volunteer,created_at,repeat,task,mark,frame,tool,shape,"
            "x_px,y_px,r_px".split(",")
        )
        n = 0
        for subject in range(1, n_subjects + 1):
            for volunteer, mark in enumerate(circles(rng, marks_per_subject)):
                n += 1
                x, y, r = (round(v, 3) for v in mark)
                time = f"2025-01-01 {n // 3600 % 24:02}:{n // 60 % 60:02}:{n % 60:02} UTC"
                e.writerow(
                    [n, f"v{volunteer}", volunteer, 7, "T0", time, subject, "shape_extractor_circle"]
                    + [f"[{v}]" for v in (x, y, r)]
                    + ["5.3.1"]
                )
                s.writerow([n, 7, subject, f"v{volunteer}", time, "false", "T0", 0, 0, 0, "circle", x, y, r])
    return extraction, shapes


def processor_seconds(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        sys.exit(f"failed: {command}\n{done.stderr[-2000:]}")
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--volary", default="target/release/volary")
    arguments.add_argument("--peer", help="panoptes_aggregation 5.3.1; without it only ours runs")
    arguments.add_argument("--subjects", type=int, default=5000)
    arguments.add_argument("--marks", type=int, default=20, help="marks a subject")
    arguments.add_argument("--methods", default="dbscan", help=f"of {','.join(YAML)}, joined by commas")
    arguments = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        extraction, shapes = write(folder, arguments.subjects, arguments.marks)
        n = arguments.subjects * arguments.marks
        print(f"{n:,} marks on {arguments.subjects:,} subjects; processor seconds")
        for algorithm in ["dbscan", "hdbscan", "optics"]:
            command = [arguments.volary, "shapes", shapes, "-o", folder / "out.parquet", "--algorithm", algorithm]
            best = min(processor_seconds(command) for _ in range(3))
            print(f"volary shapes --algorithm {algorithm:<8} {best:8.2f}")
        for method in arguments.methods.split(","):
            yaml = folder / f"{method}.yaml"
            yaml.write_text(YAML[method])
            command = [arguments.volary, "reduce", extraction, "--reducer-config", yaml, "-F", "all", "-o", folder / "ours"]
            ours = min(processor_seconds(command) for _ in range(3))
            line = f"reduce, {method:<8} volary {ours:8.2f}"
            if arguments.peer:
                (folder / "theirs").mkdir(exist_ok=True)
                command = [arguments.peer, "reduce", extraction, yaml, "-d", folder / "theirs", "-o", method, "-hb"]
                theirs = processor_seconds(command)
                line += f"   panoptes_aggregation {theirs:8.2f}   ratio {theirs / ours:6.0f}"
            print(line, flush=True)


if __name__ == "__main__":
    main()
