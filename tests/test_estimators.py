"""scikit-learn's own checks."""
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from naivenas.search.estimators import NASClassifier, NASRegressor

BATCHES = "a network learns in batches, so an example of weight two isn't exactly two examples"
def not_exactly(estimator): return {f"check_sample_weight_equivalence_on_{kind}_data": BATCHES for kind in ("dense", "sparse")}

@parametrize_with_checks([NASClassifier(generations=1, size=1, examples=1500), NASRegressor(generations=1, size=1, examples=1500)], expected_failed_checks=not_exactly)
def test_scikit_learn_check(estimator, check): check(estimator)
