"""The environment, read and checked once."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from registry.settings import env


def test_required_names_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in (None, ""):
        monkeypatch.delenv("SOME_SECRET", raising=False) if value is None else monkeypatch.setenv(
            "SOME_SECRET", value
        )
        with pytest.raises(ImproperlyConfigured, match="SOME_SECRET"):
            env.required("SOME_SECRET")


def test_listed_drops_empty_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOSTS", " a, ,b,")
    assert env.listed("HOSTS") == ["a", "b"]
    assert env.listed("UNSET_HOSTS") == []


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "soon"])
def test_seconds_refuses_what_is_no_time(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("PAUSE", text)
    with pytest.raises(ImproperlyConfigured, match="PAUSE"):
        env.seconds("PAUSE", 1)


def test_rate_is_a_text_or_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert env.rate("RATE", "300/min") == "300/min"
    monkeypatch.setenv("RATE", "off")
    assert env.rate("RATE", "300/min") is None


@pytest.mark.parametrize("text", ["300", "0/min", "x/min", "3/fortnight", "-1/s"])
def test_rate_refuses_what_is_none(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("RATE", text)
    with pytest.raises(ImproperlyConfigured, match="RATE"):
        env.rate("RATE", "300/min")


def test_s3_is_used_when_a_bucket_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("S3_BUCKET", raising=False)
    assert env.s3_config() is None
    monkeypatch.setenv("S3_BUCKET", "vectors")
    monkeypatch.delenv("S3_ACCESS_KEY_ID", raising=False)
    with pytest.raises(ImproperlyConfigured, match="S3_ACCESS_KEY_ID"):
        env.s3_config()
