"""What make_cnn.py and make_wrn.py share: 5 steps of a convolutional net in PyTorch, float64.

Weights and data come from a formula that the test computes as well, and of gradients and of how far
the weights have moved only the norm and two projections are written: so the files stay small. Plain
text, a record a line: a name, how many values, the values.
"""
import torch
import torch.nn.functional as F

STEPS = 5
BATCH = 4
CLASSES = 10
MOMENTUM = 0.9
WEIGHT_DECAY = 0.01
RATIO = 0.5


def formula(count, which):
    """Numbers in (-1, 1) that look random; exact integers below 2^63 until the division."""
    i = torch.arange(count, dtype=torch.int64)
    return 2 * ((31 * i * i + 17 * i + 101 * which * which + 7) % 10007).double() / 10007 - 1


def in_float32(tensor):
    """The same values in both programs."""
    return tensor.float().double()


def record(name, values, digits=9):
    print(name, len(values), *(f"{v:.{digits}g}" for v in values))


class Net:
    """Parameters in the order in which they are first asked for, which is that of the layers."""

    def __init__(self):
        self.parameters = {}
        self.start = {}
        self.momentum = {}
        self.sampled = False
        self.picks = []

    def parameter(self, name, shape, scale, shift=0):
        if name not in self.parameters:
            count = torch.Size(shape).numel()
            value = in_float32(shift + scale * formula(count, len(self.parameters)))
            self.start[name] = value.reshape(shape)
            self.parameters[name] = self.start[name].clone().requires_grad_()
            self.momentum[name] = torch.zeros(shape, dtype=torch.float64)
        return self.parameters[name]

    def kernel(self, name, shape):
        fan_in = torch.Size(shape[:-1]).numel()
        return self.parameter(name + "/kernel", shape, (6 / fan_in) ** 0.5)

    def pick(self, name, x, w, exact):
        """Channels (dimension 1 of x, -2 of w) of the largest |x_i| |w_i|, ascending."""
        if exact or not self.sampled:
            return torch.arange(w.shape[-2])
        x = x.detach().transpose(0, 1).flatten(1)
        w = w.detach().movedim(-2, 0).flatten(1)
        score = x.norm(dim=1) * w.norm(dim=1)
        k = int(RATIO * len(score))
        best = torch.argsort(score, descending=True, stable=True)
        last, next_ = score[best[k - 1]], score[best[k]]
        assert last > 0 and (last - next_) / last > 3e-5, "a tie: choose other numbers"
        index = torch.sort(best[:k]).values
        self.picks.append((name, index))
        return index

    def conv(self, name, x, size, out, stride=1, exact=False):
        """Padding SAME as TensorFlow has it; weights [KH, KW, IC, OC]."""
        w = self.kernel(name, (size, size, x.shape[1], out))
        index = self.pick(name, x, w, exact)
        kept = F.pad(torch.index_select(x, 1, index), same(x.shape, size, stride))
        return F.conv2d(kept, torch.index_select(w, 2, index).permute(3, 2, 0, 1), stride=stride)

    def dense(self, name, x, out, exact=False):
        w = self.kernel(name, (x.shape[1], out))
        index = self.pick(name, x, w, exact)
        return torch.index_select(x, 1, index) @ torch.index_select(w, 0, index)

    def bias(self, name, x):
        b = self.parameter(name + "/bias", (x.shape[1],), 0.2)
        return x + (b[:, None, None] if x.dim() == 4 else b)

    def norm(self, name, x):
        gamma = self.parameter(name + "/gamma", (x.shape[1],), 0.2, 1)
        beta = self.parameter(name + "/beta", (x.shape[1],), 0.2)
        return F.batch_norm(x, None, None, gamma, beta, training=True, eps=1e-3)

    def update(self, rate):
        for name, p in self.parameters.items():
            decay = WEIGHT_DECAY if name.endswith("/kernel") else 0
            self.momentum[name] = MOMENTUM * self.momentum[name] + p.grad + decay * p.detach()
            p.data -= rate * self.momentum[name]
            p.grad = None


def same(shape, size, stride):
    """Padding of width and height, the odd one behind."""
    missing = [max((-(-n // stride) - 1) * stride + size - n, 0) for n in shape[2:]]
    return missing[1] // 2, -(-missing[1] // 2), missing[0] // 2, -(-missing[0] // 2)


def summary(tensor):
    flat = tensor.detach().flatten()
    return [flat.norm().item()] + [(flat @ formula(len(flat), 500 + d)).item() for d in range(2)]


def run(forward, shape, rate, sampled):
    """shape: [H, W, C] of the input, whose values are numbered in that order."""
    net = Net()
    net.sampled = sampled
    count = BATCH * torch.Size(shape).numel()
    for step in range(STEPS):
        x = in_float32(formula(count, 1000 + step)).reshape(BATCH, *shape).permute(0, 3, 1, 2)
        labels = (3 * torch.arange(BATCH) ** 2 + step) % CLASSES
        net.picks = []
        loss = F.cross_entropy(forward(net, x), labels)
        loss.backward()
        record("loss", [loss.item()], 12)
        for name, index in net.picks:
            record(name, index.tolist())
        for name, p in net.parameters.items():
            record(name, summary(p.grad))
        net.update(rate)
    for name, p in net.parameters.items():
        record(name, summary(p - net.start[name]))


def runs(forward, shape, rate):
    """Exact, then sampled."""
    for sampled in (False, True):
        run(forward, shape, rate, sampled)
