"""What a registry may have built by OpenMMLab: classes by name, and what may stand in their configs.

A registry is data, and nothing in it is executed. Many classes of the toolboxes do execute what they are told: a dataset unpickles
its annotations, a transform evaluates an expression, a network loads a checkpoint. So only what stands here can be named, and its
arguments are numbers, truth values and words of a few kinds. Everything else is code: a package that brings a family or a format
(:mod:`harness.families`), or a backbone that Python puts into :data:`harness.benchmarks.backbones.BACKBONES`.
``tests/benchmarks/test_buildable.py`` asks every class that OpenMMLab registers.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from harness.errors import did_you_mean


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


BACKBONES: dict[str, frozenset[str]] = {
    "mmpretrain": _words(
        "AlexNet BEiTViT CSPDarkNet CSPResNeXt CSPResNet Conformer ConvMixer ConvNeXt DaViT DeiT3 DenseNet DistilledVisionTransformer "
        "EdgeNeXt EfficientFormer EfficientNet EfficientNetV2 HRNet HiViT HorNet InceptionV3 LeNet5 LeViT MViT MixMIMTransformer MlpMixer "
        "MobileNetV2 MobileNetV3 MobileOne MobileViT PCPVT PoolFormer PyramidVig RIFormer RegNet RepLKNet RepMLPNet RepVGG Res2Net ResNeSt "
        "ResNeXt ResNet ResNetV1c ResNetV1d ResNet_CIFAR RevVisionTransformer SEResNeXt SEResNet SVT ShuffleNetV1 ShuffleNetV2 "
        "SwinTransformer SwinTransformerV2 T2T_ViT TNT TinyViT VAN VGG ViTEVA02 ViTSAM Vig VisionTransformer XCiT"
    ),
    "mmseg": _words(
        "BEiT BiSeNetV1 BiSeNetV2 CGNet DDRNet ERFNet FastSCNN HRNet ICNet MAE MSCAN MixVisionTransformer MobileNetV2 MobileNetV3 PCPVT "
        "PIDNet ResNeSt ResNeXt ResNet ResNetV1c ResNetV1d STDCContextPathNet STDCNet SVT SwinTransformer UNet VisionTransformer"
    ),
    "mmdet": _words(
        "CSPDarknet CSPNeXt Darknet EfficientNet HRNet HourglassNet MobileNetV2 PyramidVisionTransformer PyramidVisionTransformerV2 RegNet "
        "Res2Net ResNeSt ResNeXt ResNet ResNetV1d SSDVGG SwinTransformer TridentResNet"
    ),
    "mmpose": _words(
        "AlexNet CPM CSPDarknet CSPNeXt HRFormer HRNet HourglassAENet HourglassNet LiteHRNet MSPN MobileNetV2 MobileNetV3 "
        "PyramidVisionTransformer PyramidVisionTransformerV2 RSN RegNet ResNeSt ResNeXt ResNet ResNetV1d SCNet SEResNeXt SEResNet "
        "ShuffleNetV1 ShuffleNetV2 SwinTransformer VGG ViPNAS_MobileNetV3 ViPNAS_ResNet"
    ),
}
"""Toolbox -> its networks that read nothing but their input."""

PARTS = _words(
    # normalization, activation, convolution, padding, upsampling, further layers
    "BN BN1d BN2d BN3d SyncBN GN LN LN2d GRN IN IN1d IN2d IN3d "
    " ReLU LeakyReLU PReLU RReLU ReLU6 ELU Sigmoid Tanh SiLU Clamp Clip GELU HSigmoid HSwish Swish QuickGELU "
    " Conv Conv1d Conv2d Conv3d Conv2dAdaptivePadding ConvAWS ConvWS ConvTranspose2d DCN DCNv2 Linear "
    " zero reflect replicate nearest bilinear deconv pixel_shuffle carafe InterpConv DeconvModule "
    " DropPath Dropout DropBlock ContextBlock NonLocal2d GeneralizedAttention FFN MultiheadAttention "
    # first values of the parameters
    " Constant Xavier Normal TruncNormal Uniform Kaiming Caffe2Xavier"
)
"""What a network's config may name inside, with or without a toolbox in front."""

