"""Models of other packages as nets: language models, vision transformers, speech, detectors, segmenters, diffusion, graphs; with small random configurations, each in a process of its own.

    python bench/wild.py gpt2 llama bert             # by name
    python bench/wild.py all                         # every one whose package is installed, and a word about the others
    pip install naivenas[wild]                       # the packages that they come from

A model is imported, half of its neurons are pruned by magnitude, and what comes out is compared in float64 with the module itself, in which the rows and columns of removed neurons
are zero (a norm is taken over those that are left). Then a layer is grown by one unit, which changes nothing unless the net says that a statistic is in the way; and another batch and another length
or image size is tried on the net before it was pruned: it computes what the module does, or says that it cannot. At least nine of ten neurons that no output pins should be free to go.
Ends with one summary line, and exits 1 if a model is not right.
"""
import argparse, copy, json, logging, subprocess, sys, time, warnings
from pathlib import Path
from wildnets import MODELS

# ------------------------------------------------------------------------------------------------------------ one model, in a child

def operators_of_torchvision():
    "The CPU build of torchvision lacks two, and importing it needs them"
    import torch
    library = torch.library.Library("torchvision", "DEF")
    for name in "nms", "qnms":
        try: library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        except RuntimeError: pass
    return library

def prepare():
    import torch
    for home in "tests", "bench": sys.path.insert(0, str(Path(__file__).resolve().parent.parent / home))
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    return operators_of_torchvision()

def leaves(out):
    import torch; from torch.utils._pytree import tree_leaves
    return [x for x in tree_leaves(out) if torch.is_tensor(x)]

def difference(a, b):
    a, b = leaves(a), leaves(b)
    if [x.shape for x in a] != [x.shape for x in b]: return float("inf")
    return max(((x.double() - y.double()).abs().max() / (1e-12 + y.double().abs().max())).item() for x, y in zip(a, b))

def stirred(m):
    "No part of the model may be silent, or as good as linear"
    import torch
    g = torch.Generator().manual_seed(1)
    for p in m.parameters():
        if p.is_floating_point() and p.numel(): p.data.add_(torch.randn(p.shape, generator=g, dtype=torch.float64).to(p.dtype) * (.1 if p.ndim > 1 else .05))
    return m

def zeroed(module, shared, net, plan):
    "A copy of `module` that neither makes nor reads what the plan removes; `shared`: the twin of the module that the net was made of"
    import torch; from torch import nn
    from masked import fewer, removed, silence
    from naivenas.graph.cut import axis_letters
    ref, name = copy.deepcopy(module), {id(p): k for k, p in shared.named_parameters(remove_duplicate=False)}
    theirs, norms = dict(ref.named_parameters(remove_duplicate=False)), {}
    for v in net:
        for key, p in v.op.named_parameters() if isinstance(v.op, nn.Module) else ():
            path, letters = name.get(id(p)), axis_letters(v.op, key)
            owner = ref.get_submodule(path.rpartition(".")[0]) if path else None
            if path is None: continue
            if isinstance(owner, nn.RNNBase):
                silence(owner, removed(plan.out(v).tolist(), owner.hidden_size))
                continue
            if "Norm" in type(owner).__name__ and "Batch" not in type(owner).__name__ and v.nout == p.numel(): norms[owner] = plan.out(v).tolist()
            if letters is None and getattr(v.op, "axes", {}).get(key, "")[:2] == "oi":
                apart(theirs[path].data, removed(plan.out(v).tolist(), v.nout).tolist(), removed(plan.ins(v)[0].tolist(), v.inputs[0].nout).tolist(), v.op.groups)
            for axis, letter in enumerate(letters or ()):
                index, many = (plan.out(v), v.nout) if letter == "o" else (plan.ins(v)["ij".index(letter)], v.inputs["ij".index(letter)].nout) if letter in "ij" else (None, 0)
                if many == p.shape[axis] and owner not in norms: theirs[path].data.index_fill_(axis, removed(index.tolist(), many), 0.)
    for owner, kept in norms.items(): owner.register_forward_hook(fewer(kept))
    plain = {id(m): k for k, m in shared.named_modules() if isinstance(m, nn.LayerNorm) and m.weight is None}
    for v in net:
        if id(v.op) in plain: ref.get_submodule(plain[id(v.op)]).register_forward_hook(normed(plan.out(v).tolist()))
    return ref

def normed(kept):
    "A layer norm without parameters: over those that are left"
    import torch
    kept = torch.as_tensor([i for i in kept if i >= 0])
    def zeroed(layer, args, out): return torch.zeros_like(out).index_copy(-1, kept, torch.nn.functional.layer_norm(args[0][..., kept], [len(kept)], eps=layer.eps))
    return zeroed

