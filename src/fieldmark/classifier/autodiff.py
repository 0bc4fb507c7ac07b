"""The only place that knows the backends: vector-Jacobian products, compilation, and running without computing.

`vjp(run, weigh)` calls `run(watch)` once. `run` passes every tensor it wants gradients for through `watch` and returns
the scores (n, classes); `weigh(scores)` gives weights (n, t, classes). Only what lies between the watched tensors and
the scores is differentiated: watching a deep layer leaves the layers before it out of the backward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import keras
import numpy as np

Watch = Callable[[Any], Any]
Run = Callable[[Watch], Any]
Weigh = Callable[[Any], Any]
Product = tuple[list[Any], list[Any], Any, Any]
# values and gradients (n, t, ...) per watched tensor, in the order watched; scores; weights


def _vjp_tensorflow(run: Run, weigh: Weigh) -> Product:
    import tensorflow as tf

    spots: list[Any] = []
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:

        def watch(value: Any) -> Any:
            spot = tf.identity(value)
            tape.watch(spot)
            spots.append(spot)
            return spot

        scores = run(watch)
    weights = weigh(scores)
    zero = tf.UnconnectedGradients.ZERO
    rows = [tape.gradient(scores, spots, weights[:, t], zero) for t in range(weights.shape[1])]
    return spots, [tf.stack(column, axis=1) for column in zip(*rows, strict=True)], scores, weights


def _vjp_torch(run: Run, weigh: Weigh) -> Product:
    import torch

    spots: list[Any] = []
    values: list[Any] = []

    def watch(value: Any) -> Any:
        # From here on a graph is recorded; adding zeros leaves the watched value safe from in-place layers after it.
        torch.set_grad_enabled(True)
        spot = torch.zeros_like(value, requires_grad=True)
        spots.append(spot)
        values.append(value.detach())
        return value + spot

    with torch.no_grad():
        scores = run(watch)
        weights = weigh(scores.detach())
        rows = [
            torch.autograd.grad(scores, spots, weights[:, t], retain_graph=True, materialize_grads=True)
            if scores.requires_grad
            else [torch.zeros_like(spot) for spot in spots]
            for t in range(weights.shape[1])
        ]
    return values, [torch.stack(column, dim=1) for column in zip(*rows, strict=True)], scores.detach(), weights


def _vjp_jax(run: Run, weigh: Weigh) -> Product:
    import jax
    import jax.numpy as jnp

    def scores_of(deltas: list[Any] | None) -> tuple[Any, list[Any]]:
        left = iter(deltas or ())
        values: list[Any] = []

        def watch(value: Any) -> Any:
            values.append(value)
            return value if deltas is None else value + next(left)

        return run(watch), values

    shapes = jax.eval_shape(lambda: scores_of(None)[1])
    zeros = [jnp.zeros(each.shape, each.dtype) for each in shapes]
    scores, pullback, values = jax.vjp(scores_of, zeros, has_aux=True)
    weights = weigh(scores)
    rows = [pullback(weights[:, t])[0] for t in range(weights.shape[1])]
    return values, [jnp.stack(column, axis=1) for column in zip(*rows, strict=True)], scores, weights


_VJP = {"tensorflow": _vjp_tensorflow, "torch": _vjp_torch, "jax": _vjp_jax}


def vjp(run: Run, weigh: Weigh) -> Product:
    """Every watched value, and the gradients of every weighted score with respect to it, from one forward pass."""
    return _VJP[keras.backend.backend()](run, weigh)


def compiled(function: Callable[..., Any], examples: Sequence[Any], variables: Sequence[Any]) -> Callable[..., Any]:
    """`function` compiled once for arguments like `examples`, whatever their leading axis on TensorFlow.

    On JAX the model's `variables` travel as arguments, so that weights that change later are seen; torch runs eagerly.
    """
    name = keras.backend.backend()
    if name == "tensorflow":
        import tensorflow as tf

        signature = [tf.TensorSpec((None, *e.shape[1:]), tf.as_dtype(e.dtype)) for e in examples]
        # The concrete function: TensorFlow would take several passes made at one place for one that is traced again.
        return tf.function(function, input_signature=signature, autograph=False).get_concrete_function()
    if name == "jax":
        import jax

        def pure(values: Sequence[Any], *arguments: Any) -> Any:
            with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
                return function(*arguments)

        jitted = jax.jit(pure)
        return lambda *arguments: jitted([v.value for v in variables], *arguments)

    return function


def on_device(array: np.ndarray) -> Any:
    """An array as a tensor where the backend computes."""
    if keras.backend.backend() == "torch":
        import torch

        if torch.cuda.is_available() and (device := keras.ops.zeros(()).device).type == "cuda":
            return through_pinned(array, device)
    return keras.ops.convert_to_tensor(array)


def through_pinned(array: np.ndarray, device: Any) -> Any:
    """On torch: by way of memory that stays where it is, from which the device copies beside the host's work."""
    import torch

    return torch.from_numpy(np.require(array, requirements=("C", "W"))).pin_memory().to(device, non_blocking=True)


@contextmanager
def quiet() -> Iterator[None]:
    """Record no gradients where the backend would by default, whatever mode the caller is in."""
    if keras.backend.backend() != "torch":
        yield
        return
    import torch

    with torch.inference_mode(False), torch.no_grad():
        yield


def functions_called(note: Callable[[str, Any, Any], None]) -> AbstractContextManager[None]:
    """On torch, tell `note` of every function on tensors: its name, arguments and result."""

    def told(name: str, args: Any, result: Any) -> Any:
        note(name, args, result)
        return result

    return functions_changed(told)


@contextmanager
def functions_changed(change: Callable[[str, Any, Any], Any]) -> Iterator[None]:
    """On torch, what every function on tensors returns becomes change(its name, arguments, result)."""
    from torch.overrides import TorchFunctionMode

    class Mode(TorchFunctionMode):
        def __torch_function__(self, function: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = function(*args, **(kwargs or {}))
            return change(getattr(function, "__name__", str(function)), args, result)

    with Mode():
        yield


def dry_run(function: Callable[[Any], Any], shape: tuple[int, ...], dtype: str = "float32") -> None:
    """Call `function` once on an input of `shape`, computing nothing where the backend can trace (torch computes)."""
    name = keras.backend.backend()
    if name == "tensorflow":
        import tensorflow as tf

        tf.function(function, autograph=False).get_concrete_function(tf.TensorSpec(shape, dtype))
    elif name == "jax":
        import jax

        def scoped(x: Any) -> None:
            with keras.StatelessScope():
                function(x)

        jax.eval_shape(scoped, jax.ShapeDtypeStruct(shape, dtype))
    else:
        with quiet():
            function(keras.ops.zeros(shape, dtype))


def is_out_of_memory(error: Exception) -> bool:
    """Whether a framework, or Python, says that memory ran out."""
    if isinstance(error, MemoryError) or type(error).__name__ in ("ResourceExhaustedError", "OutOfMemoryError"):
        return True
    said = str(error).casefold()
    return isinstance(error, RuntimeError) and any(
        words in said for words in ("resource_exhausted", "out of memory", "not enough memory", "can't allocate memory")
    )


def is_channels_first(error: Exception) -> bool:
    """Whether TensorFlow says that it has no layers with channels first on this processor."""
    return "NHWC tensor format" in str(error)


def static_batches() -> bool:
    """Whether a batch of another length costs another compilation (then batches are padded to few lengths)."""
    return keras.backend.backend() == "jax"
