"""SegFormer with MiT-B0, from random weights, on the 77 training images of a part of CamVid at a quarter of their size."""

_base_ = ["mmseg::_base_/models/segformer_mit-b0.py"]
default_scope = "mmseg"

classes = ("Sky", "Building", "Pole", "Road", "Pavement", "Tree", "SignSymbol", "Fence", "Car", "Pedestrian", "Bicyclist")
model = dict(
    data_preprocessor=dict(size=(96, 128)),
    backbone=dict(init_cfg=None),
    decode_head=dict(num_classes=len(classes), norm_cfg=dict(type="BN"), ignore_index=11),
)

image, labels = dict(type="LoadImageFromFile"), dict(type="LoadAnnotations")
small = dict(type="Resize", scale=(128, 96), keep_ratio=False)


def loader(split, batch_size, sampler, *steps):
    dataset = dict(
        type="BaseSegDataset",
        data_root="data/camvid",
        data_prefix=dict(img_path=split, seg_map_path=f"{split}annot"),
        img_suffix=".png",
        seg_map_suffix=".png",
        metainfo=dict(classes=classes),
        ignore_index=11,
        pipeline=[image, *steps, dict(type="PackSegInputs")],
    )
    return dict(batch_size=batch_size, num_workers=0, sampler=sampler, dataset=dataset)


train_dataloader = loader("train", 8, dict(type="InfiniteSampler", shuffle=True), labels, small, dict(type="RandomFlip", prob=0.5))
val_dataloader = loader("val", 1, dict(type="DefaultSampler", shuffle=False), small, labels)
test_dataloader = loader("test", 1, dict(type="DefaultSampler", shuffle=False), small, labels)
val_evaluator = dict(type="IoUMetric", iou_metrics=["mIoU"], ignore_index=11)
test_evaluator = val_evaluator

optim_wrapper = dict(optimizer=dict(type="AdamW", lr=6e-4, weight_decay=0.01))
param_scheduler = [
    dict(type="LinearLR", start_factor=0.05, by_epoch=False, begin=0, end=20),
    dict(type="PolyLR", power=1.0, by_epoch=False, begin=20, end=100),
]
train_cfg = dict(type="IterBasedTrainLoop", max_iters=100, val_interval=25)
val_cfg, test_cfg = dict(), dict()
