"""Models of torchvision and timm as nets: imported, pruned by magnitude, compared with the original in which the removed neurons are
zeroed, grown, and re-wired; each in a process of its own.

    python bench/zoo.py resnet18:64 vit_b_16                    # torchvision's and timm's names, with the size of the images, or 224
    python bench/zoo.py all --peer torch-pruning                # the list of the project's issue, beside a peer on the same models
    python bench/zoo.py families                                 # the smallest model of every other family
    python bench/zoo.py resnet50 --peer torch-kirigami --limit 300

Times are of float32 and a batch of two, in a process that has imported a tiny model before: the import, the plan of one pruning step (the first of a net finds its ties, too, and must
take less than 100 ms), and the surgery. Whether the result is right is looked at in float64: it gives what the original with the removed neurons zeroed gives (a statistic over neurons is masked, too), in evaluation
and in training mode (dropout and stochastic depth switched off for the comparison), forward and backward; at least half of the neurons
that no output pins could be pruned; and a layer grown or inserted as the identity changes nothing, unless the net says that it may.
Bare is what a step cannot do without: a norm of each weight, and selecting what stays. One step is a plan and its surgery, when ties, and the peer's dependency graph, are known; everything together has the first plan in it.
A peer is counted as right if it ends in time with fewer parameters, and what it leaves runs forward and backward. Ends with one
summary line and exits 1 when a model is not right, a plan takes 100 ms or more, or the peer is not beaten as the issue asks for: a step
5 times faster in the median, 50 times on densenet201, everything together in at most half the time.
"""
import argparse, copy, inspect, json, logging, statistics, subprocess, sys, time, warnings
from collections import Counter
from pathlib import Path

ALL = """resnet18:64 resnet50:64 resnext50_32x4d:64 densenet121:64 densenet201:64 vgg16_bn:64 squeezenet1_1:64 mobilenet_v2:64
mobilenet_v3_large:64 efficientnet_b0:64 mnasnet1_0:64 googlenet:64 inception_v3:299 shufflenet_v2_x1_0:64 regnet_y_400mf:64 convnext_tiny:64
vit_b_16 swin_t maxvit_t res2net50_26w_4s:64 skresnet34:64 resnest50d:64 cspdarknet53:64 mixnet_s:64 dpn68:64 ghostnet_100:64
hrnet_w18_small:64 nf_resnet50:64 convnextv2_tiny:64 poolformer_s12:64 mixer_b16_224 deit_small_patch16_224 beit_base_patch16_224
mobilevit_s:64 levit_128 efficientformer_l1 eva02_tiny_patch14_224""".split()

