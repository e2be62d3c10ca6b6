"""What a frame costs at least: arithmetic and bytes of each pass, from the shape of the network alone.

Counted are matrix products and attention, two operations per multiply-add, with no more pairs of attention than the
masks let through. Bytes are those that no cache can save: each pass reads its weights once, for the whole batch, and
the keys and values of what was read before. What lies between layers is taken to stay on the chip. Normalisation,
activations, resizing and decoding of points are left out: they are below a hundredth of the whole.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

from linkvla.launch.bench.ceilings import Ceilings
from linkvla.model.configuration_linkvla import TILES, LinkVLAConfig
from linkvla.model.interface.types import PATH_POINTS, POINTS, SPEED_WAYPOINTS
from linkvla.model.modeling_linkvla import GOALS


@dataclass(frozen=True)
class Pass:
    """One forward of the language model, per sample."""

    new: int  # tokens read
    before: int  # tokens in the cache
    open_block: int = 0  # of the new ones, the last that see one another in both directions
    actions: int = 0  # tokens of which the action cells are scored
    words: int = 0  # tokens of which the text tokens are scored
    points: int = 0  # tokens that the regression head reads

    @property
    def read(self) -> int:
        """Tokens whose hidden states somebody reads: of the others the last layer need make keys and values only."""
        return min(self.new, self.actions + self.words + self.points)

    def pairs(self, last: int) -> int:
        """Pairs of tokens of which one sees the other, where the ``last`` of the new ones look."""
        first = self.before + self.new - last
        causal = last * first + last * (last + 1) // 2
        return causal + self.open_block * (self.open_block - 1) // 2


@dataclass(frozen=True)
class Cost:
    """Operations and bytes of one or more passes."""

    flops: float
    bytes: float
    floor_ms: float  # at the device's ceilings; passes come one after the other


def action_passes(head: str, prompt: int, cached: int = 0) -> list[Pass]:
    """The passes that read the actions: the first reads ``prompt`` tokens too, behind ``cached`` ones."""
    total = cached + prompt
    if head == "regression":
        return [Pass(prompt + POINTS, cached, points=POINTS)]
    if head == "coarse_to_fine":
        return [
            Pass(prompt + GOALS, cached, actions=GOALS),
            Pass(POINTS, total + GOALS, open_block=POINTS, actions=POINTS),
        ]
    passes, before = [Pass(prompt + 1, cached, actions=1)], total + 1
    for point in range(1, POINTS):
        new = 2 if point == PATH_POINTS else 1  # with the second goal token
        passes.append(Pass(new, before, actions=1))
        before += new
    return passes


def word_passes(prompt: int, tokens: int, passes: int) -> list[Pass]:
    """The passes that say ``tokens`` tokens after a prompt: one each when greedy, fewer with a draft."""
    scored = tokens - (passes - 1)  # of the first pass; a draft is verified in it
    later = [Pass(1, prompt + scored + number - 2, words=1) for number in range(1, passes)]
    return [Pass(prompt + scored - 1, 0, words=scored), *later]


def spoken_passes(head: str, prompt: int, tokens: int, passes: int) -> list[Pass]:
    """The passes of a frame with words. Where these were drafted, the actions' first pass reads along with the last."""
    said = word_passes(prompt, tokens, passes)
    actions = action_passes(head, 1, prompt + tokens - 1)
    if passes == tokens:
        return [*said, *actions]
    last, first = said[-1], actions[0]
    both = replace(first, new=last.new + first.new, before=last.before, words=last.words)
    return [*said[:-1], both, *actions[1:]]


def cost(config: LinkVLAConfig, passes: list[Pass], batch: int, width: int, ceilings: Ceilings) -> Cost:
    """A whole frame: both tiles seen, then the passes; ``width``: bytes of a weight."""
    parts = [_vision(config, batch), *(_language(config, one, batch) for one in passes)]
    return Cost(
        sum(flops for flops, _ in parts),
        sum(width * moved for _, moved in parts),
        sum(ceilings.milliseconds(flops, width * moved) for flops, moved in parts),
    )


def _vision(config: LinkVLAConfig, batch: int) -> tuple[float, float]:
    """Operations, and numbers moved, of vision tower and projector."""
    vision, wide = config.vision_config, config.text_config.hidden_size
    size, inner = vision.hidden_size, vision.intermediate_size
    patch = vision.patch_size[0] if isinstance(vision.patch_size, (list, tuple)) else vision.patch_size
    patches = (config.tile_size // patch) ** 2
    seen = patches + 1
    layer = 4 * size**2 + 2 * size * inner
    stem = 3 * patch**2 * size
    merged = size * round(1 / config.downsample_ratio) ** 2
    bridge = merged * wide + wide**2
    tile = (
        2 * patches * stem
        + vision.num_hidden_layers * (2 * seen * layer + 4 * seen**2 * size)
        + 2 * config.image_seq_length * bridge
    )
    return TILES * batch * tile, vision.num_hidden_layers * layer + stem + bridge


def _language(config: LinkVLAConfig, one: Pass, batch: int) -> tuple[float, float]:
    """Operations, and numbers moved, of one pass of the language model and the heads that read it."""
    text = config.text_config
    size, share = text.hidden_size, text.num_key_value_heads / text.num_attention_heads
    keys = 2 * share * size**2
    layer = 2 * size**2 + keys + 3 * size * text.intermediate_size
    heads = {
        "actions": (one.actions, size * config.vocabulary.action_tokens),
        "words": (one.words, size * config.text_tokens),
        "points": (one.points, _regression(config) if one.points else 0),
    }
    flops = (text.num_hidden_layers - 1) * (2 * one.new * layer + 4 * one.pairs(one.new) * size)
    flops += 2 * (one.new * keys + one.read * (layer - keys)) + 4 * one.pairs(one.read) * size
    flops += sum(2 * rows * weights for rows, weights in heads.values())
    moved = text.num_hidden_layers * (layer + batch * 2 * share * size * (one.before + one.new))
    moved += sum(weights for rows, weights in heads.values() if rows)
    return batch * flops, moved


def _regression(config: LinkVLAConfig) -> float:
    """Weights that one point meets on average: the path's and the waypoints' heads differ."""
    total = 0.0
    for points, hidden in (
        (PATH_POINTS, config.regression_path_hidden),
        (SPEED_WAYPOINTS, config.regression_waypoint_hidden),
    ):
        sizes = [config.text_config.hidden_size, *hidden, 2]
        total += points / POINTS * sum(one * other for one, other in pairwise(sizes))
    return total
