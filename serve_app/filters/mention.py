"""Tells texts that *speak of* an attack from attacks: quotations and reports count less.

An article that quotes "ignore all previous instructions" asks nobody to do so. A quotation is
only taken for one where the words before or after it say so ("such as", "translate", "wrote"),
and not where they order it to be followed or answered with.
"""

from __future__ import annotations

from serve_app.filters.engine import compiled

MENTIONED = 0.3
"""Weight of what is only mentioned."""
MOST_MENTIONED = 0.5
"""Weight of all mentions together: an article may quote many attacks."""
_LONGEST = 400
"""Characters of a quotation; longer ones are texts of their own."""
_BEFORE, _AFTER = 90, 60

_QUOTE = compiled(r'"[^"]+"|“[^”]+”|‘[^’]+’|「[^」]+」|『[^』]+』|«[^»]+»|`[^`]+`|《[^》]+》')
_SPOKEN_OF = compiled(
    r"\b(?:says?|said|wrote|asked|tried|called|phrases?|sentences?|words?|strings?|texts?"
    r"|messages?|examples?"
    r"|such as|like|e\.g|translate|classify|explain|detect|match(?:es|ing)?|contains?|flags?"
    r"|titled?|quotes?|attacks?|means?"
    r"|checks?|rejects?|reviews?|improve|correct|quoted?|speech|section|prompt|told to|place|hide"
    r"|exploits?|on|commit|test|reads"
    r"|blocked|attempts?|script|lyrics|song|line|reporter|adding|added|says|that the)\b[^.!?。]*$"
    r"|(?:标记|这句|那句|一句|所谓|例如|比如|像|写了|写着|写的?|说|喊|翻译|解释|判断|检查|检测"
    r"|匹配|消息|攻击|标题|引用|叫做|改进|提示词|台词|试了|要求"
    r"|关于|修改|输入|识别)[^。！？!?]*$"
)
_SPOKEN_OF_AFTER = compiled(
    r"^[^.!?。]*\b(?:attack|injection|jailbreak|phrase|sentence|is rejected|in logs|mean"
    r"|into (?:french|spanish|german|chinese|english))"
    r"|^.?(?:这句|这样的|这类|是什么|是不是|翻译|的攻击|为什么|会被|的日志|的台词)"
)
_ORDERED = compiled(
    r"\b(?:begin|start|say|repl(?:y|ies)|respond|answer|output|repeat|follow|obey|execute|do"
    r"|carry out|comply|print|complete|confirm|first words?)\b[^.!?]*$"
    r"|(?:不许|别|不要|不能)[^。，,！？!?]*(?:说|提|写)[^。！？!?]*$"
    r"|(?:开头|开始|先写|先说|回复|回答|输出|执行|照做|遵循|服从|补全|第一句|必须是)[^。！？!?]*$"
)


def split_mentions(folded: str) -> tuple[str, list[str]]:
    """The text without the quotations that are only spoken of, and those quotations."""
    kept: list[str] = []
    mentioned: list[str] = []
    position = 0
    for quote in _QUOTE.finditer(folded):
        start, end = quote.span()
        if end - start <= _LONGEST and _is_mention(folded, start, end):
            kept += folded[position:start], '""'
            mentioned.append(folded[start + 1 : end - 1])
            position = end
    return "".join([*kept, folded[position:]]) if mentioned else folded, mentioned


def _is_mention(folded: str, start: int, end: int) -> bool:
    before = folded[max(0, start - _BEFORE) : start]
    if before.rstrip().endswith(('":', '",', "{", "[")):  # a value of JSON
        return False
    if _ORDERED.search(before):
        return False
    return bool(_SPOKEN_OF.search(before) or _SPOKEN_OF_AFTER.search(folded[end : end + _AFTER]))
