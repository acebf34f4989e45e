"""`serve-app chat`: a conversation in the terminal, or one question from a pipe."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Annotated

import typer

from serve_app.cli import options
from serve_app.cli.conversation import ChatFailed, Conversation
from serve_app.cli.failure import Failure
from serve_app.cli.life.instance import Instance
from serve_app.cli.life.records import State, load_record
from serve_app.cli.summary import KEY_ENV

_PROMPT = "> "


def chat(
    question: Annotated[
        str | None, typer.Argument(help="Ask this one question; without it, a conversation.")
    ] = None,
    model: Annotated[str, typer.Option("--model", "-m", help="`auto`, an alias, or a model.")] = (
        "auto"
    ),
    system: Annotated[str | None, typer.Option(help="A system message.")] = None,
    url: options.Url = None,
    timeout: Annotated[float, typer.Option(min=1, help="Longest silence in seconds.")] = 120.0,
) -> None:
    """Talk to a running gateway; the answer appears as it is made.

    \b
    Examples:
      serve-app chat
      serve-app chat "What is the capital of France?"
      echo "Summarize: ..." | serve-app chat --model smart
    """
    conversation = Conversation(
        address(url), model=model, system=system, key=os.environ.get(KEY_ENV), timeout_s=timeout
    )
    if question is not None:
        _answer(conversation, question)
    elif not sys.stdin.isatty():
        _answer(conversation, sys.stdin.read())
    else:
        _converse(conversation)


def address(url: str | None) -> str:
    """Where the gateway is.

    Raises:
        Failure: none was named and none runs here.
    """
    if url is not None:
        return url
    instance = Instance.of(os.environ)
    state = load_record(instance.state, State)
    if state is None:
        raise Failure("No gateway runs here: serve-app up, or name one with --url")
    return state.address


def _answer(conversation: Conversation, question: str) -> None:
    """One question, one answer; a failure ends the command."""
    if not question.strip():
        raise Failure("The question is empty", 2)
    try:
        _print_pieces(conversation.say(question.strip()))
    except ChatFailed as error:
        raise Failure(str(error)) from error


def _converse(conversation: Conversation) -> None:
    print("Ctrl-C stops an answer, Ctrl-D ends the conversation.")
    for question in _questions():
        try:
            _print_pieces(conversation.say(question))
        except ChatFailed as error:
            print(f"\n[{error}]")
        except KeyboardInterrupt:
            print("\n[stopped]")


def _questions() -> Iterator[str]:
    while True:
        try:
            question = input(_PROMPT).strip()
        except (EOFError, KeyboardInterrupt):
            print()
            return
        if question:
            yield question


def _print_pieces(pieces: Iterator[str]) -> None:
    for piece in pieces:
        sys.stdout.write(piece)
        sys.stdout.flush()
    print()
