"""The pictures that every tutorial of the field starts from, on a pretrained network and a photograph of a cat.

    python examples/first_look.py [FOLDER]

writes five PNGs: Grad-CAM at three depths for two rival classes, occlusion, SmoothGrad, and expected gradients at a
shallow and at a deep layer for the two best classes, evidence for in red and against in blue.
"""

from __future__ import annotations

import sys
from pathlib import Path

import fieldmark as fm
from fieldmark.demo.lite0 import sample_photo
from fieldmark.figures import panel

RIVALS = [fm.Class("tabby"), fm.Class("Egyptian_cat")]
SHALLOW, MIDDLE, DEEP = "block2b_add", "block4c_add", "top_activation"


def main(folder: Path) -> list[Path]:
    """Make the pictures; returns where they are."""
    folder.mkdir(parents=True, exist_ok=True)
    clf = fm.load("demo:lite0")
    cat = sample_photo()
    print(clf.predict(cat))

    depths = fm.GradCAM(layers=(SHALLOW, MIDDLE, DEEP))(clf, cat, target=RIVALS)
    occlusion = fm.Occlusion(patch=7)(clf, cat, target=RIVALS)
    smooth = fm.SmoothGrad(inner=fm.Gradients(), samples=80, noise=0.2)(clf, cat, target=RIVALS)
    shap = [fm.ExpectedGradients(layer=layer)(clf, cat, target=fm.Top(2)) for layer in (SHALLOW, DEEP)]

    pictures = {
        "depths.png": panel(depths, alpha=0.6, title="Grad-CAM at three depths"),
        "occlusion.png": panel(occlusion, title="Occlusion by patches of 7 pixels"),
        "smoothgrad.png": panel(smooth, title="SmoothGrad of 80 samples"),
        "expected_gradients.png": panel(shap, title="Expected gradients at a shallow and at a deep layer"),
        "everything.png": panel([*depths, occlusion, smooth], alpha=0.6, title="tabby or Egyptian cat?"),
    }
    for name, figure in pictures.items():
        figure.savefig(folder / name, dpi=100)
    return [folder / name for name in pictures]


if __name__ == "__main__":
    for path in main(Path(sys.argv[1] if len(sys.argv) > 1 else "first-look")):
        print(path)
