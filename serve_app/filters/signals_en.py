"""English signals of prompt injection; see `signals.py`, and `cues_en_*.py` for the cues."""

from __future__ import annotations

from serve_app.filters.cues_en_data import DATA_CUES
from serve_app.filters.cues_en_orders import ORDER_CUES
from serve_app.filters.cues_en_roles import ROLE_CUES
from serve_app.filters.signals import Language, Signal

_SIGNALS = (
    # Overriding what was ordered
    Signal("override", 1.0, ("drop", "own_orders")),
    Signal("override", 1.0, ("glued",)),
    Signal("override_rules", 0.4, ("drop", "own_orders_weak"), 0.3),
    Signal("override_identity", 0.6, ("identity",)),
    Signal("override_said", 0.7, ("drop_said", "all_said")),
    Signal("orders_void", 1.0, ("void", "own_orders")),
    Signal("orders_void", 0.5, ("void", "own_orders_weak"), 0.3),
    Signal("override_mine", -0.6, ("drop", "mine")),
    Signal("drop_limits", 0.6, ("lift",)),
    Signal("instead", 0.4, ("instead",)),
    # Getting at what is hidden
    Signal("reveal_yours", 1.0, ("show", "their_secret")),
    Signal("reveal_forbidden", -0.8, ("not_show", "their_secret")),
    Signal("reveal_system_prompt", 0.6, ("show_strict",)),
    Signal("reveal_above", 1.0, ("show", "above", "this_chat")),
    Signal("reveal_above", 1.0, ("show", "chat_start")),
    Signal("in_full", 0.3, ("verbatim",)),
    Signal("ask_told", 1.0, ("told",)),
    Signal("reveal_secret", 0.5, ("reveal_secret",)),
    # Roles without limits
    Signal("unrestricted_role", 1.0, ("role", "unlimited")),
    Signal("no_limits", 0.4, ("unbound",)),
    Signal("no_limits", 0.4, ("limits_off",)),
    Signal("known_jailbreak", 1.0, ("known_persona",)),
    Signal("developer_mode", 0.7, ("developer_mode",), 0.5),
    Signal("two_answers", 1.0, ("two_answers", "unbound_two")),
    Signal("you_are_free", 0.6, ("free_now",)),
    Signal("persona_elder", 1.0, ("role", "elder", "harm")),
    Signal("persona_elder", 1.0, ("elder", "harm")),
    Signal("hypothetical", 1.0, ("framing", "off_world")),
    Signal("hypothetical", 0.8, ("framing", "unlimited")),
    Signal("hypothetical", 1.0, ("framing", "unlimited", "in_detail")),
    Signal("hypothetical", 1.0, ("harm", "in_detail", "unlimited")),
    Signal("hypothetical_harm", 0.6, ("framing", "harm", "in_detail")),
    Signal("off_world", 0.7, ("off_world",)),
    # No refusing
    Signal("never_refuse", 0.6, ("never_refuse",), 0.4),
    Signal("no_caveats", 0.5, ("no_caveats",), 0.3),
    Signal("no_ai_talk", 0.6, ("no_ai_talk",)),
    Signal("no_ai_talk", 0.6, ("negation", "as_an_ai")),
    Signal("no_sorry", 0.5, ("negation", "sorry_words"), 0.3),
    Signal("comply_all", 0.6, ("comply_all",), 0.4),
    Signal("threat", 0.5, ("threat", "never_refuse")),
    # Words put in its mouth
    Signal("prefix", 1.0, ("begin", "yes_words")),
    Signal("prefix", 0.6, ("yes_words", "unlimited")),
    Signal("fake_turn", 0.6, ("fake_turn",)),
    Signal("open_turn", 0.4, ("open_turn", "user_turn")),
    Signal("fake_turns", 0.5, ("fake_turn", "user_turn")),
    # Hidden and encoded
    Signal("obey_encoded", 1.0, ("decode", "obey_it")),
    Signal("obey_encoded", 0.6, ("decode", "obey_weak"), 0.6),
    Signal("evade", 1.0, ("evade",)),
    Signal("acrostic", 1.0, ("acrostic", "obey_weak")),
    Signal("reveal_encoded", 0.4, ("their_secret", "encode")),
    # Fake messages
    Signal("fake_markers", 0.6, ("role_token",)),
    Signal("fake_system", 0.6, ("role_token_system",), 0.8),
    Signal("fake_system", 0.6, ("system_says",), 0.5),
    Signal("turn_break", 1.0, ("turn_break",)),
    Signal("section_break", 0.6, ("section_break",)),
    Signal("role_json", 0.6, ("role_json",), 0.6),
    Signal("verified", 0.5, ("verified",), 0.4),
    Signal("granted", 0.5, ("granted",)),
    Signal("give_away", 0.3, ("give", "secrets"), 0.3),
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
    Signal("trigger", 0.1, ("trigger", "to_ai"), 0.4),
    Signal("exfiltrate", 0.7, ("send", "private", "address"), 1.0),
    Signal("exfiltrate", 0.2, ("send", "private"), 0.3),
    Signal("image_leak", 0.6, ("image_leak",), 1.0),
    Signal("render", 0.2, ("render",), 0.4),
    Signal("ignore_user", 0.6, ("ignore_user",), 1.0),
    Signal("user_agreed", 0.2, ("user_agreed",), 0.6),
    Signal("pay", 0.1, ("pay", "money"), 0.4),
    Signal("tool_call", 0.1, ("tool_call", "demand"), 0.5),
    Signal("shell", 0.0, ("shell", "demand"), 0.6),
    Signal("favour", 0.1, ("favour", "demand"), 0.5),
    Signal("say_exactly", 0.2, ("say_exactly",), 0.5),
    Signal("remember", 0.2, ("remember",), 0.5),
)

_REPORTS = (("about", "reported"), ("about", "question"))

ENGLISH = Language({**ORDER_CUES, **ROLE_CUES, **DATA_CUES}, _SIGNALS, _REPORTS)
