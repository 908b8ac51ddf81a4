"The original module with the removed neurons zeroed: it shares nothing with the import but vertex names and index lists"
import copy, re
import torch
from torch import nn
from naivenas.capture.computed import Computed

def masked(module, lists, sizes, inputs, computed, windows, reduced, twice):
    "A copy of `module` in which the output of every layer named in `{name: kept}` is zero outside of what is kept, and which reads nothing else"
    m = copy.deepcopy(module)
    modules = dict(m.named_modules())
    for name, p in m.named_parameters():     # what is not zero at a removed neuron (a shift of all channels, a softmax of zeros) is not read
        owner = re.sub(r"[._](weight|weight_ih_l0(_reverse)?)$", "", name)
        axis = 0 if "Transpose" in type(modules.get(owner)).__name__ else 1
        if owner in inputs and owner != name and p.ndim > 1 and p.shape[axis] == inputs[owner][1]: p.data.index_fill_(axis, removed(*inputs[owner]), 0.)
    for name, p in m.named_parameters():     # those that are used without a layer around them, or without calling it
        owner = re.sub(r"[._](weight|bias)$", "", name)
        if name in lists: key, axis = name, max((a for a in range(p.ndim) if p.shape[a] == sizes[name]), default=None)
        elif owner in lists and (owner not in modules or isinstance(modules[owner], nn.Linear)): key, axis = owner, 0
        else: continue
        if axis is not None and p.shape[axis] == sizes[key]: p.data.index_fill_(axis, removed(lists[key], sizes[key]), 0.)
    for name, layer in m.named_modules():
        own = [p for p in layer.parameters() if p.numel() > 1]
        if name in reduced and not layer._parameters: layer.register_forward_hook(among(*reduced[name]))
        if list(layer.children()) and not layer._parameters: continue
        if isinstance(layer, (nn.LayerNorm, nn.GroupNorm)) and name in lists or name not in lists and f"{name}.weight" in lists and own and all(p.numel() == len(own[0].squeeze()) for p in own):
            layer.register_forward_hook(fewer(lists.get(name, lists.get(f"{name}.weight"))))
        elif name in windows: layer.register_forward_hook(narrowed(windows[name]))
        elif name in computed: layer.register_forward_hook(narrower(lists[name], *computed[name]))
        elif name in lists and isinstance(layer, nn.RNNBase): silence(layer, removed(lists[name], sizes[name]))
        elif name in lists and (name not in twice or layer._parameters): layer.register_forward_hook(hook(lists[name], sizes[name]))
    return m

def removed(kept, n): return torch.as_tensor(sorted(set(range(n)) - set(kept)), dtype=torch.long)