# the smallest of every family of timm's that is not above, and further families of torchvision's and further kinds of blocks
FAMILIES = """test_vit:64 test_byobnet:64 test_coatnet:160 test_convnext:64 test_nfnet:64 test_resnet:64 test_efficientnet:64 test_mambaout:64 test_vit_relpos:160
starnet_s050:64 dla46x_c:64 repghostnet_050:64 ese_vovnet19b_slim_dw:64 mobilenetv3_small_050:64 mobilevitv2_050:64 regnetx_002:64 efficientvit_m0:64
ghostnet_050:64 cspnext_tiny:64 cs3darknet_s:64 iformer_t:64 swiftformer_xs:64 efficientvit_b0:64 efficientformerv2_s0 pvt_v2_b0:64 fasternet_t0:64
fastvit_t8:64 lcnetv2_small:64 inception_next_atto:64 rexnet_100:64 pit_ti_224 hardcorenas_b:64 repvit_m1:64 coat_tiny convit_tiny
xcit_nano_12_p16_224:64 edgenext_xx_small:64 gmlp_ti16_224 cpubone_nano:64 efficientvim_m1:64 crossvit_tiny_240:64 shvit_s1:64 levit_128s
hgnetv2_b0:64 halonet_h1:256 densenetblur121d:64 dpn48b:64 visformer_tiny resnest14d:64 csatv2:64 resnetv2_18:64 legacy_seresnet18:64
poolformerv2_s12:64 skresnet18:64 cait_xxs24_224 tiny_vit_5m_224:64 gcvit_xxtiny lowformer_b0:64 nest_tiny convmixer_768_32:64 tnt_s_patch16_224
twins_svt_small:64 vitamin_small_224 legacy_xception:64 xception41:64 res2next50:64 rdnet_tiny:64 mvitv2_tiny:64 hieradet_small:64 hiera_tiny_224
volo_d1_224 sequencer2d_s:64 davit_tiny:64 focalnet_tiny_srf:64 swin_s3_tiny_224 swinv2_tiny_window8_256:256 swinv2_cr_tiny_224 selecsls42:64
tresnet_m:64 nextvit_small:64 vit_tiny_r_s16_p8_224 deit_tiny_distilled_patch16_224 vit_tiny_patch16_dinov3_qkvb:64 inception_v4:96
inception_resnet_v2:96 alexnet:64 squeezenet1_0:64 mnasnet0_5:64 regnet_x_400mf:64 efficientnet_v2_s:64 swin_v2_t:64 fcn_resnet50:64
deeplabv3_mobilenet_v3_large:64 lraspp_mobilenet_v3_large:64 r3d_18:32 mc3_18:32 r2plus1d_18:32 swin3d_t:64 ecaresnet26t:64 resnetblur18:64
gcresnext26ts:64 lambda_resnet26t:128 botnet26t_256:256 bat_resnext26ts:256 mobilenetv4_hybrid_medium:64 maxvit_rmlp_pico_rw_256:256
resnetv2_50d_gn:64 resnetv2_50x1_bit:64 caformer_s18:64 vit_dpwee_patch16_reg1_gap_256:256 test_efficientnet_evos:64""".split()

# ------------------------------------------------------------------------------------------------------------ one model, in a child

def prepare(threads=1):
    import torch
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(threads)
    library = torch.library.Library("torchvision", "DEF")   # the CPU build of torchvision has no such operators, but imports them
    for name in "nms", "qnms":
        try: library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        except RuntimeError: pass
    return library

def model(name):
    import torch, torchvision
    torch.manual_seed(0)
    if name in torchvision.models.list_models():
        backbone = "weights_backbone" in inspect.signature(torchvision.models.get_model_builder(name)).parameters
        return torchvision.models.get_model(name, weights=None, **({"weights_backbone": None, "aux_loss": None} if backbone else {}))
    import timm
    return timm.create_model(name, pretrained=False)

def example(name, size, **how):
    "Two images, or two clips of eight"
    import torch, torchvision
    clips = name in torchvision.models.list_models(torchvision.models.video)
    return torch.randn(2, 3, *[8] * clips, size, size, **how)

def stirred(m):
    "No part of the model may be silent: heads that start as zero and scales that start as next to nothing would hide everything"
    import torch
    for p in m.parameters():
        if p.numel() and p.abs().max() < .01: torch.nn.init.normal_(p, std=.1)
    return m

def quiet(*modules):
    for m in modules:
        for part in m.modules():
            for key in "p", "drop_prob", "drop_rate":
                if isinstance(getattr(part, key, None), float): setattr(part, key, 0.)

def leaves(out):
    from torch.utils._pytree import tree_leaves
    return tree_leaves(out)

def difference(a, b):
    a, b = leaves(a), leaves(b)
    if len(a) != len(b): b = b[:len(a)]      # heads for training only, which the net does not have
    return max(((x - y).abs().max() / (1e-12 + y.abs().max())).item() for x, y in zip(a, b))

def timed(f):
    start = time.perf_counter()
    return f(), time.perf_counter() - start

def backward(m, x):
    "Whether a step of training goes through"
    import torch
    with torch.enable_grad():
        m.zero_grad()
        sum(y.double().square().mean() for y in leaves(m.train()(x))).backward()
    m.eval()
    grads = [p.grad for p in m.parameters() if p.grad is not None]
    return len(grads) > 0 and all(g.isfinite().all() for g in grads)

