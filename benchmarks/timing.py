"""The update that is timed, and interleaved timing of alternatives, so that a busy machine slows all equally."""

import statistics
import time
from typing import Any, Callable, Dict, List

import torch

Work = Callable[[], object]


def update(model: Any, loss: str, *inputs: Any, **named: Any) -> Work:
    """One update as in fairseq's trainer; ``loss`` is the model's loss."""
    model.train()
    model.set_num_updates(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    count = 0

    def step() -> None:
        nonlocal count
        model.set_num_updates(count)
        count += 1
        result = model(*inputs, **named)
        (result["losses"][loss] / int(result["sample_size"])).backward()
        optimizer.step()
        optimizer.zero_grad()
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    return step


def interleaved(works: Dict[str, Work], repeats: int = 7, warm_up: int = 2) -> Dict[str, float]:
    """Median seconds of each work over ``repeats`` rounds, every round running all of them in turn."""
    seconds: Dict[str, List[float]] = {name: [] for name in works}
    for round_number in range(warm_up + repeats):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            if round_number >= warm_up:
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def show(title: str, medians: Dict[str, float], reference: str) -> None:
    """Print medians, and the speed of each relative to ``reference``."""
    print(title)
    for name, value in medians.items():
        print(f"  {name:<36} {value * 1000:9.1f} ms   {medians[reference] / value:5.2f} x {reference}")
