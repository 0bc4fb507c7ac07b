"""A picture of every method on the same photograph and network: `.venv/bin/python docs/gallery.py [METHOD ...]`.

Writes docs/img/methods/NAME.webp (the photograph and its two best classes) and NAME-small.webp (the best one, for the
gallery), and what each says in docs/img/methods/gallery.json. All methods have their defaults.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from PIL import Image

import fieldmark as fm
from fieldmark.demo.lite0 import sample_photo
from fieldmark.figures import overlay, panel
from fieldmark.figures.overlay import show

FOLDER = Path(__file__).resolve().parent / "img" / "methods"
RECORD = FOLDER / "gallery.json"
SMALL, MOST_BYTES = 224, 80_000


def picture(explainer: type, classifier: fm.Classifier, cat: object) -> dict[str, object]:
    """Write both pictures of one method; returns what they say."""
    name = explainer.__name__
    # The raw output of a layer has no class: four of its channels are enough to see what it is.
    channels = name == "ActivationMaps"
    att = explainer(**({"channels": 4} if channels else {}))(classifier, cat, target=fm.Top(2))
    # Single pixels of both signs are seen over a pale photograph only.
    pixels = att.signed and explainer.__module__.rsplit(".", 1)[-1] in ("gradients", "paths")
    look = {"alpha": 1.0, "fade": 1.0, "pale": 0.8} if pixels else {}
    figure = panel(att, title="", names=["scikit-image's cat"], **look)
    for quality in (88, 80, 70, 60):
        figure.savefig(FOLDER / f"{name}.webp", dpi=120, pil_kwargs={"quality": quality, "method": 6})
        if (FOLDER / f"{name}.webp").stat().st_size <= MOST_BYTES:
            break
    shown = overlay(cat, att.maps[0, 0], signed=att.signed, **look) if look else show(att, 0, 0)
    small = Image.fromarray(shown).resize((SMALL, SMALL), Image.Resampling.LANCZOS)
    small.save(FOLDER / f"{name}-small.webp", quality=85, method=6)
    return {
        "targets": list(att.targets[0]),
        "scores": [round(float(score), 3) for score in att.scores[0]],
        "layer": att.provenance["layer"],
        "map": list(att.maps.shape[2:]),
        "signed": att.signed,
    }


def main(names: list[str]) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    record = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    classifier, cat = fm.load("demo:lite0"), sample_photo()
    for explainer in fm.EXPLAINERS:
        if not names or explainer.__name__ in names:
            record[explainer.__name__] = picture(explainer, classifier, cat)
            print(explainer.__name__, record[explainer.__name__], flush=True)
    order = [explainer.__name__ for explainer in fm.EXPLAINERS if explainer.__name__ in record]
    lines = [f"  {json.dumps(name)}: {json.dumps(record[name])}" for name in order]
    RECORD.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
