"""The methods of a report: told apart by name, layer and side, with everything that is said about them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fieldmark.attribution import Attribution
from fieldmark.figures.colours import WORDS
from fieldmark.figures.text import clean
from fieldmark.figures.words import describe_place, legend_text

_SETTINGS = ("seed", "scores", "model", "backend")
_IDENTITY = ("method", "layer", *_SETTINGS)
_LAYERS = ("layer", "layers")


class Choices:
    """What can be chosen in a report, numbered in the order of first appearance.

    An entry is one method at one layer, of one side where two are compared. `name` is the method's, told apart from
    others of that name by what differs in their settings; `name`, `layer` and `side` together are unique.
    """

    def __init__(self, summaries: Mapping[str, str]) -> None:
        self.summaries = summaries
        self.identities: list[str] = []
        self.found: list[dict[str, Any]] = []

    @property
    def models(self) -> list[str]:
        """The names of the models, each once."""
        return list(dict.fromkeys(entry["model"] for entry in self.found if entry["model"]))

    def number(self, att: Attribution, side: str = "", layer: str | None = None) -> int:
        """The number of an attribution's entry; `layer` is what to call its layer, where not by its name."""
        identity = json.dumps(
            [[att.provenance.get(key) for key in _IDENTITY], _settings(att), att.signed, side],
            default=str,
            sort_keys=True,
        )
        if identity not in self.identities:
            self.identities.append(identity)
            self.found.append(self._entry(att, side, layer))
        number = self.identities.index(identity)
        kept = self.found[number]["warnings"]
        kept += [clean(text) for text in att.warnings if clean(text) not in kept]
        return number

    def _entry(self, att: Attribution, side: str, layer: str | None) -> dict[str, Any]:
        source = att.provenance
        name = str(source.get("method", "unknown method"))
        return {
            "name": clean(name),
            "layer": clean(source.get("layer") or "" if layer is None else layer),
            "side": clean(side),
            "place": clean(describe_place(att)),
            "kind": "picture" if att.pictures is not None else "signed" if att.signed else "amount",
            "ends": list(WORDS[att.signed]),
            "summary": clean(self.summaries.get(name, "")),
            "details": _details(source),
            "warnings": [],
            "model": clean(source.get("model") or ""),
            "settings": {key: source.get(key) for key in _SETTINGS} | _settings(att),
        }

    def finish(self, shared_scale: bool) -> list[dict[str, Any]]:
        """The entries, those of one name and other settings told apart by what differs."""
        for side in {entry["side"] for entry in self.found}:
            mine = [entry for entry in self.found if entry["side"] == side]
            for entry, name in zip(mine, [_told_apart(entry, mine) for entry in mine], strict=True):
                entry["name"] = name
        for entry in self.found:
            made = entry["kind"] == "picture"
            entry["legend"] = "" if made else legend_text(entry["kind"] == "signed", shared_scale)
            del entry["settings"], entry["model"]
        return self.found


def _settings(att: Attribution) -> dict[str, Any]:
    return {key: value for key, value in (att.provenance.get("parameters") or {}).items() if key not in _LAYERS}


def _told_apart(entry: dict[str, Any], entries: list[dict[str, Any]]) -> str:
    others = [other["settings"] for other in entries if other["name"] == entry["name"]]
    mine = entry["settings"]
    keys = list(dict.fromkeys(key for settings in others for key in settings))
    differing = [key for key in keys if any(other.get(key) != mine.get(key) for other in others)]
    if not differing:
        return str(entry["name"])
    return f"{entry['name']} ({', '.join(f'{clean(key)} {words(mine.get(key))}' for key in differing)})"


def _details(provenance: Mapping[str, Any]) -> list[list[str]]:
    """Provenance as rows of words, parameters and versions each on one line."""
    return [
        [clean(key).replace("_", " "), words(value)] for key, value in provenance.items() if value not in (None, {}, "")
    ]


def words(value: Any) -> str:
    """A value of a provenance in words on one line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{clean(key)} {words(item)}" for key, item in value.items() if item is not None)
    if isinstance(value, (list, tuple)):
        return clean(json.dumps(value, ensure_ascii=False, default=str))
    return clean(value)
