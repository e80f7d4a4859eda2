"""Golden values for tests/contract/test_golden_nets.c: cnn_mnist on images of 7 x 7 x 16.

    python3 make_cnn.py > cnn.txt        (made with torch 2.15)
"""
import torch
import torch.nn.functional as F

import nets


def pool(x):
    return F.max_pool2d(F.pad(x, nets.same(x.shape, 2, 2), value=float("-inf")), 2)


def forward(net, x):
    x = pool(torch.relu(net.bias("conv1", net.conv("conv1", x, 5, 32, exact=True))))
    x = pool(torch.relu(net.bias("conv2", net.conv("conv2", x, 5, 64))))
    x = x.permute(0, 2, 3, 1).flatten(1)
    x = torch.relu(net.bias("fc1", net.dense("fc1", x, 1024)))
    return net.bias("fc2", net.dense("fc2", x, nets.CLASSES, exact=True))


nets.runs(forward, (7, 7, 16), 0.01)
