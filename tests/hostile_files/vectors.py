"""Vector files 083-131 of the bad-input list: CASES holds a lazy builder for each, with its refusal code.

A star in the list marks what the safetensors library itself accepts; those are refused here too.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from steering_core.formats.bearing import write_vector
from steering_core.spec import ModelIdentity, Provenance
from steering_core.vector import SteeringVector
from tests.hostile_files.datasets import zipped

WIDTH = 8
N_LAYERS = 4
DIGEST = "sha256:" + "ab" * 32
Fields = dict[str, Any]


class VectorCase(NamedTuple):
    """`build()` gives the bytes, `code` is what `read_vector` refuses them with."""

    name: str
    build: Callable[[], bytes]
    code: str


def good_vector(width: int = WIDTH) -> SteeringVector:
    """Two directions on a model of four blocks."""
    rising = np.arange(1, width + 1, dtype=np.float32) / width
    return SteeringVector(
        model=ModelIdentity("tiny", DIGEST, "LlamaForCausalLM", N_LAYERS, width),
        directions={"resid_post.1": rising, "resid_post.2": -rising[::-1]},
        residual_norms={"resid_post.1": 4.0, "resid_post.2": 6.5},
        provenance=Provenance("mean_difference", "response_mean", DIGEST, DIGEST, "bearing 0.1.0", "float32"),
        sign="positive",
        set_points={"resid_post.1": (-0.5, 1.25)},
        window=(-0.3, 0.45),
        doses=((-0.3, 0.5), (0.0, 0.0), (0.3, 0.625)),
    )


def good_vectors() -> list[SteeringVector]:
    """Vectors that between them fill every field in every way."""
    plain = good_vector()
    width, key = 3, "resid_post@2.0"
    bare = SteeringVector(
        model=ModelIdentity("Größe 漢字 🙂", DIGEST, "DeepseekV4ForCausalLM", 1, width),
        directions={key: np.array([-0.0, 3.0, -4.0], dtype=np.float32)},
        residual_norms={key: 1e9},
        provenance=Provenance("sum", "mixed", "", "", ""),
        operation="project",
    )
    full = replace(
        plain,
        operation="clamp",
        sign="negative",
        set_points={"resid_post.1": (1.25, 0.5), "resid_post.2": (1e-7, -2.0)},
        doses=((-1.0, 1.5), (1.0, 2e-05)),
        provenance=replace(plain.provenance, dtype="bfloat16"),
    )
    return [plain, bare, full]


def split_file(data: bytes) -> tuple[Fields, bytes]:
    """The header's fields and the tensor bytes of a good file."""
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def join_file(header: bytes, tensors: bytes, length: int | None = None) -> bytes:
    """A file around any header bytes; `length` may lie."""
    return (len(header) if length is None else length).to_bytes(8, "little") + header + tensors


def encode(fields: Fields) -> bytes:
    """Canonical header bytes of any fields."""
    header = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return header + b" " * (-len(header) % 8)


def _edited(edit: Callable[[Fields], None], tensors: bytes | None = None) -> Callable[[], bytes]:
    """A good file whose header fields were edited."""

    def build() -> bytes:
        fields, good = split_file(write_vector(good_vector()))
        edit(fields)
        return join_file(encode(fields), good if tensors is None else tensors)

    return build


def _header(change: Callable[[bytes], bytes]) -> Callable[[], bytes]:
    """A good file whose header bytes were changed."""

    def build() -> bytes:
        fields, tensors = split_file(write_vector(good_vector()))
        return join_file(change(encode(fields)), tensors)

    return build


def _replaced(old: bytes, new: bytes) -> Callable[[], bytes]:
    def change(header: bytes) -> bytes:
        changed = header.rstrip(b" ").replace(old, new, 1)
        return changed + b" " * (-len(changed) % 8)

    return _header(change)


def _info(**changes: Any) -> Callable[[], bytes]:
    """A good file with other fields for its first tensor."""
    return _edited(lambda fields: fields["resid_post.1"].update(changes))


def _manifest(edit: Callable[[Fields], None]) -> Callable[[], bytes]:
    """A good file with an edited manifest."""

    def build() -> bytes:
        fields, tensors = split_file(write_vector(good_vector()))
        manifest = json.loads(fields["__metadata__"]["manifest"])
        edit(manifest)
        text = json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        fields["__metadata__"]["manifest"] = text
        return join_file(encode(fields), tensors)

    return build