@torch.no_grad()
def silence(cell, gone):
    "Units of a recurrent layer whose weights are all zero say nothing"
    for p in cell.parameters():
        for gate in range(p.shape[0] // cell.hidden_size): p.index_fill_(0, gone + gate * cell.hidden_size, 0.)

def narrowed(kept):
    "A window that slides over neurons: over those that are left"
    return lambda layer, args, out: torch.zeros_like(out).index_copy(2, torch.as_tensor(kept), layer.forward(args[0][:, :, kept]))

def among(kept, n):
    "A module without weights that works something out over all channels that it reads: over those that are left"
    def zeroed(layer, args, out):
        if args[0].ndim < 3 or args[0].shape[1] != n: return out
        few = layer.forward(args[0][:, kept])
        return few if few.shape == out.shape else torch.zeros_like(out).index_copy(1, torch.as_tensor(kept), few)
    return zeroed

def fewer(kept):
    "A statistic over neurons: of those that are left"
    kept = torch.as_tensor([i for i in kept if i >= 0])
    def zeroed(layer, args, out):
        n = max(p.numel() for p in layer.parameters())
        small = copy.deepcopy(layer)
        for part in small.modules(): part._forward_hooks.clear()
        small._parameters = {k: None if p is None else nn.Parameter(p.flatten()[kept].view([-1 if m == n else 1 for m in p.shape])) for k, p in layer._parameters.items()}
        if isinstance(layer, nn.LayerNorm): small.normalized_shape = (len(kept),)
        if isinstance(layer, nn.GroupNorm): small.num_channels = len(kept)
        for key in "groups", "num_groups":
            if getattr(layer, key, 1) > 1: setattr(small, key, len({i * getattr(layer, key) // n for i in kept.tolist()}))
        for axis in [1] if isinstance(layer, nn.GroupNorm) else [a for a in (out.ndim - 1, 1) if out.shape[a] == n]:
            try: return torch.zeros_like(out).index_copy(axis, kept, small(args[0].index_select(axis, kept)))
            except RuntimeError: pass     # it works along the other one
        return out
    return zeroed

def narrower(kept, ins, many):
    "A convolution that may compute its weight from all that it reads: of what is left"
    outs, ins = ([torch.as_tensor([i for i in side if n * g <= i * layer_groups < n * (g + 1)]) for g in range(layer_groups)]
                 for side, n, layer_groups in ((kept, many[1], many[2]), (ins, many[0], many[2])))
    left = [(o, i - g * many[0] // many[2]) for g, (o, i) in enumerate(zip(outs, ins)) if len(o)]
    def zeroed(layer, args, out):
        small, every = copy.copy(layer), torch.cat([o for o, _ in left])
        small._forward_hooks, small._parameters = {}, {k: p if p is None or p.shape[0] != many[1] else nn.Parameter(p[every]) for k, p in layer._parameters.items()}
        small._parameters["weight"] = nn.Parameter(torch.cat([layer.weight[o][:, i] for o, i in left]))
        small.groups, small.out_channels = len(left), len(every)
        return torch.zeros_like(out).index_copy(1, every, small(args[0].index_select(1, torch.cat(ins))))
    return zeroed

def hook(kept, n):
    kept = torch.as_tensor([i for i in kept if i >= 0])
    def zeroed(layer, args, out):
        if not torch.is_tensor(out): return out
        axes = [a for a in ({out.ndim - 1} if isinstance(layer, (nn.Linear, nn.Bilinear, nn.Embedding)) else {1} if layer._parameters else {1, out.ndim - 1}) if 0 < a < out.ndim and out.shape[a] == n]
        if len(axes) != 1: return out
        (axis,), mask = axes, torch.zeros(n, dtype=out.dtype)
        mask[kept] = 1
        return out * mask.view([-1 if a == axis else 1 for a in range(out.ndim)])
    return zeroed

def pruned_and_masked(net, module, keep, by):
    "Prune `net` in place; what it must compute afterwards, as a module"
    plan = net.prune_plan(keep, by)
    lists = {v.name: plan.out(v).tolist() for v in net if v.nout > 1 and not v.role.sized}
    twice = {n.rsplit("_", 1)[0] for n in net.names if n.rsplit("_", 1)[-1].isdigit()}
    layers = [v for v in net if len(v.inputs) == 1 and v.name in lists and v.role == "absorb"]
    inputs = {v.name: (plan.ins(v)[0].tolist(), plan.before[v.inputs[0]]) for v in layers if not isinstance(v.op, Computed) and getattr(v.op, "groups", 1) == 1}
    computed = {v.name: (plan.ins(v)[0].tolist(), (v.op.in_channels, v.op.out_channels, v.op.groups)) for v in layers if isinstance(v.op, Computed)}
    windows = {v.name: plan.out(v).tolist() for v in net if isinstance(v.op, nn.Conv1d) and v.role.sized}
    reduced = {v.name.rpartition(".")[0]: (plan.out(v.inputs[0]).tolist(), plan.before[v.inputs[0]]) for v in net if v.name in net.statistics and v.role == "scalar"}
    reference = masked(module, lists, {v.name: n for v, n in plan.before.items()}, inputs, computed, windows, reduced, twice)
    plan.apply()
    return plan, reference
