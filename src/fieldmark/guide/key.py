"""An identification key: a tree of yes-or-no questions about marks, few enough to carry in the head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LEAST = 8  # pictures an answer must rest on
POSITIVE = 2  # "yes" answers, at most, on the way to a class
EXTRA = 2  # answers more than there are classes


@dataclass(frozen=True, eq=False)
class Node:
    """A question about one number (feature >= threshold: yes), or an answer where feature is -1."""

    answer: int
    counts: np.ndarray
    feature: int = -1
    threshold: float = 0.0
    yes: Node | None = None
    no: Node | None = None


def grow(numbers: np.ndarray, classes: np.ndarray, count: int) -> Node:
    """A tree on numbers (n, features) that says classes (n,) of 0 to count - 1; best question first.

    A question means the same wherever it is asked: it has one threshold, and is asked once at most on the way to a
    class. A person cannot tell two thresholds apart. Thresholds are those that are best where a question is first
    asked, or those that best tell the class which shows most of it: whichever tree is right more often.
    """
    trees = [_grown(numbers, classes, count, fixed) for fixed in ({}, thresholds(numbers, classes))]
    return max(trees, key=lambda tree: int((answers(tree, numbers) == classes).sum()))


def thresholds(numbers: np.ndarray, classes: np.ndarray) -> dict[int, float]:
    """Of each number (n, features) the threshold with the best balanced accuracy for the class with the highest mean.

    A number that is the same everywhere has none.
    """
    present = np.unique(classes)
    means = np.stack([numbers[classes == cls].mean(axis=0) for cls in present])
    positive = classes[:, None] == present[means.argmax(axis=0)]
    order = np.argsort(numbers, axis=0, kind="stable")
    ranked, hits = np.take_along_axis(numbers, order, axis=0), np.take_along_axis(positive, order, axis=0)
    missed = np.cumsum(hits, axis=0) / np.maximum(positive.sum(axis=0), 1)
    spared = np.cumsum(~hits, axis=0) / np.maximum((~positive).sum(axis=0), 1)
    gain = np.where(np.diff(ranked, axis=0) > 1e-9, (spared - missed)[:-1], -np.inf)
    if not gain.size:
        return {}
    at = gain.argmax(axis=0)
    return {
        feature: float((ranked[cut, feature] + ranked[cut + 1, feature]) / 2)
        for feature, cut in enumerate(at)
        if np.isfinite(gain[cut, feature])
    }


def _grown(numbers: np.ndarray, classes: np.ndarray, count: int, known: dict[int, float]) -> Node:
    """A tree whose questions have the known thresholds, and others the best where they are first asked."""
    leaves = int(len(np.unique(classes)) + EXTRA)
    fixed = dict(known)
    root = _Leaf(np.arange(len(classes)), 0, frozenset())
    open_leaves = [root]
    root.best = _question(numbers, classes, root, count, fixed)
    while len(open_leaves) < leaves:
        gain, leaf = max(((leaf.best[0], leaf) for leaf in open_leaves), key=lambda pair: pair[0])
        if gain <= 1e-9:
            break
        _, feature, threshold = leaf.best
        fixed.setdefault(feature, threshold)
        says_yes = numbers[leaf.rows, feature] >= threshold
        leaf.feature, leaf.threshold = feature, threshold
        asked = leaf.asked | {feature}
        leaf.yes = _Leaf(leaf.rows[says_yes], leaf.positive + 1, asked)
        leaf.no = _Leaf(leaf.rows[~says_yes], leaf.positive, asked)
        open_leaves.remove(leaf)
        open_leaves += [leaf.yes, leaf.no]
        for each in open_leaves:
            if each in (leaf.yes, leaf.no) or each.best[1] == feature:
                each.best = _question(numbers, classes, each, count, fixed)
    return _frozen(root, classes, count)


def answers(node: Node, numbers: np.ndarray) -> np.ndarray:
    """(n,) the classes that the tree says."""
    if node.feature < 0:
        return np.full(len(numbers), node.answer)
    says_yes = numbers[:, node.feature] >= node.threshold
    found = np.empty(len(numbers), int)
    found[says_yes] = answers(node.yes, numbers[says_yes])  # type: ignore[arg-type]
    found[~says_yes] = answers(node.no, numbers[~says_yes])  # type: ignore[arg-type]
    return found


class _Leaf:
    def __init__(self, rows: np.ndarray, positive: int, asked: frozenset[int]) -> None:
        self.rows, self.positive, self.asked = rows, positive, asked
        self.best: tuple[float, int, float] = (0.0, -1, 0.0)
        self.feature, self.threshold = -1, 0.0
        self.yes: _Leaf | None = None
        self.no: _Leaf | None = None


def _question(
    numbers: np.ndarray, classes: np.ndarray, leaf: _Leaf, count: int, fixed: dict[int, float]
) -> tuple[float, int, float]:
    """(gain, feature, threshold) of the best question here: the fall of Gini's impurity times pictures."""
    rows = leaf.rows
    best = (0.0, -1, 0.0)
    if len(rows) < 2 * LEAST or leaf.positive >= POSITIVE:
        return best
    one_hot = np.eye(count)[classes[rows]]
    for feature in range(numbers.shape[1]):
        if feature in leaf.asked:
            continue
        values = numbers[rows, feature]
        order = np.argsort(values, kind="stable")
        gain = _gains(one_hot[order])
        ranked = values[order]
        gain = np.where(np.diff(ranked) > 1e-9, gain, -1)
        if feature in fixed:
            below = int((ranked < fixed[feature]).sum())
            if 0 < below < len(rows) and gain[below - 1] > best[0]:
                best = (float(gain[below - 1]), feature, fixed[feature])
            continue
        at = int(gain.argmax())
        if gain[at] > best[0]:
            best = (float(gain[at]), feature, float((ranked[at] + ranked[at + 1]) / 2))
    return best


def _gains(one_hot: np.ndarray) -> np.ndarray:
    """(n - 1,) what a cut after each row brings; classes (n, count) in a number's order; -1 where too few are left."""
    n, total = len(one_hot), one_hot.sum(axis=0)
    below = np.cumsum(one_hot, axis=0)[:-1]
    sizes = np.arange(1, n)
    above = total - below
    left = sizes - (below**2).sum(axis=1) / sizes
    right = n - sizes - (above**2).sum(axis=1) / (n - sizes)
    allowed = (sizes >= LEAST) & (n - sizes >= LEAST)
    return np.where(allowed, n - (total**2).sum() / n - left - right, -1)


def _frozen(leaf: _Leaf, classes: np.ndarray, count: int) -> Node:
    counts = np.bincount(classes[leaf.rows], minlength=count)
    if leaf.feature < 0:
        return Node(int(counts.argmax()), counts)
    assert leaf.yes is not None
    assert leaf.no is not None
    yes, no = _frozen(leaf.yes, classes, count), _frozen(leaf.no, classes, count)
    if yes.feature < 0 and no.feature < 0 and yes.answer == no.answer:
        return Node(yes.answer, counts)  # a question whose answer changes nothing
    return Node(int(counts.argmax()), counts, leaf.feature, leaf.threshold, yes, no)
