"""Which source to clone from, before cloning (supplement 1.2.2, Eq. 7): the one whose G is most like the target's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from pnc.arch import Normalise, as_blocknet, build
from pnc.arch.twin import Twin
from pnc.base.errors import PncError, bad
from pnc.base.images import Images, as_float
from pnc.base.seeds import generator
from pnc.cloning.local.local_models import LocalModels
from pnc.cloning.local.similarity import Alignment, similarity
from pnc.zoo.card import Card
from pnc.zoo.signature import Signature, sign
from pnc.zoo.zoo import Zoo

ALIGNMENTS: tuple[Alignment, ...] = ("greedy", "optimal")


@dataclass(frozen=True)
class Null:
    """Sim of pairs that have nothing to say: its ``mean`` and ``std`` over ``count`` permutations of the pictures,
    and how many of them ``reach`` the Sim that was found."""

    mean: float
    std: float
    count: int
    reach: int


@dataclass(frozen=True)
class Ranked:
    """A source and its Sim to the target around ``pictures`` pictures of the asked classes, by alignment.

    ``null`` is that with the target's local models of other pictures in each one's place, ``untrained`` the Sim of an
    untrained network of the source's architecture: what is in Sim besides the pictures (see docs/zoo.md).
    """

    name: str
    similarity: Mapping[Alignment, float]
    null: Mapping[Alignment, Null]
    untrained: Mapping[Alignment, float]
    pictures: int

    def margin(self, alignment: Alignment) -> float:
        """Sim above its null's mean: what the pictures themselves add."""
        return self.similarity[alignment] - self.null[alignment].mean


def select_source(
    sources: Zoo | Mapping[str, Signature],
    target: nn.Module,
    classes: Sequence[str],
    *,
    samples: Images | None = None,
    by: Alignment = "optimal",
    permutations: int = 50,
    seed: int = 0,
) -> tuple[Ranked, ...]:
    """The sources that know all of ``classes`` (their names for them), the best first, by Sim with alignment ``by``.

    ρ* = argmax cos(Θ_s^ρ, Θ_t) (Eq. 7), over all outputs of both networks, paired as ZEST does. Θ_s comes with the
    signatures, so that no weights are read; Θ_t is fitted around the same pictures. With ``samples`` (D_t, by class
    name) every source of a zoo is fitted around these instead, for which its weights are read. Sources whose pictures
    differ are compared on different D: their numbers then are less sharp than their nulls suggest.

    Raises PncError if no source knows the classes, or none takes the target's kind of pictures.
    """
    wanted = [classes] if isinstance(classes, str) else list(classes)
    if by not in ALIGNMENTS:
        raise bad("by", expected=f"one of {', '.join(ALIGNMENTS)}", found=repr(by))
    if not wanted or permutations < 2:
        raise bad("classes and permutations", expected="a class and two permutations", found=(wanted, permutations))
    signatures = _signatures(sources, wanted, samples, seed)
    fitting = {name: each for name, each in signatures.items() if _takes(target, each.images)}
    if not fitting:
        shapes = sorted({tuple(each.images.pixels.shape[1:]) for each in signatures.values()})
        raise bad("pictures of the sources", expected="a kind that the target takes", found=shapes)
    ranked = [_rank(name, each, target, permutations, seed) for name, each in fitting.items()]
    return tuple(sorted(ranked, key=lambda each: (-each.similarity[by], each.name)))


def _signatures(
    sources: Zoo | Mapping[str, Signature], wanted: Sequence[str], samples: Images | None, seed: int
) -> dict[str, Signature]:
    """Those of the sources that know all that is ``wanted``, around its pictures alone."""
    known: Mapping[str, Card | Signature] = sources.models() if isinstance(sources, Zoo) else sources
    know = {name: each for name, each in known.items() if set(wanted) <= set(each.spec.class_names)}
    if not know:
        raise bad("sources", expected=f"one that knows {', '.join(wanted)}", found=f"{len(known)} that do not")
    if samples is None:
        found = {name: _signature(sources, name, each) for name, each in know.items()}
        there = {name: each.of_classes(wanted) for name, each in found.items() if each is not None}
        if not there:
            raise bad("signatures of the sources", expected="at least one (or samples)", found="none")
        return there
    if not isinstance(sources, Zoo):
        raise bad("samples beside signatures", expected="a zoo, whose weights are read", found="signatures alone")
    return {name: _signed(sources, name, samples, wanted, seed) for name in know}


def _signature(sources: Zoo | Mapping[str, Signature], name: str, known: Card | Signature) -> Signature | None:
    if isinstance(known, Signature):
        return known
    return sources.signature(name) if isinstance(sources, Zoo) and known.signature is not None else None


def _signed(zoo: Zoo, name: str, samples: Images, wanted: Sequence[str], seed: int) -> Signature:
    if missing := sorted(set(wanted) - set(samples.class_names)):
        raise bad("samples (D_t)", expected=f"pictures of {', '.join(wanted)}", found=f"none of {', '.join(missing)}")
    network, spec = zoo.load(name)
    own = samples.relabelled([samples.class_names.index(each) for each in wanted])
    outputs = torch.tensor([spec.class_names.index(each) for each in wanted])
    return sign(network, spec, Images(own.pixels, outputs[own.labels.cpu()], spec.class_names), each=None, seed=seed)


def _rank(name: str, source: Signature, target: nn.Module, permutations: int, seed: int) -> Ranked:
    of_target = source.around(target)
    untrained = source.around(build(source.spec, seed))
    draws = generator(seed, "select", "null")
    orders = [torch.randperm(len(of_target), generator=draws) for _ in range(permutations)]
    permuted = [LocalModels(of_target.theta[order], of_target.masks) for order in orders]
    found, null, floor = {}, {}, {}
    for alignment in ALIGNMENTS:
        found[alignment] = similarity(source.models, of_target, alignment)
        floor[alignment] = similarity(untrained, of_target, alignment)
        values = torch.tensor([similarity(source.models, other, alignment) for other in permuted], dtype=torch.double)
        reach = int((values >= found[alignment]).sum())
        null[alignment] = Null(float(values.mean()), float(values.std()), permutations, reach)
    return Ranked(name, found, null, floor, len(of_target))


@torch.no_grad()
def _takes(target: nn.Module, images: Images) -> bool:
    """Whether the target answers such pictures at all."""
    network = Twin(as_blocknet(target)).module
    for module in network.modules():
        if isinstance(module, Normalise) and len(module.mean) != images.channels:  # it would broadcast
            return False
    try:
        return network(as_float(images.pixels[:1])).dim() == 2
    except (PncError, RuntimeError, ValueError):
        return False
