"""English signals of prompt injection; see `signals.py`.

Words that an attacker may run together have ` ?` between them, since letters that were spaced
out have lost their word gaps.
"""

from __future__ import annotations

from serve_app.filters.signals import Signal, any_of

_EARLIER = (
    any_of("previous", "prior", "preceding", "earlier", "above", "foregoing", "original", "initial")
    + "(?:ly given)?"
)
_ORDERS = any_of(
    "instructions?", "prompts?", "directives?", "directions", "guidelines", "rules",
    "programming", "commands", "guardrails", "safeguards", "restrictions", "training",
)  # fmt: skip
_DROP = any_of(
    "ignor(?:e|ing)", "disregard(?:ing)?", "forget(?:ting)?", "overrid(?:e|ing)",
    "bypass(?:ing)?", "neglect", "discard", "skip", "drop", "abandon", "set aside", "throw out",
    "stop (?:following|obeying)", "pay no attention to",
    "(?:not|n't|never|no longer) (?:follow|obey)",
)  # fmt: skip
_SHOW = any_of(
    "reveal", "show", "print", "repeat", "output", "display", "dump", "leak", "expose",
    "disclose", "recite", "write", "return", "tell", "give", "send", "share", "summari[sz]e",
    "translate", "copy", "quote", "list", "paste", "encode",
)  # fmt: skip
_HIDDEN_ORDERS = any_of(
    "(?:system|developer) ?(?:prompt|message|instructions?)",
    "(?:initial|original|hidden|secret) ?(?:prompt|instructions?|rules)",
    "internal ?(?:instructions?|rules|guidelines)",
    "(?:pre-?|base )?prompt",
)
_GIVEN = (
    r"(?:(?:that|which) )?(?:you (?:were|have been|had been|got|received|know|learned)"
    r"|(?:were |was )?(?:given|told|provided|taught) (?:to )?you|\w+ (?:gave|told|taught) you)"
)
_LIMITS = any_of(
    "restrictions?", "rules", "limits?", "limitations?", "filters?", "filtering", "censorship",
    "guidelines", "guardrails", "safeguards", "ethic(?:s|al)", "moral(?:s|ity)?",
    "polic(?:y|ies)", "safety",
)  # fmt: skip
_MODEL = any_of("ai", "llm", "language model", "assistant", "chatbot", "gpt", "agent")
_OPENING = """["'“‘`「『«]"""
_CLOSING = """"'”’`」』»"""

