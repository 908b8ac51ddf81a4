"The original module with the removed neurons zeroed: it shares nothing with the import but vertex names and index lists"
import copy, re
import torch
from torch import nn

def masked(module, lists, sizes, inputs, twice=()):
    "A copy of `module` in which the output of every layer named in `{name: kept}` is zero outside of what is kept"
    m = copy.deepcopy(module)
    modules = dict(m.named_modules())
    for name, p in m.named_parameters():     # those that are used without a layer around them, or without calling it
        owner = re.sub(r"[._](weight|bias)$", "", name)
        if name in lists: key, axis = name, max((a for a in range(p.ndim) if p.shape[a] == sizes[name]), default=None)
        elif owner in lists and (owner not in modules or isinstance(modules[owner], nn.Linear)): key, axis = owner, 0
        else: continue
        gone = sorted(set(range(sizes[key])) - set(lists[key]))
        if axis is not None and p.shape[axis] == sizes[key]: p.data.index_fill_(axis, torch.as_tensor(gone, dtype=torch.long), 0.)
    for name, layer in m.named_modules():
        own = [p for p in layer.parameters() if p.numel() > 1]
        if list(layer.children()) and not layer._parameters: continue
        if isinstance(layer, (nn.LayerNorm, nn.GroupNorm)) and name in lists or name not in lists and f"{name}.weight" in lists and own and all(p.numel() == len(own[0].squeeze()) for p in own):
            layer.register_forward_hook(fewer(lists.get(name, lists.get(f"{name}.weight"))))
        elif name in lists and isinstance(layer, nn.Conv2d) and type(layer) is not nn.Conv2d and layer.groups == 1 and layer._parameters:
            layer.register_forward_hook(narrower(lists[name], sizes[name], inputs[name]))   # it may compute its weight from all that it reads
        elif name in lists and (name not in twice or layer._parameters): layer.register_forward_hook(hook(lists[name], sizes[name]))
    return m

def fewer(kept):
    "A statistic over neurons: of those that are left"
    kept = torch.as_tensor([i for i in kept if i >= 0])
    def zeroed(layer, args, out):
        n = max(p.numel() for p in layer.parameters())
        axis = out.ndim - 1 if type(layer) is nn.LayerNorm or out.shape[1] != n else 1
        small = copy.copy(layer)
        small._forward_hooks, small._parameters = {}, {k: None if p is None else nn.Parameter(p.flatten()[kept].view([-1 if m == n else 1 for m in p.shape])) for k, p in layer._parameters.items()}
        if isinstance(layer, nn.LayerNorm): small.normalized_shape = (len(kept),)
        if isinstance(layer, nn.GroupNorm): small.num_channels = len(kept)
        return torch.zeros_like(out).index_copy(axis, kept, small(args[0].index_select(axis, kept)))
    return zeroed

def narrower(kept, n, ins):
    "A convolution that reads only what is left, and gives only what is left"
    mask, ins = hook(kept, n), torch.as_tensor([i for i in ins if i >= 0])
    def zeroed(layer, args, out):
        small = copy.copy(layer)
        small._forward_hooks, small._parameters = {}, {**layer._parameters, "weight": nn.Parameter(layer.weight[:, ins])}
        return mask(layer, args, small(args[0].index_select(1, ins)))
    return zeroed

def hook(kept, n):
    kept = torch.as_tensor([i for i in kept if i >= 0])
    def zeroed(layer, args, out):
        axes = [a for a in ({out.ndim - 1} if isinstance(layer, nn.Linear) else {1} if layer._parameters else {1, out.ndim - 1}) if 0 < a < out.ndim and out.shape[a] == n]
        if len(axes) != 1: return out
        (axis,), mask = axes, torch.zeros(n, dtype=out.dtype)
        mask[kept] = 1
        return out * mask.view([-1 if a == axis else 1 for a in range(out.ndim)])
    return zeroed

def pruned_and_masked(net, module, keep, by):
    "Prune `net` in place; what it must compute afterwards, as a module"
    plan = net.prune_plan(keep, by)
    lists = {v.name: plan.out(v).tolist() for v in net if v.nout > 1 and not hasattr(v.role, "follow")}
    twice = {n.rsplit("_", 1)[0] for n in net.names if n.rsplit("_", 1)[-1].isdigit()}
    inputs = {v.name: plan.ins(v)[0].tolist() for v in net if v.inputs and v.name in lists}
    reference = masked(module, lists, {v.name: n for v, n in plan.before.items()}, inputs, twice)
    plan.apply()
    return plan, reference
