"""The layer table against numbers worked out by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from vidcls.layers.layer_table import LayerRow, layer_table, num_multiply_adds, num_parameters, run_on_meta


def row_of(layer: nn.Module, *shape: int) -> LayerRow:
    (row,) = layer_table(nn.Sequential(layer), shape)
    return row


def test_six_kernels_of_5x5_over_rgb_have_456_parameters() -> None:
    # (5 * 5 * 3 + 1) * 6; 28 * 28 places, each 5 * 5 * 3 * 6 = 450 multiply-adds
    assert row_of(nn.Conv2d(3, 6, 5), 1, 3, 32, 32) == LayerRow(
        name="0",
        kind="Conv2d",
        kernel=(5, 5),
        stride=(1, 1),
        padding=(0, 0),
        output_shape=(6, 28, 28),
        num_calls=1,
        num_parameters=456,
        num_multiply_adds=352_800,
    )


@pytest.mark.parametrize(
    ("width", "kernel", "padding", "stride", "w_out"),
    [  # floor((w + 2 p - k) / s) + 1
        (32, 5, 0, 1, 28),
        (227, 11, 0, 4, 55),
        (224, 11, 2, 4, 55),  # 217 / 4 = 54.25
        (224, 7, 3, 2, 112),  # 223 / 2 = 111.5
        (7, 3, 1, 2, 4),
        (8, 3, 0, 3, 2),  # 5 / 3 = 1.67
        (5, 1, 0, 2, 3),
        (6, 1, 0, 2, 3),  # 5 / 2 = 2.5
        (3, 3, 0, 1, 1),
    ],
)
def test_the_output_has_the_width_of_the_formula(
    width: int, kernel: int, padding: int, stride: int, w_out: int
) -> None:
    row = row_of(nn.Conv2d(1, 2, kernel, stride=stride, padding=padding), 1, 1, width, width)
    assert row.output_shape == (2, w_out, w_out)
    assert (row.kernel, row.stride, row.padding) == ((kernel,) * 2, (stride,) * 2, (padding,) * 2)
    assert row.num_multiply_adds == w_out * w_out * 2 * kernel * kernel


def test_a_fully_connected_layer_multiplies_each_input_with_each_output() -> None:
    row = row_of(nn.Linear(120, 84), 1, 120)
    assert (row.kernel, row.stride, row.padding) == (None, None, None)
    assert row.output_shape == (84,)
    assert (row.num_parameters, row.num_multiply_adds) == (10_164, 10_080)  # 120 * 84 + 84; 120 * 84


def test_pools_activations_and_normalisations_have_no_multiply_adds() -> None:
    pool = row_of(nn.MaxPool2d(3, stride=2), 1, 16, 27, 27)
    assert (pool.kernel, pool.stride, pool.padding) == ((3, 3), (2, 2), (0, 0))
    assert pool.output_shape == (16, 13, 13)
    assert (pool.num_parameters, pool.num_multiply_adds) == (0, 0)
    relu, norm = row_of(nn.ReLU(), 1, 16, 4, 4), row_of(nn.BatchNorm2d(16), 1, 16, 4, 4)
    assert (relu.num_parameters, relu.num_multiply_adds, relu.kernel) == (0, 0, None)
    assert (norm.num_parameters, norm.num_multiply_adds) == (32, 0)


def test_a_convolution_over_clips_has_three_extents() -> None:
    row = row_of(nn.Conv3d(3, 4, (3, 5, 5), stride=(1, 2, 2), padding=(1, 2, 2)), 1, 3, 8, 16, 16)
    assert (row.kernel, row.stride, row.padding) == ((3, 5, 5), (1, 2, 2), (1, 2, 2))
    assert row.output_shape == (4, 8, 8, 8)
    assert row.num_parameters == 904  # 3 * 5 * 5 * 3 * 4 + 4
    assert row.num_multiply_adds == 460_800  # 900 * 8 * 8 * 8


def test_a_pool_over_clips_with_one_number_has_it_three_times() -> None:
    row = row_of(nn.MaxPool3d(2), 1, 4, 8, 16, 16)
    assert (row.kernel, row.stride, row.padding) == ((2, 2, 2), (2, 2, 2), (0, 0, 0))
    assert (row.output_shape, row.num_multiply_adds) == ((4, 4, 8, 8), 0)


def test_padding_in_words_is_kept() -> None:
    row = row_of(nn.Conv2d(1, 1, 3, padding="same"), 1, 1, 9, 9)
    assert (row.padding, row.output_shape) == ("same", (1, 9, 9))


def test_convolutions_in_groups_see_their_channels_only() -> None:
    row = row_of(nn.Conv2d(96, 256, 5, padding=2, groups=2), 1, 96, 27, 27)
    assert row.num_parameters == 307_456  # 5 * 5 * 48 * 256 + 256
    assert row.num_multiply_adds == 223_948_800  # 307,200 * 27 * 27


def test_work_is_for_all_of_the_first_axis() -> None:
    row = row_of(nn.Conv2d(3, 6, 5), 10, 3, 32, 32)
    assert row.output_shape == (6, 28, 28)
    assert row.num_multiply_adds == 3_528_000
    assert num_multiply_adds(nn.Conv2d(3, 6, 5), (10, 3, 32, 32)) == 3_528_000


class Twice(nn.Module):
    """Applies its second layer first, twice, then its first; the third never."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(4, 2)
        self.first = nn.Linear(4, 4)
        self.unused = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.first(self.first(x)))


