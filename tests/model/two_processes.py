"""What each process of a test runs under ``accelerate launch``: some steps on its half of a batch. Not a test itself.

Arguments: engine, folder. Writes ``0.safetensors`` (weights) and ``0.json`` (figures), once the run was saved, reloaded
and continued.
"""

import json
import sys
from pathlib import Path

import torch
from accelerated_run import HALVES, Run
from safetensors.torch import save_file

from linkvla.model.training.state import Progress


def main(engine: str, folder: Path) -> None:
    torch.set_num_threads(1)
    run = Run(engine)
    figures = [run.step(HALVES[run.engine.rank]) for _ in range(2)]
    run.engine.save(folder / "state.safetensors", Progress(step=2))
    other = Run(engine)
    assert other.engine.load(folder / "state.safetensors").step == 2
    figures += [other.step(HALVES[other.engine.rank]) for _ in range(2)]
    assert other.engine.largest(float(other.engine.rank)) == 1.0
    with other.engine.whole() as model:
        if other.engine.rank == 0:
            save_file(
                {name: value.detach().clone() for name, value in model.named_parameters()}, folder / "0.safetensors"
            )
            (folder / "0.json").write_text(json.dumps(figures))
    other.engine.close()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
