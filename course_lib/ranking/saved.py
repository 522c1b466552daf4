"""A fitted recommender as one file of arrays, and back to the same scores: no pickle, so a file can run no code.

The file is in the format safetensors: a header of plain JSON (which class, its arguments, what each array is), then
the numbers. A pickle, by contrast, may call anything while it is read; never open one that you did not write.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
import scipy.sparse as sp
import torch
from safetensors import SafetensorError, safe_open
from torch.nn import Parameter

from course_lib.errors import CourseError
from course_lib.evaluation.protocol import Recommender
from course_lib.paths import write_atomic
from course_lib.ranking.baselines import ALS, EASE, BiasModel, ItemKNN, Popularity, Random, RecentPopularity, UserKNN
from course_lib.ranking.graph import LightGCN, on, sparse
from course_lib.ranking.sequence import RecentEASE, Transitions

KINDS = (
    Random,
    Popularity,
    RecentPopularity,
    ItemKNN,
    UserKNN,
    EASE,
    ALS,
    BiasModel,
    LightGCN,
    RecentEASE,
    Transitions,
)
MODELS = {cls.__name__: cls for cls in KINDS}


def save(model: Recommender, path: Path | str) -> None:
    """Write the fitted ``model``, its arguments and all that it learned, to ``path``, whole or not at all."""
    name = type(model).__name__
    if MODELS.get(name) is not type(model):
        raise CourseError(f"A {name} cannot be saved: {', '.join(MODELS)} can.")
    learned = {key: value for key, value in vars(model).items() if key.endswith("_")}
    if not learned:
        raise CourseError(f"This {name} has learned nothing yet: fit it, then save it.")
    arrays: dict[str, np.ndarray] = {}
    about = {key: _take_apart(key, value, arrays) for key, value in learned.items()}
    arguments = {field.name: getattr(model, field.name) for field in dataclasses.fields(model)}
    metadata = {"model": name, "arguments": json.dumps(arguments, default=str), "learned": json.dumps(about)}
    write_atomic(Path(path), safetensors.numpy.save(arrays, metadata), "save to a folder that you may write to")


def load(path: Path | str, device: torch.device | str = "cpu") -> Recommender:
    """The model that `save` wrote to ``path``; it scores as it did. device: where a model of torch goes.

    Raises CourseError where there is no such file, or where it is not one that `save` wrote.
    """
    if not Path(path).is_file():
        raise CourseError(f"There is no saved model at {path}: save one there, or mend the path.")
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata()
            arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
        arguments = json.loads(metadata["arguments"])
        if "device" in arguments:
            arguments["device"] = str(device)
        model = MODELS[metadata["model"]](**arguments)
        for key, about in json.loads(metadata["learned"]).items():
            setattr(model, key, _put_together(key, about, arrays, device))
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise CourseError(f"{path} is not a model that this version of the course saved: save it again.") from error
    return model


def _take_apart(key: str, value: Any, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """Put the numbers of an attribute into ``arrays``; returns what `_put_together` has to know about it."""
    if isinstance(value, torch.Tensor) and value.layout == torch.sparse_csr:
        parts = (value.values(), value.col_indices(), value.crow_indices())
        A = sp.csr_matrix(tuple(part.cpu().numpy() for part in parts), shape=tuple(value.shape))
        return _take_apart(key, A, arrays) | {"kind": "sparse tensor"}
    if sp.issparse(value):
        arrays |= {f"{key}.{part}": getattr(value, part) for part in ("data", "indices", "indptr")}
        return {"kind": "sparse", "shape": list(value.shape)}
    if isinstance(value, Parameter):
        arrays[key] = value.detach().cpu().contiguous().numpy()
        return {"kind": "parameter"}
    if isinstance(value, np.ndarray):
        arrays[key] = np.ascontiguousarray(value)
        return {"kind": "array"}
    return {"kind": "plain", "value": value.item() if isinstance(value, np.generic) else value}


def _put_together(key: str, about: dict[str, Any], arrays: dict[str, np.ndarray], device: torch.device | str) -> Any:
    kind = about["kind"]
    if kind == "plain":
        return about["value"]
    if kind == "array":
        return arrays[key]
    if kind == "parameter":
        return Parameter(torch.from_numpy(arrays[key]).to(on(device)))
    parts = (arrays[f"{key}.{part}"] for part in ("data", "indices", "indptr"))
    A = sp.csr_matrix(tuple(parts), shape=tuple(about["shape"]))
    A.check_format(full_check=True)  # an index beyond the shape would read foreign memory
    return A if kind == "sparse" else sparse(A, on(device))
