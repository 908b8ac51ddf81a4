# %% 46dd49f6: again
assert torch.equal(again(x), small(x))

# %% 358cc0ac: small.first.out_features
assert torch.equal(plain(x), small(x))
