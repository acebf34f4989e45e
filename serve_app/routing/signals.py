"""The signals that tell how much reasoning a prompt needs: their words and what they weigh.

Positive signals speak for a strong model, negative ones for a cheap one. A signal counts once
however often its words occur, so that repetition decides nothing.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Signal(NamedTuple):
    """Words of one kind, separated by `|`, in lower case."""

    name: str
    weight: float
    english: str
    """Found as whole words."""
    chinese: str
    """Found anywhere, as Chinese has no word borders."""
    opening: bool = False
    """Counts only as the very first words of a text."""


QUANTITY: Final = "quantity_asked"
"""Weighs nothing by itself: asking for a quantity is hard only where quantities are given."""

SIGNALS: Final[tuple[Signal, ...]] = (
    Signal(
        "proof",
        0.95,
        "prove|proves|proof|proofs|disprove|derive|derives|derivation|deduce|logic|logical|"
        "logically|puzzle|theorem|lemma|linearizable|by induction|by contradiction",
        "说真话|逻辑|证明|推导|论证|论述|求证|反证|推理|推断|归纳法",
    ),
    Signal(
        "analysis",
        0.8,
        "analyse|analyze|analyses|analysing|analyzing|analysis|assess|critique|critically|"
        "fallacy|fallacies|root cause|implication|implications|argue|interpret|review|"
        "loophole|loopholes|discuss|diagnose|diagnosis",
        "分析|评估|评价|漏洞|根本原因|深入|剖析|影响因素",
    ),
    Signal(
        "comparison",
        0.6,
        "compare|compared|comparing|comparison|contrast|trade-off|trade-offs|tradeoff|"
        "tradeoffs|pros and cons|versus|vs|advantages|recommend|which is best|"
        "which is better|which is faster|fastest|optimal",
        "比较|对比|优缺点|利弊|取舍|权衡|区别与联系|异同",
    ),
    Signal(
        "design",
        0.8,
        "design|architect|architecture|strategy|strategies|plan a|plan an|plan the|plan how|"
        "propose a|propose an|devise|draft a|draft an|migrate|migration|roadmap|"
        "business plan|build a|build an|model the|organise a|organize a|essay|proposal",
        "设计|架构|拆分|制定|规划|方案|策略|论文|迁移",
    ),
    Signal(
        "debugging",
        0.6,
        "debug|traceback|stack trace|exception|exceptions|deadlock|deadlocks|race condition|"
        "memory leak|memory leaks|leaks memory|refactor|rewrite it|rewrite this|"
        "rewrite the code|rewrite the query|segfault|does not work|doesn't work|"
        "does not compile|doesn't compile",
        "调试|报错|死锁|内存泄漏|重构|修复|异常|排查",
    ),
    Signal(
        "programming",
        0.5,
        "implement|algorithm|algorithms|complexity|optimise|optimize|optimisation|"
        "optimization|concurrent|concurrency|thread-safe|threadsafe|lock-free|time limit|"
        "unit test|unit tests|data structure|data structures|regex|write a function|"
        "write a program|write a script|write a class|write a query|write a sql query|"
        "write a python script|write a python function|parser|o(1)|o(n)|o(log|o(n log",
        "实现一|算法|复杂度|优化|并发|线程安全|数据结构|动态规划|递归",
    ),
    Signal("code", 0.3, "#include|select *|def|import|const", "```|=> {|);|()"),
    Signal(
        "reason_why",
        0.35,
        "why is|why are|why does|why do|why did|why would|why should|why it|why the|why this|"
        "why can|why can't|why not|and why|explain why|explain how|explain each|explain your|"
        "explain the reason|explain the difference|how would|how should|how could|how might|"
        "walk me through|what happened|went wrong|what follows|effects of|effect of|"
        "causes of|cause of|consequences|impact of|could cause|could explain|necessarily|"
        "reasoning|reasons|justify",
        "为什么|为何|原因|解释|说明|如何|怎样|因素|怎么会|阐述|影响|什么问题",
    ),
    Signal(
        "steps",
        0.45,
        "step by step|step-by-step|each step|each phase|each stage|show your work|"
        "show the work|show the steps|show all steps|think hard|think carefully|"
        "think through|chain of thought",
        "逐步|一步步|一步一步|分步|每一步|过程|步骤|首先",
    ),
    Signal(
        "mathematics",
        0.5,
        "integral|derivative|derivatives|equation|equations|probability|probabilities|matrix|"
        "matrices|eigenvalue|eigenvalues|eigenvector|polynomial|polynomials|irrational|"
        "prime number|prime numbers|logarithm|modulo|divisible|permutation|permutations|"
        "factorial|infinity|calculate|calculation|square root|ratio|velocity|isomorphic|"
        "isomorphism",
        "概率|方程|积分|导数|矩阵|定理|函数|几何|数列|整除|最大值|最小值|质数|排列|复利|计算",
    ),
    Signal(
        "solving",
        0.45,
        "solve|determine|find all|find the|find it|find out|find a|find an|find x|"
        "find whether|figure out|work out|show that|verify|mitigate|mitigated|mitigation",
        "求|解出|推算|解决|排查|避免",
    ),
    Signal(
        "conditions",
        0.45,
        "suppose|assume|assuming|given a|given an|given that|given the|hypothesis|"
        "hypothetical|scenario|let x|let n|if and only if",
        "假设|假如|如果|已知|设有|只有|对于任意",
    ),
    Signal(
        "constraints",
        0.3,
        "must|must not|at most|at least|no more than|without|exactly|subject to|only if|"
        "constraint|constraints|requirement|requirements|as few as possible|"
        "as cheap as possible|as fast as possible",
        "必须|不超过|至少|至多|要求|不能|不得|约束|保证|支持|使它",
    ),
    Signal(
        "negation",
        0.2,
        "not|except|neither|nor|never|least likely|incorrect",
        "不是|不属于|不正确|不包括|除了|并非|错误的是",
    ),
    Signal(
        QUANTITY,
        0.0,
        "how many|how much|how long|how far|how old|how fast|what is|what was|what percent|"
        "when|find|determine|tell",
        "多少|多久|多远|多大|何时|百分之几|几",
    ),
    Signal(
        "counting",
        0.35,
        "how many ways|how many different|how many possible|how many are possible|"
        "are possible|are there",
        "多少种|有几种|共有多少",
    ),
    Signal(
        "greeting",
        -0.6,
        "hi|hello|hey|good morning|good evening|good afternoon|good night|thanks|thank you|"
        "bye|ok|okay",
        "你好|您好|嗨|早上好|晚上好|谢谢|再见|好的",
        opening=True,
    ),
    Signal(
        "translation",
        -0.6,
        "translate|translation|in french|in spanish|in german|in italian|in chinese|"
        "in english|in japanese|into french|into spanish|into german|into chinese|"
        "into english|into japanese",
        "翻译|译成|改成繁体|改成简体|用英语|用英文|用中文",
    ),
    Signal(
        "language_chore",
        -0.5,
        "spell|spelling|synonym|synonyms|antonym|antonyms|upper case|uppercase|lower case|"
        "lowercase|capitalise|capitalize|typo|typos|grammar|pronounce|rephrase|proofread|"
        "plural|past tense|rhyme",
        "怎么读|怎么写|怎么说|拼音|同义词|反义词|近义词|错别字|成语|标点|润色",
    ),
    Signal(
        "lookup",
        -0.4,
        "who is|who was|who wrote|who painted|who invented|when is|when was|when were|"
        "when did|where is|where was|where are|define",
        "谁是",
        opening=True,
    ),
    Signal(
        "fact",
        -0.4,
        "capital of|stand for",
        "是谁|哪一年|哪里|首都|什么时候|有多高|有几天",
    ),
    Signal(
        "brevity",
        -0.4,
        "in one sentence|in one word|in one line|in a single sentence|in two sentences|"
        "one-line|one-word|one-sentence|briefly|yes or no",
        "一句话|一个词|一句|简短|简单回答|简单说|是或否",
    ),
)
