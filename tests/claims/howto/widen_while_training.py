# %% 6c129efe: report
assert torch.allclose(net(x), before, atol=1e-4)

# %% 29e14007: optimizer.state[model[5].weight]["exp_avg"].shape
assert optimizer.state[model[5].weight]["exp_avg"].shape == model[5].weight.shape == (36, 128)