def _values(*values: float) -> Callable[[], bytes]:
    """A good file whose first direction starts with `values` and goes on with the last of them."""

    def build() -> bytes:
        fields, tensors = split_file(write_vector(good_vector()))
        direction = np.full(WIDTH, values[-1], dtype="<f4")
        direction[: len(values)] = values
        return join_file(encode(fields), direction.tobytes() + tensors[4 * WIDTH :])

    return build


def _renamed(name: str) -> Callable[[], bytes]:
    def edit(fields: Fields) -> None:
        fields[name] = fields.pop("resid_post.1")

    return _edited(edit)


def _only_metadata(fields: Fields) -> None:
    for name in [name for name in fields if name != "__metadata__"]:
        del fields[name]


def _wider(fields: Fields) -> None:
    fields["resid_post.1"].update(shape=[WIDTH + 2], data_offsets=[0, 4 * (WIDTH + 2)])
    start = 4 * (WIDTH + 2)
    fields["resid_post.2"].update(data_offsets=[start, start + 4 * WIDTH])


def _at(name: str) -> Callable[[], bytes]:
    """A good file whose second direction has another name, in the manifest too."""

    def build() -> bytes:
        fields, tensors = split_file(write_vector(good_vector()))
        manifest = json.loads(fields["__metadata__"]["manifest"])
        fields[name] = fields.pop("resid_post.2")
        manifest["directions"][name] = manifest["directions"].pop("resid_post.2")
        fields["__metadata__"]["manifest"] = json.dumps(manifest, sort_keys=True, separators=(",", ":"))
        return join_file(encode(fields), tensors)

    return build


def _empty_tensors() -> bytes:
    empty = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    return join_file(encode({f"resid_post.{number}": empty for number in range(100_000)}), b"")


def _good() -> bytes:
    return write_vector(good_vector())


def _flipped_tensor_bit() -> bytes:
    data = bytearray(_good())
    data[-4] ^= 1
    return bytes(data)


def _unsorted_header() -> bytes:
    fields, tensors = split_file(_good())
    header = json.dumps(dict(reversed(fields.items())), separators=(",", ":")).encode()
    return join_file(header + b" " * (-len(header) % 8), tensors)


