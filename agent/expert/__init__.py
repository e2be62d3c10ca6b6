"""The privileged expert: reads the world instead of pictures and drives through the same controls as the networks.

``expert_agent``: ``ExpertDriver``, the loop of one tick; networks learn from it. ``watchful``: ``WatchfulDriver``,
which adds all that follows below ``Both`` and is the expert of evaluations, on our own runner (``WatchfulAgent``) and,
as ``agent/entry/expert_agent``, on the official ones.

Both: ``planner`` (where to be in the next 2.5 s: speed profile, leaders, stop lines), ``road_users`` (who is on the
line, or will cross it), ``signals`` (lights, stop signs), ``departing`` (out of a parking bay).
Across the line: ``giving_way`` (crossing and oncoming traffic where the ego turns).
Into the lane: ``tributaries`` and ``merging`` (lanes that run into the ego's), ``cutting_in`` (who pulls in).
Beside the line: ``surroundings`` (everybody in the route's coordinates), ``obstacles`` (what no patience moves away:
cones, broken-down cars, cyclists), ``carriageway`` (the lanes beside), ``detour`` (ways past and their shape), ``gaps``
(is the place free while the ego needs it), ``yielding`` (emergency vehicles), ``leaning`` (room within the lane for
oncoming cars and doors); ``passing`` decides between them and hands out the line, or a place to wait at.
"""
