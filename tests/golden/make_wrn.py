"""Golden values for tests/contract/test_golden_nets.c: WRN-10-2 on images of 8 x 8 x 48.

    python3 make_wrn.py zero_pad > wrn_zero_pad.txt        (made with torch 2.15)
    python3 make_wrn.py projection > wrn_projection.txt
"""
import sys

import torch.nn.functional as F

import nets

WIDTH = 2
LEAK = 0.1
PROJECTS = sys.argv[1] == "projection"


def activate(net, name, number, x):
    return F.leaky_relu(net.norm(f"{name}.bn{number}", x), LEAK)


def zero_pad(x, channels, stride):
    x = F.avg_pool2d(x, stride)
    more = channels - x.shape[1]
    return F.pad(x, (0, 0, 0, 0, more // 2, more - more // 2))


def shortcut(net, name, x, activated, channels, stride, first):
    if PROJECTS:
        return net.conv(f"{name}.shortcut", activated, 1, channels, stride)
    return zero_pad(activated if first else x, channels, stride)


def block(net, group, x):
    """The only one of its group, so it always changes the shape."""
    name = f"group{group + 1}.block1"
    channels, stride = 16 * 2**group * WIDTH, 1 if group == 0 else 2
    activated = activate(net, name, 1, x)
    rest = shortcut(net, name, x, activated, channels, stride, group == 0)
    x = net.conv(f"{name}.conv1", activated, 3, channels, stride)
    x = activate(net, name, 2, x)
    return rest + net.conv(f"{name}.conv2", x, 3, channels)


def forward(net, x):
    x = net.conv("conv0", x, 3, 16, exact=True)
    for group in range(3):
        x = block(net, group, x)
    x = F.leaky_relu(net.norm("bn", x), LEAK).mean(dim=(2, 3))
    return net.bias("fc", net.dense("fc", x, nets.CLASSES, exact=True))


nets.runs(forward, (8, 8, 48), 0.02)
