# %% 4885af01: found.style.format({"outputs moved by": "{:.1e}"}).hide()
by = found["outputs moved by"]
assert (by[:4] < 1e-5).all() and (by[4:] > 1e-4).all()
