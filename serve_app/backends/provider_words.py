"""Codes and words by which providers say what is wrong; all in lower case.

Most set OpenAI's codes. The others only say it, each in words of its own.
"""

from __future__ import annotations

MISSING_MODEL_CODES = frozenset(
    {
        "model_not_found",
        "model_not_supported",
        "model_decommissioned",
        "deploymentnotfound",  # Azure
        "not_found_error",  # Anthropic; says it of models only
        "resource_not_found_error",  # Moonshot, the same
        "1211",  # Zhipu
    }
)
MISSING_MODEL_WORDS = (
    "model",
    "deployment",
    "endpoint",
    "resource not found",  # Azure
    "invalid url",  # OpenAI
    "unknown url",  # Groq
)
"""At a 404: a model or an address that is not there, whatever the request said."""

QUOTA_CODES = frozenset(
    {
        "insufficient_quota",
        "billing_hard_limit_reached",
        "billing_not_active",
        "exceeded_current_quota_error",  # Moonshot
        "insufficientbalance",
        "arrearage",  # DashScope
        "1113",  # Zhipu
    }
)
QUOTA_WORDS = (
    "credit balance is too low",  # Anthropic, as a 400
    "insufficient balance",  # DeepSeek
    "insufficient credits",  # OpenRouter
    "insufficient account balance",
    "balance is insufficient",  # SiliconFlow
)

KEY_CODES = frozenset({"api_key_invalid", "invalid_api_key", "invalidapikey"})
KEY_WORDS = ("api key not valid", "api key expired")
"""Gemini refuses a key with a 400."""

CONTENT_CODES = frozenset(
    {
        "content_policy_violation",
        "content_filter",  # Azure, Moonshot
        "invalid_prompt",
        "responsibleaipolicyviolation",  # Azure
        "data_inspection_failed",  # DashScope
        "datainspectionfailed",
        "1301",  # Zhipu
        "prohibited_content",  # Gemini
        "safety",
        "moderation_blocked",
        "content_moderation",
        "sensitive_content",
    }
)
CONTENT_WORDS = (
    "content exists risk",  # DeepSeek
    "considered high risk",  # Moonshot
    "content management policy",  # Azure
    "content filtering policy",  # Anthropic
    "content policy",
    "usage policy",
    "usage policies",
    "usage guidelines",  # xAI
    "safety system",
    "blocked by safety",
    "inappropriate content",  # DashScope
    "datainspectionfailed",
    "prohibited_content",
    "input was flagged",  # OpenRouter
    "flagged by moderation",
    "不安全或敏感",  # Zhipu
)

CONTEXT_CODES = frozenset(
    {
        "context_length_exceeded",
        "exceed_context_size_error",  # llama.cpp
        "1261",  # Zhipu
    }
)
CONTEXT_WORDS = (
    "context length",
    "context window",
    "context size",
    "maximum context",
    "max_model_len",
    "prompt is too long",  # Anthropic
    "input is too long",
    "prompt exceeds max length",  # Zhipu
    "range of input length",  # DashScope
    "exceeds the maximum number of tokens",  # Gemini
    "exceeded model token limit",  # Moonshot
    "reduce the length of the",  # Groq, vLLM
    "too large for model",  # Mistral
    "too many tokens",  # Cohere
    "`max_new_tokens` must be <=",  # Together
)

STATUS_OF_TYPE = {
    "invalid_request_error": 400,
    "badrequesterror": 400,
    "bad_request": 400,
    "invalid_argument": 400,
    "failed_precondition": 400,
    "authentication_error": 401,
    "invalid_authentication_error": 401,
    "invalid_api_key": 401,
    "authenticationerror": 401,
    "unauthenticated": 401,
    "permission_error": 403,
    "permission_denied": 403,
    "not_found_error": 404,
    "notfounderror": 404,
    "not_found": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "rate_limit_reached_error": 429,
    "requests": 429,
    "tokens": 429,
    "insufficient_quota": 429,
    "resource_exhausted": 429,
    "overloaded_error": 503,
    "unavailable": 503,
    "deadline_exceeded": 504,
}
"""HTTP status of an error object that came inside a 200; whatever is not here is a 500."""
