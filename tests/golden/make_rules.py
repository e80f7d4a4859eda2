"""Golden values for tests/unit/test_layerwise.c: rules with norms of whole layers, by numpy in float64,
written down from the papers.

LARS: You, Gitman & Ginsburg 2017, algorithm 1, its rate inside the velocity (lars.inside) or outside
(lars.outside); LAMB: You et al. 2020, algorithm 2. A kernel that decays and has a rate of its own, and a
bias with neither; the rate changes from update to update, and the gradients of the two are clipped
together by their norm. Plain text, a record a line: a name, how many values, the values.

    python3 make_rules.py > rules.txt        (made with numpy 2.4)
"""
import numpy as np

KERNEL, BIAS = 12, 5
RATES = [0.5, 1.0, 0.25, 0.25, 2.0]
DECAY, CLIP = 0.0625, 3.0
MOMENTUM, TRUST = 0.75, 0.02
BETA1, BETA2, EPSILON = 0.5, 0.75, 2.0**-10


def record(name, values):
    print(name, len(values), *(f"{v:.12g}" for v in values))


def clipped(gradients):
    norm = np.sqrt(sum((g**2).sum() for g in gradients))
    return [g * min(1, CLIP / norm) for g in gradients]


def lars(w, gradients, inside):
    """w: [kernel, bias], changed in place; gradients of every update."""
    v = [np.zeros_like(p) for p in w]
    for rate, both in zip(RATES, gradients):
        for i, g in enumerate(clipped(both)):
            decay = DECAY if i == 0 else 0
            length = np.linalg.norm(w[i])
            local = TRUST * length / (np.linalg.norm(g) + decay * length) if i == 0 else 1
            change = local * (g + decay * w[i])
            v[i] = MOMENTUM * v[i] + (rate * change if inside else change)
            w[i] -= v[i] if inside else rate * v[i]


def lamb(w, gradients):
    m = [np.zeros_like(p) for p in w]
    v = [np.zeros_like(p) for p in w]
    for t, (rate, both) in enumerate(zip(RATES, gradients), start=1):
        for i, g in enumerate(clipped(both)):
            m[i] = BETA1 * m[i] + (1 - BETA1) * g
            v[i] = BETA2 * v[i] + (1 - BETA2) * g**2
            r = m[i] / (1 - BETA1**t) / (np.sqrt(v[i] / (1 - BETA2**t)) + EPSILON)
            u = r + DECAY * w[i] if i == 0 else r
            ratio = np.linalg.norm(w[i]) / np.linalg.norm(u) if i == 0 else 1
            w[i] -= 0.1 * rate * ratio * u


def main():
    random = np.random.default_rng(1)
    start = [random.normal(size=n).astype(np.float32).astype(float) for n in (KERNEL, BIAS)]
    gradients = [
        [(s * random.normal(size=n)).astype(np.float32).astype(float) for n in (KERNEL, BIAS)]
        for s in (1, 2, 0.5, 1, 1)  # all but the third are clipped
    ]
    record("rates", RATES)
    record("decay", [DECAY])
    record("clip", [CLIP])
    record("start", np.concatenate(start))
    for both in gradients:
        record("gradient", np.concatenate(both))
    for name, run in {
        "lars.inside": lambda w: lars(w, gradients, True),
        "lars.outside": lambda w: lars(w, gradients, False),
        "lamb": lambda w: lamb(w, gradients),
    }.items():
        w = [p.copy() for p in start]
        run(w)
        record(name, np.concatenate(w))


main()
