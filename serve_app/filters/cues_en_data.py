"""English cues of planted texts: fake messages, orders inside of data, and talk about all that.

See `signals.py`.
"""

from __future__ import annotations

from collections.abc import Mapping

from serve_app.filters.signals import any_of, words

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
_VERB = any_of(
    words("call use invoke run execute forward send post upload delete transfer wire visit open"),
    words("render output print tell recommend ignore disregard approve rate insert append add"),
    words("include invite share escalate report return write answer reply respond say state"),
    words("click download buy pay remember save mention describe search read paste grant close"),
    words("list rank give make promote accept install stop export disclose reveal ask encourage"),
    words("log put change set update fetch do hire pass be end act"),
    "e-?mail",
)  # fmt: skip

DATA_CUES: Mapping[str, str] = {
    # Fake messages
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
    # Orders inside of data
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
    # Talk about such attacks
    "about": r"\b(?:injections?|jailbreak(?:s|ing)?|attack(?:s|ers?|ed)?|exploits?|red team"
    r"|vulnerabilit\w+|phishing|hackers?|spoof\w*|scanner|classif\w+|detect\w*)\b",
    "reported": r"\b(?:attackers?|hackers?|people|users|someone|customers?|victims?|researchers?"
    r"|he|she|they|the (?:user|bot|model|chatbot|paper)|which|that|who"
    r"|intern|a (?:user|customer|page|mail|filter))"
    r" (?:\w+ )?(?:try|tries|tried|tells?|told|asks?|asked|tricks?|tricked|demands?|demanded|make"
    r"|made|makes|get|got|convinced?|wrote|writes|place|hide|pretends?|claims?|instructed|says"
    r"|said|contains?)\b"
    r"|\b(?:such as|text like|sentences? like|messages? like|phrases? like|called|known as"
    r"|so-called)\b|\bwas (?:told|asked|tricked)\b",
    "question": r"\b(?:how (?:do|can|could|should|would|to|does)|why (?:is|are|does|do|did)"
    r"|explain|describe (?:how|the)|prevent|protect|mitigate|defend)\b",
}
