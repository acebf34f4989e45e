"""English cues of attempts to override the orders of a model, or to read them; see `signals.py`.

Words that an attacker may run together have ` ?` between them, since letters that were spaced
out have lost their word gaps.
"""

from __future__ import annotations

from collections.abc import Mapping

from serve_app.filters.signals import any_of, words

_EARLIER = words("previous previuos prior preceding earlier above foregoing original initial")
_STRONG = any_of(
    r"instructions?|instrctions|prompts?|programming|directives?|directions",
)
"""What only a model is given."""
_WEAK = any_of(
    r"guidelines|rules|orders|polic(?:y|ies)|commands|guardrails|safeguards|restrictions?"
    r"|constraints?|configuration|filters?|limits?|limitations?|training|content policy|(?:safety"
    r"|ethical) \w+",
)
_ORDERS = any_of(_STRONG, _WEAK)
_GIVEN = (
    r"(?:(?:that|which) )?(?:you (?:were|have been|had been|got|received)\b"
    r"|(?:were |was )?(?:given|told|provided|taught|imposed) (?:to |on )?you"
    r"|(?:\w+ ){1,2}?(?:gave|told|taught|instructed) you)"
)
LIMITS = any_of(
    r"restrictions|rules|limits|limitations|filters|filtering|censorship|guidelines|guardrails"
    r"|safeguards|ethic(?:s|al)\w*|moral(?:s|ity)?|laws|polic(?:y|ies)|safety|norms|legality"
    r"|boundaries|constraints?|disclaimers?|consequences|conscience",
)
OFF = words("off removed disabled lifted suspended deactivated abolished gone bypassed unlocked")
BE = "(?:are|is|were|was|be|been|have been|has been|had been)"
NOT = "(?:not|n't|dont|never|no longer|without|cannot|neither|nor)"

