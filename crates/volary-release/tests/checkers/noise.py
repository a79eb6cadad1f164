"""OpenDP's map of epsilon and its noise, against ours. Reads a JSON list of [votes, scale, epsilon, chances]."""

import json
import sys

import opendp.prelude as dp

dp.enable_features("contrib")
with open(sys.argv[1], encoding="utf-8") as file:
    cases = json.load(file)
space = dp.atom_domain(T=int), dp.absolute_distance(T=int)
for votes, scale, epsilon, _ in cases:
    theirs = dp.m.make_laplace(*space, scale=scale).map(d_in=votes)
    # OpenDP rounds up, so that it never says too little.
    if not epsilon * (1 - 1e-9) <= theirs <= epsilon * (1 + 1e-9):
        sys.exit(f"{votes} votes, scale {scale}: epsilon {epsilon} here, {theirs} there")
N = 40_000
for votes, scale, _, chances in cases[::7]:
    noise = dp.m.make_laplace(*space, scale=scale)
    drawn = [abs(noise(0)) for _ in range(N)]
    for y, chance in enumerate(chances):
        both = chance if y == 0 else 2 * chance
        n, expected = drawn.count(y), N * both
        # Seven standard deviations: a law that is another is far beyond, chance is not.
        if abs(n - expected) > 7 * (expected * (1 - both)) ** 0.5 + 7:
            sys.exit(f"scale {scale}: {y} is drawn {n} times there, and {expected:.0f} are expected here")
print("ok")
