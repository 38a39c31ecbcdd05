"""A small vision transformer, from random weights, on a part of CIFAR-10; blocks go behind the maps that its tokens make."""

_base_ = ["_cifar10.py"]

model = dict(
    type="ImageClassifier",
    backbone=dict(
        type="VisionTransformer",
        arch=dict(embed_dims=96, num_layers=4, num_heads=3, feedforward_channels=192),
        img_size=48,
        patch_size=8,
        out_type="featmap",
        with_cls_token=False,
    ),
    neck=dict(type="GlobalAveragePooling"),
    head=dict(type="LinearClsHead", num_classes=10, in_channels=96, loss=dict(type="CrossEntropyLoss")),
)
