"""The older completions: prompts as messages, replies in their own form."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai.types import Completion
from wire_chunks import Told, batches, chunk, data_of, text_of, usage_chunk, whole

from serve_app.core.errors import BadRequest
from serve_app.core.types import ChatRequest, Usage
from serve_app.wire import completions, openai
from serve_app.wire.completions import Completions


def decode(**fields: Any) -> list[ChatRequest]:
    return completions.decode_each(json.dumps({"model": "auto", **fields}).encode())


def test_each_prompt_is_a_request_of_its_own() -> None:
    shared = {"max_tokens": 5, "temperature": 0.5, "stop": "x", "n": 2, "seed": 1, "x_new": [1]}
    one, two = decode(prompt=["a", "b"], best_of=1, echo=False, suffix="", **shared)
    assert json.loads(two.body()) == {
        "model": "auto", "messages": [{"role": "user", "content": "b"}], **shared,
    }  # fmt: skip
    assert openai.texts_of(one, "t").texts == ("a",)
    assert one.params.max_tokens == 5


def test_a_number_of_logprobs_becomes_a_switch_and_a_number() -> None:
    [request] = decode(prompt="a", logprobs=2)
    assert (request.params.logprobs, request.params.top_logprobs) == (True, 2)
    assert openai.needs_of(request) == ("logprobs",)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": ["a"] * 17}, "prompt"),
        ({"prompt": [1, 2]}, "prompt"),
        ({"prompt": [[1], [2]]}, "prompt"),
        ({"prompt": ["a", None]}, "prompt[1]"),
        ({"prompt": ["a", "b"], "stream": True}, "prompt"),
        ({"prompt": "a", "suffix": "z"}, "suffix"),
        ({"prompt": "a", "echo": True}, "echo"),
        ({"prompt": "a", "best_of": 2}, "best_of"),
        ({"prompt": "a", "logprobs": 6}, "logprobs"),
        ({"prompt": "a", "logprobs": True}, "logprobs"),
        ({"prompt": "a", "temperature": 3}, "temperature"),
        ({"prompt": "a", "stop": list("abcde")}, "stop"),
        ({"prompt": "a", "n": "two"}, "n"),
    ],
)
def test_the_field_at_fault_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        decode(**fields)
    assert refused.value.param == param


def test_a_reply_has_the_older_form() -> None:
    tops = [{"token": "hi", "logprob": -0.1}, {"token": "yo", "logprob": -2.0}]
    tokens = [
        {"token": "hi", "logprob": -0.1, "top_logprobs": tops},
        {"token": " you", "logprob": -0.2, "top_logprobs": []},
    ]
    reply = whole({"content": "hi you"}, "length")
    value = json.loads(reply.raw)
    value["choices"][0]["logprobs"] = {"content": tokens, "refusal": None}
    reply.raw = json.dumps(value).encode()
    body = Completions().whole(reply, Told(usage=Usage(3, 2, 5)))
    made = Completion.model_validate_json(body, strict=True)
    assert (made.id, made.model, made.object) == ("cmpl-1", "m-1", "text_completion")
    [choice] = made.choices
    assert (choice.text, choice.index, choice.finish_reason) == ("hi you", 0, "length")
    assert choice.logprobs is not None
    assert choice.logprobs.tokens == ["hi", " you"]
    assert choice.logprobs.token_logprobs == [-0.1, -0.2]
    assert choice.logprobs.top_logprobs == [{"hi": -0.1, "yo": -2.0}, {}]
    assert choice.logprobs.text_offset == [0, 2]
    assert made.usage is not None
    assert made.usage.total_tokens == 5


def test_replies_to_several_prompts_are_numbered_and_summed() -> None:
    used = {"prompt_tokens": 2, "completion_tokens": 1, "total_tokens": 3}
    replies = [whole({"content": text}, usage=used) for text in ("a", "b", "c")]
    body = json.loads(completions.join([(reply, Told()) for reply in replies]))
    assert [(c["index"], c["text"]) for c in body["choices"]] == [(0, "a"), (1, "b"), (2, "c")]
    assert body["usage"] == {"prompt_tokens": 6, "completion_tokens": 3, "total_tokens": 9}


async def test_a_stream_has_the_older_form() -> None:
    def token(text: str) -> dict[str, Any]:
        return {"logprobs": {"content": [{"token": text, "logprob": -1.0}]}}

    said = [chunk({"content": "hi"}), chunk({"content": " you"})]
    for part, text in zip(said, ("hi", " you"), strict=True):
        part.choices[0].logprobs = token(text)["logprobs"]
    stream = batches(
        [chunk({"role": "assistant", "content": ""}), said[0]],
        [said[1], chunk({}, "stop")],
        [usage_chunk(3, 2)],
    )
    events = data_of(await text_of(Completions().events(stream, Told())))
    assert events[-1] == "[DONE]"
    chunks = [json.loads(event) for event in events[:-1]]
    assert {(made["object"], made["id"], made["model"]) for made in chunks} == {
        ("text_completion", "cmpl-1", "m-1")
    }
    assert [[c["text"] for c in made["choices"]] for made in chunks] == [["hi"], [" you"], [""], []]
    finishes = [c["finish_reason"] for made in chunks for c in made["choices"]]
    assert finishes == [None, None, "stop"]
    assert chunks[1]["choices"][0]["logprobs"]["text_offset"] == [2]
    assert chunks[-1]["usage"]["total_tokens"] == 5


async def test_a_model_without_a_name_is_called_by_the_one_that_answered() -> None:
    nameless = chunk({"content": "x"}, model="")
    [event, _] = data_of(await text_of(Completions().events(batches([nameless]), Told("m"))))
    assert json.loads(event)["model"] == "m"
