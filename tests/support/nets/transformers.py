"""Small nets of attention, norms by own values and linear layers on tokens, for pictures of `SIZE_PX`."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.support.tiny_nets import LABELS, SIZE_PX

WIDTH, HEADS, PATCH_PX = 12, 2, 4
SIDE = SIZE_PX // PATCH_PX


class FusedAttention(nn.Module):
    """Self-attention by PyTorch's function, its queries, keys and values from one layer, taken apart by `unbind`."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """Returns rows of the shape of `x`, (N, T, WIDTH)."""
        count, tokens, _ = x.shape
        qkv = self.qkv(x).reshape(count, tokens, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        query, key, value = qkv.unbind(0)
        mixed = F.scaled_dot_product_attention(query, key, value)
        rows: Tensor = self.proj(mixed.transpose(1, 2).reshape(count, tokens, WIDTH))
        return rows


class SplitAttention(nn.Module):
    """It takes queries, keys and values of every head apart along the last axis (LeViT, arXiv 2104.01136)."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """Returns rows of the shape of `x`, (N, T, WIDTH)."""
        count, tokens, _ = x.shape
        parts = self.qkv(x).view(count, tokens, HEADS, -1).split([WIDTH // HEADS] * 3, dim=3)
        query, key, value = (part.permute(0, 2, 1, 3) for part in parts)
        shares = (query * (WIDTH // HEADS) ** -0.5 @ key.transpose(-2, -1)).softmax(dim=-1)
        rows: Tensor = self.proj((shares @ value).transpose(1, 2).flatten(2))
        return rows


class WrittenAttention(nn.Module):
    """It attends with products and a softmax, from three layers."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value, self.proj = (nn.Linear(WIDTH, WIDTH) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        """Returns rows of the shape of `x`, (N, T, WIDTH)."""
        heads = [layer(x).unflatten(2, (HEADS, -1)).transpose(1, 2) for layer in (self.query, self.key, self.value)]
        query, key, value = heads
        shares = (query * (WIDTH // HEADS) ** -0.5 @ key.transpose(-2, -1)).softmax(dim=-1)
        rows: Tensor = self.proj((shares @ value).transpose(1, 2).flatten(2))
        return rows


class PackagedAttention(nn.Module):
    """PyTorch's own module, which puts the pictures' axis second and merges it with the heads'."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """Returns rows of the shape of `x`, (N, T, WIDTH)."""
        rows: Tensor = self.attention(x, x, x)[0]
        return rows


class Block(nn.Module):
    """A transformer's block: attention and two layers, each after a norm and beside a shortcut."""

    def __init__(self, attention: nn.Module, norm: Callable[[int], nn.Module] = nn.LayerNorm) -> None:
        super().__init__()
        self.before, self.attention, self.between = norm(WIDTH), attention, norm(WIDTH)
        self.layers = nn.Sequential(nn.Linear(WIDTH, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        """Returns rows of the shape of `x`, (N, T, WIDTH)."""
        x = x + self.attention(self.before(x))
        rows: Tensor = x + self.layers(self.between(x))
        return rows


class OnTokens(nn.Module):
    """Patches as rows of tokens, a block, and the mean as scores."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.stem, self.block = nn.Conv2d(3, WIDTH, PATCH_PX, PATCH_PX), block
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, len(LABELS))

    def forward(self, x: Tensor) -> Tensor:
        """Returns scores (N, labels)."""
        rows = self.norm(self.block(self.stem(x).flatten(2).transpose(1, 2)))
        scores: Tensor = self.head(rows.transpose(1, 2).unflatten(2, (SIDE, SIDE)).mean((2, 3)))
        return scores


class ChannelsLast(nn.Module):
    """ConvNeXt's block (arXiv 2201.03545, figure 4): a norm and two linear layers on (N, H, W, C)."""

    def __init__(self) -> None:
        super().__init__()
        self.mix, self.norm = nn.Conv2d(WIDTH, WIDTH, 3, padding=1, groups=WIDTH), nn.LayerNorm(WIDTH)
        self.wide, self.narrow = nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(2 * WIDTH, WIDTH)
        self.gain = nn.Parameter(torch.full((WIDTH,), 0.5))

    def forward(self, x: Tensor) -> Tensor:
        """Returns a map of the shape of `x`."""
        values = self.mix(x).permute(0, 2, 3, 1)
        values = self.gain * self.narrow(F.gelu(self.wide(self.norm(values))))
        return x + values.permute(0, 3, 1, 2)


class Windows(nn.Module):
    """Attention within windows of 2 × 2 pixels, which are merged with the pictures' axis (Swin, arXiv 2103.14030)."""

    def __init__(self, attention: nn.Module) -> None:
        super().__init__()
        self.norm, self.attention = nn.LayerNorm(WIDTH), attention

    def forward(self, x: Tensor) -> Tensor:
        """Returns a map of the shape of `x`."""
        values = self.norm(x.permute(0, 2, 3, 1))
        count, height, width, channels = values.shape
        parts = values.view(count, height // 2, 2, width // 2, 2, channels).permute(0, 1, 3, 2, 4, 5)
        rows = self.attention(parts.reshape(-1, 4, channels))
        joined = rows.view(count, height // 2, width // 2, 2, 2, channels).permute(0, 1, 3, 2, 4, 5)
        return x + joined.reshape(count, height, width, channels).permute(0, 3, 1, 2)


class Cascaded(nn.Module):
    """Attention of heads within windows, each head with convolutions and norms of its own on the windows' maps.

    A head reads its share of the channels and what the one before it gave (EfficientViT, arXiv 2305.07027, figure 3).
    """

    def __init__(self) -> None:
        super().__init__()
        depth = WIDTH // HEADS
        self.qkvs = nn.ModuleList(conv_norm(depth, 3 * depth) for _ in range(HEADS))
        self.mixes = nn.ModuleList(conv_norm(depth, depth, 3, groups=depth) for _ in range(HEADS))
        self.proj = nn.Sequential(nn.ReLU(), conv_norm(WIDTH, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        """Returns a map of the shape of `x`."""
        count, channels, height, width = x.shape
        parts = x.permute(0, 2, 3, 1).view(count, height // 2, 2, width // 2, 2, channels).transpose(2, 3)
        windows = parts.reshape(-1, 2, 2, channels).permute(0, 3, 1, 2)
        given: list[Tensor] = []
        for part, qkv, mix in zip(windows.chunk(HEADS, dim=1), self.qkvs, self.mixes, strict=True):
            query, key, value = qkv(part + given[-1] if given else part).chunk(3, dim=1)
            query, key, value = mix(query).flatten(2), key.flatten(2), value.flatten(2)
            shares = (query.transpose(-2, -1) @ key).softmax(dim=-1)
            given.append((value @ shares.transpose(-2, -1)).view(part.shape))
        rows = self.proj(torch.cat(given, 1)).permute(0, 2, 3, 1)
        rows = rows.view(count, height // 2, width // 2, 2, 2, channels).transpose(2, 3)
        return x + rows.reshape(count, height, width, channels).permute(0, 3, 1, 2)


def conv_norm(before: int, after: int, kernel: int = 1, groups: int = 1) -> nn.Module:
    """A convolution and its batch norm."""
    layer = nn.Conv2d(before, after, kernel, padding=kernel // 2, groups=groups, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(after))


class Unfolded(nn.Module):
    """Attention between the pixels at one place of all windows (MobileViT, arXiv 2110.02178, section 3.1)."""

    def __init__(self) -> None:
        super().__init__()
        self.block = Block(FusedAttention())

    def forward(self, x: Tensor) -> Tensor:
        """Returns a map of the shape of `x`."""
        count, channels, height, width = x.shape
        down, across = height // 2, width // 2
        windows = x.reshape(count * channels * down, 2, across, 2).transpose(1, 2)
        rows = windows.reshape(count, channels, down * across, 4).transpose(1, 3).reshape(count * 4, -1, channels)
        rows = self.block(rows).view(count, 4, down * across, channels).transpose(1, 3)
        return rows.reshape(count * channels * down, across, 2, 2).transpose(1, 2).reshape(x.shape)


class UnitVectors(nn.Module):
    """A map whose channels are vectors of length 1, and rows of tokens along each of their axes."""

    def forward(self, x: Tensor) -> Tensor:
        """Returns a map of the shape of `x`."""
        rows = x.flatten(2).transpose(1, 2)
        rows = F.normalize(rows, dim=1) + F.normalize(rows, dim=-1)
        return F.normalize(x) + rows.transpose(1, 2).reshape(x.shape)


class Embedding(nn.Module):
    """Patches, and their means as a vector of length 1, as nets for faces give it."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.head = nn.Conv2d(3, WIDTH, PATCH_PX, PATCH_PX), nn.Linear(WIDTH, len(LABELS))

    def forward(self, x: Tensor) -> Tensor:
        """Returns a vector (N, labels) of length 1."""
        return F.normalize(self.head(F.relu(self.stem(x)).mean((2, 3))))


class OnMaps(nn.Module):
    """Patches as a map, a block on it, and the mean as scores."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.stem, self.block, self.head = nn.Conv2d(3, WIDTH, PATCH_PX, PATCH_PX), block, nn.Linear(WIDTH, len(LABELS))

    def forward(self, x: Tensor) -> Tensor:
        """Returns scores (N, labels)."""
        scores: Tensor = self.head(self.block(self.stem(x)).mean((2, 3)))
        return scores


NETS: Mapping[str, Callable[[], nn.Module]] = {
    "attention by a function": lambda: OnTokens(Block(FusedAttention())),
    "attention by products": lambda: OnTokens(Block(WrittenAttention(), nn.RMSNorm)),
    "attention by a module": lambda: OnTokens(Block(PackagedAttention())),
    "an encoder's layer": lambda: OnTokens(nn.TransformerEncoderLayer(WIDTH, HEADS, 2 * WIDTH, batch_first=True)),
    "windows": lambda: OnMaps(Windows(WrittenAttention())),
    "windows with heads taken apart": lambda: OnMaps(Windows(SplitAttention())),
    "convolutions within windows": lambda: OnMaps(Cascaded()),
    "unfolded windows": lambda: OnMaps(Unfolded()),
    "channels last": lambda: OnMaps(ChannelsLast()),
    "unit vectors": lambda: OnMaps(UnitVectors()),
    "an embedding": Embedding,
    "group norms": lambda: OnMaps(nn.Sequential(nn.GroupNorm(3, WIDTH), nn.ReLU(), nn.GroupNorm(1, WIDTH))),
}


def transformer(name: str) -> nn.Module:
    """A net of `NETS` with weights of its own, in evaluation mode."""
    torch.manual_seed(0)
    return NETS[name]().eval()
