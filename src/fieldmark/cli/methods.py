"""From `--method`, `--layer` and `--set` to explainers; every name and value is checked against their dataclasses."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from fieldmark.cli.screen import Screen
from fieldmark.errors import FieldmarkError, unknown
from fieldmark.explainers import EXPLAINERS
from fieldmark.explainers.contract import parameters
from fieldmark.explainers.seeds import OverSeeds, has_seed

SEEDS = "seeds"
_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a word", types.NoneType: "none"}
_TRUTH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def method_names() -> list[str]:
    """Every explainer's name, as it is shown and may be typed."""
    return [explainer.__name__ for explainer in EXPLAINERS]


def show_methods(screen: Screen) -> None:
    """Print every explainer: what it shows, and its settings with their defaults."""
    described = []
    for explainer in EXPLAINERS:
        defaults = parameters(explainer())
        settings = ", ".join(f"{name}={value}" for name, value in defaults.items() if name not in ("layer", "layers"))
        screen.show(f"{explainer.__name__}: {explainer.summary}")
        screen.show(f"    {settings}" if settings else "    no settings")
        described.append({"name": explainer.__name__, "summary": explainer.summary, "settings": defaults})
    screen.document({"methods": described})


def make_explainers(methods: Sequence[str], layers: Sequence[str] = (), settings: Sequence[str] = ()) -> list[Any]:
    """The explainers for `--method` (all: every one there is), `--layer` and `--set [method.]field=value`.

    Raises FieldmarkError for a method, field or value that doesn't exist, and for a setting that no chosen method has.
    """
    chosen: dict[str, type[Any]] = {}
    for text in methods:
        found = EXPLAINERS if text.casefold() == "all" else (_find(text),)
        chosen.update((explainer.__name__, explainer) for explainer in found)
    fields: dict[str, dict[str, Any]] = {name: {} for name in chosen}
    for text in settings:
        _apply(text, chosen, fields)
    if layers:
        _apply_layers(layers, chosen, fields)
    return [_made(explainer, fields[name]) for name, explainer in chosen.items()]


def _made(explainer: type[Any], fields: Mapping[str, Any]) -> Any:
    """The explainer, run over several seeds where `--set seeds=N` asks for it."""
    given = dict(fields)
    seeds = given.pop(SEEDS, None)
    made = explainer(**given)
    return made if seeds is None else OverSeeds(inner=made, seeds=seeds, seed=made.seed)


def _find(text: str) -> type[Any]:
    by_name = {_folded(explainer.__name__): explainer for explainer in EXPLAINERS}
    if _folded(text) not in by_name:
        raise FieldmarkError(unknown("method", text, [*method_names(), "all"], limit=99))
    return by_name[_folded(text)]


def _folded(name: str) -> str:
    """gradcam, Grad-CAM and grad_cam are one; so are gradcam++ and GradCAMPlusPlus."""
    return name.casefold().replace("++", "plusplus").translate(str.maketrans("", "", "-_ "))


def _apply_layers(layers: Sequence[str], chosen: Mapping[str, type[Any]], fields: Mapping[str, dict[str, Any]]) -> None:
    takers = [name for name, explainer in chosen.items() if "layer" in _fields(explainer)]
    if not takers:
        raise FieldmarkError(f"--layer: {', '.join(chosen)} explains at the input and takes no layer; leave it out")
    for name in takers:
        if len(layers) == 1:
            fields[name]["layer"] = layers[0]
        elif "layers" in _fields(chosen[name]):
            fields[name]["layers"] = tuple(layers)
        else:
            raise FieldmarkError(f"--layer: {name} takes one layer, received {len(layers)}")


def _apply(text: str, chosen: Mapping[str, type[Any]], fields: Mapping[str, dict[str, Any]]) -> None:
    key, equals, value = text.partition("=")
    method, dot, field = key.strip().rpartition(".")
    if not equals or not field:
        raise FieldmarkError(f"--set {text!r}: expected field=value or method.field=value, for example steps=32")
    names = [_find(method).__name__] if dot else list(chosen)
    takers = [name for name in names if name in chosen and field in _fields(chosen[name])]
    if not takers:
        known = sorted({each for name in names if name in chosen for each in _fields(chosen[name])})
        if dot and names[0] not in chosen:
            raise FieldmarkError(f"--set {text!r}: {names[0]} is not among the methods; add --method {names[0]}")
        raise FieldmarkError(unknown(f"setting of {', '.join(names)}", field, known))
    for name in takers:
        fields[name][field] = _value(text, value.strip(), _fields(chosen[name])[field])


def _fields(explainer: type[Any]) -> dict[str, Any]:
    """Field name -> its type; methods that draw at random also take how many seeds they are run with."""
    hints = typing.get_type_hints(explainer)
    found = {field.name: hints[field.name] for field in dataclasses.fields(explainer) if field.init}
    return {**found, SEEDS: int} if has_seed(explainer) else found


def _value(setting: str, text: str, wanted: Any) -> Any:
    """`text` as the first of the wanted types that it can be read as; the explainer itself checks the range."""
    options = _options(wanted)
    for option in options:
        try:
            return _read(text, option)
        except ValueError:
            continue
    words = [_WORDS[option] for option in options if option in _WORDS]
    words += ["numbers with commas"] if any(typing.get_origin(option) is tuple for option in options) else []
    words += ["a method"] if setting.partition("=")[0].endswith("inner") else []
    expected = f"expected {' or '.join(words)}" if words else "this one can only be set from Python"
    raise FieldmarkError(f"--set {setting!r}: {expected}")


def _options(wanted: Any) -> list[Any]:
    """The types in a union, strictest first, so that 5 is a number before it is a word."""
    parts = typing.get_args(wanted) if isinstance(wanted, types.UnionType) else (wanted,)
    strict = [types.NoneType, bool, int, float]
    return sorted(parts, key=lambda part: strict.index(part) if part in strict else 5 if part is str else 4)


def _read(text: str, wanted: Any) -> Any:
    if wanted is types.NoneType and text.casefold() == "none":
        return None
    if wanted is bool:
        if text.casefold() in _TRUTH:
            return _TRUTH[text.casefold()]
    elif wanted in (int, float):
        return wanted(text)
    elif wanted is str:
        return text
    elif typing.get_origin(wanted) is tuple:
        inner = typing.get_args(wanted)[0]
        return tuple(_read(part.strip(), inner) for part in text.split(","))
    elif wanted is Any and _folded(text) in {_folded(name) for name in method_names()}:
        return _find(text)()  # the inner explainer of another one
    raise ValueError(text)
