from pathlib import Path

import pytest

from serve_app.config.doors import is_loopback, left_open
from serve_app.config.load import load
from serve_app.config.marked import ConfigError
from serve_app.config.policy import AdmissionPolicy
from serve_app.config.shipped import shipped


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_what_only_this_machine_reaches(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "10.1.2.3", "gateway.example"])
def test_what_others_may_reach(host: str) -> None:
    assert not is_loopback(host)
    assert "others reach" in left_open(AdmissionPolicy(require_key=False), host)
    assert not left_open(AdmissionPolicy(require_key=True), host)
    assert not left_open(AdmissionPolicy(require_key=False, anyone_may_ask=True), host)


def test_a_file_that_leaves_the_door_open_is_refused_with_its_line(tmp_path: Path) -> None:
    text = shipped("personal.yaml").read_text(encoding="utf-8")
    path = tmp_path / "open.yaml"
    path.write_text(text.replace("host: 127.0.0.1", "host: 0.0.0.0"), encoding="utf-8")
    line = text[: text.index("require_key: false")].count("\n") + 1
    with pytest.raises(ConfigError, match="anyone_may_ask") as refused:
        load(path, environ={})
    assert f"{path}:{line}: " in str(refused.value)
