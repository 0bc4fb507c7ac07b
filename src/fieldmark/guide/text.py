"""The guide as plain text."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fieldmark.guide.guide import FieldGuide


def page(guide: FieldGuide) -> str:
    """Verdict, warnings, the marks of every class with their proof, and the key."""
    lines = [f"Verdict: {guide.verdict}", *([guide.remains] if guide.remains else [])]
    lines += [f"Warning: {each}" for each in guide.warnings]
    if guide.fidelity is not None:
        said, found = guide.fidelity.described, guide.fidelity.confirmed
        lines += [
            "",
            f"With the words alone, somebody agrees with the network on {said.value:.0%} of {said.n} new pictures "
            f"({said.low:.0%} to {said.high:.0%}); with random places put into words on {said.control:.0%}.",
            f"With words searched by the network's labels: {found.value:.0%} ({found.low:.0%} to {found.high:.0%}); "
            f"the same search at random places: {found.control:.0%}.",
        ]
    for name in dict.fromkeys(cls for mark in guide.marks for cls in mark.classes):
        lines += ["", name]
        for mark in guide.marks:
            if name in mark.classes:
                proved = "" if mark.accepted else "  (not proved)"
                lines.append(f"  {mark.words}{proved}")
                lines.append(
                    f"    on {mark.coverage:.0%} of its pictures; erased: {mark.proof.flips:.0%} called something else "
                    f"(elsewhere {mark.proof.control_flips:.0%}), {mark.effect:+.1f} logits ({mark.control:+.1f}); "
                    f"put on others: {mark.proof.swapped:.0%} called so ({mark.proof.swap_control:.0%})"
                )
    if guide.key is not None:
        lines += ["", "Key", guide.key.text()]
    return "\n".join(lines)
