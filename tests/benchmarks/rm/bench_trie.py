"""Trie-packed training against trl.RewardTrainer and three steps between, in one interleaved run.

    python -m tests.benchmarks.rm.bench_trie RUN [--long MIN MAX] [--all-traces] [--device cuda]

RUN is a run folder of tlg build, for its groups and to train the tokenizer on. Prints for each arm
the tokens, seconds of an optimizer step and peak memory relative to E, and how far scores and
gradients are from separate forward passes. ``--learn SEEDS`` compares what A and E have learnt
after the same pairs instead.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import warnings
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import torch

from tests.benchmarks.rm import arms
from tests.benchmarks.rm.arms import ARMS, Setting, pairs_of
from tracelift_groups.rm.batch import TokenGroup, collate, cost, to_device
from tracelift_groups.rm.data import TRAIN, VALIDATION, encode_groups, read_split
from tracelift_groups.rm.text import Subject, TextEncoder, input_text
from tracelift_groups.rm.tokenizer import train_tokenizer

warnings.filterwarnings("ignore")
_SELF = "tests.benchmarks.rm.bench_trie"
_VOCABULARY = 4096
_FLAWS = 6


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("--long", type=int, nargs=2, metavar=("MIN", "MAX"))
    parser.add_argument("--all-traces", action="store_true", help="whole groups, not 1 sound + 6")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--half", action="store_true", help="bf16 autocast")
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--kv-heads", type=int, default=4)
    parser.add_argument("--feed-forward", type=int, default=704)
    parser.add_argument("--groups-per-step", type=int, default=8)
    parser.add_argument("--steps", type=int, default=1, help="optimizer steps a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pair-batch", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=4096)
    parser.add_argument("--arms", default="ABCDE")
    parser.add_argument("--memory", help=argparse.SUPPRESS)  # one arm in a process of its own
    parser.add_argument("--learn", type=int, metavar="SEEDS")
    parser.add_argument("--epochs", type=int, default=2, help="with --learn")
    return parser.parse_args()


def load(chosen: argparse.Namespace, split: str, tokenizer: Any) -> list[TokenGroup]:
    if chosen.long:
        draw = random.Random(f"{split}")
        return [long_group(draw, *chosen.long) for _ in range(64)]
    encoder = TextEncoder(tokenizer, 4096, append_eos=True)
    groups = encode_groups(read_split(chosen.run, split), encoder, sample=None).groups
    if chosen.all_traces:
        return groups
    kept = []
    for group in groups:
        flawed = [i for i, sound in enumerate(group.sound_G) if not sound]
        if len(flawed) >= _FLAWS:
            kept.append(group.subset([group.sound_G.index(True), *flawed[:_FLAWS]]))
    return kept


def long_group(draw: random.Random, shortest: int, longest: int) -> TokenGroup:
    """A long trace and six that leave it somewhere and differ from there on."""
    problem = [draw.randrange(2, _VOCABULARY) for _ in range(200)]
    length = draw.randint(shortest, longest)
    sound = problem + [draw.randrange(2, _VOCABULARY) for _ in range(length)]
    traces = [sound]
    for _ in range(_FLAWS):
        at = len(problem) + round(length * draw.uniform(0.05, 0.95))
        traces.append(sound[:at] + [draw.randrange(2, _VOCABULARY) for _ in range(len(sound) - at)])
    goods = (True, *[False] * _FLAWS)
    return TokenGroup("long", tuple(traces), ((0,) * 5,) * 7, (1.0, *[0.0] * _FLAWS), goods)


def setting_of(chosen: argparse.Namespace) -> Setting:
    config = {
        "hidden_size": chosen.hidden,
        "num_hidden_layers": chosen.layers,
        "num_attention_heads": chosen.heads,
        "num_key_value_heads": chosen.kv_heads,
        "intermediate_size": chosen.feed_forward,
        "vocab_size": _VOCABULARY,
        "max_position_embeddings": 8192,
    }
    return Setting(
        config,
        torch.device(chosen.device),
        chosen.half,
        chosen.pair_batch,
        chosen.tokens,
        chosen.groups_per_step,
    )


def peak_memory(chosen: argparse.Namespace, setting: Setting, groups: list[TokenGroup]) -> float:
    """MiB that one forward and backward of all groups of a step adds at its peak.

    A and B hold a micro-batch of pairs; C, D and E all groups of the step in one batch.
    """
    arm = chosen.memory
    step = groups[: setting.groups_per_step]
    cuda = setting.device.type == "cuda"
    model: Any = arms.classifier(setting) if arm in "AB" else arms.reward_model(setting)
    model.train()
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    if cuda:
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated() / 2**20
    else:
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak of what came before
        before = _status("VmRSS")
    if arm in "AB":
        batch = max(arms.pair_batches(arm, [step], setting), key=_padded)
        inputs = collate([[ids] for pair in batch for ids in pair], "padded", arms.PAD)
        with setting.autocast:
            logits = model(**to_device(inputs, setting.device)).logits[:, 0]
        torch.nn.functional.logsigmoid(logits[::2] - logits[1::2]).mean().backward()
    else:
        arms.backward(arm, model, step, setting, whole=True)
    if cuda:
        return torch.cuda.max_memory_allocated() / 2**20 - before
    return _status("VmHWM") - before


def _padded(batch: list[arms.Pair]) -> int:
    return len(batch) * max(len(ids) for pair in batch for ids in pair)


def _status(name: str) -> float:
    """A line of this process's status, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) / 1024


