"""CIFAR-10 as images in folders, at a size that a small network can take."""

default_scope = "mmpretrain"

side = 48
data_preprocessor = dict(num_classes=10, mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)


def loader(split, *steps):
    dataset = dict(
        type="CustomDataset",
        data_root="data/cifar10",
        data_prefix=split,
        pipeline=[dict(type="LoadImageFromFile"), dict(type="Resize", scale=side), *steps, dict(type="PackInputs")],
    )
    return dict(batch_size=32, num_workers=0, dataset=dataset, sampler=dict(type="DefaultSampler", shuffle=split == "train"))


train_dataloader = loader("train", dict(type="RandomFlip", prob=0.5))
test_dataloader = loader("test")
test_evaluator = dict(type="Accuracy", topk=(1, 5))
test_cfg = dict()

optim_wrapper = dict(optimizer=dict(type="AdamW", lr=1e-3, weight_decay=0.05))
train_cfg = dict(by_epoch=True, max_epochs=4)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.05, by_epoch=True, end=1, convert_to_iter_based=True),
    dict(type="CosineAnnealingLR", by_epoch=True, begin=1, end=4, eta_min=1e-5, convert_to_iter_based=True),
]
