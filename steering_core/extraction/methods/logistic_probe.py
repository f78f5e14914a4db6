"""The weights of a logistic regression that tells positive from negative activations.

    axis = argmin over w of  |w|^2 / 2 + C sum_i log(1 + exp(-y_i (w . x_i + b))),  y = +1, -1

Activations are divided by their mean norm first, so that C means the same at every block. Best for reading:
it uses what separates the poles, which need not be what the model itself uses, so as a vector to write with
it is weak (AxBench, arXiv 2501.17148: 0.10 beside 0.24 for the mean difference). Cost: some dozen passes of
L-BFGS over (2n, d_model).

Source: linear probes, Alain and Bengio 2016, arXiv 1610.01644; solved by scikit-learn.
"""

import numpy as np

from steering_core.extraction.statistics import Float64, Rows

# Weak enough to separate a few dozen pairs, strong enough that the weights do not run off on separable data.
INVERSE_PENALTY = 1.0
MAX_ITERATIONS = 1000


def axis(rows: Rows) -> Float64:
    """(d_model,) float64, not normalised; its length has no meaning."""
    # Not above: it takes a tenth of the time that a worker takes to start.
    from sklearn.linear_model import LogisticRegression

    points = np.concatenate([rows.pole("positive"), rows.pole("negative")]).astype(np.float64)
    labels = np.repeat([1, 0], rows.n_pairs)
    # Both poles share an offset that would only make the solver slow.
    points -= points.mean(0)
    scale = float(np.linalg.norm(points, axis=1).mean()) or 1.0
    probe = LogisticRegression(C=INVERSE_PENALTY, max_iter=MAX_ITERATIONS).fit(points / scale, labels)
    weights: Float64 = probe.coef_[0] / scale
    return weights
