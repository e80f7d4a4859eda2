#!/usr/bin/env python3
"""The MLP step of step.py in PyTorch: prints the median ms of a step. BATCH RANKS STEPS THREADS."""
import statistics
import sys
import time

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn
from torch.nn import functional as F

WARM_UP = 20


def train(rank, batch, ranks, steps, threads, port):
    torch.set_num_threads(threads)
    torch.manual_seed(rank)
    net = nn.Sequential(nn.Linear(784, 500), nn.ReLU(), nn.Linear(500, 500), nn.ReLU(),
                        nn.Linear(500, 10))
    if ranks > 1:
        dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank,
                                world_size=ranks)
        net = nn.parallel.DistributedDataParallel(net, gradient_as_bucket_view=True)
    optimizer = torch.optim.Adam(net.parameters(), 1e-3, fused=True)
    sets = [(torch.rand(batch // ranks, 784), torch.randint(0, 10, (batch // ranks,)))
            for _ in range(8)]
    times = []
    for step in range(WARM_UP + steps):
        x, labels = sets[step % len(sets)]
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(net(x), labels).backward()
        optimizer.step()
        times.append(time.perf_counter() - start)
    if rank == 0:
        print(1e3 * statistics.median(times[WARM_UP:]), flush=True)
    if ranks > 1:
        dist.destroy_process_group()


def main():
    batch, ranks, steps, threads = (int(text) for text in sys.argv[1:5])
    if ranks == 1:
        train(0, batch, 1, steps, threads, None)
        return
    import socket
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    mp.spawn(train, args=(batch, ranks, steps, threads, port), nprocs=ranks)


if __name__ == "__main__":
    main()
