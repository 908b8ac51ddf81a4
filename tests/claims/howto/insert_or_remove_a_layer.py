# %% 88293b2b: net.names
assert "conv" in net.names
