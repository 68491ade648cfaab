"""Trains one net in several processes: each takes its part of every batch, and all hold equal weights.

Gradients are averaged by PyTorch's DistributedDataParallel, which Hugging Face accelerate sets up: over nccl if the
machine has GPUs, else over gloo. Batch norms normalise by their own process's part of a batch if that is large enough,
else by the whole batch (`qat.distributed.shared_batch_norm`). After every step their running statistics, and the ranges
that quantizers observe, are combined over the processes.
"""

import atexit
import functools
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn

from mobile_sdk.errors import MachineError, SettingError
from mobile_sdk.packages import needed
from qat.distributed.shared_batch_norm import moved_statistics, shared_batch_norms
from qat.distributed.torchrun import process_count, process_rank
from qat.layers.memory_format import device_of

Value = TypeVar("Value")
Parted = TypeVar("Parted", bound="_Parts")
_HARMLESS = (
    "`broadcast_buffers` is deprecated",  # accelerate has no name for its successor yet
    "Grad strides do not match bucket view strides",  # depthwise filters: their one channel may have any stride
)
PART_ALONE = 16  # images by which batch norm may normalise: fewer cost accuracy (arXiv 1803.08494, section 4.1)
SMALLEST_PART = 2  # images of a batch: batch norm cannot learn from one


class _Parts(Protocol):
    def __len__(self) -> int: ...
    def __getitem__(self, index: slice, /) -> Any: ...


@runtime_checkable
class Observing(Protocol):
    """Describes a net, such as a fake-quantized one, that observes ranges while it trains."""

    def followed_ranges(self) -> list[tuple[Tensor, Tensor]]:
        """Returns the ends `(low, high)` of the ranges that a step has just moved, scalars."""
        ...


