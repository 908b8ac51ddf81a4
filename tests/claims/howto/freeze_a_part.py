# %% 8e9be406: widths(model), widths(small)
assert widths(small)[0] < 16 and not small.features[0].weight.requires_grad

# %% f4529921: widths(model), all(map(torch.equal, model.features.parameters(), weights))
assert all(torch.equal(p, q) for p, q in zip(model.features.parameters(), weights))
