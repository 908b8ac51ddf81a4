# %% 014a1dd2: shown("out")
assert torch.equal(net["hidden"].op.weight, before["hidden.weight"][[0, 2]])
assert torch.equal(net["out"].op.weight, before["out.weight"][:, [0, 2]])

# %% 4d10e967: shown("hidden")
assert torch.allclose(net(data), now, atol=1e-6)

# %% 05e9a8a8: shown("out")
assert (net["out"].op.weight[:, 2:] == 0).all()
