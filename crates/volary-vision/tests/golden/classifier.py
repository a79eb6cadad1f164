"""Golden values of the classifier: the same layers and loss in PyTorch.

Run with PyTorch 2.15.0 (CPU):  python classifier.py > classifier.json
The layers are those of `vgg6` of GOTO-OBS/gotorb (there in Keras). Weights and pictures are sines, what is left
out is every third, so that both sides make them from a formula.
"""
import json
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

CHANNELS, HEIGHT, WIDTH, FILTERS, DENSE, CLASSES, BATCH, PENALTY = 2, 24, 30, [3, 4], 8, 2, 4, 0.01


def sines(n, phase, scale):
    return torch.tensor([scale * math.sin(0.7 * i + phase) for i in range(n)], dtype=torch.float64).float()


def left_out(*shape):
    n = math.prod(shape)
    return torch.tensor([0.0 if i % 3 == 0 else 1.5 for i in range(n)]).reshape(shape)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        w = [CHANNELS, FILTERS[0], FILTERS[0], FILTERS[1], FILTERS[1]]
        self.convolutions = nn.ModuleList(nn.Conv2d(a, b, 3) for a, b in zip(w, w[1:]))
        flat = FILTERS[1] * (((HEIGHT - 4) // 2 - 4) // 4) * (((WIDTH - 4) // 2 - 4) // 4)
        self.dense, self.classifier = nn.Linear(flat, DENSE), nn.Linear(DENSE, CLASSES)

    def forward(self, x, masks):
        a, b, c, d = self.convolutions
        x = F.max_pool2d(F.relu(b(F.relu(a(x)))), 2)
        if masks:
            x = x * left_out(BATCH, FILTERS[0], 1, 1)
        x = F.max_pool2d(F.relu(d(F.relu(c(x)))), 4)
        if masks:
            x = x * left_out(BATCH, FILTERS[1], 1, 1)
        features = F.relu(self.dense(x.flatten(1)))
        used = features * left_out(BATCH, DENSE) if masks else features
        return features, self.classifier(used)


torch.set_num_threads(1)
net = Net()
for k, (_, p) in enumerate(sorted(net.named_parameters())):
    # A little above zero, so that few numbers are cut off.
    p.data = (sines(p.numel(), float(k), 0.3 if p.dim() > 1 else 0.1) + 0.05).reshape(p.shape)
wave = lambda i: 0.5 + 0.3 * math.sin(0.7 * i) + 0.2 * math.sin(0.0113 * i + 0.5)
x = torch.tensor([wave(i) for i in range(BATCH * CHANNELS * HEIGHT * WIDTH)], dtype=torch.float64)
x = x.float().reshape(BATCH, CHANNELS, HEIGHT, WIDTH)
shares = torch.tensor([[1.0, 0.25], [0.0, 0.5], [0.0, 1.0], [0.5, 0.75]])
n_yes = shares.sum(0)
weights = torch.stack([BATCH / (2 * n_yes), BATCH / (2 * (BATCH - n_yes))])
out = {"torch": torch.__version__}
for name, masks in [("whole", False), ("thinned", True)]:
    net.zero_grad()
    features, logits = net(x, masks)
    class_ = (weights[0] * shares * -F.logsigmoid(logits) + weights[1] * (1 - shares) * -F.logsigmoid(-logits)).mean()
    plain = F.binary_cross_entropy_with_logits(logits, shares)
    penalty = PENALTY * sum((c.weight ** 2).sum() for c in net.convolutions)
    (class_ + penalty).backward()
    out[name] = {
        "features": features.flatten().tolist(), "logits": logits.flatten().tolist(), "class": class_.item(),
        "unweighted": plain.item(), "penalty": penalty.item(),
        "gradients": {k: [p.grad.double().sum().item(), p.grad.double().abs().sum().item()]
                      for k, p in net.named_parameters()},
    }
print(json.dumps(out, indent=1))
