"""The router's refusal as the error that a caller sees."""

from __future__ import annotations

from serve_app.core.errors import BadRequest, GatewayError, NotFound, Overloaded
from serve_app.core.plan import Problem


def refusal(problem: Problem) -> GatewayError:
    """The router's refusal as the error it stands for."""
    made: GatewayError
    if problem.status == 404:
        made = NotFound(problem.message, param=problem.param, code=problem.code)
    elif problem.status == 503:
        made = Overloaded(problem.message, code=problem.code, retry_after_s=5)
    else:
        made = BadRequest(problem.message, param=problem.param, code=problem.code)
    return made
