"""Runs a function of this file in several processes that train together: started once, it forks them.

Each line of its input is a JSON object: how many, which function, its arguments. Each line of its output is a list of
what the processes returned.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import traceback
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vitruve.algorithms.base import ImageAlgorithm
from vitruve.config.schema import Config
from vitruve.errors import VitruveError
from vitruve.run import RunFiles
from vitruve.structures.instances import Instances
from vitruve.training import strategies
from vitruve.training.fit import fit
from vitruve.training.prepare import Prepared, prepare
from vitruve.training.team import Team


class Plain(ImageAlgorithm):
    """Without batch normalisation, whose statistics are those of each process's own images."""

    def __init__(self, config: Any, task: Any, pretrained: bool = False) -> None:
        super().__init__(config, task, pretrained)
        backbone = nn.Conv2d(3, 8, 8, 8)
        head = nn.Sequential(nn.GELU(), nn.Flatten(), nn.Linear(512, 4))
        self.network = nn.Sequential(OrderedDict(backbone=backbone, head=head))

    def forward(self, batch: Any) -> Any:
        points = self.network(batch.images.flatten(0, 2).float() / 255)
        return {"points": points.reshape(len(points), 1, 1, 2, 2)}

    def encode(self, batch: Any) -> Any:
        return {"points": batch.truth_in_input.keypoints / 64}

    def loss(self, outputs: Any, targets: Any) -> Any:
        return {"far": (outputs["points"] - targets["points"]).square().mean()}

    def decode(self, outputs: Any, batch: Any) -> Any:
        return Instances.from_keypoints(outputs["points"] * 64).transformed(batch.to_image)


def train(settings: Any, run: str, plain: bool = True, resume: bool = False, die: int | None = None) -> Any:
    """Train; only the first process may replace files. Returns the error's line, or the seen images of each step."""
    config, team, files = Config.from_mapping(settings), Team.of_environment(), RunFiles(Path(run))
    ready = prepare(config)
    if plain:
        ready = Prepared(ready.labels, ready.task, Plain, ready.cache)
    if not team.first:
        Path.replace = None  # type: ignore[assignment,method-assign]
    if die is not None and not team.first:
        step = strategies.Consensus.on_train_epoch_end

        def dying(self: Any, trainer: Any, module: Any) -> None:
            if trainer.current_epoch == die:
                os._exit(9)
            step(self, trainer, module)

        strategies.Consensus.on_train_epoch_end = dying  # type: ignore[method-assign]
    try:
        fit(config, ready, files, resume=resume, quiet=True, checkpoint_seconds=0.0)
    except VitruveError as error:
        return f"{type(error).__name__}: {error}"
    return None


def watched_average(settings: Any, run: str) -> Any:
    """Train; after each average, how far the weights of the processes are from one another."""
    away: list[float] = []
    average = strategies.SyncAverage.average

    def watched(self: Any) -> None:
        average(self)
        weights = torch.cat([p.detach().ravel() for p in self.lightning_module.parameters()])
        everyone = torch.stack(Team.of_environment().gather(weights))
        away.append(float((everyone - everyone[0]).abs().max()))

    strategies.SyncAverage.average = watched  # type: ignore[method-assign]
    train(settings, run)
    return away


def broadcast() -> Any:
    """Networks that begin with other weights in each process: what the processes hold after a broadcast."""
    team = Team.of_environment()
    team.join()
    torch.manual_seed(team.rank)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).to(memory_format=torch.channels_last)
    network[1].num_batches_tracked += team.rank
    before = [value.tolist() for value in network.state_dict().values()]
    strategies.broadcast(network.state_dict().values())
    return {"before": before, "after": [value.tolist() for value in network.state_dict().values()]}


def gossip(steps: int) -> Any:
    """Average numbers with partners: the spread after each step, and the mean before and after."""
    team = Team.of_environment()
    team.join()
    numbers = torch.randn(50, dtype=torch.float64, generator=torch.Generator().manual_seed(team.rank))
    more = torch.full((3,), float(team.rank))
    first, spreads = torch.stack(team.gather(numbers)).mean(0), []
    for step in range(steps):
        partner = strategies.partners(team.size, 0, step)[team.rank]
        if partner != team.rank:
            strategies.average([numbers, more], partner)
        spreads.append(float(torch.stack(team.gather(numbers)).var(0).sum()))
    drift = float((torch.stack(team.gather(numbers)).mean(0) - first).abs().max())
    strategies.average([numbers, more])
    return {"spreads": spreads, "drift": drift, "mean": float((numbers - first).abs().max()), "more": more.tolist()}


def _fork(request: dict[str, Any]) -> list[Any]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    children = []
    for rank in range(request["ranks"]):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": request["ranks"]}
            place |= {"LOCAL_WORLD_SIZE": request["ranks"], "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
            os.environ.update({name: str(value) for name, value in place.items()}, GLOO_SOCKET_IFNAME="lo")
            torch.set_num_threads(1)
            value: Any = None
            try:
                value = globals()[request["function"]](**request["arguments"])
            except BaseException:
                value = traceback.format_exc()
            os.write(writing, json.dumps(value).encode())
            os._exit(0)
        os.close(writing)
        children.append((child, reading))
    values = []
    for child, reading in children:
        with os.fdopen(reading) as stream:
            text = stream.read()
        values.append(json.loads(text) if text else "died")
        os.waitpid(child, 0)
    return values


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(_fork(json.loads(line))), flush=True)
