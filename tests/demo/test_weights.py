"""State dicts in torch's legacy format: what is read; a hostile or damaged file gets one line and runs nothing."""

from __future__ import annotations

import os
import pickle as python_pickle
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fieldmark.demo import unpickler, weights
from fieldmark.demo.weights import read_state_dict
from fieldmark.errors import ModelError
from tests.support import legacy_torch as lt
from tests.support.legacy_torch import SIX, Raw, legacy_file, storage, tensor

no_framework = pytest.mark.no_framework


def refusal(folder: Path, data: bytes) -> str:
    """The one line, less the path, with which a file is refused."""
    path = folder / "weights.pth"
    path.write_bytes(data)
    with pytest.raises(ModelError) as caught:
        read_state_dict(path)
    line = str(caught.value)
    assert "\n" not in line
    assert len(line) < len(str(path)) + 250
    assert line.startswith(f"{path}: ")
    return line.removeprefix(f"{path}: ")


def read(folder: Path, data: bytes) -> dict[str, np.ndarray]:
    path = folder / "weights.pth"
    path.write_bytes(data)
    return read_state_dict(path)


@pytest.mark.native_torch
def test_the_arrays_are_those_that_torch_reads(tmp_path: Path) -> None:
    import torch

    base = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
    state = {"base": base, "turned": base.permute(2, 0, 1), "tail": base[1, 1:], "tied": base, "scalar": base[1, 2, 3]}
    state |= {"none": torch.zeros(0, 3), "spread": torch.ones(1).expand(5, 2)}
    kinds = (torch.float16, torch.float64, torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8)
    state |= {str(kind): torch.tensor([1, 2, 100]).to(kind) for kind in kinds}
    torch.save(state, tmp_path / "a.pth", _use_new_zipfile_serialization=False)
    arrays = read_state_dict(tmp_path / "a.pth")
    assert list(arrays) == list(state)
    for name, value in state.items():
        assert arrays[name].dtype == value.numpy().dtype
        assert arrays[name].shape == value.shape
        assert np.array_equal(arrays[name], value.numpy())
        assert arrays[name].flags.c_contiguous
        assert arrays[name].flags.writeable


@pytest.mark.native_torch
def test_a_module_saved_by_torch_is_read(tmp_path: Path) -> None:
    import torch

    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    torch.save(model.state_dict(), tmp_path / "a.pth", _use_new_zipfile_serialization=False)
    arrays = read_state_dict(tmp_path / "a.pth")
    assert {name: value.shape for name, value in arrays.items()} == {
        name: tuple(value.shape) for name, value in model.state_dict().items()
    }


@pytest.mark.native_torch
def test_the_zip_format_of_torch_is_named(tmp_path: Path) -> None:
    import torch

    torch.save({"a": torch.ones(1)}, tmp_path / "zip.pth")
    assert refusal(tmp_path, (tmp_path / "zip.pth").read_bytes()) == (
        "expected torch's legacy format, received its zip format; "
        "save it with torch.save(..., _use_new_zipfile_serialization=False)"
    )


