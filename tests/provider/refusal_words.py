"""How providers say that a prompt is too long, or unwanted: status and body by provider."""

from __future__ import annotations

import json

Refusal = tuple[int, bytes]


def _refusal(
    http: int, message: str, type_: object = None, code: object = None, **more: object
) -> Refusal:
    return http, encode({"error": {"message": message, "type": type_, "code": code, **more}})


def encode(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


_INVALID = "invalid_request_error"

TOO_LONG: dict[str, Refusal] = {
    "openai": _refusal(
        400,
        "This model's maximum context length is 8192 tokens. However, your messages resulted in "
        "10007 tokens. Please reduce the length of the messages.",
        _INVALID, "context_length_exceeded", param="messages",
    ),
    "openai_input": _refusal(
        400,
        "Your input exceeds the context window of this model. Please adjust your input and try "
        "again.",
        _INVALID, "context_length_exceeded", param="input",
    ),
    "vllm": _refusal(
        400,
        "This model's maximum context length is 4096 tokens. However, your request has 5000 "
        "input tokens. Please reduce the length of the input messages.",
        "BadRequestError", 400, param="input_tokens",
    ),
    "deepseek": _refusal(
        400,
        "This model's maximum context length is 131072 tokens. However, you requested 133034 "
        "tokens (125034 in the messages, 8000 in the completion). Please reduce the length of "
        "the messages or completion.",
        _INVALID, _INVALID, param=None,
    ),
    "dashscope": _refusal(
        400,
        "<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 129024]",
        _INVALID, "invalid_parameter_error", param=None,
    ),
    "moonshot": _refusal(
        400, "Invalid request: Your request exceeded model token limit: 8192", _INVALID
    ),
    "zhipu": (400, encode({"error": {"code": "1261", "message": "Prompt exceeds max length"}})),
    "mistral": (
        400,
        encode(
            {
                "object": "error",
                "message": "Prompt contains 40000 tokens and 0 draft tokens, too large for model "
                "with 32768 maximum context length",
                "type": "invalid_request_prompt",
                "param": None,
                "code": "3051",
            }
        ),
    ),
    "groq": _refusal(
        400, "Please reduce the length of the messages or completion.", _INVALID,
        "context_length_exceeded", param="messages",
    ),
    "together": _refusal(
        422,
        "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193. Given: 9000 "
        "`inputs` tokens and 512 `max_new_tokens`",
        _INVALID, None, param="max_tokens",
    ),
    "openrouter": _refusal(
        400,
        "This endpoint's maximum context length is 65536 tokens. However, you requested about "
        "77771 tokens (69579 of text input, 8192 in the output). Please reduce the length of "
        "either one, or use the \"middle-out\" transform to compress your prompt automatically.",
        None, 400, metadata={"provider_name": None},
    ),
    "llamacpp": _refusal(
        400,
        "the request exceeds the available context size, try increasing it",
        "exceed_context_size_error", 400, n_prompt_tokens=5000, n_ctx=4096,
    ),
    "gemini": (
        400,
        encode(
            [
                {
                    "error": {
                        "code": 400,
                        "message": "The input token count (1200000) exceeds the maximum number of "
                        "tokens allowed (1048576).",
                        "status": "INVALID_ARGUMENT",
                    }
                }
            ]
        ),
    ),
    "anthropic": _refusal(
        400, "prompt is too long: 208310 tokens > 200000 maximum", _INVALID
    ),
}  # fmt: skip

UNWANTED: dict[str, Refusal] = {
    "openai": _refusal(
        400,
        "Invalid prompt: your prompt was flagged as potentially violating our usage policy. "
        "Please try again with a different prompt.",
        _INVALID, "invalid_prompt",
    ),
    "openai_policy": _refusal(
        400,
        "Your request was rejected as a result of our safety system.",
        _INVALID, "content_policy_violation", param=None,
    ),
    "azure": _refusal(
        400,
        "The response was filtered due to the prompt triggering Azure OpenAI's content management "
        "policy. Please modify your prompt and retry.",
        None, "content_filter", param="prompt", status=400,
        innererror={"code": "ResponsibleAIPolicyViolation"},
    ),
    "dashscope": _refusal(
        400,
        "<400> InternalError.Algo.DataInspectionFailed: Input text data may contain inappropriate "
        "content.",
        "data_inspection_failed", "data_inspection_failed", param=None,
    ),
    "deepseek": _refusal(400, "Content Exists Risk", _INVALID, _INVALID, param=None),
    "moonshot": _refusal(
        400, "The request was rejected because it was considered high risk", "content_filter"
    ),
    "zhipu": (
        400,
        encode(
            {
                "contentFilter": [{"level": 1, "role": "user"}],
                "error": {
                    "code": "1301",
                    "message": "系统检测到输入或生成内容可能包含不安全或敏感内容，"
                    "请您避免输入易产生敏感内容的提示语，感谢您的配合。",
                },
            }
        ),
    ),
    "openrouter": _refusal(
        403,
        "Your chosen model requires moderation and your input was flagged",
        None, 403, metadata={"reasons": ["violence"], "flagged_input": "...", "model_slug": "m"},
    ),
    "xai": (
        403,
        encode(
            {
                "code": "The caller does not have permission to execute the specified operation",
                "error": "Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_BIO",
            }
        ),
    ),
}  # fmt: skip
