"""The bundled network gives what its model card shows and states."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from networks.loading import load
from networks.loading.catalogue import BUNDLED_FOLDER
from networks.measures.metrics import measure
from tests.networks.loading.pickles import GOLDEN

PSNR_16_DB = 30.93  # of the first 16 of the card's 256 latents, on targets of 8 bits


@pytest.fixture(scope="module")
def globe():
    return load("globe-r-64")


def pictures(network, latents: np.ndarray) -> torch.Tensor:
    """[N, 3, 64, 64] in [-1, 1], untruncated."""
    with torch.inference_mode():
        rows = [network(z).clamp(-1, 1) for z in torch.from_numpy(latents.astype(np.float32)).split(16)]
    return torch.cat(rows)


def test_the_cards_picture_is_what_the_network_gives(globe):
    """The card shows 8 x 8 pictures, each pixel twice as large; only a value on the edge of rounding may differ, by one level."""
    shown = np.asarray(Image.open(BUNDLED_FOLDER / "globe-r-64.png"), dtype=np.int16)
    drawn = ((pictures(globe.network, np.random.RandomState(1).randn(64, 16)) + 1) * 127.5).round().to(torch.int16).numpy()
    grid = drawn.reshape(8, 8, 3, 64, 64).transpose(0, 3, 1, 4, 2).reshape(512, 512, 3)
    difference = np.abs(grid.repeat(2, 0).repeat(2, 1) - shown)
    assert difference.max() <= 1 and (difference > 0).mean() < 1e-3


def test_the_cards_error_is_what_is_measured(globe):
    with np.load(GOLDEN / "globe_targets.npz") as file:
        targets = torch.from_numpy(file["targets"]).permute(0, 3, 1, 2) / 127.5 - 1
    drawn = pictures(globe.network, np.random.RandomState(1000).randn(256, 16)[:16])
    psnr_db = 10 * math.log10(4 / (drawn - targets).square().mean().item())
    assert psnr_db == pytest.approx(PSNR_16_DB, abs=0.1)
    assert f"{PSNR_16_DB} dB" in card() and f"{globe.metadata['training']['psnr_256']:.2f} dB" in card()


STILL = {"r": ("R", "alias-free"), "t": ("T", "alias-free"), "b": ("B", "stylegan2")}


@pytest.mark.parametrize("kind", STILL)
def test_the_three_of_one_experiment_are_what_their_card_states(kind):
    loaded = load(f"globe-still-{kind}-64")
    assert (loaded.config_name, loaded.network.config.family) == STILL[kind]
    training = loaded.metadata["training"]
    rows, column = rows_of_card(len(STILL)), list(STILL).index(kind)
    stated = {name.split(",")[0]: cells[column].strip() for name, cells in rows.items()}
    assert stated["file"] == f"{loaded.size_bytes / 1e6:.2f} MB"
    assert stated["parameters"] == f"{sum(p.numel() for p in loaded.network.parameters()):,}"
    assert stated["PSNR against targets"] == f"{training['psnr_256']:.2f} dB"
    assert "`translation_limit`" in card() and float(loaded.metadata["translation_limit"]) == 0.25
    assert training["options"]["moves"] == 0 and training["images_seen"] == 160_000
    with np.load(GOLDEN / "globe_targets.npz") as file:
        targets = torch.from_numpy(file["targets"]).permute(0, 3, 1, 2) / 127.5 - 1
    drawn = pictures(loaded.network, np.random.RandomState(1000).randn(256, 16)[:16])
    psnr_db = 10 * math.log10(4 / (drawn - targets).square().mean().item())
    assert float(stated["the first 16 of them"].removesuffix(" dB")) == pytest.approx(psnr_db, abs=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", STILL)
def test_the_three_are_as_equivariant_as_their_card_states(kind):
    assert_as_equivariant_as_stated(f"globe-still-{kind}-64", rows_of_card(len(STILL)), list(STILL).index(kind))


def test_the_three_were_trained_alike():
    options = [load(f"globe-still-{kind}-64").metadata["training"]["options"] for kind in STILL]
    architecture = {
        "config",
        "channel_base",
        "channel_max",
        "num_layers",
        "early_margin",
        "out",
        "blur",
        "gamma",
        "style_mixing",
        "path_length",
    }
    first = {name: value for name, value in options[0].items() if name not in architecture}
    assert all({name: value for name, value in o.items() if name not in architecture} == first for o in options)


def rows_of_card(columns: int) -> dict[str, list[str]]:
    """The tables of so many networks: what stands in each row, by what it begins with."""
    lines = (line.split("|")[1:-1] for line in card().splitlines() if line.count("|") == columns + 2)
    return {name.strip(): cells for name, *cells in lines}


def assert_as_equivariant_as_stated(name: str, rows: dict[str, list[str]], column: int) -> None:
    *_, found = measure(load(name).network, num=64)
    assert found is not None, "nothing interrupts it"
    for metric, row in (("eq_t", "EQ-T, 64 samples"), ("eq_t_frac", "EQ-T_frac"), ("eq_r", "EQ-R")):
        stated = float(rows[row][column].strip().removesuffix(" dB"))
        assert found.estimates[metric].db == pytest.approx(stated, abs=0.3), metric


def card() -> str:
    return (Path(BUNDLED_FOLDER) / "README.md").read_text("utf-8")


LANDSCAPES = {"r": "R", "b": "B"}


def test_the_landscapes_are_what_their_card_states():
    rows, drawn = rows_of_card(len(LANDSCAPES)), []
    for column, (kind, config) in enumerate(LANDSCAPES.items()):
        loaded = load(f"landscape-{kind}-128")
        training = loaded.metadata["training"]
        assert loaded.config_name == config and training["images_seen"] == 60_000 and training["options"]["blur"] == 5
        assert rows["file, weights in float16"][column].strip() == f"{loaded.size_bytes / 1e6:.2f} MB"
        assert rows["parameters"][column].strip() == f"{sum(p.numel() for p in loaded.network.parameters()):,}"
        sizes = (training["options"]["channel_base"], training["options"]["channel_max"])
        assert rows["`channel_base`, `channel_max`"][column].strip() == f"{sizes[0]}, {sizes[1]}"
        found = pictures(loaded.network, np.random.RandomState(1).randn(16, 64))
        drawn.append(((found + 1) * 127.5).round().to(torch.int16).numpy().reshape(2, 8, 3, 128, 128).transpose(0, 3, 1, 4, 2))
    shown = np.asarray(Image.open(BUNDLED_FOLDER / "landscape.png"), dtype=np.int16)
    difference = np.abs(np.concatenate([grid.reshape(256, 1024, 3) for grid in drawn]) - shown)
    assert difference.max() <= 1 and (difference > 0).mean() < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("kind", LANDSCAPES)
def test_the_landscapes_are_as_equivariant_as_their_card_states(kind):
    assert_as_equivariant_as_stated(f"landscape-{kind}-128", rows_of_card(len(LANDSCAPES)), list(LANDSCAPES).index(kind))


def test_the_card_states_what_the_file_holds(globe):
    parameters = sum(p.numel() for p in globe.network.parameters())
    assert parameters == globe.metadata["training"]["parameters"]
    assert f"{parameters:,}" in card()
    assert f"{globe.size_bytes / 1e6:.2f} MB" in card()
    assert f"`translation_limit` {globe.metadata['translation_limit']}" in card()
    assert (globe.config_name, globe.kind, globe.network.z_dim) == ("R", "safetensors", 16)
