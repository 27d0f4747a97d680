"""Recorded data as functions get it, and results as files that can be compared."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from perfscan.errors import InputError, MissingExtraError

FORMATS = (".csv", ".csv.gz", ".json", ".json.gz", ".npy", ".npz", ".parquet")


def read_data(path: Path) -> Any:
    """Return a table as a pandas DataFrame, ``.npy`` as an array, ``.npz`` as a dict of arrays.

    ``.json`` is what it holds. Raises InputError where the file cannot be read as its name says.
    """
    name = path.name.lower()
    try:
        if name.endswith((".csv", ".csv.gz", ".parquet")):
            return _table(path)
        if name.endswith(".npy"):
            return np.load(path, allow_pickle=False)
        if name.endswith(".npz"):
            with np.load(path, allow_pickle=False) as arrays:
                return {key: arrays[key] for key in arrays.files}
        if name.endswith((".json", ".json.gz")):
            raw = path.read_bytes()
            return json.loads(gzip.decompress(raw) if name.endswith(".gz") else raw)
    except (OSError, ValueError, EOFError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"cannot be read: {reason}", where=str(path), remedy="check the file and its suffix"
        ) from error
    raise InputError(
        "unknown kind of data", where=str(path), remedy=f"the suffixes are {', '.join(FORMATS)}"
    )


def _table(path: Path) -> Any:
    try:
        import pandas as pd
    except ModuleNotFoundError as error:
        raise MissingExtraError("a table as data", "compute") from error
    if path.suffix == ".parquet":
        try:
            return pd.read_parquet(path)
        except ImportError as error:
            raise InputError(
                "reading Parquet needs pyarrow", where=str(path), remedy="pip install pyarrow"
            ) from error
    return pd.read_csv(path)


def rows(data: Any) -> int:
    """Return how many rows ``data`` has: of a dict those of its first value."""
    if isinstance(data, Mapping):
        return len(next(iter(data.values()), ()))
    return len(data)


def take(data: Any, size: int) -> Any:
    """Return the first ``size`` rows. Raises InputError where there are fewer."""
    if rows(data) < size:
        raise InputError(
            f"the data has {rows(data):,} rows, the scenario asks for {size:,}",
            remedy="record more data, or lower compute.sizes",
        )
    if isinstance(data, Mapping):
        return {name: column[:size] for name, column in data.items()}
    return data.iloc[:size] if hasattr(data, "iloc") else data[:size]


def save_result(result: Any, path: Path) -> None:
    """Write what a function returned as named arrays, one for each part of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **dict(parts(result)))


def read_result_parts(path: Path) -> dict[str, Any]:
    """Return the arrays that :func:`save_result` wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def parts(result: Any, name: str = "result") -> Iterator[tuple[str, Any]]:
    """Yield the arrays that make up a result, with names such as ``result.upper``.

    Tables are taken apart by column, mappings by key, dataclasses by field, other sequences by
    position. What is no number becomes text, so that results of any kind can be compared.
    """
    if hasattr(result, "columns") and hasattr(result, "to_numpy"):
        for column in result.columns:
            yield from parts(result[column].to_numpy(), f"{name}.{column}")
    elif hasattr(result, "to_numpy"):
        yield from parts(result.to_numpy(), name)
    elif isinstance(result, Mapping):
        for key, value in result.items():
            yield from parts(value, f"{name}.{key}")
    elif is_dataclass(result) and not isinstance(result, type):
        for field in fields(result):
            yield from parts(getattr(result, field.name), f"{name}.{field.name}")
    elif isinstance(result, list | tuple) and not _is_plain(result):
        for index, value in enumerate(result):
            yield from parts(value, f"{name}[{index}]")
    else:
        yield name, _array(result)


def _is_plain(values: list[Any] | tuple[Any, ...]) -> bool:
    """Tell whether a sequence holds numbers and None alone, and so is one array."""
    return all(value is None or isinstance(value, int | float | np.generic) for value in values)


def _array(value: Any) -> Any:
    if isinstance(value, list | tuple):
        value = [float("nan") if one is None else one for one in value]
    array = np.asarray(float("nan") if value is None else value)
    if array.dtype.kind in "biufc":
        return array
    if array.dtype.kind in "Mm":
        return array.astype(f"{array.dtype.kind}8[ns]").astype("int64")
    if array.dtype.kind == "O":
        try:
            return array.astype(float)
        except (TypeError, ValueError):
            return np.asarray([str(one) for one in array.ravel()]).reshape(array.shape)
    return array.astype(str)