def times(name, size, keep):
    import torch
    from naivenas import Net
    from naivenas.nets.importance import magnitude
    Net.from_torch(torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU()), torch.randn(2, 3, 4, 4)).prune_plan(keep, magnitude)   # torch.export and the solvers are loaded
    m, x = stirred(model(name)).eval(), example(name, size)
    net, importing = timed(lambda: Net.from_torch(m, x))
    _, first = timed(lambda: net.prune_plan(keep, magnitude))
    plan, planning = min((timed(lambda: net.prune_plan(keep, magnitude)) for _ in range(2)), key=lambda t: t[1])
    _, surgery = timed(plan.apply)
    return dict(importing=importing, first=first, planning=planning, surgery=surgery)

def bare(name, size, keep):
    "What nothing but reading a norm of each weight and selecting the entries that stay takes, in a process that has done neither before"
    import torch
    from naivenas import Net
    from naivenas.nets.importance import magnitude
    from surgery import select, selections
    net = Net.from_torch(stirred(model(name)).eval(), example(name, size))
    work = selections(net.prune_plan(keep, magnitude))
    _, norms = min((timed(lambda: [p.detach().flatten(1).norm(dim=1) for p in net.parameters() if p.ndim > 1]) for _ in range(2)), key=lambda t: t[1])
    return dict(norms=norms, selecting=timed(lambda: select(work))[1])

def prunable(net):
    "The share of the neurons of layers that could be pruned, of those that no output pins"
    import numpy as np
    from naivenas.sizes.demands import pinned_vertices
    from naivenas.sizes.wires import ties
    from naivenas.sizes.tracing import Edit
    t = ties(net.vertices)
    held, ends = np.zeros(t.wires, bool), np.zeros(t.wires, bool)
    for wires, _ in t.held: held[wires] = True
    for v in pinned_vertices(net, net.vertices, net.outputs, [], [], Edit()): (ends if v in net.outputs else held)[t.labels[v]] = True
    wires = np.concatenate([t.labels[v] for v in net if v.role == "absorb"])
    inner = wires[~ends[wires]]
    return float((~held[inner]).mean())

def right(name, size, keep):
    import torch
    from naivenas import Net
    from naivenas.nets.importance import magnitude
    from masked import pruned_and_masked
    torch.Tensor.float = torch.Tensor.double      # where a model asks for more precision than it has, it may keep what it has
    m, x = stirred(model(name)).double().eval(), example(name, size, dtype=torch.float64)
    net = Net.from_torch(m, x, share=False)
    quiet(m, net)
    with torch.no_grad(): found = dict(same=difference(net.eval()(x), m.eval()(x)), prunable=prunable(net), opaque=dict(Counter(net.opaque.values())), vertices=len(net))
    m.train().eval()         # caches of what was computed in evaluation mode are emptied
    found |= changed(net, x)
    before = sum(p.numel() for p in net.parameters())
    _, reference = pruned_and_masked(net, m, keep, magnitude)
    found["parameters"] = sum(p.numel() for p in net.parameters()) / before
    with torch.no_grad(): found["gaps"] = [difference(net.train(mode)(x), reference.train(mode)(x)) for mode in (False, True)]
    found["backward"] = backward(net, x)
    return found

def grown(net, name):
    "A layer with eight neurons more, or, where groups do not allow that, with twice as many"
    try: return net.resize(name, +8)
    except ValueError: return net.resize(name, net[name].nout)

