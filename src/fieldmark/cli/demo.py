"""`fieldmark demo`: the whole of fieldmark on one photograph, without a model or an image of one's own."""

from __future__ import annotations

import time
from pathlib import Path

from fieldmark.cli.explain import chosen_layers, notes
from fieldmark.cli.predict import one_image
from fieldmark.cli.screen import Screen, printable
from fieldmark.demo.run import NAME, run_demo


def demo_guide(screen: Screen, out: Path) -> None:
    """Run the guide's demo and print the guide, and where its files are."""
    from fieldmark.demo.guide import run_guide_demo

    start = time.monotonic()
    with screen.working():
        done = run_guide_demo(out)
    screen.show("A small network that tells eight species of drawn birds apart. What a person should look for:\n")
    screen.show(str(done.guide))
    screen.show(f"\nWrote {', '.join(str(path) for path in done.written)}, in {time.monotonic() - start:.0f} s")


def demo(screen: Screen, out: Path) -> None:
    """Run the demo and print the five best classes, the methods, and where the results are."""
    start = time.monotonic()
    with screen.working():
        done = run_demo(out)
    screen.show("EfficientNet-Lite0, trained on ImageNet, says of scikit-image's photograph of a cat:")
    screen.table(one_image(NAME, done.predictions.top(5)[0]))
    explained = " and ".join(done.attributions[0].targets[0][:2])
    methods = list(dict.fromkeys(str(att.provenance["method"]) for att in done.attributions))
    screen.show(f"Explained {explained} with {', '.join(methods)}")
    for line in chosen_layers(done.attributions):
        screen.show(f"at the layer {printable(line)}")
    screen.show(f"Wrote {done.written.page}: open it in a browser")
    panels = ", ".join(str(path) for path in done.written.panels[0])
    screen.show(f"      {panels} and {len(done.written.overlays)} overlays, in {time.monotonic() - start:.0f} s")
    for text in notes(done.attributions, done.refused):
        screen.note(text)
