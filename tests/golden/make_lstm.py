"""Golden values for tests/contract/test_golden_lstm.c: the lstm model, 5 windows of carried state.

    python3 make_lstm.py > lstm.txt        (made with torch 2.15)

Three runs: exact, the projection sampled, all contractions sampled.
"""
import torch
import torch.nn.functional as F

import nets

VOCABULARY, HIDDEN, LAYERS, UNROLL, RATE = 40, 24, 2, 6, 0.02


def tokens(step, a, b):
    """[BATCH, UNROLL] numbers of tokens"""
    i = torch.arange(nets.BATCH * UNROLL) + 1000 * step
    return ((a * i * i + b * i) % 10007 % VOCABULARY).reshape(nets.BATCH, UNROLL)


def cell(net, name, x, c, h, exact):
    """x [BATCH, UNROLL, HIDDEN]; c and h as the window found them"""
    flat = x.flatten(0, 1)
    gates = [net.dense(name + "." + g, flat, HIDDEN, exact).reshape(x.shape) for g in "ijfo"]
    w = net.kernel(name + ".recurrent", (HIDDEN, 4 * HIDDEN))
    b = net.parameter(name + ".recurrent/bias", (4 * HIDDEN,), 0.2)
    carried = h if h.abs().sum() > 0 else torch.ones_like(h)
    index = net.pick(name + ".recurrent", carried, w, exact)
    out = []
    for t in range(UNROLL):
        last = torch.index_select(h, 1, index) @ torch.index_select(w, 0, index)
        z = torch.cat([g[:, t] for g in gates], 1) + last + b
        i, j, f, o = z.chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(j)
        h = torch.sigmoid(o) * torch.tanh(c)
        out.append(h)
    return torch.stack(out, 1), c.detach(), h.detach()


def forward(net, words, state, exact):
    x = net.kernel("embedding", (VOCABULARY, HIDDEN))[words]
    for l in range(LAYERS):
        x, *state[l] = cell(net, f"lstm{l + 1}", x, *state[l], exact)
    return net.bias("projection", net.dense("projection", x.flatten(0, 1), VOCABULARY))


def run(sampled, exact):
    """exact: of the layers before the projection"""
    net = nets.Net()
    net.sampled = sampled
    zeros = torch.zeros(nets.BATCH, HIDDEN, dtype=torch.float64)
    state = [[zeros, zeros] for _ in range(LAYERS)]
    for step in range(nets.STEPS):
        net.picks = []
        logits = forward(net, tokens(step, 31, 17), state, exact)
        labels = tokens(step, 7, 5).flatten()
        loss = F.cross_entropy(logits, labels, reduction="sum") / nets.BATCH
        loss.backward()
        nets.record("loss", [loss.item()], 12)
        for name, index in net.picks:
            nets.record(name, index.tolist())
        for name, p in net.parameters.items():
            nets.record(name, nets.summary(p.grad))
        net.update(RATE)
    for name, p in net.parameters.items():
        nets.record(name, nets.summary(p - net.start[name]))
    layers = torch.stack([torch.stack(s) for s in state])
    nets.record("state", nets.summary(layers.permute(2, 0, 1, 3)))  # sample by sample


run(False, True)
run(True, True)
run(True, False)
