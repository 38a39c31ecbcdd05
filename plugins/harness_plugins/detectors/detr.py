"""DETR: a transformer that turns a map into a set of objects."""

from __future__ import annotations

from harness_plugins.detectors.parts import ToBox, hidden, offer, offer_read
from mmdet.models.layers import DetrTransformerDecoder, DetrTransformerEncoder, SinePositionalEncoding
from torch import Tensor, nn

from harness.slots import attention_method


@attention_method("detr", slot="detector")
class DETR(nn.Module):
    """DETR: an encoder relates all positions of a map, a decoder reads a set of objects from them with learned queries.

    Each of Q queries becomes one object or none; no two are compared by their overlap, and nothing is removed. All layers of the
    decoder are trained.

    Formula:
        M = encoder(W x + p);  Z_l = decoder_l(0; queries, M + p);  logits = W_c LN(Z_l),  box = σ(MLP(LN(Z_l)))

        a layer adds attention (positions to queries and keys only), then a feed-forward part, and normalizes after each

    Shapes:
        [(B, C_i, H_i, W_i), ...], of which the last is read, padding (B, H, W) → logits (L, B, Q, K + 1), the last of no object; centre
        and size as shares of the image (L, B, Q, 4).

    Parameters:
        Cd + d + L(4d² + 4d + 2df + f + d + 4d) + L(8d² + 8d + 2df + f + d + 6d) + 2d + Qd + (d + 1)(K + 1) + 2(d² + d) + 4d + 4.

    Map:
        ``attention`` (B, h, N, N) with ``q`` and ``k`` of each layer of the encoder; ``map`` (B, Q, H, W) of each of the decoder: where an
        object looks, the mean over heads.

    Source:
        Carion et al., ECCV 2020; ``models/detr.py`` and ``models/transformer.py`` of facebookresearch/detr; encoder, decoder and
        positions are mmdet's classes.

    Args:
        channels: widths of the maps; the harness passes them.
        classes: K; the harness passes it.
        dim: d.
        heads: h.
        layers: L, of the encoder and of the decoder.
        queries: Q.
        feedforward: f.
        dropout: of attention weights, hidden units and both kinds of residual branches.
    """

    def __init__(
        self,
        channels: tuple[int, ...],
        classes: int,
        dim: int = 256,
        heads: int = 8,
        layers: int = 6,
        queries: int = 100,
        feedforward: int = 2048,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if dim % heads or dim % 4:
            raise ValueError(f"dim is {dim}; it must be a multiple of the {heads} heads and of 4")
        attention = {"embed_dims": dim, "num_heads": heads, "dropout": dropout, "batch_first": True}
        act = {"type": "ReLU", "inplace": True}
        forward = {"embed_dims": dim, "feedforward_channels": feedforward, "num_fcs": 2, "ffn_drop": dropout, "act_cfg": act}
        self.project = nn.Conv2d(channels[-1], dim, 1)
        self.position = SinePositionalEncoding(dim // 2, normalize=True)
        self.encoder = DetrTransformerEncoder(layers, {"self_attn_cfg": attention, "ffn_cfg": forward})
        self.decoder = DetrTransformerDecoder(layers, {"self_attn_cfg": attention, "cross_attn_cfg": attention, "ffn_cfg": forward})
        self.queries = nn.Embedding(queries, dim)
        self.classify, self.box = nn.Linear(dim, classes + 1), ToBox(dim)
        for stack in (self.encoder, self.decoder):
            for parameter in stack.parameters():
                if parameter.dim() > 1:
                    nn.init.xavier_uniform_(parameter)
        for layer in self.encoder.layers:
            offer(layer.self_attn.attn)
        for layer in self.decoder.layers:
            offer_read(layer.cross_attn.attn)

    def forward(self, maps: tuple[Tensor, ...], padding: Tensor) -> tuple[Tensor, Tensor]:
        """Maps and padding -> logits (L, B, Q, K + 1) and boxes (L, B, Q, 4)."""
        x = self.project(maps[-1])
        padded = hidden(padding, x)
        position = self.position(padded).flatten(2).mT.to(x.dtype)
        padded = padded.flatten(1)
        memory = self.encoder(query=x.flatten(2).mT, query_pos=position, key_padding_mask=padded)
        for layer in self.decoder.layers:
            layer.cross_attn.attn.grid = x.shape[-2:]
        queries = self.queries.weight.expand(len(x), -1, -1)
        objects = self.decoder(query=queries * 0, key=memory, value=memory, query_pos=queries, key_pos=position, key_padding_mask=padded)
        return self.classify(objects), self.box(objects).sigmoid()
