"""pyarrow, asked for by name where it is missing, and arrays as Arrow columns and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fieldmark.errors import BackendError, FieldmarkError


def arrow() -> Any:
    """The module pyarrow, with pyarrow.parquet imported. Raises BackendError where it is not installed."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise BackendError("runs over many images need pyarrow: pip install 'fieldmark[run]'") from None
    return pyarrow


def to_column(values: Any) -> Any:
    """n values as an Arrow array.

    (n,) numbers stay numbers, (n, t) become a list of t, higher ranks (n, ...) a fixed-shape tensor; rows of strings
    become a list of them, anything else what Arrow makes of it.
    """
    pa = arrow()
    if isinstance(values, pa.Array):
        return values
    if not isinstance(values, np.ndarray) or values.dtype.kind in "UO":
        return pa.array([list(each) if isinstance(each, tuple) else each for each in values])
    if values.ndim == 1:
        return pa.array(values)
    flat = pa.FixedSizeListArray.from_arrays(
        pa.array(np.ascontiguousarray(values).reshape(-1)), int(np.prod(values.shape[1:]))
    )
    if values.ndim == 2:
        return flat
    kind = pa.fixed_shape_tensor(pa.from_numpy_dtype(values.dtype), values.shape[1:])
    return pa.ExtensionArray.from_storage(kind, flat)


def to_table(columns: Mapping[str, Any]) -> Any:
    """Columns by name as an Arrow table. Raises FieldmarkError for columns of different lengths."""
    pa = arrow()
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise FieldmarkError(f"columns: expected one row an image in each, received {said}")
    return pa.table({name: to_column(values) for name, values in columns.items()})


def to_numpy(column: Any) -> Any:
    """An Arrow column as what it was: an array of numbers, of (n, t) or of tensors; a list for the rest."""
    pa = arrow()
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ChunkedArray):  # more than an array holds, or none
        array = array.chunk(0) if array.num_chunks else pa.array([], array.type)
    kind = array.type
    if isinstance(kind, pa.FixedShapeTensorType):
        return array.to_numpy_ndarray() if len(array) else np.zeros((0, *kind.shape), kind.value_type.to_pandas_dtype())
    if pa.types.is_fixed_size_list(kind) and pa.types.is_primitive(kind.value_type) and not array.null_count:
        return array.flatten().to_numpy(zero_copy_only=False).reshape(len(array), kind.list_size)
    if pa.types.is_primitive(kind) and not array.null_count:
        return array.to_numpy(zero_copy_only=False)
    return array.to_pylist()


def as_half(columns: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, float]]:
    """The columns with every float32 tensor (rank 3 and more) as float16, and what that cost.

    The cost is, by column, the largest error as a share of its map's largest value. Raises FieldmarkError for a value
    beyond 65504, which float16 cannot hold.
    """
    halved, lost = dict(columns), {}
    for name, values in columns.items():
        if not isinstance(values, np.ndarray) or values.ndim < 3 or values.dtype != np.float32 or not len(values):
            continue
        with np.errstate(over="ignore", invalid="ignore"):
            half = values.astype(np.float16)
        largest = np.abs(values).reshape(len(values), -1).max(axis=1)
        if (np.isinf(half) & np.isfinite(values)).any():
            raise FieldmarkError(
                f"{name}: float16 holds at most 65504, received {np.nanmax(largest):.3g}; leave float16 out"
            )
        error = np.abs(half.astype(np.float32) - values).reshape(len(values), -1).max(axis=1)
        shares = error[largest > 0] / largest[largest > 0]
        halved[name], lost[name] = half, float(shares.max()) if len(shares) else 0.0
    return halved, lost


def same_layout(first: Any, other: Any) -> list[str]:
    """Names of the columns that two schemas do not share: missing, or of another type."""
    names: Sequence[str] = dict.fromkeys([*first.names, *other.names]).keys()  # type: ignore[assignment]
    return [
        name
        for name in names
        if name not in first.names or name not in other.names or first.field(name).type != other.field(name).type
    ]
