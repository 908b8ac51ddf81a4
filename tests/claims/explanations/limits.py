# %% 2919078f: report.plan.caveats
assert (net(x) - before).abs().max() > 1e-3
