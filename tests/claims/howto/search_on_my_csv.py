# %% 30280da6: again.predict(X.head(3)), again.predict_proba(X.head(1)).round(2)
assert (again.predict(X) == model.predict(X)).all()