def exactness(setting: Setting, groups: list[TokenGroup]) -> dict[str, float]:
    """Distance of E from TRL's model on each trace alone: scores, and a step's gradient."""
    step = groups[: min(4, setting.groups_per_step)]
    theirs, ours = arms.classifier(setting), arms.reward_model(setting)
    alone = torch.cat(
        [
            theirs(input_ids=torch.tensor([list(ids)], device=setting.device)).logits[:, 0]
            for group in step
            for ids in group.ids_G
        ]
    )
    packed = ours(**to_device(collate([g.ids_G for g in step], "trie", 0), setting.device)).logit_S
    pairs, start = [], 0
    for group in step:
        sound = [start + i for i, good in enumerate(group.sound_G) if good]
        flawed = [start + i for i, good in enumerate(group.sound_G) if not good]
        pairs += [(i, j) for i in sound for j in flawed]
        start += len(group.ids_G)
    above, below = (torch.tensor(side) for side in zip(*pairs, strict=True))
    (-torch.nn.functional.logsigmoid(alone[above] - alone[below])).mean().backward()
    arms.backward("E", ours, step, setting, whole=True)
    wanted = torch.cat([p.grad.flatten() for p in theirs.parameters() if p.grad is not None])
    found = {
        name.replace("backbone.", "model.").replace("total_head", "score"): p.grad
        for name, p in ours.named_parameters()
    }
    got = torch.cat(
        [found[n].flatten() for n, p in theirs.named_parameters() if p.grad is not None]
    )
    return {
        "largest difference of a score, over their deviation": float(
            (alone - packed).abs().max() / alone.std()
        ),
        "relative difference of the gradient": float(torch.dist(wanted, got) / wanted.norm()),
    }


def runner(arm: str, setting: Setting, tokenizer: Any) -> Any:
    return (
        arms.trl_runner(arm, setting, tokenizer) if arm in "AB" else arms.our_runner(arm, setting)
    )


