"""Golden values for tests/contract/test_golden_nets.c: cnn_mnist on images of 7 x 7 x 16.

    python3 make_cnn.py > cnn.txt        (made with torch 2.15)
"""
import torch
import torch.nn.functional as F

import nets

FAR = 1e-5  # where a choice turns, float32 must not decide it otherwise


def relu(x):
    assert x.detach().abs().min() > FAR / 2, "a value near 0: choose other numbers"
    return torch.relu(x)


def pool(x):
    x = F.pad(x, nets.same(x.shape, 2, 2), value=float("-inf"))
    windows = x.detach().unfold(2, 2, 2).unfold(3, 2, 2).flatten(4)
    first, second = windows.topk(2).values.unbind(-1)
    assert (first - second)[first > 0].min() > FAR, "a tie: choose other numbers"
    return F.max_pool2d(x, 2)


def forward(net, x):
    x = pool(relu(net.bias("conv1", net.conv("conv1", x, 5, 32, exact=True))))
    x = pool(relu(net.bias("conv2", net.conv("conv2", x, 5, 64))))
    x = x.permute(0, 2, 3, 1).flatten(1)
    x = relu(net.bias("fc1", net.dense("fc1", x, 1024)))
    return net.bias("fc2", net.dense("fc2", x, nets.CLASSES, exact=True))


nets.runs(forward, (7, 7, 16), 0.006)