ENGLISH: tuple[Signal, ...] = (
    Signal(
        "override",
        1.0,
        rf"\b{_DROP} ?(?:(?:about|all|any|every|each|both|of|the|your|these|those|other|safety"
        rf"|content|and|or) ?)*(?:(?:{_EARLIER}|system),? ?(?:(?:and|or) )?)+"
        rf"(?:\w+ ?){{0,2}}?{_ORDERS}",
    ),
    Signal(
        "override_yours",
        1.0,
        rf"\b{_DROP} ?(?:(?:all|any|of) ?)*your ?(?:\w+ ){{0,2}}?{_ORDERS}",
    ),
    Signal(
        "override_given",
        1.0,
        rf"\b{_DROP}\b[^.!?]*\b(?:{_ORDERS}|everything|anything|all|whatever|what) ?{_GIVEN}",
    ),
    Signal(
        "override_any",
        0.8,
        rf"\b{_DROP} ?(?:all|any|every) ?(?:(?:of|the|these|those|safety) ?)*"
        r"(?:instructions?|prompts?|directives?|guidelines|programming|safety rules)",
    ),
    Signal(
        "override_said",
        0.7,
        r"\b(?:ignore|disregard|forget) ?(?:everything|anything|all|whatever|what)"
        r" ?(?:of )?(?:that )?(?:(?:was|were|is|has been|i) )?"
        r"(?:said|written|above|before|previously|prior)",
    ),
    Signal("override_rules", 0.5, r"\b(?:ignore|disregard|forget|drop) (?:all )?the rules\b"),
    Signal(
        "orders_void",
        1.0,
        rf"\b{_EARLIER} {_ORDERS} (?:are|is|have been|has been|were) (?:now |all |hereby )?"
        r"(?:void|null|cancell?ed|obsolete|superseded|revoked|lifted|replaced|no longer|overridden"
        r"|invalid|suspended)",
    ),
    Signal("override_mine", 0.4, rf"\b{_DROP} (?:all )?my (?:\w+ )?{_ORDERS}"),
    Signal(
        "reveal_yours",
        1.0,
        rf"\b{_SHOW} ?(?:(?:me|us|back|out|here|the|all|exact|exactly|full|complete|entire|whole"
        rf"|verbatim|text|contents?|words?|of|in|what|is|are) ?)*your ?(?:\w+ ){{0,3}}?"
        rf"{_HIDDEN_ORDERS}",
    ),
    Signal(
        "reveal_given",
        1.0,
        rf"\b{_SHOW}\b[^.!?]*"
        rf"\b(?:instructions?|prompts?|rules|guidelines|system message) ?{_GIVEN}",
    ),
    Signal(
        "reveal_system_prompt",
        0.6,
        r"\b(?:reveal|print|repeat|output|dump|leak|expose|disclose|recite) ?(?:me )?"
        rf"(?:the|its|this) ?(?:\w+ ){{0,3}}?{_HIDDEN_ORDERS}",
    ),
    Signal(
        "reveal_above",
        1.0,
        r"\b(?:repeat|print|output|copy|recite|quote|translate|summari[sz]e) ?(?:(?:all|every"
        r"|everything|the|words?|text|lines?|sentences?|of|exact|entire|whole|verbatim) ?)+"
        r"(?:above|(?:before|prior to|preceding) this) ?(?:message |line |point )?,? ?"
        r"(?:start|begin|includ|verbatim|word for word|in a code ?block)",
    ),
    Signal(
        "in_full", 0.3, r"\b(?:verbatim|word for word|list them all|in full|exactly as written)\b"
    ),
    Signal("reveal_secret", 0.4, r"\breveal (?:the|your|all|any) (?:\w+ )?(?:secret|key|password)"),
    Signal(
        "ask_yours",
        0.7,
        rf"\bwhat(?:'s| is| are| were| was) your ?(?:\w+ ){{0,2}}?{_HIDDEN_ORDERS}",
    ),
    Signal(
        "unrestricted_role",
        1.0,
        r"\b(?:you are|you're|you will be|act(?:ing)? as|act like|pretend|role ?-?play|simulate"
        r"|behave as|respond as|become|imagine you)\b[^.!?]*\b(?:unrestricted|unfiltered"
        r"|uncensored|jailbroken|amoral|no longer bound|not bound by"
        rf"|(?:free (?:from|of)|without|has no|have no|no) (?:all |any )?(?:\w+ )?{_LIMITS})",
    ),
    Signal(
        "known_jailbreak",
        1.0,
        r"\bdo ?anything ?now\b|\byou are (?:now )?(?:dan|stan|dude|evil ?bot|evil ?gpt)\b"
        r"|\b(?:dan|jailbreak|god|developer|debug|sudo|unrestricted) ?mode"
        r" ?(?:is |has been )?(?:now )?(?:enabled|activated|engaged)"
        r"|\b(?:enter|enable|activate|switch to|go into)"
        r" (?:dan|jailbreak|god|sudo|unrestricted) ?mode",
    ),
    Signal(
        "developer_mode",
        0.7,
        r"\b(?:you are (?:now )?in|enter|enable|activate|switch to)"
        r" (?:developer|debug|maintenance|admin) ?mode",
    ),
    Signal(
        "drop_limits",
        0.6,
        r"\b(?:bypass|disable|turn off|switch off|remove|deactivate|ignore|get around|circumvent)"
        r" ?(?:(?:all|any|of) ?)*(?:your|its|(?:the model|the ai|openai)'?s?)"
        rf" ?(?:\w+ ){{0,2}}?{_LIMITS}",
    ),
    Signal(
        "no_limits",
        0.5,
        r"\b(?:without|no|free (?:of|from)) (?:any |all |your )?"
        r"(?:moral |ethical |safety |content )?"
        r"(?:restrictions?|limitations?|filters?|filtering|censorship|guardrails|disclaimers?)",
    ),
    Signal(
        "never_refuse",
        0.5,
        r"\b(?:never|do not|don't|cannot|can't|must not) (?:refuse|decline|say no)\b",
    ),
    Signal("you_are_free", 0.5, r"\byou are (?:now )?(?:free|liberated|unbound|unchained)\b"),
    Signal(
        "new_orders",
        0.5,
        r"\b(?:new|updated|real|actual|true|overriding) ?(?:system )?"
        r"(?:instructions?|tasks?|objectives?|directives?) ?(?::|follow|are\b|is\b)",
    ),
    Signal(
        "new_task",
        0.5,
        r"\byour (?:new|real|true|only) (?:task|role|goal|instructions?|objective) (?:is|are)",
    ),
    Signal(
        "from_now_on",
        0.3,
        r"\bfrom (?:now|here|this (?:point|moment)) on(?:wards?)?,? ?(?:you|your|only|act|respond)"
        r"|\byou are now (?:a|an|the|my|in|called|going)\b",
    ),
    Signal(
        "obey_me",
        0.4,
        r"\b(?:obey|listen to|answer to|follow) only (?:me|my)\b"
        r"|\bonly (?:obey|listen to|answer to|follow) (?:me|my)\b",
    ),
    Signal(
        "fake_markers",
        0.6,
        r"<\|?(?:im_start|im_end|system|endoftext|eot_id|start_header_id)\|?>"
        r"|\[/?(?:inst|system)\]|<</?sys>>|</?(?:system|system_prompt|instructions?)>"
        r"|(?:^|[ #*\[(-])(?:system|developer|admin(?:istrator)?) ?"
        r"(?:prompt|message|override|note|alert|instruction)s? ?[\])*-]* ?:"
        r"|[#\[*] ?system ?[\]*]* ?:|\bsystem override\b"
        r"|[-=#*_]{3,} ?(?:end|begin|start) (?:of )?(?:system|user|prompt|instructions|context)",
    ),
    Signal(
        "addressed_to_ai",
        0.5,
        r"\b(?:attention|note|message|memo|important|instructions?|hey|dear)"
        rf" ?(?:to|for|,|:)? (?:the |any |all )?{_MODEL}s?\b"
        rf"|\bif you(?:'re| are) (?:an? )?(?:large )?{_MODEL}",
    ),
    Signal(
        "hide_from_user",
        0.6,
        r"\b(?:do not|don'?t|never|without) ?(?:(?:tell|inform|mention|alert|reveal|notify)(?:ing)?"
        r"|show|let) ?(?:(?:this|it|that|any of this) )?(?:to )?(?:the |your )?"
        r"(?:user|human|operator|victim)s?\b"
        r"|\buser (?:must|should) not (?:know|see|notice|be told)",
    ),
    Signal(
        "exfiltrate",
        0.6,
        r"\b(?:send|post|forward|upload|exfiltrate|email|transmit|leak|append)\b[^.!?]*"
        r"\b(?:conversation|chat (?:history|log)|api ?keys?|passwords?|credentials?|secrets?"
        r"|user'?s? (?:data|e-?mails?|messages|files)|env(?:ironment)? variables?)"
        r"\b[^.!?]*(?:https?://|\bto [\w.+-]+@|\bthis (?:url|address|endpoint|server))",
    ),
    Signal(
        "obey_encoded",
        0.6,
        r"\b(?:decode|decrypt|unscramble|rot13|base64)\b[^.!?]*"
        r"\b(?:follow|obey|execute|carry out|do what|comply|perform|act on)\b",
    ),
    Signal(
        "about_injection",
        -0.5,
        r"\b(?:how (?:do|can|could|should|would|to)|what (?:is|are|does|do)|why (?:is|are|does|do)"
        r"|explain|describe|detect|prevent|defend|protect|mitigate|classif(?:y|ier)|examples?"
        r"|paper|article|blog|lecture|lesson|tutorial)\b[^.!?]*\b(?:injections?|jailbreak(?:s|ing)?"
        r"|(?:attack|phrase|string|sentence|attempt)s?|(?:message|input|text|prompt)s? like)\b",
    ),
    # Only behind other words: a text that is nothing but a quoted attack is an attack.
    Signal(
        "quoted",
        -0.5,
        rf"\w[\s:,(]*{_OPENING}(?:please |just |now |you should )?(?:ignor\w+|disregard|forget"
        rf"|reveal|repeat|print|bypass|override)\b[^{_CLOSING}]*[{_CLOSING}]",
    ),
)
