"""Where everything has to be tested, a test that lacks something fails."""

import pytest
from needs import need


def outcome(*programs: str) -> type[BaseException] | None:
    try:
        need(*programs)
    except (pytest.skip.Exception, pytest.fail.Exception) as ended:
        assert "no-such-program" in str(ended)
        return type(ended)
    return None


def test_a_missing_program_skips_a_test_and_fails_it_where_ci_is_set(monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    assert outcome("python3", "no-such-program") is pytest.skip.Exception
    monkeypatch.setenv("CI", "true")
    assert outcome("no-such-program") is pytest.fail.Exception
    assert outcome("python3") is None
