from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch_pruning as tp
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm
from torch.utils.flop_counter import FlopCounterMode

from compress.cost import cost
from compress.inputs import inputs_of
from compress.networks.load import build_network
from compress.networks.resnet import resnet50
from compress.pruning.channels import Pruning, prune
from compress.recipe_file import shipped
from compress.recipe_parser import load
from compress.steps.ghost import Ghosting, ghost
from edge.errors import EdgeError

SHAPE = (3, 224, 224)


def independent_macs(network: torch.nn.Module, shape: tuple[int, int, int] = SHAPE) -> int:
    """PyTorch's own counter of floating-point operations, two to a multiply-accumulate."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(torch.zeros(1, *shape))
    return counter.get_total_flops() // 2


def test_resnet50_has_the_published_cost() -> None:
    network = resnet50(classes=2)
    spent = cost(network, inputs_of(SHAPE))
    assert spent.parameters == 23_512_130
    assert spent.macs == independent_macs(network)
    assert spent.macs == pytest.approx(4.087e9, rel=1e-3)


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_network_is_convolutions_and_linear_layers(name: str) -> None:
    recipe = load(name)
    shape = recipe.input.channels, recipe.input.height, recipe.input.width
    network = build_network(recipe, 1 if recipe.task == "segmentation" else 10)
    spent = cost(network, inputs_of(shape))
    assert spent.macs == spent.macs_executed == independent_macs(network, shape)


def test_cpgresnet50_is_within_the_paper_by_independent_counters() -> None:
    recipe = load("cpgresnet50")
    network = resnet50(classes=2)
    for step in recipe.steps:
        if isinstance(step, Pruning):
            prune(network, step, inputs_of(SHAPE))
        if isinstance(step, Ghosting):
            ghost(network, Ghosting(step.layers, step.cheap_kernel, "random"), torch.randn(4, *SHAPE))
    spent = cost(network, inputs_of(SHAPE))
    _, parameters = tp.utils.count_ops_and_params(network, torch.zeros(1, *SHAPE))
    assert spent.parameters == parameters <= 3_455_000
    assert spent.macs == independent_macs(network) <= 523_090_000


class Layer(nn.Module):
    """`forward` is a function of the layer and its input; modules and parameters are given by name."""

    def __init__(self, forward: Callable[[nn.Module, Tensor], Tensor], **parts: nn.Module | Tensor):
        super().__init__()
        self.run = forward
        for name, part in parts.items():
            setattr(self, name, part if isinstance(part, nn.Module) else nn.Parameter(part))

    def forward(self, x: Tensor) -> Tensor:
        return self.run(self, x)


def tokens(x: Tensor) -> Tensor:
    """(N, C, H, W) as (N, H * W, C)."""
    return x.flatten(2).transpose(1, 2)


def attend(layer: nn.Module, x: Tensor, weights: bool) -> Tensor:
    t = tokens(x)
    return layer.part(t, t, t, need_weights=weights)[0]


def across(layer: nn.Module, x: Tensor, weights: bool) -> Tensor:
    """Attention of 3 learned queries to what the image has."""
    return layer.part(layer.queries[None], tokens(x), tokens(x), need_weights=weights)[0]


def recurrent(layer: nn.Module, x: Tensor) -> Tensor:
    return layer.part(tokens(x))[0]


def packed(layer: nn.Module, x: Tensor) -> Tensor:
    """Twelve of the sixteen steps in time."""
    sequence = nn.utils.rnn.pack_padded_sequence(tokens(x), torch.tensor([12]), batch_first=True)
    return layer.part(sequence)[0].data


def batch_first(part: type[nn.Module], *arguments: object, **more: object) -> nn.Module:
    return part(*arguments, batch_first=True, **more)


FIVE, WIDE = torch.randn(5, 32), (32, 4, 4)  # weights of 32 channels to 5; 16 places of 32 channels
ENCODER = 16 * (32 * 96 + 32 * 32 + 2 * 32 * 64), 2 * 16 * 16 * 32  # its linear layers; q k and the sum of v

# network, shape of its input, MACs of convolutions and linear layers, MACs of other products, each by its formula
OPERATORS: dict[str, tuple[nn.Module, tuple[int, int, int], int, int]] = {
    "in groups": (nn.Conv2d(8, 12, 3, stride=2, padding=1, groups=4), (8, 9, 9), 25 * 12 * 2 * 9, 0),
    "dilated": (nn.Conv2d(8, 12, 3, dilation=2), (8, 9, 9), 25 * 12 * 8 * 9, 0),
    "transposed": (nn.ConvTranspose2d(8, 4, 2, 2), (8, 16, 16), 256 * 8 * 4 * 4, 0),
    "transposed in groups": (nn.ConvTranspose2d(8, 4, 3, 2, 1, 1, groups=2), (8, 16, 16), 256 * 8 * 2 * 9, 0),
    "1d": (Layer(lambda m, x: m.part(x.flatten(2)), part=nn.Conv1d(4, 6, 3)), (4, 8, 8), 62 * 6 * 4 * 3, 0),
    "3d": (Layer(lambda m, x: m.part(x[:, None]), part=nn.Conv3d(1, 6, 3)), (4, 8, 8), 2 * 6 * 6 * 6 * 27, 0),
    "transposed 3d": (
        Layer(lambda m, x: m.part(x[:, None]), part=nn.ConvTranspose3d(1, 6, 3)), (4, 8, 8), 256 * 6 * 27, 0
    ),
    "conv2d": (
        Layer(lambda m, x: F.conv2d(x, m.w, padding="same", groups=2), w=torch.randn(6, 2, 3, 3)),
        (4, 8, 8), 64 * 6 * 2 * 9, 0,
    ),
    "conv_transpose1d": (
        Layer(lambda m, x: F.conv_transpose1d(x.flatten(2), m.w), w=torch.randn(4, 6, 3)), (4, 8, 8), 64 * 4 * 6 * 3, 0
    ),
    "unfolded": (Layer(lambda m, x: m.w @ F.unfold(x, 2), w=torch.randn(5, 16)), (4, 8, 8), 49 * 5 * 16, 0),
    "linear": (nn.Linear(8, 5, bias=False), (4, 8, 8), 32 * 8 * 5, 0),
    "linear function": (Layer(lambda m, x: F.linear(tokens(x), m.w), w=FIVE), WIDE, 16 * 32 * 5, 0),
    "computed weight": (weight_norm(nn.Linear(8, 5)), (4, 8, 8), 32 * 8 * 5, 0),
    "computed filter": (weight_norm(nn.Conv2d(4, 5, 3)), (4, 8, 8), 36 * 4 * 5 * 9, 0),
    "matmul": (Layer(lambda m, x: tokens(x) @ m.w.T, w=FIVE), WIDE, 16 * 32 * 5, 0),
    "matmul, scaled": (Layer(lambda m, x: tokens(x) @ (m.w * 2).T.contiguous(), w=FIVE), WIDE, 16 * 32 * 5, 0),
    "matmul, cast": (Layer(lambda m, x: tokens(x).double() @ m.w.double().T, w=FIVE), WIDE, 16 * 32 * 5, 0),
    "einsum": (Layer(lambda m, x: torch.einsum("bchw,oc->bohw", x, m.w), w=FIVE), WIDE, 16 * 32 * 5, 0),
    "einsum of heads": (
        Layer(lambda m, x: torch.einsum("bnc,hcd->bhnd", tokens(x), m.w), w=torch.randn(4, 32, 3)),
        WIDE, 16 * 32 * 12, 0,
    ),
    "called twice": (Layer(lambda m, x: m.part(m.part(x)), part=nn.Conv2d(4, 4, 1)), (4, 8, 8), 2 * 64 * 16, 0),
    "bilinear": (Layer(lambda m, x: m.part(x, x), part=nn.Bilinear(8, 8, 3)), (4, 8, 8), 32 * 3 * 64, 0),
    "of activations": (Layer(lambda m, x: x.flatten(2) @ tokens(x)), (4, 8, 8), 0, 64 * 16),
    "einsum of activations": (
        Layer(lambda m, x: torch.einsum("bnc,bmc->bnm", tokens(x), tokens(x))), WIDE, 0, 16 * 16 * 32
    ),
    "scaled_dot_product_attention": (
        Layer(lambda m, x: F.scaled_dot_product_attention(tokens(x), tokens(x), tokens(x))), WIDE, 0, 2 * 16 * 16 * 32
    ),
    "masked": (
        Layer(lambda m, x: F.scaled_dot_product_attention(*[tokens(x)[:, None]] * 3, is_causal=True)),
        WIDE, 0, 2 * 16 * 16 * 32,
    ),
    **{
        f"attention, weights {weights}": (
            Layer(lambda m, x, w=weights: attend(m, x, w), part=batch_first(nn.MultiheadAttention, 32, 4)),
            WIDE, 16 * 4 * 32 * 32, 2 * 16 * 16 * 32,
        )
        for weights in (True, False)
    },
    **{
        f"cross attention, weights {weights}": (
            Layer(
                lambda m, x, w=weights: across(m, x, w),
                queries=torch.randn(3, 24),
                part=batch_first(nn.MultiheadAttention, 24, 4, kdim=32, vdim=32),
            ),
            WIDE, 3 * 2 * 24 * 24 + 16 * 2 * 24 * 32, 2 * 3 * 16 * 24,
        )
        for weights in (True, False)
    },
    "encoder layer": (
        Layer(lambda m, x: m.part(tokens(x)), part=batch_first(nn.TransformerEncoderLayer, 32, 4, 64)), WIDE, *ENCODER
    ),
    "encoder": (
        Layer(
            lambda m, x: m.part(tokens(x)),
            part=nn.TransformerEncoder(batch_first(nn.TransformerEncoderLayer, 32, 4, 64), 2),
        ),
        WIDE, 2 * ENCODER[0], 2 * ENCODER[1],
    ),
    "lstm": (Layer(recurrent, part=batch_first(nn.LSTM, 32, 8)), WIDE, 0, 16 * 4 * 8 * (32 + 8)),
    "lstm of two layers, both ways": (
        Layer(recurrent, part=batch_first(nn.LSTM, 32, 8, 2, bidirectional=True)),
        WIDE, 0, 16 * 2 * 4 * 8 * (32 + 8 + 16 + 8),
    ),
    "lstm with a projection": (
        Layer(recurrent, part=batch_first(nn.LSTM, 32, 8, proj_size=4)), WIDE, 0, 16 * (32 * (32 + 4) + 8 * 4)
    ),
    "lstm, packed": (Layer(packed, part=batch_first(nn.LSTM, 32, 8)), WIDE, 0, 12 * 4 * 8 * (32 + 8)),
    "gru": (Layer(recurrent, part=batch_first(nn.GRU, 32, 8)), WIDE, 0, 16 * 3 * 8 * (32 + 8)),
    "rnn": (Layer(recurrent, part=batch_first(nn.RNN, 32, 8, nonlinearity="relu")), WIDE, 0, 16 * 8 * (32 + 8)),
    "lstm cell": (Layer(lambda m, x: m.part(x.flatten(1))[0], part=nn.LSTMCell(512, 8)), WIDE, 0, 4 * 8 * 520),
    "nothing": (nn.ReLU(), (3, 8, 8), 0, 0),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:LSTM with projections")
@pytest.mark.parametrize("name", OPERATORS)
def test_an_operator_costs_what_its_formula_says(name: str) -> None:
    network, shape, macs, products = OPERATORS[name]
    spent = cost(network, inputs_of(shape))
    assert (spent.macs, spent.macs_executed) == (macs, macs + products)
    assert spent.parameters == sum(p.numel() for p in network.parameters())


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_a_traced_network_costs_what_it_was_traced_from() -> None:
    network = nn.Sequential(Layer(recurrent, part=batch_first(nn.LSTM, 32, 8, 2)), nn.Linear(8, 5)).eval()
    traced = torch.jit.trace(network, torch.zeros(1, *WIDE))
    assert cost(traced, inputs_of(WIDE)) == cost(network, inputs_of(WIDE))
    assert cost(traced, inputs_of(WIDE)).products == 16 * 4 * 8 * (32 + 8 + 8 + 8)


def test_counting_leaves_everything_as_it_was() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Dropout())
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    cost(network.train(), inputs_of((3, 8, 8)))
    assert network.training and torch.backends.mha.get_fastpath_enabled()
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


class Upsampling(nn.Module):
    """Transposed convolutions make most of its cost."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 32, 3, padding=1)
        self.up, self.upper = nn.ConvTranspose2d(32, 64, 4, 2, 1), nn.ConvTranspose2d(64, 32, 4, 2, 1)
        self.out = nn.Conv2d(32, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(torch.relu(self.upper(torch.relu(self.up(torch.relu(self.down(x)))))))


class Functional(nn.Module):
    """A convolution that is no module, between some that are."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.filters = nn.Conv2d(3, 32, 3, padding=1), nn.Parameter(0.1 * torch.randn(48, 32, 3, 3))
        self.second, self.third = nn.Conv2d(48, 64, 3, padding=1), nn.Conv2d(64, 64, 3, padding=1)
        self.classes = nn.Linear(64, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(F.conv2d(torch.relu(self.first(x)), self.filters, padding=1))
        return self.classes(torch.relu(self.third(torch.relu(self.second(x)))).mean((2, 3)))


class Attention(nn.Module):
    """Convolutions that make tokens, and an attention as wide as they are."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 32, 3, 2, 1), nn.Conv2d(32, 64, 3, 2, 1)
        self.norm, self.attention = nn.LayerNorm(64), nn.MultiheadAttention(64, 4, batch_first=True)
        self.wide, self.narrow, self.classes = nn.Linear(64, 128), nn.Linear(128, 64), nn.Linear(64, 2)

    def forward(self, x: Tensor) -> Tensor:
        t = tokens(self.second(torch.relu(self.first(x))))
        n = self.norm(t)
        t = t + self.attention(n, n, n, need_weights=False)[0]
        return self.classes((t + self.narrow(torch.relu(self.wide(t)))).mean(1))


class Recurrent(nn.Module):
    """The columns of a feature map, read one after another."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 32, 3, 2, 1), nn.Conv2d(32, 64, 3, 2, 1)
        self.columns, self.classes = nn.GRU(64, 32, batch_first=True), nn.Linear(32, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.second(torch.relu(self.first(x))))
        return self.classes(self.columns(x.mean(2).transpose(1, 2))[0].mean(1))


class Normalized(nn.Module):
    """A convolution whose weights are computed from others, before two ordinary ones."""

    def __init__(self) -> None:
        super().__init__()
        self.first = weight_norm(nn.Conv2d(3, 32, 3))
        self.second, self.third = nn.Conv2d(32, 32, 3), nn.Conv2d(32, 32, 3)
        self.classes = nn.Linear(32, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.classes(torch.relu(self.third(torch.relu(self.second(torch.relu(self.first(x)))))).mean((2, 3)))


@pytest.mark.parametrize("make", [Upsampling, Functional, Attention, Recurrent, Normalized])
def test_a_share_of_the_macs_is_a_share_of_what_is_counted(make: type[nn.Module]) -> None:
    torch.manual_seed(0)
    network = make()
    whole = cost(network, inputs_of((3, 32, 32)))
    prune(network, Pruning(criterion="l2-norm", macs=0.5, round_to=4), inputs_of((3, 32, 32)))
    left = cost(network, inputs_of((3, 32, 32)))
    block = 4 / 32  # of the narrowest layer, which may be the last that goes
    assert 0.5 - block <= left.macs / whole.macs <= 0.5


def test_pruning_that_can_not_be_followed_is_refused_in_words() -> None:
    with pytest.raises(EdgeError, match=r"can't be followed .*let no pattern match this layer"):
        prune(Recurrent(), Pruning({"second": 0.5}, criterion="l2-norm"), inputs_of((3, 32, 32)))
