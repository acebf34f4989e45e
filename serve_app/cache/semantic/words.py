"""A question as words: written in many ways, read in one.

"Hey, what's the price of a two-year plan??"  ->  what is the price of a 2 year plan
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

import opencc
import snowballstemmer

from serve_app.cache.semantic.numerals import in_digits

_STEMMER = snowballstemmer.stemmer("english")

_APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "`": "'", "´": "'", "‐": "-", "‑": "-", "–": "-"})

_TOKEN = re.compile(
    r"[a-z]+\d[a-z\d]*|[a-z]+(?:'[a-z]+)?|\d+(?:[.,:/]\d+)*|[^\W\d_]+"
    r"|[%$£€¥+*/=<>^&|#@~{}\[\]\\_-]|\S",
    re.IGNORECASE,
)
"""Words with digits in them (k8s), words with their apostrophe, numbers with what stands inside
them, signs that mean something."""

_CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)

_ENDS = frozenset(".?!。？！")

_SILENT = frozenset("?!.,;:\"'()…。，？！；：、“”‘’（）·-—_~")

_WHOLE = {
    "won't": "will not", "wont": "will not", "can't": "can not", "cant": "can not",
    "cannot": "can not", "shan't": "shall not", "ain't": "is not", "dont": "do not",
    "doesnt": "does not", "didnt": "did not", "isnt": "is not", "arent": "are not",
    "wasnt": "was not", "shouldnt": "should not", "couldnt": "could not",
    "wouldnt": "would not", "havent": "have not", "hasnt": "has not", "whats": "what is",
    "wheres": "where is", "hows": "how is", "whos": "who is", "whens": "when is",
    "thats": "that is", "theres": "there is", "im": "i am", "ive": "i have", "youre": "you are",
    "let's": "let us", "lets": "let us", "gonna": "going to", "wanna": "want to",
    "gotta": "got to", "ur": "your", "u": "you", "r": "are", "y": "why", "thru": "through",
    "w/o": "without", "w/": "with", "abt": "about", "bc": "because", "cos": "because",
    "tmrw": "tomorrow", "tmr": "tomorrow", "2day": "today", "acct": "account",
    "acc": "account", "addr": "address", "appt": "appointment", "govt": "government",
    "dept": "department", "diff": "difference", "hr": "hour", "hrs": "hours", "min": "minute",
    "mins": "minutes", "sec": "second", "secs": "seconds", "yr": "year", "yrs": "years",
    "wk": "week", "wks": "weeks", "mth": "month", "mths": "months", "msg": "message",
    "pic": "picture", "pics": "pictures", "pwd": "password", "pw": "password", "num": "number",
    "approx": "approximately", "max": "maximum", "vs": "versus", "ppl": "people",
    "sat": "saturday", "sun": "sunday", "mon": "monday", "tue": "tuesday", "tues": "tuesday",
    "wed": "wednesday", "thu": "thursday", "thurs": "thursday", "fri": "friday",
    "jan": "january", "feb": "february", "mar": "march", "apr": "april", "jun": "june",
    "jul": "july", "aug": "august", "sep": "september", "sept": "september", "oct": "october",
    "nov": "november", "dec": "december", "nyc": "new york", "ny": "new york",
}  # fmt: skip
"""`sat` and `sun`, `mar` and the like are rarely anything else in a question."""

_ENDINGS = {
    "n't": "not", "'s": "is", "'re": "are", "'ve": "have", "'ll": "will", "'d": "would", "'m": "am",
}  # fmt: skip

_HOSTS = frozenset(
    (
        "what",
        "where",
        "how",
        "who",
        "when",
        "why",
        "that",
        "there",
        "it",
        "he",
        "she",
        "here",
        "which",
    )
)
"""Words after which 's is short for `is`; after others it says whose."""


class Word(NamedTuple):
    """One word as it counts."""

    text: str
    stem: str
    is_name: bool
    """Written with a capital where none was due: a name, an abbreviation."""


def code_of(text: str) -> tuple[str, ...]:
    """Code blocks and code words of a text, as they stand."""
    return tuple(_CODE.findall(text))


_HAN = re.compile("[\u3400-\u9fff]")

_SIMPLIFIED = opencc.OpenCC("t2s")


def has_han(text: str) -> bool:
    return _HAN.search(text) is not None


def plain_text(text: str) -> str:
    """The text in one form: no accents, no full-width letters, one kind of quote and dash,
    simplified characters, and their numbers in digits."""
    if text.isascii():
        return text
    if has_han(text):
        text = in_digits(_SIMPLIFIED.convert(text))
    apart = unicodedata.normalize("NFKD", text.translate(_APOSTROPHES))
    return unicodedata.normalize("NFC", "".join(c for c in apart if not unicodedata.combining(c)))


def words_of(text: str) -> list[Word]:
    """The words of a text in order; punctuation is left out, signs that mean something are not."""
    plain = plain_text(text)
    found = _TOKEN.findall(plain)
    shouted = _is_shouted(plain)
    words: list[Word] = []
    begins = True
    for token in found:
        if token in _SILENT:
            begins = begins or token in _ENDS
            continue
        if has_han(token):
            words += [Word(sign, sign, False) for sign in token]
            begins = False
            continue
        name = not shouted and _is_capital(token, begins)
        begins = False
        for part in _parts(token):
            words.append(Word(part, stem(part), name))
    return words


