"""The registered model `meme_classifier`: encoders of pictures and captions, and the published MLP on both."""

from .meme_model import MemeClassifierModel as MemeClassifierModel
