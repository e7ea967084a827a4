import stat
from pathlib import Path

import pytest

from skerry.cli import problems, settings


def test_defaults_to_the_development_server(config_home: Path) -> None:
    assert settings.resolve() == settings.Settings("http://127.0.0.1:8120", None)


def test_option_wins_over_environment_and_environment_over_file(
    config_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.save(settings.Settings("https://stored.example", "sk_stored"))
    assert settings.resolve() == settings.Settings("https://stored.example", "sk_stored")
    monkeypatch.setenv("SKERRY_URL", "https://env.example/")
    assert settings.resolve().url == "https://env.example"
    assert settings.resolve("https://option.example/v1/").url == "https://option.example"


def test_a_stored_key_is_only_for_the_server_it_was_stored_for(
    config_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.save(settings.Settings("https://stored.example", "sk_stored"))
    assert settings.resolve("https://other.example").api_key is None
    monkeypatch.setenv("SKERRY_API_KEY", "sk_env")
    assert settings.resolve("https://other.example").api_key == "sk_env"


def test_only_the_user_can_read_the_file(config_home: Path) -> None:
    path = settings.save(settings.Settings("https://stored.example", "sk_1"))
    settings.save(settings.Settings("https://stored.example", "sk_2"))
    assert path.parent == config_home
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert settings.resolve().api_key == "sk_2"


@pytest.mark.parametrize("content", ["{", "[]", '{"url": 3}', '{"url": "ftp://x"}'])
def test_a_broken_file_is_named(config_home: Path, content: str) -> None:
    config_home.mkdir(parents=True)
    (config_home / "config.json").write_text(content)
    with pytest.raises(problems.Problem):
        settings.resolve()


@pytest.mark.parametrize("url", ["skerry.example.com", "ftp://x", "http://"])
def test_other_than_web_urls_are_usage_errors(config_home: Path, url: str) -> None:
    with pytest.raises(problems.Problem, match="not a server URL") as caught:
        settings.resolve(url)
    assert caught.value.exit_status == problems.USAGE
