"""`net.counts` and `plan.counts` against torch's FlopCounterMode and the number of parameters, on models of torchvision and timm with random weights.

    python bench/counts.py                      # forty models
    python bench/counts.py resnet18:64 vit_b_16 --keep .7

For each, in a process of its own: MACs and parameters of the model as PyTorch counts them (parameters that have a gradient in evaluation mode: GoogLeNet and Inception have heads that are for training only), of the import, of a plan that nobody has applied, and of the net after it. Exits 1 where MACs or parameters of any of
the three are off by more than 1 %. Ends with one summary line.
"""
import argparse, json, subprocess, sys, time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import zoo

FORTY = """resnet18:64 resnet50:64 resnext50_32x4d:64 densenet121:64 vgg16_bn:64 squeezenet1_1:64 mobilenet_v2:64 mobilenet_v3_large:64 efficientnet_b0:64
mnasnet1_0:64 googlenet:64 inception_v3:96 shufflenet_v2_x1_0:64 regnet_y_400mf:64 convnext_tiny:64 vit_b_16 swin_t:64 alexnet:64 r3d_18:32 fcn_resnet50:64
res2net50_26w_4s:64 skresnet34:64 cspdarknet53:64 mixnet_s:64 dpn68:64 ghostnet_100:64 nf_resnet50:64 convnextv2_tiny:64 poolformer_s12:64 mixer_b16_224
deit_small_patch16_224 mobilevit_s:64 levit_128 efficientformer_l1 eva02_tiny_patch14_224 test_vit:64 rexnet_100:64 xception41:64 hgnetv2_b0:64 fastvit_t8:64""".split()

def used(module, x):
    "How many parameters have a part in what a model gives in evaluation mode: heads for training only have none"
    module.zero_grad()
    sum(y.double().square().mean() for y in zoo.leaves(module(x)) if y.is_floating_point()).backward()
    return sum(p.numel() for p in module.parameters() if p.grad is not None)

def counted(module, x):
    "`(MACs of one example, parameters)`, as torch counts them"
    import torch
    from naivenas.nets.costing import calmly
    def run():
        with torch.no_grad(), torch.utils.flop_counter.FlopCounterMode(display=False) as counter: module(x)
        return counter.get_total_flops() / 2 / len(x)
    return calmly(module, run), used(module, x)

def counts(name, size, keep):
    from naivenas import Net, magnitude
    module, x = zoo.model(name).eval(), zoo.example(name, size)
    net = Net.from_torch(module, x, share=False)
    said = net.counts().loc["total"]
    plan = net.prune_plan(keep, magnitude)
    after = plan.counts().loc["total"]
    plan.apply()
    return dict(torch=counted(module, x), net=[int(said["macs"]), int(said["params"])], plan=[int(after["after macs"]), int(after["after params"])], now=counted(net, x))

def off(a, b): return max(abs(x - y) / max(y, 1) for x, y in zip(a, b))

def row(name, r):
    "`(line, whether it is right)`"
    if "error" in r: return f"{name:28} MISSED: {r['error']}", False
    now, later = off(r["net"], r["torch"]), off(r["plan"], r["now"])
    fine = max(now, later) <= .01
    return (f"{name:28} {r['torch'][0] / 1e6:10.1f} M MACs, {r['torch'][1] / 1e6:7.2f} M parameters: counted {now:.3%} off; plan {r['plan'][0] / 1e6:9.1f} M, {r['plan'][1] / 1e6:7.2f} M: {later:.3%} off"
            + ("" if fine else f"   MISSED {r}")), fine

def child(name, args):
    base, _, size = name.partition(":")
    command = [sys.executable, __file__, base, "--child", "--size", size or "224", "--keep", str(args.keep)]
    try: done = subprocess.run(command, capture_output=True, text=True, timeout=args.limit)
    except subprocess.TimeoutExpired: return {"error": f"not done in {args.limit} s"}
    try: return json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError): return {"error": (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1][:200]}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=FORTY, help="names of torchvision's or timm's models, each with :size or not")
    parser.add_argument("--keep", type=float, default=.7)
    parser.add_argument("--limit", type=int, default=400, help="seconds for each model")
    parser.add_argument("--size", type=int, default=224, help=argparse.SUPPRESS)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        library = zoo.prepare()
        print(json.dumps(counts(args.models[0], args.size, args.keep)), flush=True)
        sys.exit()
    right, start = 0, time.perf_counter()
    for name in args.models:
        line, fine = row(name, child(name, args))
        print(line, flush=True)
        right += fine
    print(f"counts: {right} of {len(args.models)} models within 1 %, before and after a plan ({time.perf_counter() - start:.0f} s)")
    sys.exit(right < len(args.models))