def test_rows_stand_in_the_order_of_use_and_a_layer_used_twice_has_one_row() -> None:
    rows = layer_table(Twice(), (1, 4))
    assert [(row.name, row.num_calls, row.num_parameters, row.num_multiply_adds) for row in rows] == [
        ("first", 2, 20, 32),  # 4 * 4 + 4 parameters once, 4 * 4 multiply-adds twice
        ("last", 1, 10, 8),
    ]
    assert num_parameters(Twice()) == 50  # what is not used counts


def test_products_outside_of_layers_count_in_the_sum_only() -> None:
    class Product(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 4, bias=False)

        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return self.linear(x) @ y

    shapes = (3, 4), (4, 5)
    (row,) = layer_table(Product(), *shapes)
    assert row.num_multiply_adds == 48  # 3 * 4 * 4
    assert num_multiply_adds(Product(), *shapes) == 108  # and 3 * 4 * 5


def test_a_recurrent_layer_tells_the_shape_of_its_outputs() -> None:
    row = row_of(nn.LSTM(4, 6, batch_first=True), 1, 7, 4)
    assert row.output_shape == (7, 6)
    assert row.num_parameters == 288  # 4 gates * (4 + 6 + 2) * 6


def test_frozen_parameters_count_too() -> None:
    layer = nn.Linear(4, 2).requires_grad_(False)
    assert num_parameters(layer) == row_of(layer, 1, 4).num_parameters == 10


def test_the_network_stays_as_it_is() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5))
    network[1].eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    layer_table(network, (2, 3, 8, 8))
    assert [module.training for module in network] == [True, False, True]
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network)
    after = network.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    assert network[0].weight.device.type == "cpu"


def test_nothing_is_computed_so_that_any_size_is_free() -> None:
    found = run_on_meta(nn.Conv2d(3, 64, 3, padding=1), (1_000, 3, 4_096, 4_096))
    assert isinstance(found, Tensor)
    assert (found.shape, found.device.type) == ((1_000, 64, 4_096, 4_096), "meta")


def test_hooks_are_gone_after_an_input_that_does_not_fit() -> None:
    layer = nn.Linear(4, 2)
    with pytest.raises(RuntimeError, match=r"reduction dim|cannot be multiplied"):
        layer_table(nn.Sequential(layer), (1, 5))
    assert not layer._forward_hooks
    assert not layer._forward_pre_hooks
