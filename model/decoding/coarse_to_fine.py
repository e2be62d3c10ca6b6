"""LinkVLA's two-pass decoding (section 3.3): end points first, then all thirty points at once.

Pass 1 reads the two goal tokens at the end of the prompt and gives the end points of path and speed waypoints. A
straight line from the ego to each end point, w_i = (i / T) w_T for i = 1..T (equation 6), becomes 20 + 10 coarse
action tokens. Pass 2 appends them to the cached prefix; they see it and each other, in both directions, and each
one's output is its refined cell.

Training runs both passes in one forward with a 4-D mask, since the coarse line then comes from the true end points.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional
from transformers import DynamicCache

from linkvla.model.interface.types import PATH_POINTS, SPEED_WAYPOINTS
from linkvla.model.modeling_linkvla import DrivingBatch, LinkVLAForDriving
from linkvla.model.processing_linkvla import TARGET_POINT_ID

GOALS = 2


@dataclass
class Scores:
    """Scores over the action cells, and what the auxiliary head reads."""

    goal_logits: torch.Tensor  # (B, 2, 5656): end of path, last speed waypoint
    fine_logits: torch.Tensor  # (B, 30, 5656): 20 path points, 10 speed waypoints
    patches: torch.Tensor  # (B, 2, patches, vision width)


@dataclass
class Decoded:
    """Decoded points, metres, ego frame."""

    end_points: torch.Tensor  # (B, 2, 2) float32
    points: torch.Tensor  # (B, 30, 2) float32
    scores: Scores


def coarse_line(end_points: torch.Tensor) -> torch.Tensor:
    """(B, 30, 2) points on the straight lines to ``end_points`` (B, 2, 2), metres: 20 to the first, 10 to the
    second.
    """
    lines = []
    for goal, count in enumerate((PATH_POINTS, SPEED_WAYPOINTS)):
        share = torch.arange(1, count + 1, device=end_points.device, dtype=end_points.dtype) / count
        lines.append(share[None, :, None] * end_points[:, goal : goal + 1])
    return torch.cat(lines, dim=1)


def prefix_positions(valid: torch.Tensor) -> torch.Tensor:
    """(B, P) rotary positions that skip the padding on the left."""
    return (valid.long().cumsum(-1) - 1).clamp(min=0)


def attention_mask(valid: torch.Tensor, slots: int) -> torch.Tensor:
    """(B, 1, P + slots, P + slots) bool, True = may attend.

    The prefix is causal and blind to the slots; the slots see the prefix and one another. Padding is never seen,
    except by itself: a row that sees nothing would turn into NaN and poison its batch.
    """
    prefix = valid.shape[1]
    total = prefix + slots
    allowed = torch.ones(total, total, dtype=torch.bool, device=valid.device).tril()
    allowed[prefix:] = True
    keys = functional.pad(valid, (0, slots), value=True)
    itself = torch.eye(total, dtype=torch.bool, device=valid.device)
    return ((allowed & keys[:, None, :]) | itself)[:, None]


def _slot_inputs(model: LinkVLAForDriving, rows: torch.Tensor, end_points: torch.Tensor) -> torch.Tensor:
    cells = model.action_tokenizer.encode(coarse_line(end_points.float()))
    return functional.embedding(cells, rows) + model.slot_embedding


def one_shot(model: LinkVLAForDriving, batch: DrivingBatch, end_points: torch.Tensor) -> Scores:
    """Both passes in one forward, given the end points (B, 2, 2) in metres: how training runs."""
    image_tokens, patches = model.see(batch.pixel_values)
    rows = model.action_rows
    slots = _slot_inputs(model, rows, end_points)
    sequence = torch.cat([model.embed_prefix(batch, image_tokens, TARGET_POINT_ID), slots], dim=1)
    mask = attention_mask(batch.valid, slots.shape[1])
    positions = prefix_positions(functional.pad(batch.valid, (0, slots.shape[1]), value=True))
    trunk = model.model.language_model
    hidden = trunk(inputs_embeds=sequence, attention_mask=mask, position_ids=positions, use_cache=False)
    logits = functional.linear(hidden.last_hidden_state[:, -GOALS - slots.shape[1] :], rows)
    return Scores(logits[:, :GOALS], logits[:, GOALS:], patches)


def decode(
    model: LinkVLAForDriving, batch: DrivingBatch, mode: str | None = None, end_points: torch.Tensor | None = None
) -> Decoded:
    """Two passes over one cached prefix: how driving runs.

    ``mode`` is "soft" (local expectation) or "hard" (cell centres), by default the configuration's. ``end_points``
    (B, 2, 2) overrides those of pass 1.
    """
    mode = mode or model.config.decode
    read = model.action_tokenizer.expectation if mode == "soft" else _read_hard(model)
    rows = model.action_rows
    image_tokens, patches = model.see(batch.pixel_values)
    prefix = model.embed_prefix(batch, image_tokens, TARGET_POINT_ID)
    mask = attention_mask(batch.valid, model.config.slots)
    positions = prefix_positions(functional.pad(batch.valid, (0, model.config.slots), value=True))
    length = prefix.shape[1]
    cache = DynamicCache(config=model.config.text_config)
    trunk = model.model.language_model
    hidden = trunk(
        inputs_embeds=prefix,
        attention_mask=mask[:, :, :length, :length],
        position_ids=positions[:, :length],
        past_key_values=cache,
        use_cache=True,
    ).last_hidden_state[:, -GOALS:]
    goal_logits = functional.linear(hidden, rows)
    ends = read(goal_logits) if end_points is None else end_points
    hidden = trunk(
        inputs_embeds=_slot_inputs(model, rows, ends),
        attention_mask=mask[:, :, length:],
        position_ids=positions[:, length:],
        past_key_values=cache,
        use_cache=True,
    ).last_hidden_state
    fine_logits = functional.linear(hidden, rows)
    return Decoded(ends, read(fine_logits), Scores(goal_logits, fine_logits, patches))


def _read_hard(model: LinkVLAForDriving):
    return lambda logits: model.action_tokenizer.decode(logits.argmax(-1))
