"""Builds the rooms of one process from structure and policy. No Ray here.

`graph.py` decides which process gets which rooms; these files know how each is made, so that a
fused stage and a deployed one are the same object with the same collaborators.
"""

from serve_app.compose.corridor import Corridor
from serve_app.compose.crew import Crew
from serve_app.compose.house import House
from serve_app.compose.maker import Maker, Stages

__all__ = ["Corridor", "Crew", "House", "Maker", "Stages"]
