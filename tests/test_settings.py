"""Settings: each has one name in the environment, and nothing else decides."""

from pathlib import Path

import pytest

from settings import Settings, as_role


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VIDURA_HOME", "VIDURA_PROFILE", "PORT", "DATABASE_URL", "MASTER_KEY", "MASTER_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)


def test_variables_that_only_sound_alike_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "PROFILE", "URL", "APP_URL", "DEVICES", "MASTER_KEY_"):
        monkeypatch.setenv(name, "/somewhere/else")
    settings = Settings()
    assert settings.home == Path(".vidura")
    assert settings.profile == "production"
    assert settings.database.url == settings.inference.devices == ""


def test_a_variable_sets_its_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDURA_HOME", "elsewhere")
    monkeypatch.setenv("PORT", "8123")
    settings = Settings()
    assert (settings.home, settings.web.port) == (Path("elsewhere"), 8123)
    assert settings.base_url == "http://127.0.0.1:8123"


def test_a_secret_may_be_handed_over_as_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("of the file\n")
    monkeypatch.setenv("MASTER_KEY_FILE", str(tmp_path / "key"))
    assert Settings().objects.master_key.get_secret_value() == "of the file"
    monkeypatch.setenv("MASTER_KEY", "of the environment")
    assert Settings().objects.master_key.get_secret_value() == "of the environment"


def test_other_roles_are_reached_at_the_same_server() -> None:
    url = as_role("postgresql://vidura_owner:p%40ss@db.example:5433/vidura?sslmode=require", "vidura_app")
    assert url == "postgresql://vidura_app:p%40ss@db.example:5433/vidura?sslmode=require"