_SPAN = 4 * WIDTH
_BYTES = (
    ("083-empty", lambda: b"", "format.too_short"),
    ("084-seven-bytes", lambda: bytes(7), "format.too_short"),
    ("085-hdr-len-0", lambda: bytes(8), "format.header_length"),
    ("086-hdr-len-max-u64", lambda: b"\xff" * 8 + b"{}", "format.header_too_large"),
    ("087-hdr-100MB-plus-1", lambda: join_file(b"{}", b"", 100_000_001), "format.header_too_large"),
    ("088-hdr-past-eof", lambda: join_file(b"{}", b"", 1000), "format.header_past_end"),
    ("089-hdr-not-json", lambda: join_file(b"not json", b""), "format.not_json"),
    ("090-hdr-array", lambda: join_file(b"[1,2,3] ", b""), "format.header_not_object"),
    ("091-hdr-bad-utf8", lambda: join_file(b'{"\xff":1}', b""), "format.header_encoding"),
    ("092-hdr-leading-space", _header(lambda header: b" " * 8 + header), "format.header_start"),
    ("093-hdr-trailing-pad", _header(lambda header: header + b" " * 8), "format.padding"),
    ("093-hdr-trailing-newline", _header(lambda header: header + b"\n" * 8), "format.padding"),
    ("094-hdr-two-json", _header(lambda header: header + header), "format.not_json"),
    ("095-trailing-bytes-PK-polyglot", lambda: _good() + zipped({"a": b"b"}), "format.trailing_bytes"),
    ("096-truncated-data", lambda: _good()[:-1], "format.truncated"),
    ("129-pickle-as-safetensors", lambda: b"\x80\x04\x95\x10\x00\x00\x00\x00.", "format.not_safetensors"),
    ("130-torch-zip-pt", lambda: zipped({"archive/data.pkl": b"\x80\x02."}), "format.not_safetensors"),
    ("131-npy-allow-pickle", lambda: b"\x93NUMPY\x01\x00" + bytes(64), "format.not_safetensors"),
)
_LAYOUT = (
    (
        "097-overlap-full",
        _edited(lambda f: f["resid_post.2"].update(data_offsets=[0, _SPAN])),
        "format.offsets",
    ),
    (
        "098-overlap-partial",
        _edited(lambda f: f["resid_post.2"].update(data_offsets=[_SPAN - 4, 2 * _SPAN - 4])),
        "format.offsets",
    ),
    (
        "099-hole",
        _edited(
            lambda f: f["resid_post.2"].update(data_offsets=[_SPAN + 4, 2 * _SPAN + 4]), bytes(2 * _SPAN + 4)
        ),
        "format.offsets",
    ),
    ("100-start-gt-end", _info(data_offsets=[_SPAN, 0]), "format.offsets"),
    ("101-negative-offset", _info(data_offsets=[-_SPAN, 0]), "format.offsets"),
    ("102-negative-dim", _info(shape=[-WIDTH]), "format.shape"),
    ("103-shape-overflow", _info(shape=[2**62]), "format.shape"),
    ("104-shape-mismatch", _info(shape=[WIDTH - 1]), "format.shape_mismatch"),
    ("105-float-dim", _info(shape=[float(WIDTH)]), "format.shape"),
    ("106-unknown-dtype", _info(dtype="F13"), "format.dtype"),
    ("107-f64", _info(dtype="F64", shape=[WIDTH // 2]), "format.dtype"),
    ("108-int8", _info(dtype="I8", shape=[_SPAN]), "format.dtype"),
    ("114-zero-dim", _info(shape=[0], data_offsets=[0, 0]), "format.shape"),
    ("115-scalar", _info(shape=[], data_offsets=[0, 4]), "format.shape"),
    ("116-2-D-tensor", _info(shape=[2, WIDTH // 2]), "format.shape"),
    ("128-ndim-1000", _info(shape=[1] * 1000), "format.shape"),
    ("boolean-dim", _info(shape=[True], data_offsets=[0, 4]), "format.shape"),
)
_NUMBERS = (
    ("109-nan", _values(1.0, float("nan"), 1.0), "format.not_finite"),
    ("110-inf", _values(1.0, float("inf"), 1.0), "format.not_finite"),
    ("111-all-zero", _values(0.0), "format.zero"),
    ("112-subnormal-only", _values(1e-40), "format.subnormal"),
    ("113-huge-norm-1e30", _values(1e30), "format.norm_range"),
    ("tiny-norm", _values(1e-9), "format.norm_range"),
    (
        "117-wrong-hidden-size",
        _edited(_wider, np.ones(2 * WIDTH + 2, dtype="<f4").tobytes()),
        "format.dimension",
    ),
    ("118-layer-out-of-range", _at(f"resid_post.{N_LAYERS}"), "format.block"),
    ("one-bit-of-a-tensor", _flipped_tensor_bit, "format.tensor_digest"),
)
_NAMES = (
    ("119-no-tensors", _edited(_only_metadata, b""), "format.no_tensors"),
    (
        "120-metadata-1MB",
        _edited(lambda f: f["__metadata__"].update(note="x" * 2**20)),
        "format.header_too_large",
    ),
    ("121-metadata-nonstring", _edited(lambda f: f["__metadata__"].update(manifest={})), "format.metadata"),
    (
        "122-duplicate-tensor-key",
        _replaced(b'"resid_post.2":', b'"resid_post.1":'),
        "format.duplicate_key",
    ),
    (
        "123-duplicate-metadata-key",
        _replaced(b'"format":"bearing"', b'"format":"bearing","format":"bearing"'),
        "format.duplicate_key",
    ),
    ("123-duplicate-manifest-key", _replaced(b'\\"window\\":', b'\\"operation\\":'), "format.duplicate_key"),
    ("124-extra-field-smuggle", _info(note="hidden"), "format.tensor_fields"),
    ("124-extra-metadata-smuggle", _edited(lambda f: f["__metadata__"].update(note="x")), "format.metadata"),
    ("125-name-traversal", _renamed("../../etc/passwd"), "format.tensor_name"),
    ("126-name-empty", _renamed(""), "format.tensor_name"),
    ("126-name-NUL", _renamed("resid_post.1\x00"), "format.tensor_name"),
    ("126-name-bidi", _renamed("resid_post.\u202e1"), "format.tensor_name"),
    ("126-name-10k", _renamed("a" * 10_000), "format.tensor_name"),
    ("name-padded-block", _at("resid_post.02"), "format.site_key"),
    ("name-stream-of-mlp", _at("mlp_out@0.2"), "format.site_key"),
    ("name-other-site", _renamed("embedding.1"), "format.directions"),
    ("127-100k-empty-tensors", _empty_tensors, "format.header_too_large"),
    ("header-too-deep", lambda: join_file(b'{"a":' + b"[" * 50_000, b""), "format.too_deep"),
    ("header-unsorted", _unsorted_header, "format.not_canonical"),
)
_MANIFESTS = (
    ("manifest-version-2", _manifest(lambda m: m.update(format_version=2)), "format.version"),
    ("manifest-version-true", _manifest(lambda m: m.update(format_version=True)), "format.version"),
    ("manifest-no-version", _manifest(lambda m: m.pop("format_version")), "format.version"),
    ("manifest-extra-field", _manifest(lambda m: m.update(owner="me")), "format.manifest_fields"),
    ("manifest-missing-field", _manifest(lambda m: m.pop("provenance")), "format.manifest_fields"),
    (
        "manifest-bad-hash",
        _manifest(lambda m: m["model"].update(model_hash="sha1:00")),
        "format.manifest_value",
    ),
    ("manifest-bidi-name", _manifest(lambda m: m["model"].update(name="a\u202eb")), "format.manifest_value"),
    ("manifest-integer-window", _manifest(lambda m: m.update(window=[-1, 1])), "format.manifest_value"),
    ("manifest-window-backwards", _manifest(lambda m: m.update(window=[0.5, -0.5])), "format.window"),
    ("manifest-huge-window", _manifest(lambda m: m.update(window=[-1e300, 1e300])), "format.manifest_value"),
    ("manifest-unknown-sign", _manifest(lambda m: m.update(sign="both")), "format.sign"),
    ("manifest-sign-not-a-word", _manifest(lambda m: m.update(sign="Positive!")), "format.manifest_value"),
    ("manifest-doses-falling", _manifest(lambda m: m["doses"].reverse()), "format.doses"),
    ("manifest-dose-twice", _manifest(lambda m: m["doses"].insert(0, m["doses"][0])), "format.doses"),
    ("manifest-dose-below-zero", _manifest(lambda m: m.update(doses=[[0.3, -0.5]])), "format.manifest_value"),
    ("manifest-dose-integer", _manifest(lambda m: m.update(doses=[[1, 0.5]])), "format.manifest_value"),
    ("manifest-dose-of-three", _manifest(lambda m: m["doses"][0].append(0.5)), "format.manifest_value"),
    (
        "manifest-65-doses",
        _manifest(lambda m: m.update(doses=[[number / 10, 0.5] for number in range(65)])),
        "format.manifest_value",
    ),
    ("manifest-negative-zero", _manifest(lambda m: m.update(window=[-0.0, 0.3])), "format.not_canonical"),
    (
        "manifest-one-set-point",
        _manifest(lambda m: m["directions"]["resid_post.1"].update(set_points=[1.0])),
        "format.manifest_value",
    ),
    (
        "manifest-huge-set-point",
        _manifest(lambda m: m["directions"]["resid_post.1"].update(set_points=[0.0, 1e10])),
        "format.manifest_value",
    ),
    (
        "manifest-direction-extra-field",
        _manifest(lambda m: m["directions"]["resid_post.1"].update(norm=1.0)),
        "format.manifest_fields",
    ),
    (
        "manifest-residual-norm-subnormal",
        _manifest(lambda m: m["directions"]["resid_post.1"].update(residual_norm=5e-324)),
        "format.manifest_value",
    ),
    (
        "manifest-dtype-path",
        _manifest(lambda m: m["provenance"].update(dtype="../x")),
        "format.manifest_value",
    ),
    ("manifest-unknown-operation", _manifest(lambda m: m.update(operation="explode")), "format.operation"),
    (
        "manifest-residual-norm-zero",
        _manifest(lambda m: m["directions"]["resid_post.1"].update(residual_norm=0.0)),
        "format.manifest_value",
    ),
    (
        "manifest-other-directions",
        _manifest(lambda m: m["directions"].pop("resid_post.1")),
        "format.directions",
    ),
    (
        "manifest-wrong-tensor-digest",
        _manifest(lambda m: m.update(tensor_digest=DIGEST)),
        "format.tensor_digest",
    ),
)

CASES: tuple[VectorCase, ...] = tuple(
    VectorCase(*case) for case in (*_BYTES, *_LAYOUT, *_NUMBERS, *_NAMES, *_MANIFESTS)
)
