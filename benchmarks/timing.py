"""Interleaved timing of alternatives, so that a busy machine slows all of them alike."""

import statistics
import time
from typing import Callable, Dict, List

Work = Callable[[], None]


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
    """Print medians, and how many times as fast as ``reference`` each is."""
    print(title)
    for name, value in medians.items():
        print(f"  {name:<36} {value * 1000:9.1f} ms   {medians[reference] / value:5.2f} x {reference}")
