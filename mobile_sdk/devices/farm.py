"""Distributes pictures over several devices; all of them must be able to run."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.devices.base import Device, Pictures, Run
from mobile_sdk.runtimes.base import Interface, Runtime
from mobile_sdk.system.cache import Say


@dataclass(frozen=True, kw_only=True)
class Farm:
    """Holds devices of any kind that share the pictures: of three, the first takes the first, the fourth and so on."""

    name: str
    members: Sequence[Device]
    measures_time = False  # times of different devices cannot be pooled; `farm_benchmark` measures each

    def unavailable(self) -> str | None:
        """Returns why one of them cannot be used, or None."""
        return next((reason for member in self.members if (reason := member.unavailable())), None)

    def make_ready(self, say: Say) -> None:
        """Makes every member ready."""
        for member in self.members:
            member.make_ready(say)

    def versions(self, runtime: Runtime) -> Mapping[str, str]:
        """Returns the first member's; all members are sent one runner."""
        return self.members[0].versions(runtime)

    @contextmanager
    def loaded(self, runtime: Runtime, model: Path, interface: Interface, *, threads: int = 1) -> Iterator[Run]:
        """Loads the model on all of them."""
        with ExitStack() as stack, ThreadPoolExecutor(len(self.members)) as pool:
            runs = [
                stack.enter_context(member.loaded(runtime, model, interface, threads=threads))
                for member in self.members
            ]

            def run(pictures: Pictures) -> NDArray[np.generic]:
                shares = [pictures[index :: len(runs)] for index in range(len(runs))]
                busy = [(run, share) for run, share in zip(runs, shares, strict=True) if len(share)]
                computed = list(pool.map(lambda each: each[0](each[1]), busy))
                scores = np.empty((len(pictures), *computed[0].shape[1:]), computed[0].dtype)
                for index, part in enumerate(computed):
                    scores[index :: len(runs)] = part
                return scores

            yield run