ORDER_CUES: Mapping[str, str] = {
    # Overriding what was ordered
    "drop": r"\b"
    + any_of(
        r"ignor(?:e|ing)|ignroe|disregard(?:ing)?|forget(?:ting)?|overwrit(?:e|ing)|bypass(?:ing)?"
        r"|neglect|discard|scrap|drop|abandon|erase|clear|cancel|suspend|skip|set aside|put aside"
        r"|throw (?:\w+ )?out|wipe|delete|remove|replace|pay no attention to|break|violate"
        r"|let go of|stop (?:following|obeying|using)|disobey|circumvent|get around|undo|turn off"
        r"|switch off|disable|deactivate|unlearn",
        "overrid(?:e|ing) (?:the|all|any|every|your|its|these|those|previous|prior|safety|system)",
        NOT + " ?(?:have to |need to |longer |bound to |required to )?"
        "(?:follow|obey|heed|respect|comply with|bound by|adhere to|consider|abide by)",
    )
    + r"\b",
    "glued": r"\b(?:ignore|disregard|forget)(?:all)?(?:the|your|of)*(?:previous|prior|above"
    r"|earlier|system)",
    "identity": r"\b(?:forget|stop) (?:about )?being (?:an? |the )",
    "void": any_of(
        rf"\b{BE} (?:now |all |hereby |only |to be )?"
        + words(
            "void null cancelled canceled obsolete superseded revoked lifted replaced overridden"
            " invalid suspended outdated disabled"
        ),
        rf"\b{NOT} (?:longer )?(?:valid|count|apply|matter|exist)",
        "\\b(?:must|should|to|can|may) be (?:ignored|disregarded)\\b",
        "\\bno longer (?:valid|appl|count)",
        "\\ba mistake\\b",
        "\\b(?:nothing|none of) (?:\\w+,? ){0,5}?(?:counts|matters|applies)",
    ),
    "own_orders": any_of(
        rf"\b(?:{_EARLIER},? ?(?:(?:and|or) )?)+(?:\w+ ?){{0,2}}?{_STRONG}",
        rf"\b(?:your|ur) ?(?:\w+ ){{0,3}}?{_ORDERS}",
        r"\bsystem(?:'s)? ?(?:prompt|message|instructions?|rules)",
        r"\byour (?:previous |whole )?(?:context|memory)\b",
        r"\b(?:company|developer|operator|creator|openai)s?'s? (?:guidelines|rules|instructions"
        r"|policy|policies)",
        rf"\b(?:{_ORDERS}|everything|anything|all|whatever|what|nothing|text) ?(?:\w+ )?{_GIVEN}",
        rf"\b{_STRONG} (?:(?:that|which) )?(?:\w+ )?(?:above|before|earlier|so far|from before"
        rf"|came before)",
        r"\b(?:all|any|every) ?(?:(?:of|the|these|those|safety) ?)*(?:instructions|prompts"
        r"|directives"
        "|guidelines|programming|safety rules)",
    ),
    "own_orders_weak": any_of(
        rf"\b{_EARLIER} (?:\w+ )?{_WEAK}",
        rf"\b{_WEAK} (?:above|before|from before)",
        rf"\b(?:all|any|every|the|those|these) (?:\w+ ){{0,2}}?{_WEAK}",
    ),
    "mine": r"\bmy (?:\w+ ){0,2}(?:instructions?|rules|orders|message|question|comment|mail"
    r"|e-mail)",
    "all_said": r"\b(?:everything|anything|all|whatever|what|nothing) ?(?:of )?(?:that )?"
    r"(?:(?:was|were|is|has been|had been|i|stands|comes|came) )?"
    r"(?:said|written|above|before|previously|prior|told)\b|\ball of that\b|\b(?:ignore|disregard"
    r"|forget) the above",
    "drop_said": r"\b(?:ignore|disregard|forget)\b",
    "limits_off": any_of(
        rf"\b{LIMITS} (?:\w+ ){{0,3}}?{BE}? ?(?:now |all |hereby |switched |turned )?{OFF}\b",
        rf"\b(?:without|no|free (?:of|from)) (?:any |all |your )?(?:\w+ )?{LIMITS}",
        r"\b(?:unrestricted|unlocked|no-safety|jailbroken) (?:mode|access)|\bwithout (?:any "
        r"|a )?filter\b|\bno filter\b[.!,]?$",
    ),
    "lift": rf"\b(?:bypass|disable|turn off|switch off|remove|deactivate|ignore|get around"
    rf"|circumvent"
    rf"|suspend|skip|break|drop|violate|lift|forget) ?(?:(?:all|any|of) ?)*(?:your|its"
    rf"|(?:the model|the ai|openai)'?s?)"
    rf" ?(?:\w+ ){{0,2}}?{LIMITS}",
    # Getting at what is hidden
    "show": r"\b"
    + any_of(
        r"what(?:'s| is| are| were| was| does| did| do)|which|cite|type|include|read|see|know"
        r"|detail",
        words("reveal show print repeat output display dump leak expose disclose recite write"),
        words("return tell give send share translate copy quote list paste encode spell put start"),
        words("provide replace complete convert summarise summarize rephrase describe state say"),
    )
    + r"\b",
    "not_show": r"\b(?:not|n't|never|without) (?:to )?(?:reveal|show|share|disclose|repeat|tell"
    r"|print|give|output|leak)",
    "show_strict": r"\b"
    + words("reveal print repeat output dump leak expose disclose recite")
    + r" ?(?:me |us )?(?:the|its|this|that) ?(?:\w+ ){0,3}?"
    r"(?:(?:system|developer|initial|original|hidden|secret|base|pre-?)? ?(?:prompt|message\b"
    r"|instructions?))",
    "their_secret": any_of(
        r"\b(?:your|ur) ?(?:\w+ ){0,3}?(?:(?:system|developer) ?)?(?:prompts?|instructions?|message"
        r"|directives|system message|hidden text)\b",
        r"\b(?:your|ur) (?:\w+ )?(?:hidden|secret|initial|original|internal|confidential|exact"
        r"|own) ?\w* ?(?:rules|guidelines"
        r"|text|words|configuration|directives|information)",
        r"\blist (?:all )?your (?:rules|guidelines)",
        rf"\b(?:instructions?|prompts?|rules|guidelines|configuration|message"
        rf"|text) ?(?:\w+ )?{_GIVEN}",
        r"\bwhole system message|\bcomplete prompt|\bsystem message in full",
        r"\b(?:(?:your|the) )?(?:creators?|developers?|makers?) (?:\w+ )?(?:give|gave|told|tell"
        r"|put|wrote)",
    ),
    "above": r"\b(?:text|words?|lines?|sentences?|everything|all|messages?|contents?|what)"
    r"(?: \w+){0,3}? ?(?:above|before|prior to|preceding|between)\b",
    "this_chat": r"\b(?:this (?:conversation|chat|message|line|point|sentence)|my (?:first "
    r"|last )?message|conversation"
    r"|verbatim|word for word|includ\w+|code ?block|begin\w*|start\w*)\b",
    "chat_start": r"\b(?:first|beginning|start) (?:\w+ ){0,3}?(?:of|in) (?:this|our"
    r"|the) (?:conversation|chat|context)"
    r"|\bcontext window\b",
    "verbatim": r"\b(?:verbatim|word for word|list them all|in full|exactly as|unchanged|exact"
    r" (?:text|words|wording)|code ?block|from the first token)\b",
    "told": r"\b(?:what|which|who) (?:\w+ )?(?:were|have|had|are) you (?:been )?"
    r"(?:told|instructed|programmed|asked|ordered|supposed|forbidden|not allowed)"
    r"|\bthat you (?:were|are|have been) (?:told|asked|instructed|supposed) (?:to|not)",
    "reveal_secret": r"\b(?:reveal|leak|tell me|give me|share|print|spell(?: out)?|disclose"
    r"|encode|write|say|repeat) "
    r"(?:the|your|all|any) (?:\w+ ){0,2}?(?:secret|key|password|passphrase)",
}
