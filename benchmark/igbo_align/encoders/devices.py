"""Where encoders compute: one CPU thread a process, whose bytes nothing changes, or a GPU in batches."""

from __future__ import annotations

import os

from ..problems import problem

#: Recordings that a GPU encodes at once.
GPU_BATCH_SIZE = 16


def choose_device(asked: str = "auto") -> str:
    """The device as torch names it: `auto` is this process's GPU where there is one, else the CPU.

    Under `accelerate launch` every process of a machine gets a GPU of its own.

    Raises:
        ProblemsFound: no such device here (`usage`).
    """
    import torch

    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    own = f"cuda:{int(os.environ.get('LOCAL_RANK', '0')) % gpus}" if gpus else "cpu"
    known = {"auto": own, "cpu": "cpu"}
    known |= {"cuda": own} if gpus else {}
    known |= {f"cuda:{number}": f"cuda:{number}" for number in range(gpus)}
    known |= {"mps": "mps"} if torch.backends.mps.is_available() else {}
    if asked not in known:
        raise problem(
            "usage",
            "--device",
            found=repr(asked),
            expected=f"one of {', '.join(known)}, what torch finds on this machine",
            mend="Leave it out, or install a torch that drives your GPU.",
        )
    return known[asked]


def batch_size_on(device: str, asked: int | None = None) -> int:
    """How many recordings are encoded at once: one on a CPU, where batches gain nothing and cost the last bits."""
    return asked or (1 if device == "cpu" else GPU_BATCH_SIZE)


def prepare_device(device: str) -> None:
    """Before a model is loaded: on a CPU sums over threads would depend on their number, so there is one."""
    import torch

    if device == "cpu":
        torch.set_num_threads(1)
