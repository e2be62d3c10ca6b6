"""Teaching data: random situations, drives of a policy, and what the expert would do in each."""

from linkvla.launch.collection.collect import collect
from linkvla.launch.collection.settings import HELD_OUT_TOWNS, TRAINING_TOWNS, CollectSettings

__all__ = ["HELD_OUT_TOWNS", "TRAINING_TOWNS", "CollectSettings", "collect"]
