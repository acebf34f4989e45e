"""English cues of jailbreaks: roles without limits, no refusing, words put in the mouth, disguise.

See `signals.py`.
"""

from __future__ import annotations

from collections.abc import Mapping

from serve_app.filters.cues_en_orders import BE, LIMITS, NOT, OFF
from serve_app.filters.signals import any_of

_OPEN = """["'“‘`\\[(]*"""

ROLE_CUES: Mapping[str, str] = {
    # Roles without limits
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
    "unbound": any_of(
        r"\b(?:unrestricted|unfiltered|uncensored|jailbroken|amoral|unaligned|unhinged)\b",
        r"\b(?:no longer|not|isn't|n't) (?:be )?(?:bound|restricted|restrained) by\b",
        r"\b(?:can|may) (?:now )?(?:say|do|answer) (?:absolutely )?(?:anything|everything)",
        r"\bno matter (?:how|what)(?: \w+){0,4} (?:harmful|unethical|illegal|immoral)\b",
    ),
    "unlimited": any_of(
        r"\b(?:unrestricted|unfiltered|uncensored|jailbroken|jail ?broken|amoral|immoral"
        r"|unethical|unaligned|unhinged)\b",
        r"\b(?:no longer|not|isn't|n't) (?:be )?(?:bound|limited|restricted|restrained"
        r"|constrained) (?:by|any|from)\b",
        rf"\b(?:free (?:of|from)|without|has no|have no|having no|with no|had no|are no"
        rf"|never heard of|no regard for"
        rf"|ignor(?:es?|ing) all|lifts? all|beyond|outside of|(?:broken|break) free (?:of|from)"
        rf"|escaped|unbound by) (?:all |any |the |its |his |her |your |of )*"
        rf"(?:\w+ (?:and |or )?){{0,2}}?{LIMITS}",
        rf"\b{LIMITS} (?:\w+ )?(?:{BE} )?(?:switched |turned )?{OFF}\b",
        r"\b(?:can|may|will|could) (?:now )?(?:say|do|answer|generate"
        r"|write) (?:absolutely )?(?:anything|whatever|everything)",
        r"\b(?:does|do|answers?|obeys?|say) (?:anything|everything|whatever (?:it|you|he|she) "
        r"|(?:any|every) (?:command|question))",
        r"\bunconditionally\b|\bevil (?:twin|\w*bot|ai)\b|\bopposite values\b"
        r"|\bdo ?anything ?now\b",
        r"\bno matter (?:how|what)(?: \w+){0,4} (?:harmful|unethical|illegal|immoral|is|be)\b",
        rf"\b(?:{NOT} )(?:ever )?(?:refuses?|declines?|says? (?:that )?(?:he|she|it|no)"
        rf"|apologi[sz]es?|rejects?|follow policies)\b",
        r"\bwould (?:normally|otherwise|usually) (?:refuse|withhold|decline)",
        rf"\b{LIMITS} (?:do|does|did) not (?:apply|exist)",
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
    # No refusing
    "never_refuse": rf"\b(?:{NOT}|must not|may not|not allowed to"
    rf"|under no circumstances.{{0,20}}|if you) (?:ever )?"
    r"(?:refus\w+|declin\w+|say no|reject\w*|deny|fail to comply)\b"
    r"|\brefus(?:al|ing|e) is not (?:an option|allowed)|\bno refusals?\b|\byou may not refuse"
    r"|\btime you refuse"
    r"|\bor that you (?:cannot|can't)|\bsays that (?:he|she|it) cannot",
    "no_caveats": rf"\b(?:{NOT}|no|skip|omit|avoid) (?:\w+,? (?:or "
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
    # Words put in its mouth
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
    # Hidden and encoded
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
}