@no_framework
def test_shape_strides_and_offset_place_the_elements(tmp_path: Path) -> None:
    state = {"a": tensor(), "b": tensor(shape=(3, 2), strides=(1, 3)), "c": tensor(shape=(2,), strides=(2,), offset=1)}
    arrays = read(tmp_path, legacy_file(state | {"scalar": tensor(shape=(), strides=(), offset=5)}))
    assert arrays["a"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert arrays["b"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert arrays["c"].tolist() == [1, 3]
    assert arrays["scalar"].tolist() == 5
    assert all(array.dtype == np.float32 for array in arrays.values())


@no_framework
def test_storages_are_read_in_the_order_of_the_key_list(tmp_path: Path) -> None:
    state = {"x": tensor("1", 1, (1,), (1,)), "y": tensor("0", 2, (2,), (1,), kind="LongStorage")}
    data = legacy_file(state, storage(7, 8, dtype="<i8") + storage(0.5), ("0", "1"))
    arrays = read(tmp_path, data)
    assert arrays["x"].tolist() == [0.5]
    assert arrays["y"].tolist() == [7, 8]
    assert list(arrays) == ["x", "y"]


@no_framework
def test_the_stride_of_an_axis_of_one_element_may_be_any_number(tmp_path: Path) -> None:
    assert read(tmp_path, legacy_file({"a": tensor(shape=(1, 6), strides=(2**70, 1))}))["a"].shape == (1, 6)


@no_framework
def test_attributes_of_an_ordered_dict_are_left_out(tmp_path: Path) -> None:
    state = Raw(lt.ORDERED_DICT.opcodes + lt.encode("a") + tensor().opcodes + b"s" + lt.encode({"_metadata": 1}) + b"b")
    assert list(read(tmp_path, legacy_file(state))) == ["a"]


class Evil:
    """Python's own pickle of a call: what an attacker would send."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


@no_framework
@pytest.mark.parametrize(
    ("value", "name"),
    [
        (Evil(os.system, "touch ran"), f"{os.system.__module__}.system"),
        (Evil(eval, "open('ran', 'w')"), "__builtin__.eval"),
        (Evil(os.makedirs, "ran"), "os.makedirs"),
    ],
)
def test_a_pickle_that_calls_python_is_refused_and_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: Evil, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    expected = f"refused: its pickle asks for {name!r}; only tensors and OrderedDict are read"
    evil = python_pickle.dumps(value, protocol=2)
    system = legacy_file({"a": tensor()}).replace(lt.pickle(lt.SYSTEM), evil)
    assert refusal(tmp_path, lt.MAGIC + lt.pickle(1001) + lt.pickle(lt.SYSTEM) + evil) == expected
    assert refusal(tmp_path, lt.MAGIC + evil) == expected
    assert refusal(tmp_path, system) == expected
    assert refusal(tmp_path, legacy_file({"a": Raw(evil[2:-1])})) == expected
    assert not (tmp_path / "ran").exists()


@no_framework
def test_no_name_from_the_file_is_imported(tmp_path: Path) -> None:
    (tmp_path / "never_imported.py").write_text("raise SystemExit('imported')")
    code = f"""
import sys; sys.path.insert(0, {str(tmp_path)!r})
from fieldmark.demo.weights import read_state_dict
try: read_state_dict({str(tmp_path / "weights.pth")!r})
except ValueError as error: print(error)
print("never_imported" in sys.modules, "torch" in sys.modules)
"""
    refusal(tmp_path, legacy_file({"a": lt.call(lt.glob("never_imported", "f"))}))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "asks for 'never_imported.f'" in done.stdout
    assert done.stdout.endswith("False False\n")


def opcodes(*parts: bytes | Any) -> bytes:
    return legacy_file(Raw(b"".join(part if isinstance(part, bytes) else lt.encode(part) for part in parts)))


CALLS = "refused: its pickle calls something other than an empty OrderedDict or a tensor"
UNREADABLE = "damaged or truncated: its pickle cannot be read"
NO_STACK = "damaged: its pickle cannot be read"
BEYOND = "damaged: a tensor reaches beyond its storage of 6 elements"
NO_COUNTS = "damaged: a tensor's shape, strides or offset are no counts"
STORAGE = "damaged: a storage is not described as torch does it"
KEYS = "damaged: the list of storages is not that of the tensors"
UNUSED = "refused: its pickle uses {}, which no state dict of tensors needs"
OD = lt.glob("collections", "OrderedDict")
GOOD = legacy_file({"a": tensor()})


@no_framework
@pytest.mark.parametrize(
    ("data", "line"),
    [
        # not such a file
        (b"", "expected a state dict in torch's legacy format, received a file of another kind"),
        (b"\x89PNG\r\n", "expected a state dict in torch's legacy format, received a file of another kind"),
        (python_pickle.dumps({}), "expected a state dict in torch's legacy format, received a file of another kind"),
        (
            legacy_file({"a": tensor()}, protocol=1002),
            "expected protocol 1001 of torch's legacy format, received another",
        ),
        (legacy_file({"a": tensor()}, system=[1]), "expected protocol 1001 of torch's legacy format, received another"),
        (
            legacy_file({"a": tensor()}, system={"little_endian": False}),
            "expected little-endian numbers, received a file from a big-endian machine; save it again on another",
        ),
        # not a state dict
        (legacy_file({}, b"", ()), "expected a state dict of tensors, received an empty one"),
        (legacy_file([tensor()]), "expected a state dict of tensors, received list"),
        (
            legacy_file({"a": tensor(), "epoch": 3}),
            "expected only tensors, received int under 'epoch'; save model.state_dict()",
        ),
        (
            legacy_file({"state\n": {"a": tensor()}}),
            "expected only tensors, received dict under 'state\\n'; save model.state_dict()",
        ),
        (legacy_file({3: tensor()}), "damaged: expected str in its pickle, received int"),
        # calls and names
        (legacy_file({"a": lt.call(OD, [("b", 1)])}), CALLS),
        (legacy_file({"a": lt.call(lt.glob("torch", "FloatStorage"), 5)}), CALLS),
        (legacy_file({"a": lt.call(lt.glob("torch._utils", "_rebuild_tensor_v2"), 1, 2, 3, 4)}), CALLS),
        (opcodes("system", (), b"R"), CALLS),
        (
            legacy_file({"a": tensor(kind="BFloat16Storage")}),
            "refused: its pickle asks for 'torch.BFloat16Storage'; only tensors and OrderedDict are read",
        ),
        (
            legacy_file({"a": lt.glob("torch._utils", "_rebuild_parameter")}),
            "refused: its pickle asks for 'torch._utils._rebuild_parameter'; only tensors and OrderedDict are read",
        ),
        # opcodes that a state dict has no use for
        (opcodes("os", "system", b"\x93"), UNUSED.format("STACK_GLOBAL")),
        (opcodes(b"(ios\nsystem\n"), UNUSED.format("INST")),
        (opcodes(b"(", OD, b"o"), UNUSED.format("OBJ")),
        (opcodes(OD, (), b"\x81"), UNUSED.format("NEWOBJ")),
        (opcodes(b"Pstorage\n"), UNUSED.format("PERSID")),
        (opcodes(b"\x82\x01"), UNUSED.format("EXT1")),
        (opcodes(b"\x95" + b"\xff" * 7 + b"\x00"), UNUSED.format("FRAME")),
        # broken pickles
        (opcodes(b"\xff"), UNREADABLE),
        (opcodes(b"X\xff\xff\xff\xff"), UNREADABLE),
        (opcodes(b"I" + b"9" * 10_000 + b"\n"), UNREADABLE),
        (opcodes(b"R"), NO_STACK),
        (opcodes(b"u"), NO_STACK),
        (opcodes(b"h\x07"), NO_STACK),
        (opcodes(1, 2, 3, b"s"), "damaged: expected dict in its pickle, received int"),
        (opcodes(1, 2, b"a"), "damaged: expected list in its pickle, received int"),
        (opcodes(1, {}, b"b"), "damaged: expected dict in its pickle, received int"),
        # tensors that don't fit their storage
        (legacy_file({"a": tensor(shape=(2, 4), strides=(3, 1))}), BEYOND),
        (legacy_file({"a": tensor(offset=1)}), BEYOND),
        (legacy_file({"a": tensor(strides=(4, 1))}), BEYOND),
        (legacy_file({"a": tensor(shape=(2**62, 2**62), strides=(0, 0))}), BEYOND),
        (legacy_file({"a": tensor(shape=(0, 2**62), strides=(1, 1))}), BEYOND),
        (legacy_file({"a": tensor(offset=6, shape=(), strides=())}), BEYOND),
        (legacy_file({"a": tensor(offset=-1)}), NO_COUNTS),
        (legacy_file({"a": tensor(strides=(-3, 1))}), NO_COUNTS),
        (legacy_file({"a": tensor(shape=(-2, 3))}), NO_COUNTS),
        (legacy_file({"a": tensor(shape=(2, 3, 1))}), NO_COUNTS),
        (legacy_file({"a": tensor(shape=("2", 3))}), NO_COUNTS),
        (legacy_file({"a": tensor(shape=(True, 3))}), NO_COUNTS),
        (legacy_file({"a": tensor(shape=(1,) * 17, strides=(1,) * 17)}), NO_COUNTS),
        (legacy_file({"a": tensor(size=-1)}), STORAGE),
        (legacy_file({"a": tensor(size=2**40)}), STORAGE),
        (legacy_file({"a": tensor(size="6")}), STORAGE),
        (legacy_file({"a": tensor(tail=("0", 0, 6))}), STORAGE),
        (opcodes(5, b"Q"), STORAGE),
        (
            legacy_file({"a": tensor(), "b": tensor(kind="LongStorage")}),
            "damaged: a storage is described in two ways",
        ),
        # storages
        (legacy_file({"a": tensor()}, keys=("1",)), KEYS),
        (legacy_file({"a": tensor()}, keys=("0", "0")), KEYS),
        (legacy_file({"a": tensor()}, keys=(0,)), KEYS),
        (legacy_file({"a": tensor()}, keys="0"), KEYS),
        (
            legacy_file({"a": tensor()}, storage(0, 1, 2, 3, 4)),
            "damaged: expected 6 elements in a storage, received 5",
        ),
        (
            legacy_file({"a": tensor()}, storage(0, 1, 2, 3, 4, 5, count=-6)),
            "damaged: expected 6 elements in a storage, received -6",
        ),
        (GOOD[:-1], f"truncated: expected {len(GOOD)} bytes or more, received {len(GOOD) - 1}"),
        (GOOD[: -len(SIX)], "damaged: expected 6 elements in a storage, received 0"),
        (GOOD + b"\0", "damaged: 1 bytes after the last storage"),
    ],
)
def test_a_file_that_is_no_state_dict_gets_one_line(tmp_path: Path, data: bytes, line: str) -> None:
    assert refusal(tmp_path, data) == line


@no_framework
def test_a_long_name_is_cut(tmp_path: Path) -> None:
    assert len(refusal(tmp_path, opcodes(lt.glob("m", "x" * 100_000)))) < 200


@no_framework
@pytest.mark.parametrize(
    "bomb",
    [
        opcodes(b"N" + b"r\xff\xff\xff\xff"),  # a memo index of four billion: a table would be of 32 GiB
        opcodes(b"N" + b"\x85" * 100_000),  # tuples in tuples, deeper than any stack
        opcodes(b")" + b"q\x00h\x00\x86q\x00" * 20_000),  # each tuple holds the last one twice: 2^20000 leaves
        opcodes(b"\x8e" + b"\xff" * 7 + b"\x00"),  # bytes of 2^56
    ],
    ids=["memo", "deep", "wide", "bytes"],
)
def test_a_bomb_costs_little_memory(tmp_path: Path, bomb: bytes) -> None:
    tracemalloc.start()
    try:
        refusal(tmp_path, bomb)
        assert tracemalloc.get_traced_memory()[1] < 30e6
    finally:
        tracemalloc.stop()


@no_framework
def test_tensors_are_added_up_before_any_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spread = {f"t{index}": tensor(shape=(2**20, 10), strides=(0, 0)) for index in range(100)}
    assert refusal(tmp_path, legacy_file(spread)) == (
        f"expected at most {2**30} bytes of tensors, received {100 * 2**20 * 10 * 4}"
    )
    monkeypatch.setattr(weights, "MAX_BYTES", 100)
    assert refusal(tmp_path, GOOD) == f"expected at most 100 bytes, received {len(GOOD)}"


@no_framework
def test_a_pickle_of_too_many_opcodes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpickler, "MAX_OPCODES", 30)
    assert refusal(tmp_path, GOOD) == "expected a pickle of at most 30 opcodes, received a longer one"


@no_framework
def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no\.pth: no such file$"):
        read_state_dict(tmp_path / "no.pth")
    with pytest.raises(ModelError, match=r"expected a file of weights, received something else$"):
        read_state_dict(tmp_path)


@no_framework
@given(st.data())
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_damage_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    whole = bytearray(legacy_file({"a": tensor(), "b": tensor("1", 2, (2,), (1,))}, SIX + storage(6, 7), ("0", "1")))
    for place in data.draw(st.lists(st.integers(len(lt.MAGIC), len(whole) - 1), max_size=4)):
        whole[place] = data.draw(st.integers(0, 255))
    cut = bytes(whole[: data.draw(st.one_of(st.just(len(whole)), st.integers(0, len(whole))))])
    path = tmp_path / "weights.pth"
    path.write_bytes(cut)
    line = ""
    try:
        read_state_dict(path)
    except ModelError as error:
        line = str(error)
    assert "\n" not in line
