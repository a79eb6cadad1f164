"""Training and scoring of the anomaly networks, in turn with PyTorch on the same machine.

    cargo build --release -p volary-vision --example anomaly_speed
    python3 bench/anomaly.py [--venv DIR] [--rounds N]

The networks are those of the specification (anomaly.md, 1.3): 64 filters, 128 latent numbers, 96 px, a batch of 64.
A critic's step makes its pictures, and its penalty is differentiated twice by PyTorch (`create_graph`) where ours
writes the first derivative out. See vision.py for how both are run.
"""

import vision


def networks():
    """Generator, the critic's features and its judge, encoder, as PyTorch has them."""
    import torch
    import torch.nn as nn
    import torch.nn.functional as F

    widths = [3, 64, 128, 256, 512]

    class Generator(nn.Module):
        def __init__(self):
            super().__init__()
            self.latent = nn.Linear(128, 18_432)
            pairs = [(512, 256), (256, 128), (128, 64), (64, 3)]
            self.grow = nn.ModuleList([nn.ConvTranspose2d(a, b, 5, 2, 2, output_padding=1) for a, b in pairs])

        def forward(self, z, noise=True):
            x = F.relu(self.latent(z)).view(-1, 512, 6, 6)
            x = F.relu(self.grow[1](F.relu(self.grow[0](x))))
            if noise:
                x = x + 0.1 * torch.randn_like(x)
            return torch.sigmoid(self.grow[3](F.relu(self.grow[2](x))))

    def halving(activation):
        layers = []
        for a, b in zip(widths, widths[1:]):
            layers += [nn.Conv2d(a, b, 5, 2, 2), activation()]
        return nn.Sequential(*layers, nn.Flatten())

    generator = Generator()
    features, judge = halving(lambda: nn.LeakyReLU(0.2)), nn.Linear(18_432, 1)
    encoder = nn.Sequential(halving(nn.ReLU), nn.Linear(18_432, 128))
    n = lambda *nets: sum(p.numel() for net in nets for p in net.parameters())
    assert (n(generator), n(features, judge), n(encoder)) == (6_683_779, 4_324_993, 6_665_984)
    return generator, features, judge, encoder


def score(x, generator, features, encoder):
    """Image scores, feature scores and latent numbers of a batch; without gradients."""
    latents = encoder(x)
    rebuilt = generator(latents, noise=False)
    image = (x - rebuilt).pow(2).flatten(1).sum(1)
    feature = (features(x) - features(rebuilt)).pow(2).sum(1)
    return image, feature, latents


def peer(threads):
    import torch
    import torch.nn as nn

    torch.set_num_threads(threads)
    torch.manual_seed(1)
    generator, features, judge, encoder = networks()
    critic = nn.Sequential(features, judge)
    of_critic = torch.optim.Adam(critic.parameters(), lr=1e-4, betas=(0.5, 0.9))
    of_encoder = torch.optim.Adam(encoder.parameters(), lr=1e-4)
    x = torch.rand(64, 3, 96, 96)

    def critic_step():
        with torch.no_grad():
            made = generator(torch.randn(64, 128))
        between = (x + torch.rand(64, 1, 1, 1) * (made - x)).requires_grad_()
        judged = critic(torch.cat([made, x]))
        slope = torch.autograd.grad(critic(between).sum(), between, create_graph=True)[0]
        penalty = ((slope.flatten(1).norm(dim=1) - 1) ** 2).mean()
        loss = judged[:64].mean() - judged[64:].mean() + 10 * penalty
        of_critic.zero_grad()
        loss.backward()
        of_critic.step()
        return loss.item()

    def encoder_step():
        with torch.no_grad():
            wanted = features(x)
        rebuilt = generator(encoder(x), noise=False)
        loss = 0.8 * (x - rebuilt).pow(2).sum() / 64 + 0.2 * (wanted - features(rebuilt)).pow(2).sum() / 64
        of_encoder.zero_grad()
        loss.backward()
        of_encoder.step()
        return loss.item()

    vision.fastest("critic_step_ms", critic_step, 4)
    for net in (generator, critic):
        net.requires_grad_(False)
    vision.fastest("encoder_step_ms", encoder_step, 4)

    @torch.no_grad()
    def scored():
        image, feature, _ = score(x, generator, features, encoder)
        return (0.8 * image + 0.2 * feature).tolist()

    vision.fastest("score_ms", scored, 5)


if __name__ == "__main__":
    vision.main(peer, "target/release/examples/anomaly_speed", __doc__)
