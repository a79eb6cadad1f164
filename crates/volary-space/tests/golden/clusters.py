"""Golden values of groups and of how odd each point is: hdbscan 0.8.44 (the authors'), numpy.

    pip install hdbscan==0.8.44 && python clusters.py > clusters.json

Its `min_samples` does not count the point itself, ours and scikit-learn's does.
"""

import json

import hdbscan
import numpy

rng = numpy.random.default_rng(11)
blobs = [
    rng.normal(0.0, 0.3, (40, 3)),
    rng.normal(5.0, 0.8, (25, 3)),
    rng.normal((0.0, 6.0, 0.0), 0.5, (15, 3)),
    rng.uniform(-12.0, 12.0, (10, 3)),
]
points = numpy.concatenate(blobs).astype(numpy.float32).astype(float)
cases = []
for min_cluster_size, min_samples, selection in [(5, 5, "eom"), (8, 3, "eom"), (10, 10, "leaf"), (15, 2, "eom")]:
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
            "labels": found.labels_.tolist(),
            "outlier_scores": found.outlier_scores_.tolist(),
        }
    )
print(json.dumps({"version": hdbscan.__name__ + " 0.8.44", "points": points.tolist(), "cases": cases}))
