"""Architectures with their initialisations, each one frozen value that builds a module."""

from edgewise.models.activations import ACTIVATIONS
from edgewise.models.attention import SelfAttention
from edgewise.models.cnn import CNN
from edgewise.models.deep_linear import DeepLinear
from edgewise.models.mlp import MLP, OneHiddenLayer
from edgewise.models.model import Model
from edgewise.models.normalization import BatchNorm, LayerNorm
from edgewise.models.resnet import ResNet
from edgewise.models.transformer import Transformer
from edgewise.models.vgg import VGG11
from edgewise.models.vit import ViT

__all__ = [
    "ACTIVATIONS",
    "CNN",
    "MLP",
    "VGG11",
    "BatchNorm",
    "DeepLinear",
    "LayerNorm",
    "Model",
    "OneHiddenLayer",
    "ResNet",
    "SelfAttention",
    "Transformer",
    "ViT",
]
