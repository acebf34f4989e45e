"""What remembers conversations and responses in one process."""

from __future__ import annotations

from serve_app.compose.maker import Maker
from serve_app.config.paths import SESSION_KEY
from serve_app.config.policy import Policy
from serve_app.core.errors import PolicyRejected
from serve_app.routing.estimate import estimate_tokens
from serve_app.sessions.conversation import Conversation
from serve_app.sessions.items import Items
from serve_app.sessions.names import KeptNames
from serve_app.sessions.responses import Responses
from serve_app.sessions.seal import Seals
from serve_app.sessions.store import Conversations
from serve_app.sessions.tokens import HeuristicCounter


class Memory:
    """Conversations, their messages, and stored responses: all over the same keys and seals.

    Raises:
        PolicyRejected: what is kept is to be sealed, and there is no key, or a bad one.
    """

    def __init__(self, maker: Maker, policy: Policy) -> None:
        store, clock, rules = maker.store, maker.clock, policy.conversation
        encrypt = maker.args.conversation.encrypt
        seals = Seals(maker.environ.get(SESSION_KEY, ""))
        if encrypt and not seals.can_seal:
            raise PolicyRejected(f"conversation.encrypt needs a key in {SESSION_KEY}")
        estimate = HeuristicCounter(estimate_tokens)
        self.conversations = Conversations(
            store, rules, clock, seals=seals, encrypt=encrypt, count=estimate.count
        )
        self.items = Items(self.conversations)
        self.responses = Responses(store, rules, seals=seals, encrypt=encrypt)
        self.conversation = Conversation(
            self.conversations,
            rules,
            maker.counters(),
            estimate,
            KeptNames(store, rules, seals),
            max((model.context for model in maker.catalog if model.endpoint == "chat"), default=0),
        )

    def reconfigure(self, policy: Policy) -> None:
        """Apply a checked policy to what is kept from now on."""
        self.conversation.reconfigure(policy.conversation)
        self.responses.reconfigure(policy.conversation)
