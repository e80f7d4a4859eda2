"""Golden values for tests/contract/test_golden.c, by PyTorch in float64.

An MLP with ReLU trained by Adam for 5 steps, exact and with top-k column-row sampling of every
dense layer's inputs: scores |X_i| |W_i|, k = floor(n / 2), the products as autograd sees
x[:, I] @ w[I]. "backward" has a second sampling on top of that, inside the backward products (section
5 of the paper), "meprop" the one of meProp after an exact forward pass; both keep half of what their
sums run over, outputs counted with those that no later layer keeps. Writes plain text, a record a line: a name, how many values, the values.

    python3 make_mlp.py > mlp.txt        (made with torch 2.15)
"""
import torch

SIZES = [15, 13, 11, 4]
BATCH = 8
STEPS = 5
RATE = 1e-2
RATIO = 0.5


def record(name, values, digits=9):
    """9 digits keep a float32 exactly."""
    print(name, len(values), *(f"{v:.{digits}g}" for v in values))


def in_float32(tensor):
    """The same values in both programs."""
    return tensor.float().double()


def pick(x, w):
    """Indices of the k best channels. Float rounding must not be able to change them."""
    score = x.norm(dim=0) * w.norm(dim=1)
    k = int(RATIO * len(score))
    best = torch.argsort(score, descending=True, stable=True)
    last, next_ = score[best[k - 1]], score[best[k]]
    assert last > 0 and (last - next_) / last > 1e-4, "a tie: choose another seed"
    return torch.sort(best[:k]).values


def largest(score, k):
    """Mask of the k largest; fewer where others are zero. Rounding must not change them."""
    best = torch.argsort(score, descending=True)
    last = score[best[k - 1]]
    following = score[best[k]] if k < len(score) else 0
    assert last == 0 or (last - following) / last > 1e-4, "a tie: choose another seed"
    mask = torch.zeros_like(score)
    mask[best[:k]] = 1
    return mask


class Backward(torch.autograd.Function):
    """x w with its weight gradient over half of the samples, its input gradient over half of the
    outputs, by norms."""

    @staticmethod
    def forward(context, x, w):
        context.save_for_backward(x, w)
        return x @ w

    @staticmethod
    def backward(context, dy):
        x, w = context.saved_tensors
        samples = largest(x.norm(dim=1) * dy.norm(dim=1), int(RATIO * len(x)))
        outputs = largest(w.norm(dim=0) * dy.norm(dim=0), int(RATIO * w.shape[1]))
        return (dy * outputs) @ w.T, (x * samples[:, None]).T @ dy


class MeProp(torch.autograd.Function):
    """x w with both gradients from half of the columns of dy, by norms."""

    @staticmethod
    def forward(context, x, w):
        context.save_for_backward(x, w)
        return x @ w

    @staticmethod
    def backward(context, dy):
        x, w = context.saved_tensors
        dy = dy * largest(dy.norm(dim=0), int(RATIO * w.shape[1]))
        return dy @ w.T, x.T @ dy


# kind -> are inputs sampled, the product
KINDS = {
    "exact": (False, torch.matmul),
    "sampled": (True, torch.matmul),
    "backward": (True, Backward.apply),
    "meprop": (False, MeProp.apply),
}


def forward(x, parameters, sampled, multiply):
    picks = []
    for layer in range(len(SIZES) - 1):
        w, b = parameters[2 * layer : 2 * layer + 2]
        index = torch.arange(len(w))
        if sampled:
            index = pick(x.detach(), w.detach())
        picks.append(index)
        x = multiply(x[:, index], w[index]) + b
        if layer < len(SIZES) - 2:
            x = torch.relu(x)
    return x, picks


def train(kind, start, x, labels):
    parameters = [p.clone().requires_grad_() for p in start]
    adam = torch.optim.Adam(parameters, lr=RATE)
    for step in range(STEPS):
        logits, picks = forward(x[step], parameters, *KINDS[kind])
        loss = torch.nn.functional.cross_entropy(logits, labels[step])
        adam.zero_grad()
        loss.backward()
        adam.step()
        record(f"{kind}.loss", [loss.item()], 12)
        for index in picks:
            record(f"{kind}.pick", index.tolist())
        for p in parameters:
            record(f"{kind}.gradient", p.grad.flatten().tolist(), 8)
    for p in parameters:
        record(f"{kind}.final", p.detach().flatten().tolist(), 8)


def main():
    torch.manual_seed(1)
    start = []
    for n, m in zip(SIZES, SIZES[1:]):
        start.append(in_float32(torch.randn(n, m, dtype=torch.float64) * (2 / n) ** 0.5))
        start.append(in_float32(torch.randn(m, dtype=torch.float64) * 0.1))
    x = in_float32(torch.randn(STEPS, BATCH, SIZES[0], dtype=torch.float64))
    labels = torch.randint(SIZES[-1], (STEPS, BATCH))
    record("sizes", SIZES)
    record("batch", [BATCH])
    record("steps", [STEPS])
    record("rate", [RATE])
    record("ratio", [RATIO])
    for p in start:
        record("start", p.flatten().tolist())
    for step in range(STEPS):
        record("x", x[step].flatten().tolist())
        record("labels", labels[step].tolist())
    for kind in KINDS:
        train(kind, start, x, labels)


main()
