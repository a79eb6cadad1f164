"""Golden values of the confusion model: the same layers, losses and optimizers in PyTorch.

Run with PyTorch 2.15.0 (CPU):  python make.py > pytorch.json
The layers are those of ramanakumars/cvae (Sankar et al. 2024); weights, pictures and noise are sines, so that
both sides make them from a formula.
"""
import json
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

CHANNELS, SIDE, FILTERS, HIDDEN, CLASSES, BATCH = 2, 32, 8, [6, 3], 3, 4


def sines(n, phase, scale):
    return torch.tensor([scale * math.sin(0.7 * i + phase) for i in range(n)], dtype=torch.float64).float()


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        w = [CHANNELS, FILTERS // 4, FILTERS // 2, FILTERS, FILTERS]
        self.blocks = nn.ModuleList(nn.Conv2d(a, b, 4, 2, 1) for a, b in zip(w, w[1:]))
        n = [FILTERS] + HIDDEN
        self.bottleneck = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in zip(n, n[1:]))
        self.grid = SIDE // 16
        latent = HIDDEN[-1] * self.grid ** 2
        self.mean, self.log_variance = nn.Linear(latent, latent), nn.Linear(latent, latent)
        self.latent = nn.Linear(latent, latent)
        n = [HIDDEN[-1]] + HIDDEN[::-1]
        self.widen = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in zip(n, n[1:]))
        w = [HIDDEN[0], FILTERS, FILTERS // 2, FILTERS // 4]
        self.grow = nn.ModuleList(nn.ConvTranspose2d(a, b, 4, 2, 1) for a, b in zip(w, w[1:]))
        self.picture = nn.ConvTranspose2d(FILTERS // 4, CHANNELS, 4, 2, 1)
        self.smooth = nn.Conv2d(CHANNELS, CHANNELS, 3, 1, 1)
        self.classifier = nn.Linear(latent, CLASSES)

    def encode(self, x):
        for layer in self.blocks:
            x = F.instance_norm(F.leaky_relu(layer(x), 0.2))
        for layer in self.bottleneck:
            x = F.leaky_relu(layer(x), 0.2)
        x = x.flatten(1)
        return self.mean(x), self.log_variance(x)

    def decode(self, z):
        x = self.latent(z).reshape(-1, HIDDEN[-1], self.grid, self.grid)
        for layer in self.widen:
            x = F.leaky_relu(layer(x), 0.2)
        for layer in self.grow:
            x = F.instance_norm(F.leaky_relu(layer(x), 0.2))
        return torch.sigmoid(self.smooth(F.leaky_relu(self.picture(x), 0.2)))


def set_weights(net):
    for k, (_, p) in enumerate(sorted(net.named_parameters())):
        scale = 0.3 if p.dim() > 1 else 0.1
        p.data = sines(p.numel(), float(k), scale).reshape(p.shape)


def kl(mean, log_variance):
    return 0.5 * (mean ** 2 + log_variance.exp() - 1 - log_variance).mean(1).mean()


def losses(net, x, votes, n_seen, noise, contraction):
    mean, log_variance = net.encode(x)
    z = mean + torch.exp(0.5 * log_variance) * noise
    recon = (x - net.decode(z)).abs().sum(dim=(1, 2, 3)).mean()
    logits = net.classifier(z)
    fractions = votes / n_seen[:, None]
    bce = F.binary_cross_entropy_with_logits(logits, fractions)
    mean_n = n_seen.mean()
    binomial = (F.binary_cross_entropy_with_logits(logits, fractions, reduction="none") * (n_seen / mean_n)[:, None]).mean()
    turned = []
    for k in (1, 2, 3):
        m, v = net.encode(torch.rot90(x, k, (2, 3)))
        turned.append(0.5 * ((m - mean) ** 2 + v.exp() - 1 - v).mean())
    out = dict(reconstruction=recon, divergence=kl(mean, log_variance), bce=bce, binomial=binomial,
               rotation=sum(turned), smallest_rotation=torch.stack(turned).min())
    if contraction:
        xs = x.clone().requires_grad_(True)
        m, v = net.encode(xs)
        s = (m + torch.exp(0.5 * v) * noise).sum()
        (g,) = torch.autograd.grad(s, xs, create_graph=True)
        out["contraction"] = g.flatten(1).norm(dim=1).mean()
    return out, mean, log_variance, logits


def dirichlet(logits, votes, n_seen):
    """Minus log-probability of the votes in their order, double precision, log-gamma form."""
    a = torch.exp(10 * torch.tanh(logits.double() / 10))
    a0, n = a.sum(1), n_seen.double()
    ll = torch.lgamma(a0) - torch.lgamma(a0 + n) + (torch.lgamma(a + votes) - torch.lgamma(a)).sum(1)
    return (-ll).mean() / (CLASSES * n_seen.double().mean())


def gradients(net):
    return {name: [p.grad.double().sum().item(), p.grad.double().abs().sum().item()] if p.grad is not None else [0.0, 0.0]
            for name, p in net.named_parameters()}


def main():
    torch.set_num_threads(1)
    net = Net()
    set_weights(net)
    # Two waves of other lengths, so that pictures differ.
    wave = lambda i: 0.5 + 0.3 * math.sin(0.7 * i) + 0.2 * math.sin(0.0113 * i + 0.5)
    x = torch.tensor([wave(i) for i in range(BATCH * CHANNELS * SIDE * SIDE)], dtype=torch.float64)
    x = x.float().reshape(BATCH, CHANNELS, SIDE, SIDE)
    latent = HIDDEN[-1] * (SIDE // 16) ** 2
    noise = sines(BATCH * latent, 2.0, 1.0).reshape(BATCH, latent)
    votes = torch.tensor([[5, 0, 3], [30, 10, 10], [1, 1, 2], [0, 20, 0]], dtype=torch.float64)
    n_seen = torch.tensor([8.0, 50.0, 4.0, 20.0])
    out = {"torch": torch.__version__}
    terms, mean, log_variance, logits = losses(net, x, votes.float(), n_seen, noise, True)
    out["terms"] = {k: v.item() for k, v in terms.items()}
    out["terms"]["dirichlet"] = dirichlet(logits, votes, n_seen).item()
    out["mean"], out["log_variance"] = mean.flatten().tolist(), log_variance.flatten().tolist()
    out["logits"] = logits.flatten().tolist()
    total = terms["reconstruction"] + 0.5 * terms["divergence"] + 150 * terms["bce"] + terms["rotation"] + terms["smallest_rotation"]
    out["total"] = total.item()
    total.backward(retain_graph=True)
    out["gradients"] = gradients(net)
    net.zero_grad()
    terms["contraction"].backward()
    out["contraction_gradients"] = gradients(net)
    # Three steps of NAdam on the whole.
    set_weights(net)
    steps = torch.optim.NAdam(net.parameters(), lr=1e-3)
    after = []
    for _ in range(3):
        steps.zero_grad()
        terms, *_ = losses(net, x, votes.float(), n_seen, noise, False)
        total = terms["reconstruction"] + 0.5 * terms["divergence"] + 150 * terms["bce"] + terms["rotation"] + terms["smallest_rotation"]
        total.backward()
        steps.step()
        after.append(total.item())
    out["nadam_totals"] = after
    # The optimizers alone: 40 steps down f(w) = sum of (w - target)^2 / 2 with gradients scaled by step.
    for name, make in [("adam", torch.optim.Adam), ("nadam", torch.optim.NAdam)]:
        w = torch.tensor([1.0, -2.0, 0.5], requires_grad=True)
        target = torch.tensor([0.0, 1.0, 0.4])
        opt = make([w], lr=0.01)
        path = []
        for i in range(40):
            w.grad = (w.detach() - target) * (1 + math.sin(i))
            opt.step()
            path.append(w.detach().tolist())
        out[name] = path
    print(json.dumps(out))


main()
