"""Golden values of evaluation, PCA, logistic regression and trustworthiness, from scikit-learn and SciPy.

    pip install scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6
    python evaluate.py > evaluate.json
"""

import json
import sys

import numpy as np
import scipy.stats
import sklearn
import sklearn.decomposition
import sklearn.linear_model
import sklearn.manifold
import sklearn.metrics as m

rng = np.random.default_rng(7)
n = 60
label = np.round(rng.beta(0.6, 0.9, n) * 12) / 12
# Rounded, so that there are ties.
predicted = np.round(np.clip(0.7 * label + 0.3 * rng.random(n), 0, 1), 2)
weight = np.round(rng.gamma(2.0, 1.0, n), 3)
hard = (label > 0.5).astype(int)


def doubled(values):
    return np.concatenate([values, values])


soft_y = np.concatenate([np.ones(n, int), np.zeros(n, int)])
soft_w = np.concatenate([weight * label, weight * (1 - label)])
selected = predicted >= 0.6

evaluate = {
    "predicted": predicted.tolist(),
    "label": label.tolist(),
    "weight": weight.tolist(),
    "log_loss": m.log_loss(soft_y, doubled(predicted), sample_weight=soft_w),
    "mean_absolute_error": m.mean_absolute_error(label, predicted, sample_weight=weight),
    "brier": m.mean_squared_error(label, predicted, sample_weight=weight),
    "auc": m.roc_auc_score(hard, predicted, sample_weight=weight),
    "average_precision": m.average_precision_score(hard, predicted, sample_weight=weight),
    "auc_soft": m.roc_auc_score(soft_y, doubled(predicted), sample_weight=soft_w),
    "average_precision_soft": m.average_precision_score(soft_y, doubled(predicted), sample_weight=soft_w),
    "precision": m.precision_score(hard, selected, sample_weight=weight),
    "recall": m.recall_score(hard, selected, sample_weight=weight),
    "f1": m.f1_score(hard, selected, sample_weight=weight),
    "pearson": scipy.stats.pearsonr(predicted, label).statistic,
    "spearman": scipy.stats.spearmanr(predicted, label).statistic,
}

x = (rng.normal(size=(40, 6)) * [5, 3, 2, 1, 0.5, 0.2] @ rng.normal(size=(6, 6)) + rng.normal(size=6)).astype("f4")
pca = sklearn.decomposition.PCA(3, svd_solver="full").fit(x.astype("f8"))
components = []
for c in pca.components_:
    components.append((c if c[np.argmax(np.abs(c))] > 0 else -c).tolist())
decomposition = {
    "x": x.ravel().tolist(),
    "mean": pca.mean_.tolist(),
    "components": components,
    "variances": pca.explained_variance_.tolist(),
    "explained": pca.explained_variance_ratio_.tolist(),
}

points = rng.normal(size=(80, 4)).astype("f4")
soft = np.round(1 / (1 + np.exp(-(points @ np.array([1.0, -2.0, 0.5, 0.0]) - 1.0 + rng.normal(size=80)))), 3)
w = np.round(rng.gamma(2.0, 1.0, 80), 3)
y2 = np.concatenate([np.ones(80, int), np.zeros(80, int)])
x2 = np.concatenate([points, points]).astype("f8")
w2 = np.concatenate([w * soft, w * (1 - soft)])
fits = []
for c in [0.01, 1.0, 100.0]:
    for balanced in [False, True]:
        weights = w2.copy()
        if balanced:
            for k in (0, 1):
                weights[y2 == k] *= w2.sum() / 2 / w2[y2 == k].sum()
        model = sklearn.linear_model.LogisticRegression(C=c, solver="newton-cholesky", tol=1e-12, max_iter=1000)
        model.fit(x2, y2, sample_weight=weights)
        fits.append(
            {
                "c": c,
                "balanced": balanced,
                "coefficients": model.coef_[0].tolist(),
                "intercept": model.intercept_[0],
            }
        )
# Hard labels, balanced by scikit-learn itself.
hard_label = (soft > 0.7).astype(int)
model = sklearn.linear_model.LogisticRegression(C=1.0, class_weight="balanced", solver="newton-cholesky", tol=1e-12)
model.fit(points.astype("f8"), hard_label)
logistic = {
    "points": points.ravel().tolist(),
    "label": soft.tolist(),
    "weight": w.tolist(),
    "fits": fits,
    "hard": {"coefficients": model.coef_[0].tolist(), "intercept": model.intercept_[0]},
}

x = rng.normal(size=(50, 5)).astype("f4")
y = (x[:, :2] + 0.5 * rng.normal(size=(50, 2))).astype("f4")
maps = {"x": x.ravel().tolist(), "y": y.ravel().tolist()}
for k in (3, 7):
    maps[f"trustworthiness_{k}"] = sklearn.manifold.trustworthiness(x, y, n_neighbors=k)
    # Continuity is trustworthiness with the two exchanged.
    maps[f"continuity_{k}"] = sklearn.manifold.trustworthiness(y, x, n_neighbors=k)

json.dump(
    {
        "made_with": {"scikit-learn": sklearn.__version__, "scipy": scipy.__version__, "numpy": np.__version__},
        "evaluate": evaluate,
        "pca": decomposition,
        "logistic": logistic,
        "map": maps,
    },
    sys.stdout,
)
print()
