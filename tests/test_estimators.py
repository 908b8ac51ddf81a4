"""scikit-learn's own checks."""
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from naivenas.search.estimators import NASClassifier, NASRegressor


@parametrize_with_checks([NASClassifier(generations=1, size=2, examples=1500), NASRegressor(generations=1, size=2, examples=1500)])
def test_scikit_learn_check(estimator, check): check(estimator)
