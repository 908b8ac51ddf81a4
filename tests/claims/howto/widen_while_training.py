# %% 6c129efe: report
assert torch.allclose(net(x), before, atol=1e-4)

# %% 29e14007: epochs(6)
assert moments.shape == model[5].weight.shape == (36, 128)
