"""Draws what `Attribution.to_shap` gives with shap itself: `python peer_shap.py ATT.npz OUT.png`, where shap is."""

from __future__ import annotations

import sys

import matplotlib

matplotlib.use("Agg")

import numpy as np
import shap
from matplotlib import pyplot

from fieldmark import Attribution

att = Attribution.load(sys.argv[1])
explanation = att.to_shap()
n, t = att.scores.shape
assert explanation.values.shape == (n, *att.images.shape[1:3], 1, t)
assert explanation.data.shape == (n, *att.images.shape[1:3], 3)
np.testing.assert_allclose(explanation.values.sum(axis=(1, 2, 3)), att.maps.sum(axis=(2, 3)), rtol=0.02, atol=0.02)
assert explanation[0].values.shape == (*att.images.shape[1:3], 1, t)
shap.image_plot(explanation, show=False)
figure = pyplot.gcf()
titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
drawn = [axes for axes in figure.axes if axes.images]
print(len(drawn), *titles, sep="\n")
figure.savefig(sys.argv[2], dpi=60)
