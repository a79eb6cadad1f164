"""Scoring of a folder of images by the anomaly networks, decoding included, in turn with PyTorch on the same machine.

    cargo build --release -p volary
    python3 bench/anomaly_score.py [--images N] [--rounds N] [--venv DIR] [--volary FILE]

Images of 96 px are drawn by `volary simulate images` (PNG, and the same as JPEG) into a temporary folder. The networks
are those of anomaly.py, after one step of training on three pictures, so that both sides have the same weights; that
they give the same scores is asserted. Ours is `volary score` as it is, from the start of the process to its end: reading
the weights and their checksum, decoding, encoder, generator and the critic's features twice, a table of scores and one of
latent numbers. PyTorch's clock starts when it is imported and has its weights, and stops when the same two tables are
written: Pillow decodes, batches of 64. Fastest of the rounds.
"""

import argparse
import csv
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

PILLOW = "pillow==13.0.0"
BATCH = 64


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--venv", default="/work/venv/torch")
    parser.add_argument("--volary", default="target/release/volary")
    parser.add_argument("--peer", nargs=3, metavar=("MODEL", "IMAGES", "SCORES"), help=argparse.SUPPRESS)
    parser.add_argument("--jpeg", metavar="FOLDER", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peer:
        return peer(args.threads, *map(pathlib.Path, args.peer))
    if args.jpeg:
        return as_jpeg(pathlib.Path(args.jpeg))
    python = os.path.join(args.venv, "bin", "python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", PILLOW], check=True)
    env = dict(os.environ, RAYON_NUM_THREADS=str(args.threads), OMP_NUM_THREADS=str(args.threads))
    volary = os.path.abspath(args.volary)
    with tempfile.TemporaryDirectory() as folder:
        here = pathlib.Path(folder)

        def run(*command):
            start = time.perf_counter()
            done = subprocess.run(command, check=True, cwd=here, env=env, stdout=subprocess.PIPE, text=True)
            return time.perf_counter() - start, done.stdout

        run(volary, "simulate", "images", "-o", "sky", "--scene", "galaxies", "--subjects", str(args.images))
        run(python, os.path.abspath(__file__), "--jpeg", str(here / "sky" / "images"))
        few = sorted(path.stem for path in (here / "sky" / "images").glob("*.png"))[:3]
        (here / "few.csv").write_text("subject_id\n" + "".join(f"{name}\n" for name in few))
        run(volary, "train", "anomaly", "sky/images", "-o", "model", "--only", "few.csv", "--epochs", "1",
            "--gallery-every", "0")
        print(f"{'':<8}{'volary s':>10}{'PyTorch s':>11}{'images/s':>10}{'images/s':>10}{'ours':>7}"
              f"   ({args.images} images, {args.threads} threads, {args.rounds} rounds)")
        for kind, images in (("PNG", "sky/images"), ("JPEG", "sky/jpeg")):
            ours = theirs = float("inf")
            for n in range(args.rounds):
                # A cache of its own: every image is decoded.
                wall, _ = run(volary, "score", "model", images, "-o", "ours.csv", "--cache", f"cache {kind} {n}")
                ours = min(ours, wall)
                _, out = run(python, os.path.abspath(__file__), "--threads", str(args.threads),
                             "--peer", "model", images, "theirs.csv")
                theirs = min(theirs, float(out))
                alike(here)
            rates = args.images / ours, args.images / theirs
            print(f"{kind:<8}{ours:>10.2f}{theirs:>11.2f}{rates[0]:>10.1f}{rates[1]:>10.1f}{rates[0] / rates[1]:>7.2f}")


def as_jpeg(images):
    from PIL import Image

    out = images.parent / "jpeg"
    out.mkdir()
    for path in sorted(images.glob("*.png")):
        Image.open(path).convert("RGB").save(out / f"{path.stem}.jpg", quality=92)


def alike(here):
    """Both have scored the same pictures by the same numbers. Decoders of JPEG differ by a grey level here and there."""
    ours, theirs = ({row["subject_id"]: row for row in csv.DictReader(open(here / name))}
                    for name in ("ours.csv", "theirs.csv"))
    assert ours.keys() == theirs.keys() and ours
    for name, row in ours.items():
        for column in ("image_score", "feature_score"):
            a, b = float(row[column]), float(theirs[name][column])
            assert abs(a - b) <= 0.02 * abs(b) + 1e-3, (name, column, a, b)


def weights(model):
    """The weights of a model folder by name: a safetensors file is a header and numbers."""
    import numpy
    import torch

    data = (model / "weights.safetensors").read_bytes()
    n = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + n])
    header.pop("__metadata__", None)
    body = numpy.frombuffer(data, numpy.uint8, offset=8 + n)
    of = lambda t: body[slice(*t["data_offsets"])].view(numpy.float32).reshape(t["shape"]).copy()
    return {name: torch.from_numpy(of(tensor)) for name, tensor in header.items()}


def peer(threads, model, images, output):
    import numpy
    import torch
    from PIL import Image

    import anomaly

    torch.set_num_threads(threads)
    generator, features, _, encoder = anomaly.networks()
    found = weights(model)

    def put(layer, name):
        layer.weight.data = found[f"{name}.weight"]
        layer.bias.data = found[f"{name}.bias"]

    put(generator.latent, "generator.latent")
    for i in range(4):
        put(generator.grow[i], f"generator.grow.{i}" if i < 3 else "generator.picture")
        put(features[2 * i], f"critic.halve.{i}")
        put(encoder[0][2 * i], f"encoder.halve.{i}")
    put(encoder[1], "encoder.latent")

    start = time.perf_counter()
    paths = sorted(path for path in images.iterdir() if path.suffix in (".png", ".jpg"))
    with torch.no_grad(), open(output, "w", newline="") as scores, open(f"{output}.latents", "w", newline="") as latents:
        scores, latents = csv.writer(scores), csv.writer(latents)
        scores.writerow(["subject_id", "image_score", "feature_score", "anomaly_score"])
        latents.writerow(["subject_id"] + [f"z{i}" for i in range(128)])
        for first in range(0, len(paths), BATCH):
            batch = paths[first:first + BATCH]
            pictures = numpy.stack([numpy.asarray(Image.open(path).convert("RGB")) for path in batch])
            x = torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous().float() / 255
            image, feature, z = anomaly.score(x, generator, features, encoder)
            total = 0.8 * image + 0.2 * feature
            for path, *row in zip(batch, image.tolist(), feature.tolist(), total.tolist()):
                scores.writerow([path.stem, *row])
            for path, row in zip(batch, z.tolist()):
                latents.writerow([path.stem, *row])
    print(time.perf_counter() - start)


if __name__ == "__main__":
    sys.exit(main())