def _is_shouted(text: str) -> bool:
    """True for a text in capitals throughout, whose capitals say nothing."""
    return text.upper() == text


def _is_capital(token: str, begins: bool) -> bool:
    if begins:
        return len(token) > 1 and token[1:].lower() != token[1:]
    return token[0] != token[0].lower() and token not in ("I", "I'm", "I've", "I'd", "I'll")


def _parts(token: str) -> list[str]:
    """A token as the words it stands for."""
    low = token.casefold()
    if low in _WHOLE:
        return _WHOLE[low].split()
    for ending, word in _ENDINGS.items():
        if low.endswith(ending) and len(low) > len(ending):
            host = low[: -len(ending)]
            if ending == "'s" and host not in _HOSTS:
                return [host]
            return [host, word]
    return [low.replace("'", "")] if len(low) > 1 else [low]


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """The form that a word shares with its inflections."""
    if not word.isascii() or not word.isalpha() or len(word) < 3:
        return word
    return _IRREGULAR.get(word) or str(_STEMMER.stemWord(_american(word)))


def _american(word: str) -> str:
    """One spelling of `honour`, `organise`, `anaemia`, `travelling`."""
    if len(word) > 5:
        for british, american in _SPELLINGS:
            word = british.sub(american, word)
    return word


_SPELLINGS = (
    (re.compile(r"(?<=[a-z]{2})our(?=s?$|ed$|ing$|ful$|ite|able|ist|hood)"), "or"),
    (re.compile(r"(?<=[a-z]{3})is(?=e$|es$|ed$|ing$|ation|er$|ers$)"), "iz"),
    (re.compile(r"(?<=[a-z]{3})ys(?=e$|es$|ed$|ing$)"), "yz"),
    (re.compile(r"ae|oe(?=[a-z]{3})"), "e"),
    (re.compile(r"ll(?=ed$|ing$|er$|ers$)"), "l"),
    (re.compile(r"(?<=[a-z]{2}[tb])re$"), "er"),
    (re.compile(r"ogue$"), "og"),
)


_IRREGULAR = {
    "bought": "buy", "went": "go", "gone": "go", "got": "get", "gotten": "get", "sent": "send",
    "paid": "pay", "made": "make", "took": "take", "taken": "take", "lost": "lose",
    "found": "find", "broke": "break", "broken": "broken", "sold": "sell", "left": "left",
    "said": "say", "told": "tell", "gave": "give", "given": "give", "wrote": "write",
    "written": "write", "spent": "spend", "kept": "keep", "held": "hold", "ran": "run",
    "began": "begin", "begun": "begin", "chose": "choos", "chosen": "choos", "drove": "drive",
    "flew": "fli", "forgot": "forget", "forgotten": "forget", "grew": "grow", "grown": "grow",
    "knew": "know", "known": "known", "meant": "mean", "met": "meet", "read": "read",
    "rode": "ride", "rose": "rise", "saw": "see", "seen": "see",
    "spoke": "speak", "spoken": "speak", "stole": "steal", "stolen": "stolen",
    "taught": "teach", "thought": "think", "threw": "throw", "won": "win", "children": "child",
    "men": "men", "women": "women", "people": "peopl", "mice": "mous", "teeth": "tooth",
    "feet": "foot", "has": "has", "was": "was", "does": "does", "is": "is", "as": "as",
    "this": "this", "its": "it", "us": "us", "news": "news", "best": "best", "better": "better",
    "worst": "worst", "did": "do", "done": "do", "had": "have", "less": "less", "pros": "pro",
    "cons": "con", "sales": "sales", "savings": "savings", "current": "current",
    "currently": "currently", "general": "general", "generally": "generally",
    "business": "business", "busy": "busy", "university": "university", "universe": "universe",
    "organization": "organization", "organ": "organ", "international": "international",
    "internal": "internal", "policy": "policy", "police": "police", "new": "new",
    "used": "used", "using": "use", "user": "user", "users": "user", "useful": "useful",
    "hotel": "hotel", "hot": "hot", "outstanding": "outstanding", "free": "free",
    "freedom": "freedom", "personal": "personal", "person": "person", "able": "able",
    "unable": "unable", "during": "during", "nothing": "nothing", "something": "something",
    "anything": "anything", "everything": "everything", "evening": "evening",
    "morning": "morning", "building": "building", "meaning": "meaning",
    "meeting": "meeting", "training": "training", "marketing": "marketing",
    "banking": "banking", "parking": "parking", "employer": "employer",
    "employee": "employee", "employees": "employee", "employers": "employer",
    "employed": "employed", "unemployed": "unemployed", "trainer": "trainer",
    "trainers": "trainer", "author": "author", "authority": "authority",
    "authorise": "authorise", "relative": "relative", "relativity": "relativity",
    "intern": "intern", "native": "native", "nation": "nation", "national": "national",
}  # fmt: skip
"""Irregular forms, and words that a stemmer would make one of that are not."""