def changed(net, x):
    "What becomes of the net when a layer is grown, one is inserted as the identity, and one is removed"
    import torch
    from torch import nn
    from naivenas.nets.layers import conv, linear
    from naivenas.sizes.wires import ties
    with torch.no_grad(): before, found = net(x), {}
    def middle(test):
        some = [v for v in net if test(v)]
        return list(dict.fromkeys(some[len(some) * k // 7].name for k in (3, 2, 0, 1, 4, 5, 6))) if some else []
    ends, t = set(), ties(net.vertices)
    for v in net.outputs: ends |= {*t.labels[v].tolist()}
    layers = middle(lambda v: isinstance(v.op, nn.Module) and v.inputs and v.role == "absorb" and any(p.ndim > 1 for p in v.op.parameters()) and getattr(v.op, "groups", 1) == 1
                    and not ends & {*t.labels[v].tolist()})
    block = lambda v: conv(v, v.nout, k=1, dim=dim, start="identity") if (dim := max(p.ndim for p in v.op.parameters()) - 2) else linear(v, v.nout, start="identity")
    plain = middle(lambda v: isinstance(v.op, (nn.ReLU, nn.GELU, nn.SiLU, nn.Hardswish, nn.BatchNorm2d, nn.Dropout)) and len(v.inputs) == 1 or
                   not isinstance(v.op, nn.Module) and v.role == "invariant" and getattr(v.op, "__name__", "") in ("relu", "gelu", "silu", "mul"))
    for verb, places, edit in (("grow", layers, grown), ("insert", layers, lambda n, v: n.insert(block, after=v)), ("remove", plain, lambda n, v: n.remove(v))):
        found[verb] = "nothing"
        for place in places:
            trial = copy.deepcopy(net)
            try: report = edit(trial, place)
            except ValueError as e:
                found[verb] = str(e)[:80]
                continue
            with torch.no_grad(): gap = difference(trial.eval()(x), before) if verb != "remove" else 0.
            promised = not trial.statistics and not report.plan.caveats
            found[verb] = "ok" if (gap < 1e-8 or not promised and gap < float("inf")) and backward(trial, x) else f"off by {gap:.0e}"
            break
    return found

# ------------------------------------------------------------------------------------------------------------------------ the peers

def torch_pruning(name, size, keep):
    import torch, torch_pruning as tp
    m, x = stirred(model(name)).eval(), example(name, size)
    before, last = sum(p.numel() for p in m.parameters()), [l for l in m.modules() if getattr(l, "out_features", getattr(l, "out_channels", 0)) == 1000]
    make = lambda: tp.pruner.MagnitudePruner(m, x, importance=tp.importance.MagnitudeImportance(p=2), pruning_ratio=1 - keep, global_pruning=True, ignored_layers=last)
    pruner, importing = timed(make)
    _, step = timed(pruner.step)
    return judged(m, x, before, importing, step)

def torch_kirigami(name, size, keep):
    import torch
    from torch_kirigami import DependencyGraph
    from torch_kirigami.pruning import ChannelRatio, Greedy, GroupMagnitude, Pruner
    m, x = stirred(model(name)).eval(), example(name, size)
    before = sum(p.numel() for p in m.parameters())
    graph, importing = timed(lambda: DependencyGraph.build(m, args=(x,)))
    def prune():
        pruner = Pruner(m, graph=graph)
        return pruner.prune(pruner.discover_candidates(), budget=ChannelRatio(1 - keep, "global"), strategy=Greedy(GroupMagnitude(p=2)))
    (m, _), step = timed(prune)
    return judged(m, x, before, importing, step)

def judged(m, x, before, importing, step):
    now = sum(p.numel() for p in m.parameters())
    return dict(importing=importing, step=step, right=bool(now < before and backward(m, x)), parameters=now / before)

PEERS = {"torch-pruning": torch_pruning, "torch-kirigami": torch_kirigami}

# ---------------------------------------------------------------------------------------------------------------------- all of them

def child(what, name, args):
    "What a process of its own finds out about one model; {'error': ...} if nothing"
    base, _, size = name.partition(":")
    command = [sys.executable, __file__, base, "--child", what, "--size", size or str(args.size), "--keep", str(args.keep), "--threads", str(args.threads)]
    try: done = subprocess.run(command, capture_output=True, text=True, timeout=args.limit)
    except subprocess.TimeoutExpired: return {"error": f"not done in {args.limit} s"}
    try: return json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError): return {"error": (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1][:120]}

def good(r):
    return "error" not in r and (r["same"] < 1e-10 and max(r["gaps"]) < 1e-8 and r["backward"] and r["prunable"] > .5 and r["parameters"] < 1
                                 and all(r[verb] == "ok" for verb in ("grow", "insert", "remove")))

def row(name, r, t, peer):
    if "error" in r or "error" in t: return f"{name:28} MISSED: {r.get('error') or t.get('error')}"
    text = (f"{name:28} import {t['importing']:5.2f} s, plan {1000 * t['planning']:4.0f} ms (the first {1000 * t['first']:4.0f}), surgery {1000 * t['surgery']:4.0f} ms | {r['prunable']:4.0%} prunable, parameters x{r['parameters']:.2f}, "
            f"off by {r['same']:.0e} imported, {r['gaps'][0]:.0e} pruned, {r['gaps'][1]:.0e} in training | "
            + ", ".join(f"{verb} {r[verb]}" for verb in ("grow", "insert", "remove")) + (f" | not understood: {r['opaque']}" if r["opaque"] else ""))
    if peer: text += f" | peer: {peer['error']}" if "error" in peer else (f" | peer: import {peer['importing']:.2f} s, step {1000 * peer['step']:.0f} ms ({peer['step'] / (t['planning'] + t['surgery']):.1f}x, "
                                                                          f"bare {1000 * least(peer):.0f} ms){'' if peer['right'] else ', WRONG'}")
    return text + ("" if good(r) else "   MISSED")

def least(peer): return peer["bare"].get("norms", 0) + peer["bare"].get("selecting", 0)

def compared(rows):
    "What the peer says to it: a line, and whether it is beaten as it should be"
    both = {n: (t, p) for n, t, p in rows if p and "error" not in p and p["right"] and "error" not in t}
    if not both: return "; the peer got no model right", True
    speed = {n: p["step"] / (t["planning"] + t["surgery"]) for n, (t, p) in both.items()}
    whole = sum(t["importing"] + t["first"] + t["surgery"] for t, _ in both.values()) / sum(p["importing"] + p["step"] for _, p in both.values())
    dense = next((s for n, s in speed.items() if n.startswith("densenet201")), None)
    middle = statistics.median(speed.values())
    bound = sum(5 * least(p) > p["step"] for _, p in both.values())
    text = f"; the peer is right on {len(both)} of {len(rows)}: our step {middle:.1f} times faster in the median{'' if dense is None else f', {dense:.0f} times on densenet201'}, all together in {whole:.2f} of its time; on {bound} of them norms and selections alone take more than a fifth of its step"
    return text, middle >= 5 and (dense is None or dense >= 50) and whole <= .5

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", help="names of torchvision's or timm's models, each with :size or not; or all, or families")
    parser.add_argument("--size", type=int, default=224, help="height and width of the images")
    parser.add_argument("--keep", type=float, default=.7, help="share of the neurons to keep")
    parser.add_argument("--peer", choices=PEERS, help="time this peer, too")
    parser.add_argument("--threads", type=int, default=1, help="of PyTorch's, ours and the peer's")
    parser.add_argument("--limit", type=int, default=300, help="seconds for each model and each of the two")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        library = prepare(args.threads)
        f = {"times": times, "right": right, "bare": bare, **PEERS}[args.child]
        print(json.dumps(f(args.models[0], args.size, args.keep)), flush=True)
        sys.exit()
    rows, fine, slow = [], 0, 0
    for name in {"all": ALL, "families": FAMILIES}.get(args.models[0], args.models):
        r, t = child("right", name, args), child("times", name, args)
        peer = child(args.peer, name, args) | {"bare": child("bare", name, args)} if args.peer else None
        print(row(name, r, t, peer), flush=True)
        rows.append((name, t, peer))
        fine, slow = fine + good(r), slow + (t.get("first", 0) >= .1)
    text, beaten = compared(rows) if args.peer else ("", True)
    print(f"zoo: {fine} of {len(rows)} right, {slow} plans of 100 ms or more{text}")
    sys.exit(fine < len(rows) or slow > 0 or not beaten)
