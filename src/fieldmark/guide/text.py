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
                taken, control = mark.taken
                proved = "" if mark.accepted else "  (not proved)"
                lines.append(f"  {mark.words}{proved}")
                lines.append(
                    f"    on {mark.coverage:.0%} of its pictures; {taken}: {mark.proof.flips:.0%} called something "
                    f"else ({control} {mark.proof.control_flips:.0%}), {mark.effect:+.1f} logits "
                    f"({mark.control:+.1f}); {mark.given}: {mark.proof.swapped:.0%} called so "
                    f"({mark.proof.swap_control:.0%})"
                )
        for lack in guide.lacking.get(name, ()):
            lines.append(
                f"  without what {lack.of} has: {lack.words}\n    put in: {lack.proof.flips:.0%} called something else "
                f"(the same place of its own kind: {lack.proof.control_flips:.0%})"
            )
        if name in guide.together:
            all_of_it = guide.together[name]
            lines.append(
                f"  without all its proved marks: {all_of_it.flips:.0%} called something else "
                f"(control {all_of_it.control_flips:.0%})"
            )
    if guide.default is not None:
        lines += ["", left_over(guide)]
    if guide.key is not None:
        lines += ["", "Key", guide.key.text()]
    return "\n".join(lines)


def left_over(guide: FieldGuide) -> str:
    """The class that is known by having no mark, in words; nothing where there is none."""
    if guide.default is None:
        return ""
    return (
        f"{guide.classes[guide.default.cls]} is what has none of the others' marks: without theirs, "
        f"{guide.default.share:.0%} of {guide.default.n} pictures of other classes are called so"
    )
