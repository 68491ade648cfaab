"""Search finds the same net however it is run; its methods are the papers', and its graphs are the nets' own."""

import json
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.errors import DataError, SettingError
from mobile_sdk.graph.operators import Graph
from mobile_sdk.latency.work import count_work
from mobile_sdk.workflow.search.summary import read_summary
from qat.freezing.shapes_only import untrained_graph
from qat.nets.architecture import Architecture
from qat.nets.classifiers.mobilenet_v3 import architecture_of, build, build_for
from qat.search.evolution import Rewarded
from qat.search.netadapt import NetAdapt
from qat.search.pareto import pareto_front
from qat.search.record import Candidate, SearchFolder, SearchResult, load_record
from qat.search.reward import Reward
from qat.search.rounds import Method
from qat.search.space.architecture_graph import drawn_graph
from qat.search.space.space import Space
from qat.search.space.weight_transfer import carried
from qat.search.space.widths import Width, channels_of, resized, widths
from tests.support.nets.search_space import CLASSES, SIZE_PX, START, Shuffled, latency_ms, searched

CONTRACT = Contract(name="net", labels=("one", "two", "three"), image=ImageSpec(size_px=SIZE_PX))
SPACE = Space(start=START)
DRAWN = SPACE.draw(Random(5))
TARGET_MS = 0.9 * latency_ms(START)


@pytest.mark.parametrize(
    "net",
    [
        START,
        architecture_of("mobilenet_v3_large", 0.35),
        architecture_of("mobilenet_v3_small_minimalistic", 0.35),
        SPACE.draw(Random(1)),
        DRAWN,
    ],
)
def test_a_drawn_graph_is_the_trained_net_s_own_in_operators_shapes_and_work(net: Architecture) -> None:
    drawn = drawn_graph(net, classes=CLASSES, size_px=SIZE_PX)
    captured = untrained_graph(build_for(net, CONTRACT), CONTRACT, is_int8=True)
    assert sorted(shapes(drawn)) == sorted(shapes(captured))
    assert count_work(drawn, channel_tile=8) == count_work(captured, channel_tile=8)


def shapes(graph: Graph) -> list[str]:
    operators = [each for each in graph.operators if type(each).__name__ != "Reshape"]
    return [
        f"{type(each).__name__} {[getattr(value, 'shape', ()) for value in each.inputs]}"
        for each in operators
        if type(each).__name__ not in ("Mean", "Linear")
    ]


def random_net(architecture: Architecture = START) -> nn.Module:
    """A net in eval() mode whose norms have all sorts of gains, shifts and statistics."""
    torch.manual_seed(0)
    net = build(architecture, CLASSES).eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.running_var):
                nn.init.uniform_(tensor, 0.5, 1.5)
            for tensor in (module.bias, module.running_mean):
                nn.init.normal_(tensor)
    return net


def narrowed(net: nn.Module, new: Architecture, old: Architecture = START) -> nn.Module:
    narrow = build(new, CLASSES).eval()
    narrow.load_state_dict(carried(net.state_dict(), old, new))
    return narrow


