"""timm's ResNet-18 up to its second stage, from random weights, on a part of CIFAR-10 (`pip install timm`)."""

_base_ = ["_cifar10.py"]

model = dict(
    type="ImageClassifier",
    backbone=dict(type="TIMMBackbone", model_name="resnet18", features_only=True, out_indices=(2,)),
    neck=dict(type="GlobalAveragePooling"),
    head=dict(type="LinearClsHead", num_classes=10, in_channels=128, loss=dict(type="CrossEntropyLoss")),
)
