"""Which layer call feeds which: the graph of a recorded pass, ready to be run again call by call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from fieldmark.classifier.subject import Call, Record

INPUT = 0  # the number of the model's input; nodes count from 1


@dataclass(frozen=True, eq=False)
class Place:
    """Stands in a call's arguments for the value of a node."""

    node: int


@dataclass(frozen=True, eq=False)
class Node:
    """One layer call.

    shape      of its output, without the batch
    arguments  (args, kwargs) of the call with a Place for every tensor
    sources    the nodes whose values it takes, each once
    """

    number: int
    layer: Any
    kind: str
    shape: tuple[int, ...]
    arguments: Any
    sources: tuple[int, ...]

    def run(self, method: str, values: Mapping[int, Any]) -> Any:
        """The call on other values of its sources."""
        args, kwargs = keras.tree.map_structure(
            lambda leaf: values[leaf.node] if isinstance(leaf, Place) else leaf, self.arguments
        )
        return getattr(self.layer, method)(*args, **kwargs)


@dataclass(frozen=True, eq=False)
class Dataflow:
    """The nodes that one output needs, in the order of the pass, and the number of that output's node."""

    nodes: tuple[Node, ...]
    output: int


def read_dataflow(record: Record, output: Any) -> Dataflow | None:
    """The layer calls between the input and `output`; None where a tensor passes between layers unseen.

    A container whose layers account for its output is left out; one that computes something of its own is one call.
    """
    known = {id(record.input): INPUT}
    nodes: dict[int, Node] = {}
    for call in record.calls:
        if id(call.output) in known:
            continue  # a container around layers that were called before it, or a layer that passes its input on
        node = _node(len(nodes) + 1, call, known)
        if node is not None:
            nodes[node.number] = node
            known[id(call.output)] = node.number
    if not known.get(id(output)):
        return None
    needed, waiting = set(), [known[id(output)]]
    while waiting:
        number = waiting.pop()
        if number != INPUT and number not in needed:
            needed.add(number)
            waiting.extend(nodes[number].sources)
    return Dataflow(tuple(nodes[number] for number in sorted(needed)), known[id(output)])


def _node(number: int, call: Call, known: Mapping[int, int]) -> Node | None:
    """The call with places for tensors; None where it takes one that no known call made."""
    leaves = keras.tree.flatten(call.arguments)
    tensors = [leaf for leaf in leaves if hasattr(leaf, "shape") and not isinstance(leaf, np.ndarray)]
    if not tensors or any(id(tensor) not in known for tensor in tensors):
        return None
    arguments = keras.tree.map_structure(
        lambda leaf: Place(known[id(leaf)]) if id(leaf) in known else leaf, call.arguments
    )
    sources = tuple(dict.fromkeys(known[id(tensor)] for tensor in tensors))
    return Node(number, call.layer, call.kind, call.shape, arguments, sources)
