"""Layers whose matrices have a spectral norm of their own."""

from __future__ import annotations

from proofs.encoder import ENCODER, EncoderProof, flops, full, rebuilt
from proofs.encoder.layer import encoder_layer

PROOFS = {
    "improved-sn": EncoderProof(
        formula=encoder_layer, variants=({"matrices": "attention"},), flops=flops(), offers=ENCODER, rebuilt=rebuilt
    ),
    "sigma-reparam": EncoderProof(
        formula=encoder_layer,
        params=lambda d, f: full(d, f) + 6,
        variants=({"keep_norm": False, "init": "trunc-normal"}, {"matrices": "attention"}, {"gamma": "one"}),
        flops=flops(),
        offers=ENCODER,
        rebuilt=rebuilt,
    ),
}
