"""Golden values of groups and of how odd each point is: hdbscan 0.8.44 (the authors'), scipy 1.17.1, numpy 2.4.

    pip install hdbscan==0.8.44 && python clusters.py > clusters.json

Its `min_samples` does not count the point itself, ours and scikit-learn's does. Where edges of the spanning tree are
equally long, the order in which they were found decides, so such sets are left out.
"""

import json

import hdbscan
import numpy
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import cdist


def has_ties(points, min_samples):
    distance = cdist(points, points)
    core = numpy.sort(distance, axis=1)[:, min_samples - 1]
    reach = numpy.maximum(distance, numpy.maximum(core[:, None], core[None, :]))
    edges = numpy.sort(minimum_spanning_tree(reach).data)
    return bool((numpy.diff(edges) < 1e-9).any())


KINDS = [(4, 2, "eom"), (6, 2, "leaf"), (5, 3, "eom"), (4, 4, "leaf")]
cases = []
wanted = dict.fromkeys(KINDS, 4)
for seed in range(40_000):
    rng = numpy.random.default_rng(seed)
    blobs = [
        rng.normal(0.0, 0.3, (18, 3)),
        rng.normal(5.0, 0.8, (12, 3)),
        rng.normal((0.0, 6.0, 0.0), 0.5, (10, 3)),
        rng.uniform(-12.0, 12.0, (6, 3)),
    ]
    points = numpy.concatenate(blobs).astype(numpy.float32).astype(float)
    kind = min_cluster_size, min_samples, selection = KINDS[seed % 4]
    if wanted[kind] == 0 or has_ties(points, min_samples):
        continue
    wanted[kind] -= 1
    found = hdbscan.HDBSCAN(
        min_cluster_size=min_cluster_size,
        min_samples=min_samples - 1,
        cluster_selection_method=selection,
        approx_min_span_tree=False,
        algorithm="generic",
    ).fit(points)
    cases.append(
        {
            "min_cluster_size": min_cluster_size,
            "min_samples": min_samples,
            "selection": selection,
            "points": [[round(value, 7) for value in point] for point in points.tolist()],
            "labels": found.labels_.tolist(),
            "outlier_scores": [round(score, 9) for score in found.outlier_scores_.tolist()],
        }
    )
    if not any(wanted.values()):
        break
print(json.dumps({"cases": cases}))
