# %% ac0fc6a8: curve
assert curve[-1][1] > .5 and 0 < other < 1

# %% f1c3d4ae: print(f"{name:12} accuracy {np.mean([a for _, a, _ in found]):.3f} ± {np.std([a for _, a, _ in found]):.3f}, loss {np.mean([l for _, _, l in found]):.3f} ± {np.std([l for _, _, l in found]):.3f}")
assert np.mean([l for _, _, l in final["inherited"]]) < np.mean([l for _, _, l in final["from scratch"]])
