"""The convolutional gated recurrent unit against its equations, written out in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from vidcls.layers.conv_gru import ConvGru

Maps = NDArray[np.float64]
C, D, BELOW = 3, 2, 4


def convolved(maps: Maps, kernels: Maps) -> Maps:
    """``(C, H, W)`` by ``(D, C, k, k)`` -> ``(D, H, W)``: sums of products at every place, with zeros around."""
    num_out, _, side, _ = kernels.shape
    border = side // 2
    _, H, W = maps.shape
    around = np.pad(maps, ((0, 0), (border, border), (border, border)))
    out = np.zeros((num_out, H, W))
    for d in range(num_out):
        for y in range(H):
            for x in range(W):
                out[d, y, x] = np.sum(kernels[d] * around[:, y : y + side, x : x + side])
    return out


def sigmoid(x: Maps) -> Maps:
    return 1 / (1 + np.exp(-x))


def states_by_the_equations(maps: Maps, weights: dict[str, Maps], below: Maps | None = None) -> list[Maps]:
    """Ballas et al. 2016, section 3.1: maps ``(T, C, H, W)`` -> hidden maps ``(D, H, W)`` of every step."""
    hidden = np.zeros((D, *maps.shape[2:]))
    states = []
    for t, x in enumerate(maps):
        lower = {gate: 0.0 if below is None else convolved(below[t], weights[f"V_{gate}"]) for gate in "zrc"}
        z = sigmoid(convolved(x, weights["W_z"]) + lower["z"] + convolved(hidden, weights["U_z"]))
        r = sigmoid(convolved(x, weights["W_r"]) + lower["r"] + convolved(hidden, weights["U_r"]))
        candidate = np.tanh(convolved(x, weights["W_c"]) + lower["c"] + convolved(r * hidden, weights["U_c"]))
        hidden = (1 - z) * hidden + z * candidate
        states.append(hidden)
    return states


def random_weights(rng: np.random.Generator, side: int) -> dict[str, Maps]:
    sizes = {"W": C, "V": BELOW, "U": D}
    return {f"{kind}_{gate}": rng.normal(size=(D, c, side, side)) for kind, c in sizes.items() for gate in "zrc"}


def unit_with(weights: dict[str, Maps], side: int, *, stacked: bool = False) -> ConvGru:
    """The unit whose kernels are these; the input is joined by that from below."""
    unit = ConvGru(C + BELOW if stacked else C, D, kernel_px=side).double()
    inputs = [np.concatenate([weights[f"W_{g}"]] + [weights[f"V_{g}"]] * stacked, axis=1) for g in "zrc"]
    unit.load_state_dict(
        {
            "from_input.weight": torch.from_numpy(np.concatenate(inputs)),
            "to_gates.weight": torch.from_numpy(np.concatenate([weights["U_z"], weights["U_r"]])),
            "to_candidate.weight": torch.from_numpy(weights["U_c"]),
        }
    )
    return unit


@pytest.mark.parametrize("side", [3, 1])
def test_every_step_is_that_of_the_equations(side: int) -> None:
    rng = np.random.default_rng(0)
    weights = random_weights(rng, side)
    maps = rng.normal(size=(2, 4, C, 5, 6))
    found = unit_with(weights, side)(torch.from_numpy(maps)).detach().numpy()
    assert found.shape == (2, 4, D, 5, 6)
    for b in range(2):
        assert np.allclose(found[b], states_by_the_equations(maps[b], weights), atol=1e-10)


def test_every_step_is_that_of_the_equations_with_input_from_the_level_below() -> None:
    rng = np.random.default_rng(1)
    weights = random_weights(rng, 3)
    maps, below = rng.normal(size=(1, 3, C, 4, 5)), rng.normal(size=(1, 3, BELOW, 4, 5))
    found = unit_with(weights, 3, stacked=True)(torch.from_numpy(np.concatenate([maps, below], axis=2)))
    expected = states_by_the_equations(maps[0], weights, below[0])
    assert np.allclose(found[0].detach().numpy(), expected, atol=1e-10)
    assert not np.allclose(expected, states_by_the_equations(maps[0], weights), atol=1e-3)


def test_the_hidden_maps_start_at_zero() -> None:
    # one place, all weights 1, x = 0: z = r = 1/2 and the candidate is tanh(h / 2), so h stays 0
    unit = ConvGru(1, 1, kernel_px=1)
    for parameter in unit.parameters():
        torch.nn.init.ones_(parameter)
    assert unit(torch.zeros(1, 3, 1, 1, 1)).flatten().tolist() == [0.0, 0.0, 0.0]


def test_two_steps_of_one_place_are_those_worked_out_by_hand() -> None:
    # all weights 1; x = 1 then 0. h_1 = s(1) tanh(1) = .731059 * .761594 = .556770
    # z_2 = r_2 = s(.556770) = .635705; c_2 = tanh(.635705 * .556770) = .339866
    # h_2 = .364295 * .556770 + .635705 * .339866 = .418883
    unit = ConvGru(1, 1, kernel_px=1)
    for parameter in unit.parameters():
        torch.nn.init.ones_(parameter)
    states = unit(torch.tensor([1.0, 0.0]).view(1, 2, 1, 1, 1)).flatten()
    assert torch.allclose(states, torch.tensor([0.556770, 0.418883]), atol=2e-6)


def test_the_last_state_has_a_gradient_from_every_step_and_to_every_weight() -> None:
    torch.manual_seed(0)
    unit = ConvGru(C, D)
    maps = torch.randn(1, 5, C, 4, 4, requires_grad=True)
    unit(maps)[:, -1].sum().backward()
    assert maps.grad is not None
    assert (maps.grad.abs().sum(dim=(0, 2, 3, 4)) > 1e-4).all()
    assert all(p.grad is not None and float(p.grad.abs().sum()) > 0 for p in unit.parameters())


def test_a_step_sees_no_later_one() -> None:
    torch.manual_seed(0)
    unit = ConvGru(C, D)
    maps = torch.randn(1, 4, C, 3, 3)
    changed = maps.clone()
    changed[:, 2] += 1
    before, after = unit(maps), unit(changed)
    assert torch.equal(before[:, :2], after[:, :2])
    assert not torch.allclose(before[:, 2:], after[:, 2:], atol=1e-3)
