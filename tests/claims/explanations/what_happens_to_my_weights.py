# %% 104683d4: shown("out")
_before = {k: p.detach().clone() for k, p in net.named_parameters()}

# %% 014a1dd2: shown("out")
assert torch.equal(net["hidden"].op.weight, _before["hidden.weight"][[0, 2]])
assert torch.equal(net["out"].op.weight, _before["out.weight"][:, [0, 2]])

# %% b734328d: report.verify(data)
_now = net(data)

# %% 4d10e967: shown("hidden")
assert torch.allclose(net(data), _now, atol=1e-6)

# %% 05e9a8a8: shown("out")
assert (net["out"].op.weight[:, 2:] == 0).all()
