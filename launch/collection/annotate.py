"""Language for a recorded frame: commentary, questions and Action Dreaming, from a situation and its picture."""

from __future__ import annotations

import random

from linkvla.launch.collection.dreaming import dreams
from linkvla.launch.collection.lanes import lanes_at
from linkvla.launch.collection.rationale import facts, rationale
from linkvla.launch.collection.sight import Sight
from linkvla.launch.collection.situation import Situation
from linkvla.launch.sim.render.camera import Frame
from linkvla.model.data.sample import Annotations
from linkvla.model.data.view import CameraRig
from linkvla.model.interface.types import Plan
from linkvla.model.language.commentary import commentary, paraphrase
from linkvla.model.language.questions import questions


def annotate(
    situation: Situation,
    frame: Frame,
    rng: random.Random,
    *,
    plan: Plan | None = None,
    rig: CameraRig | None = None,
) -> Annotations:
    """Everything that can be said about a frame.

    Args:
        situation: what the frame shows.
        frame: the kept rows of the camera picture, with its material and depth buffers.
        rng: draws wordings and wishes; the same state gives the same language.
        plan: the expert's, where it is at hand already.
        rig: the camera that took the frame; the standard one if left out.
    """
    plan = plan or situation.plan()
    sight = Sight(situation, frame, rig or CameraRig())
    lanes = lanes_at(situation)
    why = rationale(situation, sight, plan)
    return Annotations(
        commentary=commentary(why),
        paraphrase=paraphrase(why, rng),
        questions=questions(facts(situation, sight, why, lanes), rng),
        dreams=dreams(situation, sight, plan, lanes, rng),
    )
