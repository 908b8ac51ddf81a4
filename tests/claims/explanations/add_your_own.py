# %% 401caf9c: net
assert net["scale"].op.gain.shape == (5,) and net(X).shape == (5, 2)

# %% b3307931: report
assert net(X).shape == (5, 2) and "sum of sizes" in repr(report)

# %% c667f21c: plan
assert "patient" in repr(plan) and naivenas.solvers().usable["patient"]

# %% b2704f28: done.what, torch.allclose(net(X), before, atol=1e-6)
assert net["first"].nout == 12 and torch.allclose(net(X), before, atol=1e-6)
_weight = net["first"].op.weight.detach().clone()

# %% 511ef6bb: report
assert torch.equal(net["first"].op.weight, _weight[_weight.abs().amax(1).argsort()[4:].sort().values])

# %% 0aae317d: report
assert torch.equal(net["first"].op.weight, weight[[0, 2, 3, 4, 6, 7]])
