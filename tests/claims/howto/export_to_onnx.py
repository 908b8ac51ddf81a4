# %% dd35f22b: print(done.stdout)
assert np.allclose(np.load(folder / "out.npy"), net.eval()(images).detach(), atol=1e-5)

# %% 81ec6931: [*plain.state_dict()][:3]
assert torch.allclose(plain(images), net(images))
assert "naivenas" not in type(plain).__module__