WORDS = _words(
    "act approximate arch attention_type bias block bottleneck_type conv_type distribution frozen_exclude fusion_mode fusion_types "
    "global_block_type graph_conv_type interpolate_mode layer mode module_type name nonlinearity out_type padding padding_mode patch_pad "
    "pooling_type position stdc_type style upsample_mode"
)
"""Arguments that are a word or a list of words; the text of every other argument is refused: it may name a file, or be evaluated."""

MMSEG_DATASETS = _words(
    "ADE20KDataset BDD100KDataset BaseSegDataset COCOStuffDataset ChaseDB1Dataset CityscapesDataset DRIVEDataset DarkZurichDataset "
    "HRFDataset ISPRSDataset LIPDataset LoveDADataset MapillaryDataset_v1 MapillaryDataset_v2 NightDrivingDataset PascalContextDataset "
    "PascalContextDataset59 PascalVOCDataset PotsdamDataset REFUGEDataset STAREDataset SynapseDataset iSAIDDataset"
)
"""mmseg's datasets that are images and label maps in folders."""

MMPOSE_DATASETS = _words(
    "AFLWDataset AP10KDataset ATRWDataset AicDataset AnimalKingdomDataset AnimalPoseDataset COFWDataset CocoDataset "
    "CocoWholeBodyDataset CocoWholeBodyFaceDataset CocoWholeBodyHandDataset CrowdPoseDataset DeepFashion2Dataset DeepFashionDataset "
    "ExlposeDataset Face300VWDataset Face300WDataset Face300WLPDataset FlyDataset FreiHandDataset HalpeDataset Horse10Dataset "
    "HumanArt21Dataset HumanArtDataset JhmdbDataset LapaDataset LocustDataset MacaqueDataset MhpDataset MpiiDataset MpiiTrbDataset "
    "OCHumanDataset OneHand10KDataset PanopticHand2DDataset PoseTrack18Dataset Rhd2DDataset UBody2dDataset WFLWDataset ZebraDataset"
)
"""mmpose's datasets of points in single images, whose annotations are JSON."""

_CODE = "What else should be built is code, and comes with a package that brings a family or a format (CONTRIBUTING.md)"


def known(name: str, names: Collection[str], what: str, scope: str = "") -> str:
    """``name`` without ``scope`` in front of it, if it is one of ``names``.

    Raises:
        ValueError: it is none; names the nearest.
    """
    bare = name.removeprefix(f"{scope}.") if scope else name
    if bare not in names:
        raise ValueError(f"{did_you_mean(bare, names, what)} {_CODE}")
    return bare


def check(config: Mapping[str, Any]) -> None:
    """Do nothing where a registry may have ``config`` built.

    Raises:
        ValueError: it names a class, or gives it an argument, that is not among those above.
    """
    known(str(config["type"]), _SCOPED, "backbone type")
    for name, value in config.items():
        if name != "type":
            _argument(name, value)


_SCOPED = frozenset(f"{toolbox}.{name}" for toolbox, names in BACKBONES.items() for name in names)
_SCOPES = ("mmcv", "mmengine", *BACKBONES)


def _argument(name: str, value: Any) -> None:
    if isinstance(value, str) and name not in WORDS:
        raise ValueError(f"{name}: '{value}' may name a file or be evaluated, and no registry says such text. {_CODE}")
    if isinstance(value, Mapping) and value.get("type") in [*_SCOPED]:
        check(value)
    elif isinstance(value, Mapping):
        if "type" in value:
            _part(name, str(value["type"]))
        for inner, item in value.items():
            if inner != "type":
                _argument(inner, item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _argument(name, item)


def _part(name: str, named: str) -> None:
    scope, dot, bare = named.partition(".")
    if (bare if dot and scope in _SCOPES else named) not in PARTS:
        raise ValueError(f"{name}: {did_you_mean(named, PARTS, 'layer or initializer type')} {_CODE}")
