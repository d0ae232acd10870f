"""Reads and writes safetensors files with numpy alone.

Layout: u64 little-endian N, N bytes of JSON {name: {dtype, shape, data_offsets}}, row-major data without holes.
"""
import json
import os

import numpy as np

_NUMPY = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "U8": "|u1", "BOOL": "|b1"}
_NAMES = {np.dtype(code): name for name, code in _NUMPY.items()}


def read(path):
    """Returns (tensors by name, metadata by name)."""
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
        data = file.read()
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        values = np.frombuffer(data[begin:end], dtype=_NUMPY[entry["dtype"]])
        tensors[name] = values.reshape(entry["shape"]).copy()
    return tensors, metadata


def write(path, tensors, metadata=None):
    """Widest types first, which keeps every tensor aligned; the file gets its name only when it is complete."""
    header, blobs, offset = {"__metadata__": metadata or {}}, [], 0
    for name, values in sorted(tensors.items(), key=lambda item: -np.asarray(item[1]).dtype.itemsize):
        values = np.asarray(values)
        values = values.astype(values.dtype.newbyteorder("<"), order="C")
        blob = values.tobytes()
        header[name] = {"dtype": _NAMES[values.dtype], "shape": list(values.shape),
                        "data_offsets": [offset, offset + len(blob)]}
        blobs.append(blob)
        offset += len(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path + ".tmp", "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.writelines(blobs)
    os.replace(path + ".tmp", path)
