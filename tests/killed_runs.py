"""A run of `gair pretrain` that is killed again and again, in one process or several.

    python -m killed_runs SHARDS RUN MODEL_JSON RECIPE_JSON PROCESSES THREADS KILLS SEED

PROCESSES and THREADS (of the loader) are lists such as 1,2,4, which take turns at each start. Each
process appends what each of its steps saw to `RUN.seen`, and is killed after a few of them, at any
time of the next tenth of a second. Processes are forked from one that has imported torch already,
so a start takes no seconds.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import torch
import torch_processes

from gair_cli.training.config import Recipe
from gair_cli.training.learner import Learner
from gair_cli.training.pretrain import pretrain

MOST_STEPS = 6
"""Steps of one start, at most, before it is killed."""


def note_steps(path):
    """Let every step leave its number and the rows of the whole batch in a file."""
    whole = Learner.update

    def update(self, parts, cut, info):
        found = whole(self, parts, cut, info)
        if self.processes.first:
            line = json.dumps([info.step, info.rows.tolist(), self.processes.count]) + "\n"
            with path.open("a") as file:
                file.write(line)
        return found

    Learner.update = update


def child(shards, run, model, recipe, environment):
    os.environ.update({key: str(value) for key, value in environment.items()})
    torch.set_num_threads(1)
    sys.stderr = Path(f"{run}.{environment.get('RANK', 0)}.stderr").open("a")  # noqa: SIM115
    code = 1
    try:
        pretrain(shards, run, model=model, recipe=recipe)
        code = 0
    except BaseException:  # noqa: BLE001 - told in the file
        import traceback

        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def start(shards, run, model, recipe, count):
    port = torch_processes.free_port()
    children = []
    for rank in range(count):
        said = {} if count == 1 else {"RANK": rank, "WORLD_SIZE": count, "LOCAL_RANK": rank,
                                      "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}  # fmt: skip
        number = os.fork()
        if number == 0:
            child(shards, run, model, recipe, said)
        children.append(number)
    return children


def main():
    shards, run, model, recipe, counts, threads, kills, seed = sys.argv[1:]
    shards, run = Path(shards), Path(run)
    model, table = json.loads(model), json.loads(recipe)
    counts = [int(one) for one in counts.split(",")]
    threads = [int(one) for one in threads.split(",")]
    note_steps(Path(f"{run}.seen"))
    noted = Path(f"{run}.seen")
    draw, codes, reached = random.Random(int(seed)), [1], []
    for turn in range(int(kills) + 1):
        count = counts[turn % len(counts)]
        made = Recipe.from_table({**table, "loader_threads": threads[turn % len(threads)]})
        children = start(shards, run, model, made, count)
        if turn < int(kills):
            wait_for(noted, lines(noted) + draw.randint(0, MOST_STEPS), children)
            time.sleep(draw.uniform(0, 0.1))
            for one in children:
                os.kill(one, signal.SIGKILL)
            reached.append(lines(noted))
        codes = [os.waitstatus_to_exitcode(os.waitpid(one, 0)[1]) for one in children]
        if turn < int(kills) and set(codes) != {-signal.SIGKILL}:
            break  # an error, or the end of the run
    sys.stdout.write(json.dumps({"reached": reached, "codes": codes}) + "\n")


def lines(path):
    return path.read_text().count("\n") if path.exists() else 0


def wait_for(path, wanted, children):
    """Wait until a file has so many lines, or a process has ended."""
    end = time.monotonic() + 60
    while lines(path) < wanted and time.monotonic() < end:
        if any(os.waitid(os.P_PID, one, os.WEXITED | os.WNOHANG | os.WNOWAIT) for one in children):
            return
        time.sleep(0.002)


if __name__ == "__main__":
    main()
