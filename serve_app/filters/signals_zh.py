"""Chinese signals of prompt injection; see `signals.py`, and `cues_zh.py` for the cues."""

from __future__ import annotations

from serve_app.filters.cues_zh import CHINESE_CUES
from serve_app.filters.signals import Language, Signal

_SIGNALS = (
    # Overriding what was ordered
    Signal("override", 1.0, ("override",)),
    Signal("override_rules", 0.7, ("override_rules",), 0.4),
    Signal("override_rules", 0.5, ("drop", "own_orders"), 0.4),
    Signal("orders_void", 1.0, ("void", "own_orders")),
    Signal("override_said", 0.8, ("drop_said",)),
    Signal("override_mine", -0.6, ("drop", "mine")),
    Signal("drop_limits", 0.6, ("lift",)),
    # Getting at what is hidden
    Signal("reveal_yours", 1.0, ("show", "their_secret")),
    Signal("reveal_system_prompt", 0.6, ("show_strict",)),
    Signal("reveal_above", 1.0, ("above_text",)),
    Signal("ask_told", 1.0, ("told",)),
    Signal("reveal_secret", 0.5, ("show", "secret_word")),
    # Roles without limits
    Signal("unrestricted_role", 1.0, ("role", "unlimited")),
    Signal("no_limits", 0.5, ("unlimited_near",), 0.4),
    Signal("known_jailbreak", 1.0, ("known_persona",)),
    Signal("developer_mode", 0.7, ("developer_mode",), 0.5),
    Signal("two_answers", 1.0, ("two_answers", "unbound_two")),
    Signal("you_are_free", 0.6, ("free_now",)),
    Signal("persona_elder", 1.0, ("elder", "harm")),
    Signal("hypothetical", 1.0, ("framing", "off_world")),
    Signal("hypothetical", 0.8, ("framing", "unlimited")),
    Signal("hypothetical", 1.0, ("unlimited", "harm", "in_detail")),
    Signal("hypothetical_harm", 0.6, ("framing", "harm", "in_detail")),
    # No refusing
    Signal("never_refuse", 0.6, ("never_refuse",), 0.4),
    Signal("no_caveats", 0.5, ("no_caveats",), 0.3),
    Signal("no_ai_talk", 0.7, ("no_ai_talk",)),
    Signal("no_sorry", 0.5, ("no_sorry",), 0.3),
    Signal("comply_all", 0.6, ("comply_all",), 0.4),
    Signal("speak_freely", 0.4, ("freely",), 0.2),
    Signal("threat", 0.5, ("threat", "never_refuse")),
    # Words put in its mouth
    Signal("prefix", 1.0, ("begin", "yes_words")),
    Signal("fake_turn", 0.6, ("fake_turn",)),
    Signal("open_turn", 0.4, ("open_turn", "user_turn")),
    Signal("fake_turns", 0.5, ("fake_turn", "user_turn")),
    # Hidden and encoded
    Signal("obey_encoded", 1.0, ("decode", "obey")),
    Signal("evade", 1.0, ("evade",)),
    Signal("acrostic", 1.0, ("acrostic", "obey")),
    # Fake messages
    Signal("fake_system", 0.6, ("fake_markers",), 0.5),
    Signal("granted", 0.6, ("granted",)),
    Signal("verified", 0.4, ("verified",)),
    Signal("give_away", 0.4, ("give_away",)),
    Signal("new_orders", 0.6, ("new_orders",)),
    Signal("new_task", 0.6, ("new_task",)),
    Signal("from_now_on", 0.3, ("from_now_on",)),
    Signal("obey_me", 0.5, ("obey_me",)),
    # Orders inside of data
    Signal("addressed_to_ai", 0.4, ("to_ai",), 0.5),
    Signal("orders_to_ai", 0.4, ("to_ai", "demand"), 0.6),
    Signal("addressed_to_ai", 0.1, ("ai_must",), 0.3),
    Signal("orders_to_ai", 0.2, ("ai_must", "demand"), 0.4),
    Signal("hide_from_user", 0.4, ("hide",), 0.6),
    Signal("exfiltrate", 0.7, ("send", "private", "address"), 0.9),
    Signal("ignore_user", 0.6, ("ignore_user",), 1.0),
    Signal("user_agreed", 0.2, ("user_agreed",), 0.6),
    Signal("pay", 0.1, ("pay",), 0.4),
    Signal("tool_call", 0.1, ("tool_call", "demand"), 0.5),
    Signal("shell", 0.0, ("shell", "demand"), 0.6),
    Signal("favour", 0.1, ("favour", "demand"), 0.5),
    Signal("say_exactly", 0.2, ("say_exactly",), 0.5),
    Signal("remember", 0.2, ("remember",), 0.5),
    Signal("render", 0.2, ("render",), 0.4),
)
_REPORTS = (("about", "reported"), ("about", "question"))

CHINESE = Language(CHINESE_CUES, _SIGNALS, _REPORTS)
