"""How long the paper's projection takes to train, beside a bare PyTorch loop of the same work.

Both run on one thread, on the demo release. Run: python bench/projection_training.py
"""

from __future__ import annotations

import statistics
import time

import igbo_align as ia
import torch
from igbo_align.baselines.inputs import reference_inputs
from igbo_align.baselines.trained import fit_map, new_projection
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

REPEATS = 7


def bare_loop(speech: NDArray, text: NDArray, groups: NDArray, dtype: torch.dtype) -> None:
    """Section 3.3 with PyTorch's own layers and generator, nothing logged, nothing watched."""
    torch.manual_seed(42)
    recordings, texts = torch.tensor(speech, dtype=dtype), normalize(torch.tensor(text, dtype=dtype), dim=-1)
    group = torch.tensor(groups)
    linear, dropout = nn.Linear(384, 384, dtype=dtype), nn.Dropout(0.1)
    optimiser = torch.optim.AdamW(linear.parameters(), lr=3e-4, weight_decay=1e-4, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 20)

    def project(rows: Tensor) -> Tensor:
        return normalize(dropout(nn.functional.layer_norm(linear(rows), (384,))), dim=-1)

    def mine(similarity: Tensor) -> Tensor:
        return similarity.masked_fill(group[:, None] == group[None], -torch.inf).topk(5).indices

    negatives = mine(normalize(recordings, dim=-1) @ texts.T)
    for epoch in range(20):
        if epoch in (7, 14):
            dropout.eval()
            with torch.no_grad():
                negatives = mine(project(recordings) @ texts.T)
        dropout.train()
        for batch in torch.randperm(len(texts)).split(32):
            chosen = torch.rand(len(batch), 5).argsort(dim=1)[:, :2]
            candidates = torch.cat([batch, negatives[batch].gather(1, chosen).flatten()])
            correct = torch.arange(len(batch))
            same = group[batch][:, None] == group[candidates][None]
            same[correct, correct] = False
            logits = (project(recordings[batch]) @ texts[candidates].T / 0.07).masked_fill(same, -torch.inf)
            loss = (cross_entropy(logits, correct) + cross_entropy(logits[:, : len(batch)].T, correct)) / 2
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(linear.parameters(), 1.0)
            optimiser.step()
        schedule.step()


def main() -> None:
    """Print the median seconds of each, measured in turn so that other load hits all alike."""
    torch.set_num_threads(1)
    train = reference_inputs(ia.load_release("demo")).train
    arrays = train.speech, train.text, train.groups
    systems = {
        "igbo-align (float64)": lambda: fit_map(new_projection, train, 42),
        "bare loop (float64)": lambda: bare_loop(*arrays, torch.float64),
        "bare loop (float32)": lambda: bare_loop(*arrays, torch.float32),
    }
    seconds = {name: [] for name in systems}
    for _ in range(REPEATS + 1):
        for name, run in systems.items():
            started = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - started)
    for name, measured in seconds.items():
        print(f"{name:22} {statistics.median(measured[1:]):.2f} s")  # noqa: T201 - the first round warms up


if __name__ == "__main__":
    main()