def pictures() -> Tensor:
    return torch.randn(4, 3, SIZE_PX, SIZE_PX, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def test_weights_carried_into_the_same_net_compute_the_same() -> None:
    net = random_net()
    assert torch.equal(narrowed(net, START)(pictures()), net(pictures()))


@torch.no_grad()
def test_a_narrower_expansion_keeps_what_its_kept_channels_put_out() -> None:
    net, width = random_net(), Width(kind="expansion", index=1)
    new = resized(START, width, 24)
    assert new is not None
    narrow = narrowed(net, new)
    wide_out, narrow_out = (of(each, "features.2.block.1.1").unbind(1) for each in (net, narrow))
    kept = [[torch.allclose(ours, theirs) for theirs in wide_out].index(True) for ours in narrow_out]
    assert kept == sorted(set(kept)) and len(kept) == 24 < len(wide_out)


def of(net: nn.Module, path: str) -> Tensor:
    """Returns the output of the module at `path` for the pictures."""
    found: list[Tensor] = []
    handle = net.get_submodule(path).register_forward_hook(lambda _module, _inputs, output: found.append(output))
    net(pictures())
    handle.remove()
    return found[0]


@torch.no_grad()
@pytest.mark.parametrize(
    ("width", "readers"),
    [
        (Width(kind="expansion", index=1), ["features.2.block.2.0"]),
        (Width(kind="bottleneck", index=2), ["features.3.block.0.0", "features.4.block.0.0"]),
        (Width(kind="last"), ["classifier.0"]),
        (Width(kind="hidden"), ["classifier.3"]),
    ],
)
def test_channels_that_nothing_reads_go_first_and_change_nothing(width: Width, readers: list[str]) -> None:
    net, channels = random_net(), channels_of(START, width)
    unread = torch.randperm(channels, generator=torch.Generator().manual_seed(2))[: channels - channels // 2 // 8 * 8]
    for reader in readers:
        net.get_submodule(reader).weight[:, unread] = 0
    new = resized(START, width, channels - len(unread))
    assert new is not None
    torch.testing.assert_close(narrowed(net, new)(pictures()), net(pictures()))


def test_every_width_can_shrink_and_its_weights_fit() -> None:
    state = random_net().state_dict()
    for width in widths(START):
        for new in filter(None, (resized(START, width, size) for size in (8, max(8, channels_of(START, width) - 8)))):
            with torch.device("meta"):
                wanted = build(new, CLASSES).state_dict()
            found = carried(state, START, new)
            assert {key: value.shape for key, value in found.items()} == {
                key: each.shape for key, each in wanted.items()
            }
            assert new.bottlenecks == START.bottlenecks, "a shortcut came or went"


def test_rewards_are_those_of_the_paper_s_formula() -> None:
    soft, hard = Reward(target_ms=80.0), Reward(target_ms=80.0, is_hard=True)
    assert soft.of(0.75, 80.0) == hard.of(0.75, 80.0) == 0.75
    assert soft.of(0.75, 160.0) == pytest.approx(0.75 * 0.952638, rel=1e-6)  # 2 ** -0.07: "5 % relative accuracy"
    assert soft.of(0.75, 40.0) == pytest.approx(0.75 * 1.049717, rel=1e-6)
    assert hard.of(0.75, 40.0) == 0.75 and hard.of(0.75, 100.0) == pytest.approx(0.6)
    assert Reward(target_ms=10.0, exponent=-0.15).of(0.6, 20.0) == pytest.approx(0.6 * 0.901250, rel=1e-6)
    with pytest.raises(SettingError, match=r"an exponent from -1 to 0, found 0\.07"):
        Reward(target_ms=80.0, exponent=0.07)


@given(st.lists(st.tuples(st.integers(1, 6).map(float), st.integers(0, 6).map(float)), max_size=12))
def test_the_front_is_what_no_other_net_dominates(points: list[tuple[float, float]]) -> None:
    def is_dominated(point: tuple[float, float]) -> bool:
        return any(other[0] <= point[0] and other[1] >= point[1] and other != point for other in points)

    front = [points[index] for index in pareto_front(points)]
    assert set(front) == {point for point in points if not is_dominated(point)}
    assert front == sorted(set(front))


def adapt(step_share: float = 0.02) -> NetAdapt:
    return NetAdapt(judge=latency_ms, target_ms=TARGET_MS, step_share=step_share)


def test_every_netadapt_step_cuts_delta_and_takes_the_best_ratio(tmp_path: Path) -> None:
    record, step_ms = searched(adapt(), tmp_path), 0.02 * latency_ms(START)
    path = [record.candidates[number] for number in record.taken]
    assert len(path) > 4 and path[0].number == 0 and path[-1].latency_ms <= TARGET_MS < path[-2].latency_ms
    for before, after in pairwise(path):
        assert after.parent == before.number
        rivals = [each for each in record.candidates if each.round == after.round]
        wanted_ms = min(step_ms, before.latency_ms - TARGET_MS)
        assert all(before.latency_ms - each.latency_ms >= wanted_ms for each in rivals)
        ratios = [
            (each.accuracy_share - before.accuracy_share) / (before.latency_ms - each.latency_ms)  # type: ignore[operator]
            for each in rivals
        ]
        assert rivals[ratios.index(max(ratios))] == after
        assert after.latency_ms == latency_ms(after.architecture)


def test_a_proposal_narrows_one_width_by_no_more_than_it_must() -> None:
    start = Candidate(
        number=0, round=0, parent=None, change="start", architecture=START, latency_ms=latency_ms(START), score=0.0
    )
    step_ms, changed = 0.005 * latency_ms(START), []
    for proposal in adapt(0.005).propose([start]):
        (width,) = (
            each for each in widths(START) if channels_of(START, each) != channels_of(proposal.architecture, each)
        )
        changed.append(width)
        wider = resized(START, width, channels_of(proposal.architecture, width) + 8)
        assert wider is None or wider == START or latency_ms(START) - latency_ms(wider) < step_ms
    assert {"expansion", "bottleneck", "hidden"} <= {width.kind for width in changed}
    assert len(changed) == len(set(changed))


def test_where_no_width_gives_delta_it_is_halved(tmp_path: Path) -> None:
    record = searched(adapt(step_share=0.09), tmp_path)
    assert record.candidates[record.taken[-1]].latency_ms <= TARGET_MS


@pytest.mark.parametrize(
    ("share", "reason"),
    [
        (1.0, f"a target below the start net's {latency_ms(START):.3f} ms"),
        (0.2, "a target that narrower layers can reach"),
    ],
)
def test_a_target_that_cannot_be_is_refused_at_once(share: float, reason: str) -> None:
    start_ms = latency_ms(START)
    with pytest.raises(SettingError, match=reason):
        NetAdapt(judge=latency_ms, target_ms=share * start_ms).check(START, start_ms)


def rewarded(population: int | None, count: int = 30) -> Rewarded:
    reward = Reward(target_ms=TARGET_MS)
    return Rewarded(
        judge=latency_ms, space=SPACE, reward=reward, count=count, seed=4, population=population, children=6
    )


METHODS = {"netadapt": adapt(0.03), "evolution": rewarded(8), "random": rewarded(None)}


@pytest.mark.parametrize("name", METHODS)
def test_workers_that_finish_in_any_order_and_are_stopped_again_and_again_find_the_same(
    name: str, tmp_path: Path
) -> None:
    method: Method = METHODS[name]
    undisturbed = searched(method, tmp_path / "one")
    for seed in range(1000):
        try:
            found = searched(method, tmp_path / "many", Shuffled(seed, results=3))
        except KeyboardInterrupt:
            continue
        assert seed > 3 and found == undisturbed
        break
    one, many = (files(tmp_path / folder) for folder in ("one", "many"))
    assert one == many and one.keys() >= {"search.json"}
    assert load_record(tmp_path / "one" / "search.json") == undisturbed


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_another_seed_finds_others(tmp_path: Path) -> None:
    one, other = (searched(adapt(), tmp_path / str(seed), seed=seed) for seed in (0, 1))
    assert [each.accuracy_share for each in one.candidates[:9]] != [
        each.accuracy_share for each in other.candidates[:9]
    ]


def test_evolution_mutates_one_gene_of_one_of_the_youngest(tmp_path: Path) -> None:
    candidates = searched(rewarded(8), tmp_path).candidates
    assert len(candidates) == 31 and len({each.architecture for each in candidates}) == 31
    assert [each.change for each in candidates[1:9]] == ["drawn"] * 8
    for child in candidates[9:]:
        assert child.parent is not None
        youngest = max(each.number for each in candidates if each.round < child.round)
        assert youngest - 8 < child.parent <= youngest
        parent = candidates[child.parent].architecture
        assert parent.differences(child.architecture) == child.change
        assert any(SPACE.mutated(parent, Random(tried)) == child.architecture for tried in range(3000))


def test_evolution_finds_better_nets_than_chance_where_there_is_something_to_find(tmp_path: Path) -> None:
    """Every 5×5 is worth a point: a landscape without noise."""

    def best(method: Rewarded, folder: Path) -> float:
        def evaluate(jobs):  # type: ignore[no-untyped-def]
            from qat.search.evaluation import Outcome

            for job in jobs:
                yield job, Outcome(accuracy_share=sum(b.kernel == 5 for b in job.architecture.blocks) / 11, state=None)

        return max(each.score for each in searched(method, folder, evaluate).candidates if each.score is not None)

    assert best(rewarded(8, 120), tmp_path / "evolution") > best(rewarded(None, 120), tmp_path / "random")


@settings(max_examples=10)
@given(st.integers(0, 10_000))
def test_every_net_of_the_space_can_be_built_and_priced(seed: int) -> None:
    net = SPACE.mutated(SPACE.draw(Random(seed)), Random(seed))
    with torch.device("meta"):
        built = build(net, CLASSES).eval()
        assert built(torch.empty(1, 3, SIZE_PX, SIZE_PX)).shape == (1, CLASSES)
    assert latency_ms(net) > 0
    assert Architecture.model_validate_json(net.model_dump_json()) == net


def test_a_search_for_something_else_is_not_gone_on_with(tmp_path: Path) -> None:
    searched(adapt(), tmp_path)
    before = files(tmp_path)
    with pytest.raises(SettingError, match="found one with other asked"):
        SearchFolder(tmp_path, {"asked": "another"})
    assert files(tmp_path) == before


def test_a_damaged_record_is_refused(tmp_path: Path) -> None:
    searched(adapt(), tmp_path)
    file = tmp_path / "search.json"
    content = json.loads(file.read_text())
    content["candidates"][0]["architecture"]["blocks"][0][0] = 4
    del content["sha256"]
    file.write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"the record of a search in .*, found: a file that is damaged or newer"):
        load_record(file)


@pytest.mark.parametrize("damage", ["flipped", "cut", "missing"])
def test_damaged_weights_of_a_candidate_are_never_started_from(damage: str, tmp_path: Path) -> None:
    record = searched(adapt(), tmp_path)
    (file,) = (tmp_path / "weights").iterdir()
    folder, number = SearchFolder(tmp_path, {"asked": "it"}), record.taken[-1]
    assert folder.state_of(number).keys() == {"weight"}
    content = bytearray(file.read_bytes())
    content[-1] ^= 0x80
    match damage:
        case "flipped":
            file.write_bytes(content)
        case "cut":
            file.write_bytes(content[:-1])
        case "missing":
            file.unlink()
    with pytest.raises(DataError, match=rf"{file.name} as it was written|weights of candidate {number} in .*, found"):
        folder.state_of(number)


@pytest.mark.parametrize(
    ("field", "value"), [("taken", [99]), ("taken", [-1]), ("candidates", []), ("settings", {"method": "netadapt"})]
)
def test_a_record_that_names_what_is_not_there_is_refused_in_one_line(
    field: str, value: Any, finished: dict[str, Any], tmp_path: Path
) -> None:
    check_refused({**finished, field: value}, tmp_path)


@pytest.mark.parametrize("number", [0, -1.5, 1e-320, 1e300])
@pytest.mark.parametrize(
    "place", ["result.measured_again_ms", "result.latency_ms", "result.target_ms", "settings.target_ms"]
)
def test_a_record_with_a_time_that_none_takes_is_refused_in_one_line(
    place: str, number: float, finished: dict[str, Any], tmp_path: Path
) -> None:
    part, field = place.split(".")
    check_refused({**finished, part: {**finished[part], field: number}}, tmp_path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The record of a finished search, which can be summed up."""
    folder = tmp_path_factory.mktemp("finished")
    searched(adapt(), folder)
    record = load_record(folder / "search.json")
    found = SearchResult(number=record.taken[-1], latency_ms=1.0, float_accuracy_share=0.5, pictures=8)
    asked = {"method": "netadapt", "device": "made up", "target_ms": 1.0, "target_share": None}
    content: dict[str, Any] = json.loads(record.model_copy(update={"settings": asked, "result": found}).to_json())
    (folder / "whole.json").write_text(json.dumps(content))
    assert read_summary(folder / "whole.json").method == "netadapt"
    return content


def check_refused(content: dict[str, Any], folder: Path) -> None:
    (folder / "changed.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"expected the (record|settings) of a search"):
        read_summary(folder / "changed.json")


def test_a_net_of_another_family_is_refused() -> None:
    with pytest.raises(SettingError, match="MobileNetV3's family"):
        architecture_of("mobilenet_v2")
