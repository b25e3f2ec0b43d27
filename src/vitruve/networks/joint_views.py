"""A vision transformer that sees several views at once.

Each view is cut into patches as the network does with a single image. The tokens of all views then go through its
blocks as one sequence, so that attention reaches from view to view; the weights are those of the single-view network.
The idea is Lightning Pose's multi-view transformer (Aharon et al. 2025, arXiv 2510.09903).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from timm.models.eva import Eva
from timm.models.vision_transformer import VisionTransformer

from vitruve.errors import ConfigError
from vitruve.networks.backbone import Backbone


def join_views(backbone: Backbone, views: int) -> None:
    """Make a backbone ready for :func:`joint_features`.

    Class and register tokens of all views stand before the patches of all views: a network with rotary positions
    is told how many they are, because it turns only what comes behind them.

    Args:
        backbone: Changed in place.
        views: Number of views.

    Raises:
        ConfigError: It is no plain vision transformer.
    """
    net = getattr(backbone.net, "model", None)
    if not isinstance(net, (VisionTransformer, Eva)):
        raise ConfigError(
            f"model.backbone={backbone.name!r}: several views can be joined in a plain vision transformer only; choose "
            "one, such as vits_dino, vits_dinov2, vits_dinov3 or vitb_imagenet"
        )
    for block in net.blocks:
        if hasattr(block.attn, "num_prefix_tokens"):
            block.attn.num_prefix_tokens = views * net.num_prefix_tokens


def joint_features(
    backbone: Backbone,
    images: Float[torch.Tensor, "N V 3 H W"] | torch.Tensor,
    embedding: Float[torch.Tensor, "V C"],
) -> Float[torch.Tensor, "M C h w"]:
    """Feature maps of views that have looked at one another.

    Args:
        backbone: Prepared by :func:`join_views`.
        images: RGB with values from 0 to 255, of any number type.
        embedding: Added to every token of a view, so that it is known where the token comes from.

    Returns:
        One map a view, with ``M = N * V``: the views of the first entry, then those of the second.
    """
    net = backbone.net.model
    views, channels = embedding.shape
    flat = backbone.normalized(images.flatten(0, 1))
    found = net._pos_embed(net.patch_embed(flat))
    tokens, positions = found if isinstance(found, tuple) else (found, None)
    if positions is not None:
        # Patches of different views at one place have one position: the embedding tells them apart.
        positions = torch.cat([positions] * views, -2)
    # A reshape, not an unflatten: tracing writes the number of entries into the latter for good.
    tokens = tokens.reshape(-1, views, *tokens.shape[1:]) + embedding[:, None]
    lead = net.num_prefix_tokens
    together = torch.cat([tokens[:, :, :lead].flatten(1, 2), tokens[:, :, lead:].flatten(1, 2)], 1)
    together = net.norm_pre(together)
    mixed = bool(getattr(net, "rope_mixed", False))
    for index, block in enumerate(net.blocks):
        if positions is None:
            together = block(together)
        else:
            together = block(together, rope=positions[index] if mixed else positions)
    patches = net.norm(together)[:, views * lead :]
    height, width = net.patch_embed.dynamic_feat_size(tuple(images.shape[-2:]))
    return patches.reshape(-1, height, width, channels).permute(0, 3, 1, 2).contiguous()
