"""The words of docs/birds-maps.md, and the families that its methods belong to."""

from __future__ import annotations

FAMILIES = {
    "class activation maps, 8 x 8 cells": "CAM GradCAM GradCAMPlusPlus HiResCAM XGradCAM LayerCAM EigenCAM "
    "ScoreCAM AblationCAM",
    "gradients at the image": "Gradients GradientTimesInput GuidedBackprop SmoothGrad SquareGrad VarGrad",
    "gradients along a path": "IntegratedGradients ExpectedGradients",
    "relevance": "LRP",
    "superpixels hidden": "LIME KernelSHAP",
    "squares or cells hidden": "Occlusion RISE Sobol HSIC",
    "not of the class, or not of the photograph": "ActivationMaps ActivationMaximisation",
}

TEXT = """# Maps of sketch birds, against rendered truth

Which of the methods shows what the network goes by? On [sketch birds](birds.md) nobody has to guess: every part of a
picture can be rendered away, and the network asked again. This page is written by
`python -m benchmarks.scoreboard.maps` (part of `make scoreboard`).

{setting}

![One bird and its maps]({picture})

*One bird, the rendered truth as a map, and every method at its defaults. Orange is for the class, blue against it; of
methods without a sign, yellow is strong.*

## The measures

In the manner of FunnyBirds ([hesse2023](references.md#hesse2023)). All are better when higher.

- **deletion**: each part alone is rendered away. Rank correlation, over the parts of a bird, of the map's sum on the
  part with the margin that is lost without it (log-odds of the class against all others). Sums grow with a part's
  area, which is why the random map isn't at 0.
- **preservation**: only the map's best 1, 2, ... 5 parts are kept, all others are rendered away: how often the class
  stays.
- **distractors**: the positive evidence a pixel on parts relied on, as a share of it and that on parts ignored; 0.5
  does not tell them apart. *Relied on*: without it the class flips, or half of the margin is gone; *ignored*: without
  it the class stays and the margin moves by less than a tenth. Both by rendering, bird by bird; what is in between
  counts for neither.
- **energy**: the share of all positive evidence that lies on parts relied on (with a rim of one pixel).
- **pointing**: how often the map's highest value lies there.

**Overall** is the mean of the five, each on a scale from the random map (0) to the rendered truth itself drawn as a map
(1). Intervals are 95 %, by drawing birds anew.

## The ranking

{ranking}

{findings}

{remarks}

| family | overall |
|---|---|
{families}

## The five measures

Means over all birds of the {count} networks.

{measures}

## Is the ranking stable?

Rank correlation of the {methods} methods' order between networks; the interval is from drawing the birds of both anew:

{stability}
"""

TRUST = """
## What `fieldmark.trust` says of the same birds

`fm.trust` knows nothing of the rendering: it hides cells, shuffles weights and adds noise. It saw the birds of
{trusted}; maps were made anew for {few} of them. Its order against the truth:

{trusts}

And each of its measures alone, as rank correlation of the methods' order by that measure with their order in truth:

{metrics}

{lesson}
"""
