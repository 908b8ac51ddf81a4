"""Models of torchvision and timm as nets: imported, pruned by magnitude, and compared with the original in which the removed neurons are zeroed.

    python bench/zoo.py resnet18 vit_b_16          # torchvision's and timm's names
    python bench/zoo.py resnet18 --size 64 --keep .7

In float64, batch 2, evaluation and training mode (dropout and stochastic depth switched off for the comparison). Ends with one
summary line and exits 1 when a model is not right or a plan takes 100 ms or more.
"""
import argparse, logging, sys, time, warnings
from pathlib import Path
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
library = torch.library.Library("torchvision", "DEF")   # the CPU build of torchvision has no such operators, but imports them
for name in "nms", "qnms":
    try: library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    except RuntimeError: pass

from naivenas.arrival import Net
from naivenas.importance import magnitude
from masked import pruned_and_masked

def model(name):
    import torchvision
    torch.manual_seed(0)
    if name in torchvision.models.list_models(): return torchvision.models.get_model(name, weights=None)
    import timm
    return timm.create_model(name, pretrained=False)

def stirred(m):
    "No part of the model may be silent: heads that start as zero would hide everything"
    for p in m.parameters():
        if not p.any(): torch.nn.init.normal_(p, std=.02)
    return m

def quiet(*modules):
    for m in modules:
        for part in m.modules():
            for key in "p", "drop_prob", "drop_rate":
                if isinstance(getattr(part, key, None), float): setattr(part, key, 0.)

def difference(a, b):
    a, b = (list(x) if isinstance(x, (tuple, list)) else [x] for x in (a, b))
    return max(((x - y).abs().max() / (1e-12 + y.abs().max())).item() for x, y in zip(a, b))

def timed(f):
    start = time.perf_counter()
    return f(), time.perf_counter() - start

def examine(name, size, keep):
    m = stirred(model(name)).double().eval()
    x = torch.randn(2, 3, size, size, dtype=torch.float64)
    net, importing = timed(lambda: Net.from_torch(m, x, share=False))
    same = difference(net(x), m(x))
    quiet(m, net)
    _, planning = timed(lambda: net.prune_plan(keep, magnitude))
    before = sum(p.numel() for p in net.parameters())
    (_, reference), surgery = timed(lambda: pruned_and_masked(net, m, keep, magnitude))
    now = sum(p.numel() for p in net.parameters())
    gaps = [difference(net.train(mode)(x), reference.train(mode)(x)) for mode in (False, True)]
    net(x)
    right = same < 1e-10 and max(gaps) < 1e-8 and now < before
    print(f"{name:24} import {importing:5.2f} s, plan {1000 * planning:4.0f} ms, surgery {surgery:5.2f} s, parameters {before} -> {now}, "
          f"off by {same:.0e} imported, {gaps[0]:.0e} pruned, {gaps[1]:.0e} in training; {len(net.opaque)} of {len(net)} not understood"
          f"{'' if right else '   MISSED'}", flush=True)
    return right, planning

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", help="names of torchvision's or timm's models")
    parser.add_argument("--size", type=int, default=224, help="height and width of the images")
    parser.add_argument("--keep", type=float, default=.7, help="share of the neurons to keep")
    args, right, slow = parser.parse_args(), 0, 0
    for name in args.models:
        try: good, planning = examine(name, args.size, args.keep)
        except Exception as e: good, planning = print(f"{name:24} MISSED: {type(e).__name__}: {str(e).splitlines()[0][:120] if str(e) else ''}", flush=True), 0
        right, slow = right + bool(good), slow + (planning >= .1)
    print(f"zoo: {right} of {len(args.models)} right, {slow} plans of 100 ms or more")
    sys.exit(right < len(args.models) or slow > 0)