class Processes:
    """Represents one process that trains alone: it has every part, and nothing to combine."""

    rank = 0
    count = 1

    @contextmanager
    def at_work(self, net: nn.Module) -> Iterator[None]:
        """Moves `net`, inside the `with`, to the device that this process trains on: its own GPU, if there are any."""
        yield

    @contextmanager
    def training(self, net: nn.Module, batch: int) -> Iterator[None]:
        """Trains `net`, inside the `with`, on parts of batches; MachineError says that another process has ended."""
        yield

    def part_of(self, total: int) -> slice:
        """Returns this process's part of `total` things: as many as the others', or one more."""
        return slice(total * self.rank // self.count, total * (self.rank + 1) // self.count)

    def weights(self, *counts: float | Tensor) -> list[float]:
        """Returns the weights of this process's means over so many things in the means over all processes' things.

        The mean over processes of the weighted means is the mean over all things; a weight is 0 if there is nothing to
        count.
        """
        return [1.0] * len(counts)

    def own(self, pictures: Parted) -> Parted:
        """Returns this process's part of pictures; raises SettingError if they are too few for all to have some."""
        return pictures

    def check(self, pictures: int, batch: int) -> None:
        """Raises SettingError if a batch of the training set cannot be divided."""

    def start_alike(self, net: nn.Module) -> None:
        """Gives every process the main process's weights, ranges and statistics."""

    def from_main(self, make: Callable[[], Value]) -> Value:
        """Returns the main process's result of `make` to all; the others do not call it."""
        return make()

    def joined(self, module: nn.Module) -> nn.Module:
        """Returns the module; backward averages its parameters' gradients over the processes."""
        return module

    def check_gradients(self, net: nn.Module) -> None:
        """Raises SettingError, after a backward, if a parameter that is to learn has no gradient."""

    def agree(self, net: nn.Module) -> None:
        """Combines what this step moved besides weights: statistics are averaged, ranges made wide enough for all."""

    def total(self, *values: float) -> list[float]:
        """Returns the sums of numbers over all processes."""
        return list(values)

    def gathered(self, rows: Tensor) -> Tensor:
        """Returns all processes' rows (N, …) on the CPU, in the order of the processes."""
        return rows.cpu()


@functools.cache
def current_processes() -> Processes:
    """Returns the processes that `torchrun` started, or this one alone.

    Raises MachineError if accelerate is missing, and SettingError for more processes than GPUs.
    """
    return _Joined() if process_count() > 1 else Processes()


class _Joined(Processes):
    """Represents several processes, joined by accelerate."""

    def __init__(self) -> None:
        self.rank, self.count = process_rank(), process_count()
        self._accelerator = _accelerator()
        atexit.register(self._accelerator.end_training)

    @contextmanager
    def at_work(self, net: nn.Module) -> Iterator[None]:
        home = device_of(net)
        net.to(self._accelerator.device)
        try:
            yield
        finally:
            net.to(home)

    @contextmanager
    def training(self, net: nn.Module, batch: int) -> Iterator[None]:
        try:
            with warnings.catch_warnings(), self._batch_norms(net, batch):
                for harmless in _HARMLESS:
                    warnings.filterwarnings("ignore", message=harmless)
                yield
        except RuntimeError as error:
            if not _is_connection_error(error):
                raise
            raise MachineError(
                f"expected all {self.count} processes to go on, found that one has ended",
                hint="see what that one said; the same command goes on from the last checkpoint",
            ) from error

    def _batch_norms(self, net: nn.Module, batch: int) -> AbstractContextManager[None]:
        return shared_batch_norms(net) if batch < PART_ALONE * self.count else nullcontext()

    def own(self, pictures: Parted) -> Parted:
        if len(pictures) < self.count:
            raise SettingError(
                f"expected a picture to validate by for each of {self.count} processes, found {len(pictures)}",
                hint="hold out more pictures, or start fewer processes",
            )
        own: Parted = pictures[self.part_of(len(pictures))]
        return own

    def check(self, pictures: int, batch: int) -> None:
        if batch < SMALLEST_PART * self.count:
            raise SettingError(
                f"expected a batch of {SMALLEST_PART * self.count} pictures or more for {self.count} processes, "
                f"found {batch}",
                hint="raise --batch-size, the batch of all processes, or start fewer; in Python, TrainPlan(batch=…)",
            )
        if pictures < batch:
            raise SettingError(
                f"expected a batch of {batch} pictures or more to learn from, found {pictures}",
                hint="lower --batch-size, or train in one process; in Python, TrainPlan(batch=…)",
            )

    def weights(self, *counts: float | Tensor) -> list[float]:
        own = [float(count) for count in counts]
        totals = self.total(*own)
        return [count * self.count / total if total else 0.0 for count, total in zip(own, totals, strict=True)]

    @torch.no_grad()
    def start_alike(self, net: nn.Module) -> None:
        for tensor in (*net.parameters(), *net.buffers()):
            torch.distributed.broadcast(tensor, src=0)

    def from_main(self, make: Callable[[], Value]) -> Value:
        from accelerate.utils import broadcast_object_list  # type: ignore[import-untyped]

        made: list[Any] = [make() if self.rank == 0 else None]
        value: Value = broadcast_object_list(made)[0]
        return value

    def joined(self, module: nn.Module) -> nn.Module:
        self._accelerator.free_memory()  # frees what was joined before
        joined: nn.Module = self._accelerator.prepare_model(module)
        return joined

    def check_gradients(self, net: nn.Module) -> None:
        learn = [(name, value) for name, value in net.named_parameters() if value.requires_grad]
        if unused := [name for name, value in learn if value.grad is None]:
            raise SettingError(
                f"expected all parameters to take part in the loss where processes train together, found that these do "
                f"not: {', '.join(unused[:5])}",
                hint="take them out of the net, or requires_grad_(False) them",
            )

    @torch.no_grad()
    def agree(self, net: nn.Module) -> None:
        statistics = [value for module in net.modules() for value in moved_statistics(module)]
        if statistics:
            flat = torch.cat([value.flatten() for value in statistics])
            torch.distributed.all_reduce(flat)
            flat /= self.count
            means = torch.split(flat, [value.numel() for value in statistics])
            for value, mean in zip(statistics, means, strict=True):
                value.copy_(mean.view_as(value))
        if isinstance(net, Observing) and (ranges := net.followed_ranges()):
            ends = torch.stack([torch.stack((-low, high)) for low, high in ranges])
            torch.distributed.all_reduce(ends, op=torch.distributed.ReduceOp.MAX)
            for (low, high), (down, up) in zip(ranges, ends, strict=True):
                low.copy_(-down)
                high.copy_(up)

    def total(self, *values: float) -> list[float]:
        sums = torch.tensor(values, dtype=torch.float64, device=self._accelerator.device)
        torch.distributed.all_reduce(sums)
        return list(sums.tolist())

    def gathered(self, rows: Tensor) -> Tensor:
        parts: list[Tensor] = [torch.empty(0)] * self.count
        torch.distributed.all_gather_object(parts, rows.cpu())
        return torch.cat(parts)


def _accelerator() -> Any:
    accelerate = needed("accelerate", f"training on {process_count()} processes", extra="distributed")
    if missing := [name for name in ("MASTER_ADDR", "MASTER_PORT") if name not in os.environ]:
        raise SettingError(
            f"expected {missing[0]} beside the variable WORLD_SIZE, found none",
            hint="start it by torchrun, which sets it, or unset LOCAL_RANK",
        )
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    settings = accelerate.DistributedDataParallelKwargs(
        broadcast_buffers=False,  # `agree` combines them
    )
    accelerator = accelerate.Accelerator(cpu=not gpus, kwargs_handlers=[settings])
    if gpus and accelerator.local_process_index >= gpus:
        raise SettingError(
            f"expected a GPU for each process, found {gpus} on this machine", hint=f"torchrun --nproc-per-node {gpus}"
        )
    return accelerator


def _is_connection_error(error: RuntimeError) -> bool:
    """Returns whether gloo or nccl raised the error because another process is gone."""
    return isinstance(error, torch.distributed.DistError) or "gloo" in str(error)
