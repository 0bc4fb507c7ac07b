"""The drawing of a network: stages, folds and boxes that stay few and readable, whatever the names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from fieldmark.errors import OutputError
from fieldmark.report.network import MOST_LINES, draw_network
from fieldmark.report.svg import shortened, svg, write_svg
from tests.report.samples import LayerInfo

pytestmark = pytest.mark.no_framework
EVIL = "</text><script>alert(1)</script>\"'&<"


def layer(name: str, *shape: int, kind: str = "Conv2D", chosen: bool = False) -> LayerInfo:
    return LayerInfo(name, kind, shape, len(shape) == 3 and shape[0] * shape[1] > 1, chosen)


def long_network(
    stages: int = 5, blocks: int = 6, parts: int = 9, pattern: str = "base/block{s}{b}_part{p}"
) -> list[Any]:
    letters = "abcdefghij"
    made = [
        layer(pattern.format(s=s, b=letters[b], p=p), 112 >> s, 112 >> s, 16 << s)
        for s in range(5)
        for b in range(6)
        for p in range(9)
    ]
    return [*made, layer("base", *made[-1].shape, kind="Functional"), layer("pool", 256), layer("final", 10)]


def leaves(entries: list[dict[str, Any]]) -> list[str]:
    return [name for each in entries for name in (leaves(each["entries"]) if "fold" in each else [each["name"]])]


def widest(entries: list[dict[str, Any]]) -> int:
    return max([len(entries), *(widest(each["entries"]) for each in entries if "fold" in each)])


@pytest.mark.parametrize("pattern", ["base/block{s}{b}_part{p}", "features.{s}.{b}.conv{p}", "conv2d_{s}{b}{p}"])
def test_a_long_network_is_few_lines_and_no_layer_is_lost(pattern: str) -> None:
    layers = long_network(pattern=pattern)
    network = draw_network(layers)
    assert [stage["label"] for stage in network["stages"]] == [
        "112 × 112",
        "56 × 56",
        "28 × 28",
        "14 × 14",
        "7 × 7",
        "head",
    ]
    assert [name for stage in network["stages"] for name in leaves(stage["entries"])] == [each.name for each in layers]
    assert max(widest(stage["entries"]) for stage in network["stages"]) <= MOST_LINES
    assert network["layers"] == len(layers)


def test_blocks_fold_by_the_names_that_they_share() -> None:
    first = draw_network(long_network())["stages"][0]["entries"]
    assert [(each["fold"], each["count"]) for each in first] == [(f"base/block0{b}", 9) for b in "abcdef"]
    assert first[0]["entries"][0]["short"] == "block0a_part0"


def test_squeezing_and_padding_open_no_stage() -> None:
    layers = [
        layer("conv", 56, 56, 8),
        layer("squeeze", 1, 1, 8),
        layer("excite", 1, 1, 8),
        layer("scale", 56, 56, 8, kind="Multiply"),
        layer("pad", 57, 57, 8, kind="ZeroPadding2D"),
        layer("down", 28, 28, 16),
        layer("flat", 100),
    ]
    stages = draw_network(layers)["stages"]
    assert [(stage["label"], stage["count"]) for stage in stages] == [("56 × 56", 5), ("28 × 28", 1), ("head", 1)]
    assert stages[0]["channels"] == "8"


def test_layers_without_telling_names_fold_where_branches_join() -> None:
    layers = []
    for block in range(6):
        layers += [layer(f"conv2d_{10 * block + k}", 35, 35, 64) for k in range(5)]
        layers += [layer(f"mixed{block}", 35, 35, 256, kind="Concatenate")]
    folds = draw_network(layers)["stages"][0]["entries"]
    assert [each["fold"] for each in folds] == [f"conv2d_{10 * b} to mixed{b}" for b in range(6)]


def test_what_there_are_maps_of_is_marked_all_the_way_up() -> None:
    network = draw_network(long_network(), ["base/block2b_part3", ""], "fieldmark explain m a")
    assert [stage["carried"] for stage in network["stages"]] == [False, False, True, False, False, False]
    assert [each["carried"] for each in network["stages"][2]["entries"]] == [False, True, False, False, False, False]
    assert network["input"] is True


def test_unknown_sizes_and_vectors_are_drawn() -> None:
    network = draw_network([layer("any", -1, -1, 4), layer("vector", 3), layer("nothing")])
    assert network["stages"][0]["label"] in ("? × ?", "head")
    for stage in network["stages"]:
        for points in stage["box"].values():
            numbers = [float(number) for number in re.findall(r"-?[\d.]+", points)]
            assert len(numbers) == 8
            assert all(0 <= number <= 96 for number in numbers)


def test_the_drawing_is_well_formed_and_marks_the_default_layer(tmp_path: Path) -> None:
    layers = [*long_network(), layer(EVIL, 7, 7, 3), layer("last", 7, 7, 256, chosen=True)]
    path = write_svg(tmp_path / "net.svg", layers, EVIL)
    root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
    space = "{http://www.w3.org/2000/svg}"
    assert {each.tag.removeprefix(space) for each in root.iter()} <= {
        *("svg", "style", "rect", "text", "title", "g", "polygon", "path")
    }
    hot = [each for each in root.iter(f"{space}text") if "hot-text" in each.get("class", "")]
    assert [each[0].text for each in hot] == ["last: Conv2D 7 × 7 × 256"]
    assert sum("hot" in each.get("class", "").split() for each in root.iter(f"{space}polygon")) == 1
    assert svg(layers, EVIL) == path.read_text(encoding="utf-8")


def test_a_drawing_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot write"):
        write_svg(tmp_path / "no" / "net.svg", long_network())


def test_long_names_lose_their_middle() -> None:
    assert shortened("a" * 5, 5) == "aaaaa"
    assert len(shortened("block1_expand_batch_normalization", 20)) == 20
    assert shortened("abcdefghij", 6) == "ab…hij"
