# %% f6d9b0df: model[0].w.shape, model[2].w.shape
assert model(x).shape == (3, 2)
