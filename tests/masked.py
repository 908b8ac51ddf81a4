"The original module with the removed neurons zeroed: it shares nothing with the import but vertex names and index lists"
import copy
import torch
from torch import nn

def masked(module, lists, twice=()):
    "A copy of `module` in which the output of every layer named in `{name: kept}` is zero outside of what is kept"
    m = copy.deepcopy(module)
    for name, layer in m.named_modules():
        if name in lists and (name not in twice or layer._parameters) and not list(layer.children()): layer.register_forward_hook(hook(lists[name]))
    return m

def hook(kept):
    kept = torch.as_tensor([i for i in kept if i >= 0])
    def zeroed(layer, args, out):
        last = isinstance(layer, nn.Linear) or type(layer) is nn.LayerNorm
        axis = out.ndim - 1 if last else 1
        if out.ndim <= axis: return out
        if isinstance(layer, nn.LayerNorm):   # a statistic over neurons: of those that are left
            w, b = (None if t is None else t[kept] for t in (layer.weight, layer.bias))
            some = nn.functional.layer_norm(args[0].movedim(axis, -1)[..., kept], (len(kept),), w, b, layer.eps).movedim(-1, axis)
            return torch.zeros_like(out).index_copy(axis, kept, some)
        mask = torch.zeros(out.shape[axis], dtype=out.dtype)
        if len(mask) <= int(kept.max()): return out
        mask[kept] = 1
        return out * mask.view([-1 if a == axis else 1 for a in range(out.ndim)])
    return zeroed

def pruned_and_masked(net, module, keep, by):
    "Prune `net` in place; what it must compute afterwards, as a module"
    plan = net.prune_plan(keep, by)
    lists = {v.name: plan.out(v).tolist() for v in net if v.nout > 1}
    twice = {n.rsplit("_", 1)[0] for n in net.names if n.rsplit("_", 1)[-1].isdigit()}
    reference = masked(module, lists, twice)
    plan.apply()
    return plan, reference
