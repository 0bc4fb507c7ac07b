"""Every measure of a map: formula, direction and pitfall, once, for the table, the docs, the report and `--json`."""

from __future__ import annotations

from dataclasses import dataclass

FAITHFULNESS, SANITY, STABILITY, AGREEMENT, COST = "faithfulness", "sanity", "stability", "agreement", "cost"
FAMILIES = (FAITHFULNESS, SANITY, STABILITY, AGREEMENT, COST)

FILLS, ROAD = ("blur", "mean"), "road"
"""What hides a part of the image in insertion and deletion, and the fill that ROAD brings with it."""


@dataclass(frozen=True)
class Metric:
    """One measure.

    key       its name in `Judged.values` and in JSON
    name      as it is shown
    family    one of FAMILIES
    better    "higher", "lower", or "" where neither is
    low, high the range, None where it has no end
    formula   how it is computed, in one line
    says      what a good value means
    pitfall   what a good value does not mean
    citation  keys of docs/references.bib
    """

    key: str
    name: str
    family: str
    better: str
    low: float | None
    high: float | None
    formula: str
    says: str
    pitfall: str
    citation: tuple[str, ...] = ()


METRICS: tuple[Metric, ...] = (
    Metric(
        key="gap",
        name="faithfulness",
        family=FAITHFULNESS,
        better="higher",
        low=-1.0,
        high=1.0,
        formula="mean over the fills blur, mean and ROAD of (score with the least important part hidden - score with "
        "the most important part hidden), over the share that is hidden",
        says="what the map calls important matters to the network, and what it calls unimportant does not",
        pitfall="hidden parts make pictures that the network never saw; believe it as far as the three fills agree",
        citation=("bluecher2024",),
    ),
    Metric(
        key="deletion_blur",
        name="deletion (blur)",
        family=FAITHFULNESS,
        better="lower",
        low=0.0,
        high=1.0,
        formula="area under the class probability while the most important cells are blurred away, first to last",
        says="blurring what the map shows first makes the class go away fast",
        pitfall="speckled maps win by making pictures that are merely strange",
        citation=("petsiuk2018",),
    ),
    Metric(
        key="insertion_blur",
        name="insertion (blur)",
        family=FAITHFULNESS,
        better="higher",
        low=0.0,
        high=1.0,
        formula="area under the class probability while the most important cells are shown in a blurred image",
        says="what the map shows first is enough for the class",
        pitfall="compact maps win: one object shown whole is easier than the same pixels in pieces",
        citation=("petsiuk2018",),
    ),
    Metric(
        key="deletion_mean",
        name="deletion (mean)",
        family=FAITHFULNESS,
        better="lower",
        low=0.0,
        high=1.0,
        formula="as deletion (blur), with the image's mean colour in place of the blur",
        says="as deletion (blur)",
        pitfall="sharp borders of flat colour are features of their own; compare with the blur",
        citation=("petsiuk2018",),
    ),
    Metric(
        key="insertion_mean",
        name="insertion (mean)",
        family=FAITHFULNESS,
        better="higher",
        low=0.0,
        high=1.0,
        formula="as insertion (blur), on the image's mean colour",
        says="as insertion (blur)",
        pitfall="sharp borders of flat colour are features of their own; compare with the blur",
        citation=("petsiuk2018",),
    ),
    Metric(
        key="road",
        name="ROAD",
        family=FAITHFULNESS,
        better="higher",
        low=-1.0,
        high=1.0,
        formula="class probability with the least important cells imputed (LeRF) less that with the most important "
        "ones (MoRF), mean over the shares; imputed is a noisy linear interpolation of what is left",
        says="as faithfulness, with a fill that does not show the network where something was hidden",
        pitfall="smooth maps win: look at the blurred map beside it, which is the same map with less in it",
        citation=("rong2022",),
    ),
    Metric(
        key="road_blurred",
        name="ROAD, map blurred",
        family=FAITHFULNESS,
        better="",
        low=-1.0,
        high=1.0,
        formula="ROAD of the same map under a Gaussian of 1.5 cells",
        says="how much of ROAD is had by blurring: where it is higher, ROAD rewarded smoothness",
        pitfall="it is a baseline to read ROAD by, no score of the method",
        citation=("rong2022",),
    ),
    Metric(
        key="mufidelity",
        name="MuFidelity",
        family=FAITHFULNESS,
        better="higher",
        low=-1.0,
        high=1.0,
        formula="rank correlation, over random sets of superpixels, of the map's sum over a set with the score that is "
        "lost when the set is hidden",
        says="the map's values add up to what hiding costs",
        pitfall="with few sets it is noisy for one image; and the sum in a set grows with its area",
        citation=("bhatt2020",),
    ),
    Metric(
        key="randomisation",
        name="randomisation",
        family=SANITY,
        better="lower",
        low=-1.0,
        high=1.0,
        formula="rank correlation of |map| with |map of the network whose weights were shuffled|, layer after layer "
        "from the head down; mean over the stages before the first layers' turn",
        says="the map depends on what the network learned",
        pitfall="noise passes: a low value says that the map changed, not that it was right",
        citation=("adebayo2018",),
    ),
    Metric(
        key="emprt",
        name="entropy rise",
        family=SANITY,
        better="higher",
        low=None,
        high=None,
        formula="(entropy of the map's histogram with all weights shuffled - before) / before (eMPRT)",
        says="a network that knows nothing gets a less ordered map",
        pitfall="a map that is noise to begin with has no entropy to gain",
        citation=("hedstroem2024",),
    ),
    Metric(
        key="class_sensitivity",
        name="class sensitivity",
        family=SANITY,
        better="lower",
        low=-1.0,
        high=1.0,
        formula="rank correlation of the map for the predicted class with the map for the least likely class",
        says="the map answers the question that was asked: another class, another map",
        pitfall="with two classes the other class is the only one, and a map without signs may rightly be the same",
        citation=("nie2018",),
    ),
    Metric(
        key="max_sensitivity",
        name="max-sensitivity",
        family=STABILITY,
        better="lower",
        low=0.0,
        high=None,
        formula="largest |map(x + noise) - map(x)| / |map(x)| over draws of uniform noise of 2 % of the range",
        says="noise that nobody sees does not change the map",
        pitfall="a map that is the same for every image is perfectly stable: read it with the Gini index",
        citation=("yeh2019",),
    ),
    Metric(
        key="gini",
        name="Gini index",
        family=STABILITY,
        better="higher",
        low=0.0,
        high=1.0,
        formula="Gini index of |map|: 0 where all pixels are equal, near 1 where one pixel has everything",
        says="the map singles something out",
        pitfall="a map of one wrong pixel has the best index: sparse is readable, not right",
        citation=("chalasani2020",),
    ),
    Metric(
        key="seeds",
        name="agreement of seeds",
        family=AGREEMENT,
        better="higher",
        low=-1.0,
        high=1.0,
        formula="rank correlation of the maps of two seeds, for methods that draw at random",
        says="drawing again gives the same map",
        pitfall="methods without a seed have no value here, which is no fault",
    ),
    Metric(
        key="agreement",
        name="agreement of methods",
        family=AGREEMENT,
        better="",
        low=-1.0,
        high=1.0,
        formula="mean rank correlation with the maps of the other methods, on the cells of the masks",
        says="how much the other methods would show the same",
        pitfall="methods of one family agree because they are built alike; a majority may be wrong",
        citation=("krishna2024",),
    ),
    Metric(
        key="passes",
        name="cost",
        family=COST,
        better="lower",
        low=0.0,
        high=None,
        formula="work of one map in forward passes of the same image, counted in a rehearsal",
        says="what a map costs on any machine",
        pitfall="default settings; fewer samples cost less and are noisier",
    ),
    Metric(
        key="seconds",
        name="seconds",
        family=COST,
        better="lower",
        low=0.0,
        high=None,
        formula="seconds a map, measured while the maps of all images were made, compiling included",
        says="what it cost here",
        pitfall="another machine, or a busy one, has other seconds: compare the passes",
    ),
)

METRIC = {metric.key: metric for metric in METRICS}