def speed(
    chosen: argparse.Namespace, setting: Setting, groups: list[TokenGroup], tokenizer: Any
) -> None:
    size = setting.groups_per_step
    draw = random.Random(1)
    steps = [draw.sample(groups, size) for _ in range(chosen.steps * (chosen.rounds + 1))]
    rounds = [steps[i : i + chosen.steps] for i in range(0, len(steps), chosen.steps)]
    runners = {arm: runner(arm, setting, tokenizer) for arm in chosen.arms}
    seconds: dict[str, list[float]] = {arm: [] for arm in chosen.arms}
    for one in runners.values():  # warm-up: compilations, allocators
        one.run([step[:2] for step in rounds[0]])
    for number in range(chosen.rounds):
        for arm in random.Random(number).sample(chosen.arms, len(chosen.arms)):
            seconds[arm].append(runners[arm].run(rounds[number + 1]) / chosen.steps)
    memory = {}
    for arm in chosen.arms:
        command = [sys.executable, "-m", _SELF, *sys.argv[1:], "--memory", arm]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        memory[arm] = float(done.stdout.split()[-1])
    measured = [step for one in rounds[1:] for step in one]
    tokens = {arm: arms.tokens_of(arm, measured, setting) for arm in chosen.arms}
    median = {arm: statistics.median(seconds[arm]) for arm in chosen.arms}
    per_step = sum(len(pairs_of(g)) for step in measured for g in step) / len(measured)
    print(f"{size} groups, {per_step:.0f} pairs a step; {chosen.rounds} rounds of {chosen.steps}")
    print(
        f"{'arm':44} {'tokens':>8} {'s/step':>8} {'groups/s':>9} {'time/E':>7} {'tok/E':>6} "
        f"{'MiB':>7}"
    )
    for arm in chosen.arms:
        ratios = [one / two for one, two in zip(seconds[arm], seconds["E"], strict=True)]
        print(
            f"{arm} {ARMS[arm]:42} {tokens[arm] / len(measured):8.0f} {median[arm]:8.2f} "
            f"{size / median[arm]:9.2f} {statistics.median(ratios):7.2f} "
            f"{tokens[arm] / tokens['E']:6.2f} {memory[arm]:7.0f}"
        )
    print(
        json.dumps(
            {name: float(f"{value:.2g}") for name, value in exactness(setting, groups).items()}
        )
    )


def learn(
    chosen: argparse.Namespace, setting: Setting, groups: list[TokenGroup], tokenizer: Any
) -> None:
    """Held-out pair accuracy of A and E after the same pairs, each in its own order."""
    held_out = load(chosen, VALIDATION, tokenizer)
    size = setting.groups_per_step
    print(f"held-out pairs in order: {len(groups)} groups, {chosen.epochs} epochs, seed by seed")
    for arm in "AE":
        found = []
        for seed in range(chosen.learn):
            steps = []
            for epoch in range(chosen.epochs):
                order = random.Random(f"{seed}:{epoch}").sample(groups, len(groups))
                steps += [order[i : i + size] for i in range(0, len(order) - size + 1, size)]
            one = runner(arm, replace(setting, seed=seed), tokenizer)
            one.run(steps)
            found.append(accuracy(arm, one.model.eval(), held_out, setting))
        print(f"{arm} {ARMS[arm]:42} {statistics.mean(found):.3f} {[round(x, 3) for x in found]}")


@torch.no_grad()
def accuracy(arm: str, model: Any, groups: list[TokenGroup], setting: Setting) -> float:
    right = total = 0
    for group in groups:
        if arm in "AB":
            inputs = collate([group.ids_G], "padded", arms.PAD)
            scores = model(**to_device(inputs, setting.device)).logits[:, 0].tolist()
        else:
            inputs = collate([group.ids_G], "trie", arms.PAD)
            scores = model(**to_device(inputs, setting.device)).logit_S.tolist()
        good = [x for x, sound in zip(scores, group.sound_G, strict=True) if sound]
        bad = [x for x, sound in zip(scores, group.sound_G, strict=True) if not sound]
        right += sum(one > two for one in good for two in bad)
        total += len(good) * len(bad)
    return right / total


def device_name(setting: Setting) -> str:
    if setting.device.type == "cuda":
        return torch.cuda.get_device_name()
    return f"CPU ({torch.get_num_threads()} thread)"


def main() -> None:
    chosen = options()
    setting = setting_of(chosen)
    if setting.device.type == "cpu":
        torch.set_num_threads(1)
    texts = (
        input_text(Subject(group.problem, group.domain), trace.text)
        for group in read_split(chosen.run, TRAIN)
        for trace in group.traces
    )
    tokenizer = train_tokenizer(texts, _VOCABULARY)
    groups = load(chosen, TRAIN, tokenizer)
    if chosen.memory:
        print(peak_memory(chosen, setting, groups))
    else:
        size = sum(parameter.numel() for parameter in arms.classifier(setting).parameters())
        nodes = statistics.mean(cost(group.ids_G, "trie") for group in groups)
        print(
            f"{date.today()}, {device_name(setting)}, torch {torch.__version__}: "
            f"{size / 1e6:.1f}M parameters, {'bf16' if setting.half else 'fp32'}; "
            f"{len(groups)} groups of {nodes:.0f} trie tokens"
        )
        if chosen.learn:
            learn(chosen, setting, groups, tokenizer)
        else:
            speed(chosen, setting, groups, tokenizer)


if __name__ == "__main__":
    main()
