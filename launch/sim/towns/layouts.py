"""The layouts of the shipped towns by name; Maple and Nutmeg are held out from training."""

from __future__ import annotations

from collections.abc import Callable

from linkvla.launch.sim.towns.layout import Layout
from linkvla.launch.sim.towns.layouts_heldout import maple
from linkvla.launch.sim.towns.layouts_training import aspen, birch

TRAINING: dict[str, Callable[[], Layout]] = {"Aspen": aspen, "Birch": birch}
HELD_OUT: dict[str, Callable[[], Layout]] = {"Maple": maple}
LAYOUTS = TRAINING | HELD_OUT
