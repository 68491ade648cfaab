"""This room takes an exported graph and writes what transformers spell in many ways in one, before it is read."""

from torch import fx

from qat.capture.rewriting.attention import spell_products
from qat.capture.rewriting.batch_axis import bring_batch_first
from qat.capture.rewriting.forms import choose_forms
from qat.capture.rewriting.norms import spell_norms
from qat.capture.rewriting.parts import spell_parts
from qat.capture.rewriting.sums import spell_sums

__all__ = ["rewrite"]


def rewrite(graph: fx.Graph) -> None:
    """Rewrites a graph in place; what it computes stays, and what a pass does not know stays as it is."""
    for apply in (spell_parts, spell_sums, spell_products, bring_batch_first, spell_norms, choose_forms):
        apply(graph)
        graph.eliminate_dead_code()