def apart(weight, rows, columns, groups):
    "Zeros in the rows and columns of a weight in groups, which has the columns of one group only"
    many, wide = weight.shape[0] // groups, weight.shape[1]
    weight[rows] = 0
    for i in columns: weight[i // wide * many:(i // wide + 1) * many, i % wide] = 0

def right(name, keep):
    import torch
    from naivenas import Net
    from naivenas.nets.importance import magnitude
    from zoo import prunable
    torch.Tensor.float = torch.Tensor.double      # where a model asks for more precision than it has, it may keep what it has
    m, call, others = MODELS[name][1]()
    m = stirred(m.double().eval())
    shared, start = copy.deepcopy(m), time.process_time()
    net = Net.from_torch(shared, **call).eval()
    found = dict(importing=time.process_time() - start, vertices=len(net), opaque=sorted(set(net.opaque.values())), fixed=getattr(net, "fixed", {}))
    with torch.no_grad():
        found |= dict(same=difference(net(**call), m(**call)), prunable=prunable(net), others=[other(net, m, o) for o in others], grown=grown(net, call))
        before = sum(p.numel() for p in net.parameters())
        plan = net.prune_plan(keep, magnitude)
        ref = zeroed(m, shared, net, plan)
        plan.apply()
        found |= dict(gap=difference(net(**call), ref(**call)), parameters=sum(p.numel() for p in net.parameters()) / before, after=[other(net, ref, o) for o in others])
    return found

def other(net, m, call):
    "How far the net is off for other sizes: a number, a clear error ('refused'), or what was said"
    try: want = m(**call)
    except Exception: return 0.
    try: return difference(net(**call), want)
    except ValueError as e: return "refused" if "size" in str(e) or "shape" in str(e) else str(e)[:90]
    except Exception as e: return f"{type(e).__name__}: {str(e)[:90]}"

def grown(net, call):
    "What becomes of a few layers, of those that are not held, that get one unit more"
    from torch import nn
    from naivenas.sizes.demands import pinned_vertices
    from naivenas.sizes.tracing import Edit
    fixed = {*net.outputs, *pinned_vertices(net, net.vertices, net.outputs, [], [], Edit())}
    before, said, ends = net(**call), [], {w for v in fixed for w in net.ties.labels[v].tolist()} | {int(w) for wires, _ in net.ties.held for w in wires}
    layers = [v.name for v in net if isinstance(v.op, nn.Module) and v.role == "absorb" and v.inputs and not ends & {*net.ties.labels[v].tolist()}]
    for name in layers[len(layers) > 1::max(len(layers) // 4, 1)][:4]:
        twin = copy.deepcopy(net)
        try: report = twin.resize(name, +1)
        except ValueError as e:
            near = getattr(e, "nearest", {}).get(name) or []
            more = [n for n in near if n > net[name].nout]
            if not more: said.append(str(e)[:100]); continue
            try: report = twin.resize(name, more[0] - net[name].nout)
            except ValueError as e: said.append("!" + str(e)[:100]); continue
        gap = difference(twin.eval()(**call), before)
        promised = not twin.statistics and not report.plan.caveats
        said.append("ok" if gap < 1e-8 or not promised and gap < float("inf") else f"off by {gap:.0e}")
    return said

# ---------------------------------------------------------------------------------------------------------------------- all of them

def child(name, args):
    "What a process of its own finds out about one model; {'error': ...} if nothing"
    command = [sys.executable, __file__, name, "--child", "--keep", str(args.keep)]
    try: done = subprocess.run(command, capture_output=True, text=True, timeout=args.limit)
    except subprocess.TimeoutExpired: return {"error": f"not done in {args.limit} s"}
    try: return json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError): said = (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1][:200]
    return {"lacks": said} if said.startswith("ModuleNotFoundError") else {"error": said}

def good(r):
    return not {"error", "lacks"} & {*r} and (r["same"] < 1e-9 and r["gap"] < 1e-8 and r["parameters"] < 1 and r["prunable"] >= .9 and all(g in ("ok", "refused") or isinstance(g, float) and g < 1e-8 for g in r["others"] + r["after"])
                                 and all(g == "ok" for g in r["grown"]))

def row(name, r):
    if "lacks" in r: return f"{name:16} left out: pip install {MODELS[name][0]} ({r['lacks']})"
    if "error" in r: return f"{name:16} MISSED: {r['error']}"
    sizes = ", ".join(o if isinstance(o, str) else f"{o:.0e}" for o in r["others"] + r["after"])
    text = f"{name:16} import {r['importing']:5.1f} CPU s, {r['vertices']} vertices, {r['prunable']:4.0%} prunable, parameters x{r['parameters']:.2f} | off by {r['same']:.0e} imported, {r['gap']:.0e} pruned | other sizes: {sizes} | grown: {', '.join(r['grown'])}"
    if r["opaque"]: text += f" | not understood: {r['opaque']}"
    if r["fixed"]: text += f" | fixed: {r['fixed']}"
    return text + ("" if good(r) else "   MISSED")

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", help=f"all, or some of: {', '.join(MODELS)}")
    parser.add_argument("--keep", type=float, default=.5, help="share of the neurons to keep")
    parser.add_argument("--limit", type=int, default=300, help="seconds for each model")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        kept = prepare()
        print(json.dumps(right(args.models[0], args.keep)), flush=True)
        sys.exit()
    names, fine, lacking = [*MODELS] if args.models == ["all"] else args.models, 0, 0
    for name in names:
        r = child(name, args)
        print(row(name, r), flush=True)
        fine += good(r)
        lacking += "lacks" in r
    print(f"wild: {fine} of {len(names) - lacking} right" + f", {lacking} left out" * bool(lacking))
    sys.exit(fine < len(names) - (lacking if args.models == ["all"] else 0))
