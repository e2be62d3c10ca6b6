"""The layouts of the shipped towns by name; Maple and Nutmeg are held out from training."""

from __future__ import annotations

from collections.abc import Callable

from linkvla.launch.sim.towns import layouts_training as first
from linkvla.launch.sim.towns import layouts_training2 as second
from linkvla.launch.sim.towns.layout import Layout
from linkvla.launch.sim.towns.layouts_heldout import maple, nutmeg

TRAINING: dict[str, Callable[[], Layout]] = {
    "Aspen": first.aspen,
    "Birch": first.birch,
    "Cedar": first.cedar,
    "Dogwood": first.dogwood,
    "Elm": first.elm,
    "Fir": first.fir,
    "Ginkgo": second.ginkgo,
    "Hazel": second.hazel,
    "Ironwood": second.ironwood,
    "Juniper": second.juniper,
    "Kauri": second.kauri,
    "Larch": second.larch,
}
HELD_OUT: dict[str, Callable[[], Layout]] = {"Maple": maple, "Nutmeg": nutmeg}
LAYOUTS = TRAINING | HELD_OUT
