"""Errors as problem+json, each kind with its status, and which of them routes say that they answer."""

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.routing import Match

from libs.kit.errors import UserError
from libs.kit.logging import get_logger
from libs.store.engine import QuestionTooSlow
from services.gateway.access import Forbidden, SecondFactorNeeded, Unauthenticated
from services.gateway.limits import TooMany
from services.gateway.models.base import Problem

MEDIA_TYPE = "application/problem+json"
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
RESPONSES: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "The request makes no sense here"},
    422: {"model": Problem, "description": "A parameter has a wrong form"},
    429: {"model": Problem, "description": "Too many requests or failed attempts; Retry-After says when to ask again"},
    503: {
        "model": Problem,
        "description": "The database does not answer, or is busy; Retry-After says when to ask again",
    },
}


NOT_THERE: dict[int | str, dict[str, Any]] = {404: {"model": Problem, "description": "There is nothing of that name"}}
# Beside the ones above, for routes that somebody must be signed in for.
SIGNED_IN_RESPONSES: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "Nobody is signed in, or no longer"},
    403: {"model": Problem, "description": "Who asks may not do this"},
}
# What whoever signs in may hear.
SIGNING_IN_RESPONSES: dict[int | str, dict[str, Any]] = {
    **RESPONSES,
    **SIGNED_IN_RESPONSES,
    404: {"model": Problem, "description": "There is no such thing, or none of yours"},
    409: {"model": Problem, "description": "It is taken, or was done already"},
    413: {"model": Problem, "description": "The request is too large"},
}


def describe(document: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI document with the media type that problems really have: FastAPI writes that of the good answers."""
    for path in document["paths"].values():
        for operation in path.values():
            for status, response in operation["responses"].items():
                if int(status) >= 400:
                    response["content"] = {MEDIA_TYPE: response["content"]["application/json"]}
            if "security" in operation:
                operation["security"] = _together(operation["security"])
    return document


def _together(ways: list[dict[str, list[str]]]) -> list[dict[str, list[str]]]:
    """What a router and its route need, both are needed: FastAPI writes them as alternatives."""
    names = sorted({name for way in ways for name in way})
    scopes = sorted({scope for way in ways for each in way.values() for scope in each})
    return [{name: scopes} for name in names]


class BadRequest(Exception):
    """The caller asked for something that cannot be; `detail` says what and what would be right."""


class NotFound(Exception):
    """404: there is no such thing, or none of yours."""


class Conflict(Exception):
    """409: it is taken, or somebody was faster."""


def problem(
    request: Request, status: int, detail: str, also: Mapping[str, str] | None = None, kind: str = "about:blank"
) -> JSONResponse:
    """A problem+json answer, `also` with these headers; `kind`: what a program may decide by."""
    body = Problem(type=kind, title=HTTPStatus(status).phrase, status=status, detail=detail, instance=request.url.path)
    headers = {"Cache-Control": "no-store"} | ({"Retry-After": "2"} if status == 503 else {}) | dict(also or {})
    return JSONResponse(body.model_dump(), status, headers, media_type=MEDIA_TYPE)


async def _on_bad_request(request: Request, error: Exception) -> Response:
    return problem(request, 400, str(error))


async def _on_not_found(request: Request, error: Exception) -> Response:
    return problem(request, 404, str(error))


async def _on_conflict(request: Request, error: Exception) -> Response:
    return problem(request, 409, str(error))


async def _on_too_many(request: Request, error: Exception) -> Response:
    assert isinstance(error, TooMany)
    return problem(request, 429, str(error), {"Retry-After": str(max(1, math.ceil(error.seconds)))})


async def _on_unauthenticated(request: Request, error: Exception) -> Response:
    return problem(request, 401, str(error), {"WWW-Authenticate": "Bearer"})


async def _on_forbidden(request: Request, error: Exception) -> Response:
    return problem(request, 403, str(error))


async def _on_second_factor(request: Request, error: Exception) -> Response:
    return problem(request, 403, str(error), kind="second-factor-needed")


async def _on_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    details = [f"{item['loc'][-1]}: {item['msg']}" for item in error.errors()]
    return problem(request, 422, "; ".join(details))


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = f"there is no {request.url.path} here; see /docs" if error.status_code == 404 else str(error.detail)
    also = {**(error.headers or {}), "Allow": _allowed(request)} if error.status_code == 405 else error.headers
    return problem(request, error.status_code, detail, also)


def _allowed(request: Request) -> str:
    """The methods of a path; the router names those of the first route that has the path, and others may have it too."""
    routes = request.app.router.routes
    fits = ((method, route.matches({**request.scope, "method": method})[0]) for method in _METHODS for route in routes)
    return ", ".join(dict.fromkeys(method for method, match in fits if match is Match.FULL))


async def _on_user_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, UserError)
    get_logger("gateway").warning("cannot answer", path=request.url.path, why=str(error.advice))
    return problem(request, 503, error.advice.what)


async def _on_slow_question(request: Request, error: Exception) -> Response:
    return problem(request, 400, f"{error}: ask for a shorter span")


async def _on_anything(request: Request, error: Exception) -> Response:
    get_logger("gateway").error("request failed", path=request.url.path, exc_info=error)
    return problem(request, 500, "the request failed; the gateway's log says why")


def install(application: FastAPI) -> None:
    """Put the handlers into an application."""
    application.add_exception_handler(BadRequest, _on_bad_request)
    application.add_exception_handler(NotFound, _on_not_found)
    application.add_exception_handler(Conflict, _on_conflict)
    application.add_exception_handler(TooMany, _on_too_many)
    application.add_exception_handler(Unauthenticated, _on_unauthenticated)
    application.add_exception_handler(Forbidden, _on_forbidden)
    application.add_exception_handler(SecondFactorNeeded, _on_second_factor)
    application.add_exception_handler(RequestValidationError, _on_validation)
    application.add_exception_handler(HTTPException, _on_http)
    application.add_exception_handler(UserError, _on_user_error)
    application.add_exception_handler(QuestionTooSlow, _on_slow_question)
    application.add_exception_handler(Exception, _on_anything)
