import pytest

from steering_core.evaluation.distributions import beta_cdf, beta_quantile, t_quantile


# Reference values from published tables of Student's t.
@pytest.mark.parametrize(
    ("degrees", "value"), [(1, 12.706205), (4, 2.776445), (13, 2.160369), (29, 2.045230), (10_000, 1.960201)]
)
def test_t_quantile_equals_the_table(degrees, value):
    assert t_quantile(0.975, degrees) == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize(("a", "b"), [(1, 1), (0.5, 0.5), (3.7, 12.2), (400.0, 2.0)])
def test_beta_quantile_turns_the_distribution_function_round(a, b):
    for share in (0.001, 0.025, 0.5, 0.975):
        assert beta_cdf(beta_quantile(share, a, b), a, b) == pytest.approx(share, abs=1e-9)


def test_beta_cdf_outside_its_range_is_0_or_1():
    assert (beta_cdf(-1, 2, 3), beta_cdf(0, 2, 3), beta_cdf(1, 2, 3), beta_cdf(2, 2, 3)) == (0, 0, 1, 1)
