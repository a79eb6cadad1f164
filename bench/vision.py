"""Training, embedding and Score-CAM of the confusion network, in turn with PyTorch on the same machine.

    cargo build --release -p volary-vision --example vision_speed
    python3 bench/vision.py [--venv DIR] [--rounds N]

PyTorch is installed into a virtual environment (5.4 GB, as PyPI has it only together with what a graphics card
needs). Both run on the same number of threads, one after the other, round by round; each figure is the
fastest of its kind. The network is that of the specification (confusion.md, 3.2): 984,618 weights, 96 px, a
batch of 64.
"""

import argparse
import os
import subprocess
import sys
import time
import venv

TORCH = "torch==2.15.0"


def main(peer, speed, about):
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--venv", default="/work/venv/torch")
    parser.add_argument("--speed", default=speed)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--peer", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peer:
        return peer(args.threads)
    python = os.path.join(args.venv, "bin", "python")
    if not os.path.exists(python):
        venv.create(args.venv, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", TORCH, "numpy"], check=True)
    env = dict(os.environ, RAYON_NUM_THREADS=str(args.threads), OMP_NUM_THREADS=str(args.threads))
    ours, theirs = {}, {}
    for _ in range(args.rounds):
        keep_fastest(ours, [args.speed], env)
        keep_fastest(theirs, [python, sys.argv[0], "--peer", "--threads", str(args.threads)], env)
    print(f"{'':<18}{'volary':>10}{'PyTorch':>10}{'ratio':>8}   ({args.threads} threads, {args.rounds} rounds)")
    for name in ours:
        print(f"{name:<18}{ours[name]:>10.1f}{theirs[name]:>10.1f}{ours[name] / theirs[name]:>8.2f}")


def keep_fastest(best, command, env):
    lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=env).stdout.splitlines()
    for line in lines:
        name, value = line.split()
        best[name] = min(best.get(name, float("inf")), float(value))


def fastest(name, f, n):
    best = float("inf")
    for _ in range(n):
        start = time.perf_counter()
        f()
        best = min(best, time.perf_counter() - start)
    print(name, f"{best * 1e3:.1f}")


def peer(threads):
    import torch
    import torch.nn as nn
    import torch.nn.functional as F

    torch.set_num_threads(threads)
    torch.manual_seed(1)

    class Block(nn.Module):
        def __init__(self, conv, n):
            super().__init__()
            self.conv, self.norm = conv, nn.InstanceNorm2d(n)

        def forward(self, x):
            return self.norm(F.leaky_relu(self.conv(x), 0.2))

    def down(n_in, n_out):
        return Block(nn.Conv2d(n_in, n_out, 4, 2, 1), n_out)

    def up(n_in, n_out):
        return Block(nn.ConvTranspose2d(n_in, n_out, 4, 2, 1), n_out)

    leaky = lambda: nn.LeakyReLU(0.2)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.Sequential(
                down(3, 32), down(32, 64), down(64, 128), down(128, 128),
                nn.Conv2d(128, 64, 1), leaky(), nn.Conv2d(64, 8, 1), leaky(), nn.Flatten(),
            )
            self.mean, self.log_variance = nn.Linear(288, 288), nn.Linear(288, 288)
            self.latent = nn.Linear(288, 288)
            self.decoder = nn.Sequential(
                nn.Conv2d(8, 8, 1), leaky(), nn.Conv2d(8, 64, 1), leaky(), up(64, 128), up(128, 64), up(64, 32),
                nn.ConvTranspose2d(32, 3, 4, 2, 1), leaky(), nn.Conv2d(3, 3, 3, 1, 1), nn.Sigmoid(),
            )
            self.classifier = nn.Linear(288, 3)

        def encode(self, x):
            h = self.encoder(x)
            return self.mean(h), self.log_variance(h)

    net = Net()
    assert sum(p.numel() for p in net.parameters()) == 984_618
    optimizer = torch.optim.NAdam(net.parameters(), lr=1e-4)
    x, votes = torch.rand(64, 3, 96, 96), torch.rand(64, 3)

    def divergence(mean, log_variance):
        return 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).mean()

    def step(rotation):
        mean, log_variance = net.encode(x)
        z = mean + (log_variance / 2).exp() * torch.randn_like(mean)
        rebuilt = net.decoder(net.latent(z).view(-1, 8, 6, 6))
        loss = (rebuilt - x).abs().sum() / 64 + 0.5 * divergence(mean, log_variance)
        loss = loss + 10 * F.binary_cross_entropy_with_logits(net.classifier(z), votes)
        if rotation:
            turned = [net.encode(torch.rot90(x, k, (2, 3))) for k in (1, 2, 3)]
            terms = torch.stack([divergence(m - mean, v) for m, v in turned])
            loss = loss + terms.sum() + terms.min()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    fastest("step_ms", lambda: step(False), 8)
    fastest("step_rotation_ms", lambda: step(True), 8)
    net.eval()
    with torch.no_grad():
        logits = lambda x: net.classifier(net.encode(x)[0])
        fastest("embed_ms", lambda: logits(x), 10)
        # Score-CAM's floor: 128 masks and the picture itself through the network in batches, no masks made.
        picture, masked = x[:1], torch.rand(128, 3, 96, 96)

        def passes():
            logits(picture)
            for batch in masked.split(64):
                logits(batch)

        fastest("score_cam_ms", passes, 10)


if __name__ == "__main__":
    main(peer, "target/release/examples/vision_speed", __doc__)
