"""The peers of the methods: each a plain implementation of the authors' equations on the same parameters."""

from __future__ import annotations

from peers import blocks, context, encoder, masking, pooling
from peers.peer import Peer

PEERS: dict[str, Peer] = {**pooling.PEERS, **blocks.PEERS, **context.PEERS, **encoder.PEERS, **masking.PEERS}
"""Row of the table -> what the method is compared with."""

WITHOUT_PEER: dict[str, str] = {
    "identity": "returns its input",
    "ccnet": "runs mmcv's module as it is",
    "emanet": "runs mmseg's module as it is",
    "ocrnet": "runs mmseg's modules as they are",
    "aspp-deeplabv3": "runs mmseg's modules as they are",
    "fixed-sine-2d-pe": "runs mmdet's module as it is",
    "learnable-pe": "is part of mst-multi-scene-transformer's layer",
    "qk-alignment-plus-fixed-pe": "is qk-alignment-loss, on a layer with mmdet's position encoding",
}
"""Methods of the measured slots that are not rows of their own, and why."""
