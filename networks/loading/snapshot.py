"""Published PyTorch snapshots (`network-snapshot-*.pkl`): a dict with G, D and G_ema, of which only G_ema is used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from networks.spec import ALIAS_FREE, GeneratorConfig

from .constructor import checked_config, family_of, nested
from .errors import Foreign, Malformed, printable
from .stand_ins import StoredArray, StoredObject, StoredTensor

MAX_PARTS, MAX_TENSORS, MAX_ARGUMENTS = 4096, 1 << 14, 64  # the largest published network has about 300 tensors
MAX_NAME, MAX_TEXT = 256, 1024  # names are joined, and one long text can be used a thousand times by a short file
_COMMON = ("z_dim", "c_dim", "w_dim", "img_resolution", "img_channels")
_OF_SYNTHESIS = ("num_layers", "num_critical", "margin_size", "output_scale", "num_fp16_res")
_OF_LAYER = ("conv_clamp", "magnitude_ema_beta", "conv_kernel")


def read_snapshot(snapshot: dict) -> tuple[GeneratorConfig, dict[str, StoredTensor]]:
    """The configuration and tensors of the averaged generator, by our names. Raises Malformed."""
    network = snapshot.get("G_ema")
    if network is None:
        found = ", ".join(printable(str(key), 30) for key in list(snapshot)[:8] if isinstance(key, str))
        raise Foreign(f"it holds no network G_ema (it holds: {found or 'nothing named'})")
    if not isinstance(network, StoredObject):
        raise Malformed(f"its G_ema is a {type(network).__name__}, not a network")
    tensors = dict(_tensors(network))
    family = family_of(tensors)
    return checked_config(_arguments(network, family), family), tensors


def _tensors(network: StoredObject) -> Iterator[tuple[str, StoredTensor]]:
    """Names and tensors of all parts. Each part may be used once, so a file cannot make this long."""
    waiting, seen, count = [("", network)], set(), 0
    while waiting:
        prefix, part = waiting.pop()
        if id(part) in seen or len(waiting) >= MAX_PARTS:
            raise Malformed("its network uses a part twice, or has too many")
        seen.add(id(part))
        for group in ("_parameters", "_buffers"):
            for name, value in part.part(group).items():
                path = joined(prefix, name)
                count += 1
                if count > MAX_TENSORS:
                    raise Malformed(f"its network has more than {MAX_TENSORS} tensors")
                if isinstance(value, StoredTensor):
                    yield path, value
                elif value is not None:
                    raise Malformed(f"{printable(path)} is a {type(value).__name__}, not a tensor")
        for name, child in part.part("_modules").items():
            path = joined(prefix, name)
            if isinstance(child, StoredObject):
                waiting.append((f"{path}.", child))
            elif child is not None:
                raise Malformed(f"{printable(path)} is a {type(child).__name__}, not a layer")


def joined(prefix: str, name: object) -> str:
    """The name of a part within a part. Raises Malformed where that is no short text."""
    if not isinstance(name, str) or len(prefix) + len(name) > MAX_NAME:
        raise Malformed(f"its network has a part whose name is not a text of at most {MAX_NAME} characters")
    return prefix + name


def _arguments(network: StoredObject, family: str) -> dict[str, Any]:
    """Constructor arguments: what the caller gave (`_init_kwargs`), completed by the attributes that stand in the states."""
    given = network.state.get("_init_kwargs", {})
    if not isinstance(given, dict) or len(given) > MAX_ARGUMENTS:
        raise Malformed("its constructor arguments are not a short dict")
    arguments = {joined("", name): plain(value) for name, value in given.items() if name not in ("fused_modconv_default", "channels_last")}
    synthesis, mapping = _child(network, "synthesis"), _child(network, "mapping")
    arguments |= _present(network, _COMMON)
    arguments["mapping_kwargs"] = {**nested(arguments, "mapping_kwargs"), **_present(mapping, ("num_layers", "w_avg_beta"))}
    of_synthesis = nested(arguments, "synthesis_kwargs")
    if family == ALIAS_FREE:
        parts = synthesis.part("_modules").items()
        layers = [child for name, child in parts if str(name).startswith("L0_") and isinstance(child, StoredObject)]
        found = _present(synthesis, _OF_SYNTHESIS) | (_present(layers[0], _OF_LAYER) if layers else {})
    else:
        found = _of_stylegan2(synthesis)
    arguments.pop("synthesis_kwargs", None)
    return {**found, **of_synthesis, **arguments, **({"conv_clamp": found["conv_clamp"]} if "conv_clamp" in found else {})}


def _of_stylegan2(synthesis: StoredObject) -> dict[str, Any]:
    """StyleGAN2 files differ by era in their defaults, so what the layers hold decides."""
    block = _child(synthesis, "b4")
    conv = _child(block, "conv1")
    found = _present(synthesis, ("num_fp16_res",)) | _present(block, ("architecture",)) | _present(conv, ("use_noise", "activation"))
    found["conv_clamp"] = plain(conv.state.get("conv_clamp"))
    return {"num_fp16_res": 0, **found}


def _child(part: StoredObject, name: str) -> StoredObject:
    child = part.part("_modules").get(name)
    if not isinstance(child, StoredObject):
        raise Malformed(f"its network has no part {name}")
    return child


def _present(part: StoredObject, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: plain(part.state[name]) for name in names if name in part.state}


def plain(value: object, depth: int = 0) -> Any:
    """A constructor argument as a JSON value: numbers, text, short lists and dicts of them. Raises Malformed."""
    if value is None or isinstance(value, (bool, int, float)) or (isinstance(value, str) and len(value) <= MAX_TEXT):
        return value
    if isinstance(value, StoredArray) and len(value.shape) <= 1 and value.data.length <= 4096:
        return value.read().tolist()
    if depth < 2 and isinstance(value, (list, tuple)) and len(value) <= MAX_ARGUMENTS:
        return [plain(item, depth + 1) for item in value]
    if depth < 2 and isinstance(value, dict) and len(value) <= MAX_ARGUMENTS:
        return {joined("", name): plain(item, depth + 1) for name, item in value.items()}
    raise Malformed(f"a constructor argument is a {type(value).__name__}, which is not a plain value")
