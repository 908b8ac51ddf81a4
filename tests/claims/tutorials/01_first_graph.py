# %% 40d3c9c7: sum(p.numel() for p in net.parameters())
assert before.shape == (2, 10) and isinstance(net, torch.nn.Module)

# %% 69cedb50: plan.out("res")
assert plan.out("stem").tolist() == plan.out("res").tolist() == [*range(16)] + [-1] * 8

# %% 57234f3a: net
assert torch.allclose(net(images), before, atol=1e-5)

# %% d177dbc8: report
assert net.sizes["both"] == 26 and net.sizes["narrow"] == 9 and net.sizes["wide"] == 17

# %% 7f86f8ce: message
assert net.sizes["stem"] == 24

# %% 4388a6e8: report
assert net.sizes["res"] == net.sizes["stem"] == 20

# %% 9557c501: net
assert torch.allclose(net(images), before, atol=1e-4)

# %% e83bca66: report
assert torch.allclose(net(images), before, atol=1e-4) and net.sizes["both"] == 29

# %% 0446aec5: torch.equal(net["classes"].op.weight, columns[:, 9:])
assert "narrow" not in net.names and torch.equal(net["classes"].op.weight, columns[:, 9:])

# %% f73d6d03: image_too
assert "extra" in net.names and net.wires().equals(image_too)
