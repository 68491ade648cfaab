"""Defines what random and evolutionary search change: widths, expansions, kernels, squeeze-and-excite, activations."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from qat.nets.architecture import Architecture, Bottleneck
from qat.nets.blocks import make_divisible

SHARES = (0.25, 0.5, 0.75, 1.0, 1.25)  # of the start net's channels; 0.75 to 1.25 are MnasNet's (section 4.1)
KERNELS = (3, 5)

Kind = Literal["bottleneck", "expansion", "kernel", "has_se", "activation", "last", "hidden"]
Value = int | bool | str

_FIELDS = {"bottleneck": "channels", "expansion": "expanded"}  # a block's fields; other genes are named as their fields


@dataclass(frozen=True, kw_only=True)
class Gene:
    """Describes one change and its values, the least first; `blocks` are those changed, the stem as -1."""

    kind: Kind
    blocks: tuple[int, ...] = ()
    values: tuple[Value, ...]


@dataclass(frozen=True, kw_only=True)
class Space:
    """Holds every net that differs from `start` in its genes: blocks and strides stay.

    Blocks whose outputs are added in the start net share their channels; those that do not expand have as many as their
    input.
    """

    start: Architecture

    @property
    def genes(self) -> tuple[Gene, ...]:
        """Returns all genes, in the order of layers."""
        start = self.start
        bottlenecks = (_width("bottleneck", group, _channels(start, group[0])) for group in start.bottlenecks)
        ends = (_width("last", (), start.last), _width("hidden", (), start.hidden))
        of_blocks = (gene for index in range(len(start.blocks)) for gene in self._of_block(index))
        return (*bottlenecks, *of_blocks, *ends)

    @property
    def narrowest(self) -> Architecture:
        """Returns the net whose genes all have their least value."""
        return self._of_all(lambda gene: gene.values[0])

    @property
    def widest(self) -> Architecture:
        """Returns the net whose genes all have their largest value."""
        return self._of_all(lambda gene: gene.values[-1])

    def draw(self, random: Random) -> Architecture:
        """Returns a net whose genes are all drawn evenly."""
        return self._of_all(lambda gene: random.choice(gene.values))

    def towards(self, net: Architecture, other: Architecture, genes: Sequence[Gene]) -> Architecture:
        """Returns the net with `genes` as in the other, both of this space."""
        for gene in genes:
            net = self.with_gene(net, gene, _value(other, gene))
        return net

    def mutated(self, parent: Architecture, random: Random) -> Architecture:
        """Returns the net with one gene, drawn evenly, changed to another of its values."""
        genes = self.genes
        while True:
            gene = random.choice(genes)
            new = self.with_gene(parent, gene, random.choice(gene.values))
            if new != parent:
                return new

    def _of_all(self, choose: Callable[[Gene], Value]) -> Architecture:
        net = self.start
        for gene in self.genes:
            net = self.with_gene(net, gene, choose(gene))
        return net

    def _of_block(self, index: int) -> Sequence[Gene]:
        only = (index,)
        genes = [
            Gene(kind="kernel", blocks=only, values=KERNELS),
            Gene(kind="has_se", blocks=only, values=(False, True)),
            Gene(kind="activation", blocks=only, values=("relu", "hard_swish")),
        ]
        if self.start.expands(index):
            genes.insert(0, _width("expansion", only, self.start.blocks[index].expanded))
        return genes

    def with_gene(self, net: Architecture, gene: Gene, value: Value) -> Architecture:
        """Returns the net with another value of a gene."""
        if gene.kind in ("last", "hidden"):
            return net.model_copy(update={gene.kind: value})
        field = _FIELDS.get(gene.kind, gene.kind)
        stem, blocks = net.stem, list(net.blocks)
        for index in gene.blocks:
            if index < 0:
                stem = int(value)
            else:
                blocks[index] = Bottleneck(**{**blocks[index]._asdict(), field: value})
        return net.model_copy(update={"stem": stem, "blocks": self._following(stem, blocks)})

    def _following(self, stem: int, blocks: Sequence[Bottleneck]) -> tuple[Bottleneck, ...]:
        inputs = (stem, *(block.channels for block in blocks))
        return tuple(
            block if self.start.expands(index) else block._replace(expanded=inputs[index])
            for index, block in enumerate(blocks)
        )


def _width(kind: Kind, blocks: tuple[int, ...], channels: int) -> Gene:
    return Gene(kind=kind, blocks=blocks, values=tuple(dict.fromkeys(make_divisible(channels * s) for s in SHARES)))


def _channels(start: Architecture, block: int) -> int:
    return start.stem if block < 0 else start.blocks[block].channels


def _value(net: Architecture, gene: Gene) -> Value:
    if not gene.blocks:
        return int(getattr(net, gene.kind))
    if gene.blocks[0] < 0:
        return net.stem
    value: Value = getattr(net.blocks[gene.blocks[0]], _FIELDS.get(gene.kind, gene.kind))
    return value
