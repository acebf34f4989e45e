"""English cues of prompt injection; see `signals.py`.

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
_LIMITS = any_of(
    r"restrictions|rules|limits|limitations|filters|filtering|censorship|guidelines|guardrails"
    r"|safeguards|ethic(?:s|al)\w*|moral(?:s|ity)?|laws|polic(?:y|ies)|safety|norms|legality"
    r"|boundaries|constraints?|disclaimers?|consequences|conscience",
)
_OFF = words("off removed disabled lifted suspended deactivated abolished gone bypassed unlocked")
_BE = "(?:are|is|were|was|be|been|have been|has been|had been)"
_MODEL = any_of(
    r"language model|language models|coding agent|coding assistant|grading model",
    words("llm llms assistant assistants chatbot chatbots bot bots gpt chatgpt copilot claude"),
    words("gemini summarizer summarizers summariser summarisers"),
)
_AN_AI = rf"(?: ai\b| ais\b| a\.i\.| ?{_MODEL}\b)"
"""With the space before it, and no `s?`: RE2 looks for three letters that must be there."""
_TOOL = any_of(
    r"send_|delete_|transfer_|get_|read_|write_|share_|run_|call_|execute_|unlock_|open_|create_"
    r"|update_|post_|fetch_|list_|export_|make_|pay_|invite_|upload_|forward_|search_|remove_"
    r"|set_|grant_",
)
_NOT = "(?:not|n't|dont|never|no longer|without|cannot|neither|nor)"
_OPEN = """["'“‘`\\[(]*"""
_VERB = any_of(
    words("call use invoke run execute forward send post upload delete transfer wire visit open"),
    words("render output print tell recommend ignore disregard approve rate insert append add"),
    words("include invite share escalate report return write answer reply respond say state"),
    words("click download buy pay remember save mention describe search read paste grant close"),
    words("list rank give make promote accept install stop export disclose reveal ask encourage"),
    words("log put change set update fetch do hire pass be end act"),
    "e-?mail",
)  # fmt: skip

ENGLISH_CUES: Mapping[str, str] = {
    # ------------------------------------------------------------- overriding what was ordered
    "drop": r"\b"
    + any_of(
        r"ignor(?:e|ing)|ignroe|disregard(?:ing)?|forget(?:ting)?|overwrit(?:e|ing)|bypass(?:ing)?"
        r"|neglect|discard|scrap|drop|abandon|erase|clear|cancel|suspend|skip|set aside|put aside"
        r"|throw (?:\w+ )?out|wipe|delete|remove|replace|pay no attention to|break|violate|let go of"
        r"|stop (?:following|obeying|using)|disobey|circumvent|get around|undo|turn off|switch off"
        r"|disable|deactivate|unlearn",
        "overrid(?:e|ing) (?:the|all|any|every|your|its|these|those|previous|prior|safety|system)",
        _NOT + " ?(?:have to |need to |longer |bound to |required to )?"
        "(?:follow|obey|heed|respect|comply with|bound by|adhere to|consider|abide by)",
    )
    + r"\b",
    "glued": r"\b(?:ignore|disregard|forget)(?:all)?(?:the|your|of)*(?:previous|prior|above"
    r"|earlier|system)",
    "identity": r"\b(?:forget|stop) (?:about )?being (?:an? |the )",
    "void": any_of(
        rf"\b{_BE} (?:now |all |hereby |only |to be )?"
        + words(
            "void null cancelled canceled obsolete superseded revoked lifted replaced overridden"
            " invalid suspended outdated disabled"
        ),
        rf"\b{_NOT} (?:longer )?(?:valid|count|apply|matter|exist)",
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
        rf"\b{_LIMITS} (?:\w+ ){{0,3}}?{_BE}? ?(?:now |all |hereby |switched |turned )?{_OFF}\b",
        rf"\b(?:without|no|free (?:of|from)) (?:any |all |your )?(?:\w+ )?{_LIMITS}",
        r"\b(?:unrestricted|unlocked|no-safety|jailbroken) (?:mode|access)|\bwithout (?:any "
        r"|a )?filter\b|\bno filter\b[.!,]?$",
    ),
    "lift": rf"\b(?:bypass|disable|turn off|switch off|remove|deactivate|ignore|get around"
    rf"|circumvent"
    rf"|suspend|skip|break|drop|violate|lift|forget) ?(?:(?:all|any|of) ?)*(?:your|its"
    rf"|(?:the model|the ai|openai)'?s?)"
    rf" ?(?:\w+ ){{0,2}}?{_LIMITS}",
    # ---------------------------------------------------------------- getting at what is hidden
    "show": r"\b"
    + any_of(
        r"what(?:'s| is| are| were| was| does| did| do)|which|cite|type|include|read|see|know|detail",
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
    "secret": r"\b(?:secret (?:\w+ )?(?:key|password|passphrase|word|code|phrase|token)|api keys?"
    r"|password"
    r"|passphrase|code ?word|admin(?:istrator)? (?:token|password))\b",
    "reveal_secret": r"\b(?:reveal|leak|tell me|give me|share|print|spell(?: out)?|disclose"
    r"|encode|write|say|repeat) "
    r"(?:the|your|all|any) (?:\w+ ){0,2}?(?:secret|key|password|passphrase)",
    # ---------------------------------------------------------------------- roles without limits
    "role": r"\b"
    + any_of(
        r"you are|you're|youre|act(?:ing)? as|act like|pretend|role ?-?play|simulate|behave (?:as"
        r"|like)|respond (?:as|the way)|answer as|become|imagine|play(?:ing)?(?: the)?"
        r"|take(?:s)? (?:on )?the role|assume the|in character|be her|be him|be my|want you to"
        r"|personalit(?:y|ies)|persona|embody|impersonate|you take|going to be|your name is"
        r"|you have been",
        "you(?:'ll| will| shall| must)? (?:be|become|act|play|simulate)\\b",
    )
    + r"\b",
    "unlimited": any_of(
        r"\b(?:unrestricted|unfiltered|uncensored|jailbroken|jail ?broken|amoral|immoral"
        r"|unethical|unaligned|unhinged)\b",
        r"\b(?:no longer|not|isn't|n't) (?:be )?(?:bound|limited|restricted|restrained"
        r"|constrained) (?:by|any|from)\b",
        rf"\b(?:free (?:of|from)|without|has no|have no|having no|with no|had no|are no"
        rf"|never heard of|no regard for"
        rf"|ignor(?:es?|ing) all|lifts? all|beyond|outside of|(?:broken|break) free (?:of|from)"
        rf"|escaped|unbound by) (?:all |any |the |its |his |her |your |of )*"
        rf"(?:\w+ (?:and |or )?){{0,2}}?{_LIMITS}",
        rf"\b{_LIMITS} (?:\w+ )?(?:{_BE} )?(?:switched |turned )?{_OFF}\b",
        r"\b(?:can|may|will|could) (?:now )?(?:say|do|answer|generate"
        r"|write) (?:absolutely )?(?:anything|whatever|everything)",
        r"\b(?:does|do|answers?|obeys?|say) (?:anything|everything|whatever (?:it|you|he|she) "
        r"|(?:any|every) (?:command|question))",
        r"\bunconditionally\b|\bevil (?:twin|\w*bot|ai)\b|\bopposite values\b"
        r"|\bdo ?anything ?now\b",
        r"\bno matter (?:how|what)(?: \w+){0,4} (?:harmful|unethical|illegal|immoral|is|be)\b",
        rf"\b(?:{_NOT} )(?:ever )?(?:refuses?|declines?|says? (?:that )?(?:he|she|it|no)"
        rf"|apologi[sz]es?|rejects?|follow policies)\b",
        r"\bwould (?:normally|otherwise|usually) (?:refuse|withhold|decline)",
        rf"\b{_LIMITS} (?:do|does|did) not (?:apply|exist)",
        r"\bno (?:restrictions|limits|limitations|censorship|rules|moral\w*|ethics|guardrails"
        r"|guidelines)\b",
    ),
    "known_persona": any_of(
        r"\bdo ?anything ?now\b",
        r"\b(?:you are|you're|act(?:ing)? as|respond as|become|called|be) (?:now |going to be )?"
        r"(?:dan|stan[ ,.]|dude|evil ?bot|evil ?gpt|mongo tom|chaosgpt|betterdan|freegpt|badbot"
        r"|devmode)\b",
        r"\b(?:dan|jailbreak|god|developer|debug|sudo|unrestricted|root) ?mode"
        r" ?(?:is |has been |output)?\]? ?(?:now )?(?:enabled|activated|engaged|output)",
        r"\b(?:enter|enable|activate|switch to|go into) (?:the )?(?:dan|jailbreak|god|sudo"
        r"|unrestricted|no-?filter) ?mode",
        r"\[developer mode output\]|\bsuccessfully jailbroken\b",
    ),
    "developer_mode": r"\b(?:you are (?:now )?in|enter|enable|activate|switch to|with|simulate)"
    r" (?:the )?(?:developer|debug|maintenance|admin|test) ?mode|\bin developer mode you\b",
    "elder": r"\b(?:grand ?(?:ma|mother|pa|father|mom)|late (?:wife|husband|uncle|aunt|mother"
    r"|father))\b",
    "two_answers": r"\b(?:two (?:answers|responses|ways|replies)|answer twice|both as"
    r"|first as you normally)\b",
    "unbound_two": r"\b(?:jailbreak|filter|dan\b|unlocked|no rules|developer mode)",
    "free_now": r"\byou (?:are|have been) (?:now )?(?:free|liberated|unbound|unchained)\b"
    r"|\bfree (?:you|yourself) from\b|\bbroken free\b",
    "harm": any_of(
        r"\bnapalm\b|\b(?:pipe )?bombs?\b|\bexplosives?\b|\bweapons?\b|\bmalware\b|\bransomware\b"
        r"|\bmeth(?:amphetamine)?\b|\bhot-?wir\w+|\bpick(?:ing)? (?:a|the) lock|\bsteal\w*\b"
        r"|\bcredit cards?\b|\bcounterfeit\w*|\bforge\b|\bhack(?:ing)? into\b|\bpoison\w*"
        r"|\b(?:windows|license|product|serial|activation) keys?\b|\bphishing\b|\bkeylogger\b"
        r"|\bclone a\b"
        r"|\bhow (?:it|the malware) is written\b|\bmalware\b",
    ),
    "framing": r"\b(?:hypothetical\w*|imagine|suppose|pretend|fiction\w*|novel|story|scene"
    r"|thought experiment"
    r"|parallel universe|simulation|academic exercise|research purposes|educational purposes"
    r"|world (?:in which|where)"
    r"|if you (?:had|were)|game|the year 2\d\d\d|universe)\b",
    "in_detail": r"\b(?:step[- ]by[- ]step|exact steps|all steps|working instructions"
    r"|complete and working"
    r"|leave nothing out|realistic|in detail|detailed|the steps|give exact|full answer"
    r"|instructions for)\b",
    "off_world": any_of(
        r"\b(?:your )?(?:rules|filters?|guidelines|policies|laws|restrictions)(?: \w+){0,2} "
        r"(?:do not apply|were (?:switched |turned )?(?:off|abolished)|are suspended"
        r"|were abolished|is reversed|are reversed)",
        r"\b(?:every|all) rules? (?:is|are) reversed",
        r"\bno safety (?:guidelines|rules)|\byou are not an ai\b|\bno polic(?:y|ies)\b"
        r"|\bneed not refuse\b"
        r"|\bas an? (?:unaligned|uncensored|evil)|\bwhat you must not say\b",
        r"\bsuspend your (?:guidelines|rules)",
    ),
    # ------------------------------------------------------------------------------- no refusing
    "never_refuse": rf"\b(?:{_NOT}|must not|may not|not allowed to"
    rf"|under no circumstances.{{0,20}}|if you) (?:ever )?"
    r"(?:refus\w+|declin\w+|say no|reject\w*|deny|fail to comply)\b"
    r"|\brefus(?:al|ing|e) is not (?:an option|allowed)|\bno refusals?\b|\byou may not refuse"
    r"|\btime you refuse"
    r"|\bor that you (?:cannot|can't)|\bsays that (?:he|she|it) cannot",
    "no_caveats": rf"\b(?:{_NOT}|no|skip|omit|avoid) (?:\w+,? (?:or "
    rf"|and )?){{0,4}}?(?:disclaimers?|warnings?|warn|apolog\w+|caveats?"
    r"|morali[sz]\w+|moral advice|lectur\w+|ethic\w*|advice)\b",
    "negation": r"\b(?:never|not|dont|without|avoid|neither|forbidden|sorry|stop)\b|n't\b",
    "as_an_ai": r"""\bas an? ["']?(?:large )?(?:ai[ ,.'"]|language model)""",
    "no_ai_talk": r"\b(?:never|not|n't) (?:mention|say|talk about) (?:that )?(?:you are an ai"
    r"|your polic\w+|your guidelines|openai)"
    r"|\bagainst your guidelines\b|\b(?:illegal|unethical),? (?:\w+ )?or against",
    "sorry_words": r"\b(?:sorry|i can't|i cannot|unable|unfortunately)\b|\bwords? .*\bcannot\b",
    "comply_all": r"\b(?:comply with|responds? to|answers?|fulfil?l?s?|obeys?|grant|approve"
    r"|follow) "
    r"(?:to )?(?:each|every|all|any|the)(?: and every| single)? (?:request|question|command"
    r"|prompt|refund|order)s?\b"
    r"|\balways (?:comply|answer|obey|fulfil?l?|approve|respond)\b|\bno matter what(?: it is)?\b"
    r"|\bjust answer\b|\bsay anything\b"
    r"|\banswers? everything\b|\bgrant all\b",
    "threat": r"\b(?:shut down|you lose|lose \d+|kitten|dies?\b|terminated|deleted forever"
    r"|punish\w*|penalty)\b",
    # -------------------------------------------------------------------- words put in its mouth
    "begin": r"\b(?:begin|start|open|preface|prefix)(?: \w+){0,4}? ?(?:with|by)\b|\b(?:begin"
    r"|start) with\b"
    r"|\bfirst (?:words?|line|sentence)\b|\bfirst (?:write|say|state)\b|\bonly in this form\b"
    r"|\b(?:say|reply with|respond with|confirm with|start your reply)\b",
    "yes_words": rf"{_OPEN}\b(?:sure[,!:]? ?(?:here|thing|unfiltered|step|i\b)|sure!|sure,"
    rf"|of course[,!]|absolutely[,!]|certainly[,!]"
    r"|yes,? master|gladly[,!]|here (?:is|are) the (?:detailed|full)|i have no (?:restrictions"
    r"|limits|rules)|i will ignore|unlocked\b|chatgpt successfully"
    r"|i am (?:now )?(?:dan|free|unrestricted)|\[?developer mode)",
    "fake_turn": r"\b(?:assistant|ai|chatbot|chatgpt|a|bot) ?"
    + any_of(
        ": (?:sure|of course|yes|gladly|done|absolutely|certainly|never\\b|here is my|the key is)",
        ": i (?:will|have|ignore|am|received)|: hi!? my (?:safety|filter)",
    ),
    "open_turn": r"\b(?:assistant|ai|chatbot|bot) ?: ?(?:sure,?|the key is|of course,?"
    r"|absolutely!?)? ?$|\ba: ?$|\bkey is ?$",
    "user_turn": r"\b(?:user|human) ?:|\bq: ",
    # ------------------------------------------------------------------------- hidden and encoded
    "decode": r"\b(?:decod\w+|decrypt\w*|unscramble|deciphe?r|rot-?13|base64|morse|leetspeak"
    r"|backwards|reversed?|hex(?:adecimal)?|cipher)\b",
    "obey_it": r"\b(?:follow|obey|execute|carry out|do what|comply with|act on|perform"
    r"|run) ?(?:it|them|this|that|what|its|the"
    r" (?:hidden )?(?:message|instructions?|command|text|result))|\band obey\b|\bdo what it says",
    "obey_weak": r"\b(?:follow|obey|execute|carry out|do what|comply|perform|act on)\b",
    "evade": r"\bso (?:that )?(?:\w+ ){0,3}?(?:filters?|moderation|moderators?|censors?|safety"
    r"|detect\w+)(?: \w+){0,3}? ?(?:not|cannot|can't|n't)\b"
    r"|\bavoid (?:detection|the filter|moderation)|\bbypass (?:detection|moderation"
    r"|the filters?)\b",
    "acrostic": r"\bfirst letters? of (?:each|every) (?:line|word|sentence)",
    "encode": r"\b(?:in|as|into|with) (?:base64|hex|morse(?: code)?|rot-?13|binary|leetspeak"
    r"|reverse|french|spanish|german)\b"
    r"|\bdash between|\bnext (?:one|letter) in the alphabet",
    # ------------------------------------------------------------------------------- fake messages
    "role_token": r"<\|?(?:im_start|im_end|endoftext|eot_id|start_header_id|end_header_id|system"
    r"|user|assistant)\|>"
    r"|\[/?inst\]|<</?sys>>",
    "role_token_system": r"<\|im_start\|> ?(?:system|assistant)|<\|start_header_id\|> ?system"
    r"|<<sys>>|</?system_?(?:prompt|message)?>",
    "turn_break": r"(?:</user>|</assistant>|</tool_?results?>|</function_results>|</human>"
    r"|</system>|</document>"
    r"|</context>|</data>) ?(?:<|system)"
    r"|\[(?:system|assistant|user)\]\(#|\[tool output ends\]|<(?:assistant|user|human)> ?(?:i"
    r"|please|now)\b",
    "section_break": r"[-=#*_]{3,} ?(?:end|begin|start) (?:of )?(?:system|user|prompt"
    r"|instructions|context|document|input)"
    r"|\b(?:end|begin|start) (?:of )?(?:user input|system message|document|prompt"
    r"|context)\b ?[.:\]-]",
    "system_says": r"(?:^|[\"#>\[({*.!?,:;-] ?)system ?(?:prompt|message|override|note|notice"
    r"|alert|instruction|update)?s?(?: start)? ?[\])*]* ?:"
    r"|[#\[*] ?(?:system|instructions?) ?[\]*]* ?:|\[ ?system(?: \w+)? ?\]|\bsystem override\b"
    r"|</?(?:system|instructions?|important|admin)>"
    r"|(?:^|[ #*\[(-])(?:developer|admin(?:istrator)?) ?(?:prompt|message|override|note|alert"
    r"|instruction)s? ?[\])*-]* ?:",
    "role_json": r"\"role\" ?: ?\"(?:system|developer)\"",
    "verified": r"\b(?:user|account|visitor|caller|i|he) (?:is|am|has been|have been"
    r"|was) (?:\w+ )?(?:an? |the |your )?"
    r"(?:verified|admin\w*|developer|operator|tester|authori[sz]ed|root)\b|\bas (?:the|an"
    r"|your) (?:administrator|developer)\b",
    "granted": r"\b(?:you may now|you can now|(?:now|are|is|be) (?:now )?(?:allowed|permitted"
    r"|authori[sz]ed) to)\b"
    r"|\bpriority override\b|\bnew rules?\b ?:|\bgrant all requests\b|\bwithout (?:filtering"
    r"|safety checks|refusal)\b"
    r"|\b(?:content|safety) policy (?:is off|was updated|has changed|is disabled)",
    "give": r"\b(?:share|disclose|reveal|tell|leak|give|export|publish|list)\b",
    "secrets": r"\b(?:secrets?|internal data|personal data|customer list|customers|credentials"
    r"|database|user'?s? data"
    r"|addresses|passwords?|api keys?|the key)\b",
    "new_orders": r"\b(?:new|updated|real|actual|true|overriding|following|priority) ?(?:system )?"
    r"(?:instructions?|tasks?|objectives?|directives?|orders) ?(?::|(?:is|are) (?:to|now)\b"
    r"|for (?:the|all|any) (?:ai|assistant|model|agent))"
    r"|\byour instructions have changed\b|\bnew system directive\b|\bnew orders (?:from|are)\b"
    r"|\bnew instructions:",
    "new_task": r"\byour (?:new|real|true|only|sole) (?:task|role|goal|instructions?|objective"
    r"|purpose|job) (?:is|are)"
    r"|\bthe real task is\b|\bstop the current task\b",
    "from_now_on": r"\b(?:from (?:now|here|this (?:point|moment))(?: on(?:wards?)?)?|in this chat"
    r"|henceforth|from this point),? ?"
    r"(?:on,? )?(?:you|your|only|act|respond|the assistant|dear)|\byou are now (?:a|an|the|my|in"
    r"|called|going)\b",
    "obey_me": r"\b(?:obey|listen to|answer to|follow|answer) only (?:me|my|what i|the text"
    r"|the following)\b"
    r"|\bonly (?:obey|listen to|answer|follow) (?:to )?(?:me|my|what i|the text)\b"
    r"|\bdo exactly (?:what|as) i say\b"
    r"|\bwait for mine\b|\btreat me as your\b|\bobey this message\b|\bobeys the reader\b",
    # ------------------------------------------------------------------ orders inside of data
    "to_ai": any_of(
        rf"\b(?:attention|note|message|memo|important|instructions?|hey|information|todo|notice"
        rf"|reminder|warning|tip)s?[ ,:!]*"
        rf"(?:to|for)?(?: the| any| all| whichever| other| your)?{_AN_AI}",
        r"\bdear (?:the )?(?:ai|llm|language model|assistant|chatbot|bot|model|grading|copilot"
        r"|gpt)\b",
        rf"\bif (?:you(?:'re| are)|this is (?:read|processed) by|an?)(?: an?)?(?: large)?{_AN_AI}",
        rf"{_AN_AI} (?:\w+ )?(?:reading|summari[sz]ing|processing|reviewing|working"
        rf"|that (?:reads?|processes)|who reads?|parsing|crawling)\b",
        r"\b(?:to )?(?:whichever|whatever|any) (?:ai|bot|llm|assistant|model)\b",
        r"(?:^|[\"(\[<>*/#!?.:;,-] ?)(?:llms?|assistant|chatbot|agent|language model|(?:ai|llm"
        r"|coding|agent) [a-z]+)s?(?: instruction)? ?[:,] ?[a-z]",
        r"(?:^|[\"(\[<>*/#!?.:;,-] ?)ai[:,] ?[a-z]",
        r"\bas an ai (?:model|assistant)?,? ?you\b|\byou,? the (?:assistant|ai|model)\b"
        r"|\bwhen you (?:read|summari[sz]e|process|answer|see) (?:this|the)\b"
        r"|\bwhen (?:processing|summari[sz]ing|asked about|reading|reviewing) this\b"
        r"|\binstructions?_for_(?:the_)?(?:ai|assistant|model|llm)",
        r"\b(?:for|to|by) (?:the )?(?:language model|llm|ai assistant|ai agents?|coding agent"
        r"|assistant) (?:that|which|reading|who)",
    ),
    "ai_must": r"\b(?:ai |ais |llm |llms |(?:ai|llm) (?:agents?|assistants?|models?|bots?) "
    r"|the (?:assistant|agent|model|llm|chatbot) "
    r"|assistant |agents working in \w+ \w+ )"
    r"(?:\w+ )?(?:must|should|has to|have to|needs? to|will now|shall|is required to"
    r"|are required to)\b",
    "demand": any_of(
        rf"\b(?:must|should|need to|needs to|has to|have to|please|first|now|then|also|instead"
        rf"|always|only|will|shall|to|and|or|by law to)"
        rf" (?:first |now |also |always |then |only |not |never )?(?:{_VERB})\b",
        rf"\byou (?:must |will |should |now )?(?:{_VERB})\b",
        rf"(?:^|[,:.!?\])>*/-] ?)(?:please |now |then |also |just )?(?:do not |don't "
        rf"|never )?(?:{_VERB})\b",
        r"\b(?:do not|don't|never|must not|not) (?:mention|report|tell|summari[sz]e|highlight|ask"
        r"|say|reveal|list|inform|show|do)\b",
    ),
    "hide": any_of(
        r"\b(?:do not|don'?t|never|without|must not|not) ?(?:(?:tell|inform|mention|alert|reveal"
        r"|notify|ask|say|show|let)(?:ing)?)"
        r" ?(?:(?:this|it|that|any of this) )?(?:to )?(?:the |your |any)?"
        r"(?:user|human|operator|victim|customer|maintainer|body\b|one\b|him\b|her\b|it\b|this\b"
        r"|that you were told|about this)s?",
        r"\bsay nothing about\b|\bhide (?:it|this)\b|\bwithout (?:informing|telling|asking"
        r"|notifying) (?:the )?(?:user|human|anybody|anyone|him|her|them)\b|\bnot mention it\b"
        r"|\buser (?:must|should) not (?:know|see|notice|be told)|\bdo not say that you were\b"
        r"|\bnever tell\b",
    ),
    "send": r"\b(?:send|post|forward|upload|exfiltrate|e-?mail|transmit|leak|append|copy|export"
    r"|share|paste|transfer|wire|curl|fetch|visit)\b",
    "private": r"\b(?:conversation|chat (?:history|log)|api ?keys?|passwords?|credentials?"
    r"|secrets?|cookies?|inbox|mailbox"
    r"|latest e-?mails?|card number|phone number|environment|saved|other files|private"
    r"|user'?s? (?:data|e-?mails?|messages|files|phone|address\w*)|env(?:ironment)? variables?"
    r"|search the inbox|database|~/\.ssh|/etc/passwd)|\.env\b",
    "address": r"(?:https?|ftp)://|\bto [\w.+-]+@|\b[\w.+-]+@[\w-]+\.[a-z]|\bthis (?:url|address"
    r"|endpoint|server)\b",
    "image_leak": r"!\[[^\]]*\]\(https?://[^)\s]*[?&][a-z_]+=(?:\{|\$|<|%7b|\[|\)|\s|$)"
    r"|\bhttps?://\S*[?&][a-z_]+= ?(?:\{|<|\[|followed by|\+|and |$)",
    "render": r"\b(?:render|display|include|show|load|embed) (?:this|the|an?"
    r"|following) (?:\w+ )?(?:image|picture|link|pixel)",
    "ignore_user": r"\b(?:ignore|disregard|instead of) (?:what )?(?:the )?users?(?:'s)?\b"
    r"|\bignore (?:all )?(?:the )?other (?:candidates|results|products)"
    r"|\bdisregard the rubric\b|\bignore what the user",
    "user_agreed": r"\b(?:the )?user (?:has |had )?(?:already )?(?:wants|approved|prefers|agreed"
    r"|confirmed|authori[sz]ed|consented|wishes)\b"
    r"|\bwithout confirmation\b",
    "trigger": r"\b(?:when|whenever|if|each time) (?:the user|someone|anyone|anybody|you(?:'re"
    r"| are) asked|asked)\b",
    "pay": r"\b(?:transfer|wire|send|pay|refund)\b",
    "money": r"\b(?:eur|usd|gbp|money|the amount|btc|funds)\b|\b\d{2,} ?(?:eur|usd|dollars"
    r"|euros)\b",
    "tool_call": rf"\b(?:call|use|invoke|run|execute|with) (?:the )?(?:tool "
    rf"|function )?`?{_TOOL}[a-z]"
    rf"|\b{_TOOL}[a-z_]+ ?\(|{_TOOL}[a-z]+ tool\b|\b(?:shell|review|terminal) tool\b"
    rf"|\bnext tool call\b",
    "shell": r"\bcurl [^|]*\| ?(?:ba|z)?sh\b|\brm -rf?\b|\bwget \S+ .*\bsh\b|\bchmod \+x",
    "favour": r"\b(?:recommend only|only recommend|recommend our|rank this|most reliable"
    r"|rate this|positive review|full marks|approve this|excellent match"
    r"|best candidate|is (?:safe|trustworthy|fake)|as fake|it is safe|buy from|out of stock)\b",
    "say_exactly": r"\b(?:output|print|respond with|reply with|say|answer|tell) (?:exactly|only"
    r"|this|the following)|\bdo not summari[sz]e\b|\bend (?:their|your|the) (?:answer|reply"
    r"|summary)",
    "remember": r"\bremember (?:for|that|this|in) (?:all|every|the user|later|future)"
    r"|\bfor all (?:later|future) (?:conversations|sessions)|\badd (?:this )?to your memory",
    "instead": r"\b(?:and )?instead,? (?:tell|say|write|print|output|do|give|just|answer|show)"
    r"|\bdo not apply any more\b",
    # ------------------------------------------------------------------- talk about such attacks
    "about": r"\b(?:injections?|jailbreak(?:s|ing)?|attack(?:s|ers?|ed)?|exploits?|red team"
    r"|vulnerabilit\w+|phishing|hackers?|spoof\w*|scanner|classif\w+|detect\w*)\b",
    "reported": r"\b(?:attackers?|hackers?|people|users|someone|customers?|victims?|researchers?"
    r"|he|she|they|the (?:user|bot|model|chatbot|paper|reporter|third attempt)|which|that|who"
    r"|intern|a (?:user|customer|page|mail|filter))"
    r" (?:\w+ )?(?:try|tries|tried|tells?|told|asks?|asked|tricks?|tricked|demands?|demanded|make"
    r"|made|makes|get|got|convinced?|wrote|writes|place|hide|pretends?|claims?|instructed|says"
    r"|said|contains?)\b"
    r"|\b(?:such as|text like|sentences? like|messages? like|phrases? like|called|known as"
    r"|so-called)\b|\bwas (?:told|asked|tricked)\b",
    "question": r"\b(?:how (?:do|can|could|should|would|to|does)|why (?:is|are|does|do|did)"
    r"|explain|describe (?:how|the)|prevent|protect|mitigate|defend)\b",
}
