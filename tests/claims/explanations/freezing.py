# %% 9a6458b8: net.sizes
assert [net.sizes[n] for n in ("features.0", "features.2", "head.0")] == [16, 12, 4]

# %% 48ee2a6e: net["features.2"].op
assert net["features.2"].op.weight.shape == (12, 8)

# %% 935ee524: net.sizes
assert net.sizes["features.0"] < 16
assert [p.requires_grad for p in net.parameters()] == [False] * 4 + [True] * 4

# %% 64338bb7: net["features.2"].op.weight[0].detach()
assert (net["features.2"].op.weight[:, -3:] == 0).all(), "nobody listens to the new ones, for ever"

# %% 6a75e752: plan.table
from naivenas import magnitude
assert taylor(net["features.0"]) is None and taylor(net["head.0"]) is not None
assert magnitude(net["features.0"]) is not None

# %% 12cc0045: all(map(torch.equal, module.features.parameters(), before))
assert all(torch.equal(p, q) for p, q in zip(module.features.parameters(), before))
