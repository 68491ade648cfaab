"""Declares the options that several verbs take, each once, and refuses an option that nothing would read."""

from pathlib import Path
from typing import Annotated

import typer

from mobile_sdk.errors import SettingError
from mobile_sdk.workflow.choices import DEFAULT_NET, RECIPES

Data = Annotated[
    str,
    typer.Option(
        "--data",
        metavar="DIR",
        help="Labelled pictures: DIR/<label>/*.jpg, or DIR/train/… and DIR/val/…, or shards that `shard` wrote; "
        "arrays: DIR/<label>/*.npy, or FILE.npz; the word 'digits' is the built-in 5,000 MNIST digits.",
    ),
]
DataOrNone = Annotated[
    str,
    typer.Option(
        "--data",
        metavar="DIR",
        help="Pictures, labelled (DIR/<label>/*.jpg, or DIR/train/… and DIR/val/…) or not; the word 'digits' is the "
        "built-in 5,000 MNIST digits; 'none' calibrates on pictures made up from the net's batch norms. Also shards "
        "that `shard` wrote; for a detector pictures with boxes, for a segmenter with masks, as `train` takes them.",
    ),
]
KeepFloat = Annotated[
    str | None,
    typer.Option(
        "--keep-float",
        metavar="LAYER[,…]",
        help="Layers that stay in float32, by the names that `inspect` ranks; a module's name keeps all in it.",
    ),
]
WeightBits = Annotated[
    str,
    typer.Option(
        "--weight-bits",
        metavar="8|4|auto",
        help="Bits of weights. 4 halves the file: every 1 x 1 convolution and linear layer gets them, the others keep "
        "8. It needs training: give it epochs. auto chooses layer by layer, for --max-mib, --min-db or "
        "--min-accuracy.",
    ),
]
LayerBits = Annotated[
    str,
    typer.Option(
        "--weight-bits",
        metavar="8|4|auto|LAYER=BITS[,…]",
        help="Bits of weights. 4 halves the file: every 1 x 1 convolution and linear layer gets them, the others keep "
        "8. Or of layers by the names that --keep-float takes: features=4,classifier=8. It needs training: give it "
        "epochs. auto chooses layer by layer, for --max-mib, --min-db or --min-accuracy.",
    ),
]
MaxMib = Annotated[
    float | None,
    typer.Option(
        "--max-mib",
        metavar="MIB",
        help="Beside --weight-bits auto: what all weights may have, in MiB; biases and scales come on top. Layers with "
        "the least noise for a byte get 4 bits.",
    ),
]
MinDb = Annotated[
    float | None,
    typer.Option(
        "--min-db",
        metavar="DB",
        help="Beside --weight-bits auto: the least SQNR of the scores on held-back pictures; as many layers get 4 bits "
        "as keep it. If 8 bits everywhere do not reach it, a few layers stay in float32.",
    ),
]
MinAccuracy = Annotated[
    float | None,
    typer.Option(
        "--min-accuracy",
        metavar="SHARE",
        min=0,
        max=1,
        help="Beside --weight-bits auto: the least accuracy, 0..1, on the held-out pictures, which need classes. It is "
        "that of the calibrated net: epochs in int8 come later.",
    ),
]
Split = Annotated[
    str | None,
    typer.Option(
        "--split",
        metavar="BLOCK=PARTS[,…]",
        help="Inverted residuals computed in parts, such as features.2=4: less memory, a little more time and noise. "
        "A limit that `export` keeps gives less memory without noise.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]
Program = Annotated[
    Path,
    typer.Option(
        "--program",
        metavar="FILE",
        help="The program.pt2 that the bundles came from; float.pt2 beside it is what float32 bundles are held "
        "against, and what an accelerator must come near.",
    ),
]
Bundles = Annotated[list[Path], typer.Argument(metavar="BUNDLE…", help="Bundle folders, such as fruit.tflite.")]
Key = Annotated[
    Path | None,
    typer.Option("--key", metavar="FILE", help="The public key, of keygen, whose private key must have signed them."),
]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="DEVICE",
        help="host; adb:SERIAL, or adb for every phone that is ready; ssh:user@host; emulated:cortex-a76, "
        "emulated:cortex-a710 (i8mm) and emulated:max (SME2), which show "
        "exactness and no times; app:SERIAL, the demo app on an Android phone; ios, or "
        "ios:NAME, the demo app on an iPhone that is attached to this Mac. See `mobile-sdk devices`.",
    ),
]
Compute = Annotated[
    str | None,
    typer.Option(
        "--compute",
        metavar="NAME",
        help="What Core ML may use, on a Mac or an iPhone: all, cpu, gpu or neural-engine (both with the CPU). "
        "Default: what the bundle's form is for.",
    ),
]
Threads = Annotated[int, typer.Option("--threads", min=1, max=256, help="Threads that a runtime may use.")]
Overwrite = Annotated[
    bool,
    typer.Option("--overwrite", help="Replace what another training left in DIR; without it that is refused."),
]
Task = Annotated[
    str,
    typer.Option(
        "--task",
        metavar="NAME",
        help="classification (what a picture shows); detection (what is where: SSDLite; pictures with boxes as "
        "COCO, PASCAL VOC or YOLO write them); segmentation (what every pixel shows: LR-ASPP; DIR/images/NAME.jpg, "
        "DIR/masks/NAME.png of label numbers, DIR/labels.txt). 'digits' is then pictures composed of the built-in "
        "digits.",
    ),
]
Head = Annotated[
    str | None,
    typer.Option(
        "--head",
        metavar="NAME",
        help="detection: ssdlite (the default) or ssd, of whole convolutions. segmentation: lr-aspp (the default), "
        "r-aspp, or aspp, which is DeepLabv3's.",
    ),
]
OutputStride = Annotated[
    int | None,
    typer.Option(
        "--output-stride",
        metavar="N",
        help="segmentation: pixels to a position of the deepest map, 8, 16 (the default) or 32; fewer see finer, and "
        "take longer.",
    ),
]
Net = Annotated[
    str,
    typer.Option(
        "--net",
        metavar="NAME|FILE",
        help="One of `mobile-sdk nets`; or a net.safetensors, such as one of search, for its architecture alone.",
    ),
]
Weights = Annotated[
    Path | None,
    typer.Option(
        "--weights",
        metavar="FILE|torchvision|timm",
        help="Weights to start from: net.safetensors of `train`, which says its net, or a published PyTorch checkpoint "
        "of --net and --width. 'torchvision' fetches what it publishes for mobilenet_v2, mobilenet_v3_small and "
        "_large, or for --net torchvision:NAME; 'timm' for --net timm:NAME. Nothing else fetches anything.",
    ),
]
NetOrWeights = Annotated[
    str | None,
    typer.Option(
        "--net",
        metavar="NAME|FILE",
        help="One of `mobile-sdk nets`; or a net.safetensors, such as one of search, for its architecture alone. "
        f"Default: {DEFAULT_NET}, or what the weights say.",
    ),
]
WidthOrWeights = Annotated[
    float | None, typer.Option("--width", help="Width multiplier α: 0.75, 0.5 … Default: 1, or what the weights say.")
]
Labels = Annotated[
    str | None,
    typer.Option(
        "--labels",
        metavar="LIST|FILE",
        help="What the net's scores mean: imagenet, coco, coco-90, voc, or a text file of one label a line. A "
        "published checkpoint then keeps its head. Default: the pictures' folders; else ImageNet's where it has 1,000 "
        "classes, and numbers.",
    ),
]
Width = Annotated[float, typer.Option("--width", help="Width multiplier α: 1.0, 0.75, 0.5 …")]
Size = Annotated[
    str | None,
    typer.Option(
        "--size",
        metavar="PX|HxW",
        help="Side of square pictures, or height x width: 96x64. Default: 224, detection 320, segmentation 512; of "
        "'digits' 32, of those composed for detection and segmentation 128.",
    ),
]
Channels = Annotated[
    int | None,
    typer.Option(
        "--channels", metavar="N", help="Of the pictures: 1 for grey, 3 for RGB, 4 for RGB and opacity. Default: 3."
    ),
]
Input = Annotated[
    str | None,
    typer.Option(
        "--input",
        metavar="tensor:SHAPE",
        help="What a net of your own reads if not pictures: tensor:1x49x10 (channels x height x width), tensor:128. "
        "--data is then DIR/<label>/*.npy, or one file.npz with the arrays 'inputs' and 'labels'; its numbers decide "
        "the scale. Without it: the net's attribute `tensor`, a TensorSpec.",
    ),
]
Name = Annotated[str | None, typer.Option("--name", help="What the bundles are called. Default: the data's folder.")]
Epochs = Annotated[
    int | None,
    typer.Option(
        "--epochs",
        min=1,
        help="Epochs. Default: the recipe's own, which is 30 of default, 16 of digits, 300 of mobilenet-v1 and -v2, "
        "500 of mobilenet-v3; 40 for detection and segmentation.",
    ),
]
Recipe = Annotated[
    str | None,
    typer.Option(
        "--recipe", metavar="NAME", help=f"{', '.join(RECIPES)} (the papers' own). Default: default, or digits."
    ),
]
BatchSize = Annotated[
    int | None,
    typer.Option(
        "--batch-size",
        min=1,
        help="Pictures a training step. Default: the recipe's own, of 'default' and 'digits' 64; boxes and masks 32.",
    ),
]
LearningRate = Annotated[
    float | None,
    typer.Option(
        "--learning-rate",
        help="Highest learning rate in float. Default: the recipe's own; of 'default' 0.002, of 'digits', boxes and "
        "masks 0.003.",
    ),
]
ValidationShare = Annotated[
    float | None,
    typer.Option(
        "--validation-share",
        help="Share of a folder's pictures of each class that training does not see. Default: 0.2, which every verb "
        "holds out, so that a smaller one is refused.",
    ),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seeds weights, shuffling and augmentation.")]
Tensorboard = Annotated[
    bool,
    typer.Option(
        "--tensorboard",
        help="Write every epoch for TensorBoard too, below DIR/tensorboard. Needs: pip install '.\\[tensorboard]'.",
    ),
]
ClassBalance = Annotated[
    bool,
    typer.Option(
        "--class-balance",
        help="Let every label weigh as much as any other, however rare: a picture (of segmentation a pixel) weighs by "
        "the inverse of its label's share.",
    ),
]


def check_unread(context: typer.Context, where: str, *names: str) -> None:
    """Raises SettingError for the first option on the command line that nothing reads.

    Defaults are never refused. `names` are those of the verb's parameters.
    """
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name) if parameter.name in names else None
        if source is not None and source.name == "COMMANDLINE":
            raise SettingError(f"expected no {parameter.opts[0]} {where}, found it", hint="leave it out")
