"""What rules of kind `classifier` ask must be in the file; the classifier's own settings, too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from serve_app.config.deployment import CLASSIFIER_BUILDER, GATEWAY_BUILDER, MODEL_BUILDER
from serve_app.config.load import load
from serve_app.config.marked import ConfigError

MODELS = [{"id": "m", "context": 8000}]
BACKENDS = [
    {"name": "one", "base_url": "http://one.test/v1", "models": MODELS},
    {"name": "two", "kind": "anthropic", "base_url": "http://two.test/v1", "models": MODELS},
]


def document(*sources: str, **args: Any) -> dict[str, Any]:
    rules = [
        {"name": f"r{at}", "kind": "classifier", "source": source}
        for at, source in enumerate(sources)
    ]
    policy = {"filter": {"rules": rules}, "routing": {"default": ["one/m"]}}
    return {
        "applications": [
            {
                "name": "gateway",
                "import_path": GATEWAY_BUILDER,
                "args": {"backends": BACKENDS},
                "deployments": [{"name": "Gateway", "user_config": policy}],
            },
            {
                "name": "guard",
                "route_prefix": None,
                "import_path": CLASSIFIER_BUILDER,
                "args": {"path": "some/model", **args},
            },
            {"name": "theirs", "route_prefix": None, "import_path": "their.own:app"},
            {"name": "model", "route_prefix": None, "import_path": MODEL_BUILDER},
        ]
    }


def problems(folder: Path, content: dict[str, Any]) -> list[str]:
    path = folder / "c.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    try:
        load(path, environ={})
    except ConfigError as error:
        return error.problems
    return []


@pytest.mark.parametrize(
    "source", ["app:guard", "app:theirs", "moderation:one", "moderation:one/some-model:2"]
)
def test_what_is_there_may_be_asked(tmp_path: Path, source: str) -> None:
    assert problems(tmp_path, document(source)) == []


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("app:gaurd", "'app:gaurd' is no application with a classifier (there is: guard, theirs)"),
        ("app:model", "'app:model' is no application with a classifier"),
        ("app:gateway", "'app:gateway' is no application with a classifier"),
        ("moderation:three", "'moderation:three' is no backend of kind `openai` (there is: one)"),
        ("moderation:two", "'moderation:two' is no backend of kind `openai`"),
        ("guard", "String should match pattern"),
    ],
)
def test_what_is_not_there_is_named_with_its_line(tmp_path: Path, source: str, says: str) -> None:
    [problem] = problems(tmp_path, document("app:guard", source))
    where = "applications[0].deployments[0].user_config.filter.rules[1]"
    assert where in problem
    assert says in problem
    line = int(problem.split(":")[1])
    assert source in (tmp_path / "c.yaml").read_text(encoding="utf-8").splitlines()[line - 1]


def test_a_classifiers_settings_are_checked(tmp_path: Path) -> None:
    [problem] = problems(tmp_path, document("app:guard", windows=3))
    assert "applications[1].args.windows: is not a known key" in problem
