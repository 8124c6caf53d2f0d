"""Configuration of ``data2vec_multi``: exactly upstream's keys and defaults, then this plugin's own.

A default decides what an absent key in a user's YAML or checkpoint means, so none of upstream's is changed.
"""

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Optional

from fairseq.dataclass import FairseqDataclass
from omegaconf import II

from ...config_keys import key


class Modality(Enum):
    """The modality of a batch."""

    AUDIO = auto()
    IMAGE = auto()
    TEXT = auto()


@dataclass
class DecoderKeys(FairseqDataclass):
    """Keys of upstream's decoders."""

    decoder_dim: int = key(384, "channels of the decoder")
    decoder_groups: int = key(16, "groups of its convolutions")
    decoder_kernel: int = key(5, "width of its convolutions")
    decoder_layers: int = key(5, "its layers")
    input_dropout: float = key(0.1, "dropout of its input")
    add_positions_masked: bool = key(False, "add fixed positions where tokens are masked")
    add_positions_all: bool = key(False, "add fixed positions to all tokens that it reads")
    decoder_residual: bool = key(True, "residual connections between layers of the same width")
    projection_layers: int = key(1, "linear layers at its end")
    projection_ratio: float = key(2.0, "width of the first of several, relative to the decoder")


@dataclass
class ModalityKeys(FairseqDataclass):
    """Upstream's keys that all modalities have."""

    type: Modality = field(default=Modality.AUDIO, metadata={"help": "which modality this is"})
    prenet_depth: int = key(4, "number of the modality's own layers, before the shared ones")
    prenet_layerdrop: float = key(0.0, "probability to skip one of them")
    prenet_dropout: float = key(0.0, "dropout of their input")
    start_drop_path_rate: float = key(0.0, "probability to drop a residual branch of the first of them")
    end_drop_path_rate: float = key(0.0, "the same for the last of them")
    num_extra_tokens: int = key(0, "learned tokens before the input's")
    init_extra_token_zero: bool = key(True, "initialise the first of them to zero")
    mask_noise_std: float = key(0.01, "standard deviation of the noise that replaces masked tokens in the decoder")
    mask_prob_min: Optional[float] = key(None, "draw each batch's mask_prob between this and mask_prob")
    mask_prob: float = key(0.7, "share of tokens to mask")
    inverse_mask: bool = key(False, "blocks stay visible, and the rest is masked")
    mask_prob_adjust: float = key(0.0, "draw blocks for a share larger by this, since they overlap")
    keep_masked_pct: float = key(0.0, "share of masked tokens that is encoded too")
    mask_length: int = key(5, "length of a block, in tokens, along each axis")
    add_masks: bool = key(
        False, "equalise rows by masking more in rows with fewer masked tokens, instead of less in others"
    )
    remove_masks: bool = key(False, "accepted; not used by upstream")
    mask_dropout: float = key(0.0, "share of masked positions that are unmasked again")
    encoder_zero_mask: bool = key(True, "masked tokens that are kept are zero; otherwise noise")
    mask_channel_prob: float = key(0.0, "share of channels to mask")
    mask_channel_length: int = key(64, "length of a span of masked channels")
    ema_local_encoder: bool = key(False, "the teacher has its own embedding, averaged like the rest")
    local_grad_mult: float = key(1.0, "factor on the gradient of the embedding; 0 freezes it")
    use_alibi_encoder: bool = key(False, "attention is biased by distance (ALiBi)")
    alibi_scale: float = key(1.0, "factor on these biases")
    learned_alibi: bool = key(False, "learn a bias for each pair of positions instead; requires alibi_max_pos")
    alibi_max_pos: Optional[int] = key(None, "number of positions for which these biases are learned")
    learned_alibi_scale: bool = key(False, "learn the factor on the biases")
    learned_alibi_scale_per_head: bool = key(False, "one for each head")
    learned_alibi_scale_per_layer: bool = key(False, "one for each layer")
    num_alibi_heads: int = II("model.num_heads")
    model_depth: int = II("model.depth")
    decoder: Optional[DecoderKeys] = field(
        default_factory=lambda: DecoderKeys(),
        metadata={"help": "the decoder, which predicts masked tokens from visible ones"},
    )


@dataclass
class AudioKeys(ModalityKeys):
    """Keys of speech."""

    type: Modality = field(default=Modality.AUDIO, metadata={"help": "which modality this is"})
    extractor_mode: str = key("layer_norm", "normalisation in the feature extractor: layer_norm or default")
    feature_encoder_spec: str = key(
        "[(512, 10, 5)] + [(512, 3, 2)] * 4 + [(512,2,2)] + [(512,2,2)]",
        "convolutions of the feature extractor: (channels, width, stride) each",
    )
    conv_pos_width: int = key(95, "frames that the position convolutions span together")
    conv_pos_groups: int = key(16, "groups of each of them")
    conv_pos_depth: int = key(5, "number of position convolutions")
    conv_pos_pre_ln: bool = key(False, "a layer norm before them")


@dataclass
class ImageKeys(ModalityKeys):
    """Keys of images."""

    type: Modality = field(default=Modality.IMAGE, metadata={"help": "which modality this is"})
    input_size: int = key(224, "pixels along each side of an image")
    in_chans: int = key(3, "channels of an image")
    patch_size: int = key(16, "pixels along each side of a patch")
    embed_dim: int = key(
        768, "channels of a patch's embedding; a linear layer follows if the encoder has another number"
    )
    alibi_dims: int = key(2, "biases by distance on a grid (2), or along the row of all patches (1)")
    alibi_distance: str = key("manhattan", "distance on the grid: manhattan or euclidean")
    fixed_positions: bool = key(True, "add sines and cosines of row and column")
    transformer_decoder: bool = key(False, "the decoder is a Transformer")
    enc_dec_transformer: bool = key(False, "the decoder uses cross-attention from positions to visible tokens")


@dataclass
class TextKeys(ModalityKeys):
    """Keys of text."""

    type: Modality = field(default=Modality.TEXT, metadata={"help": "which modality this is"})
    max_source_positions: int = key(512, "most tokens in a row")
    learned_pos: bool = key(True, "positions are learned; otherwise sines and cosines")
    dropout: float = key(0.1, "dropout of embeddings")
    no_scale_embedding: bool = key(True, "do not scale embeddings by the square root of their channels")
    layernorm_embedding: bool = key(True, "a layer norm after embedding and position")
    no_token_positional_embeddings: bool = key(False, "no positions")


@dataclass
class ModalitiesKeys(FairseqDataclass):
    """The keys of each modality; a model uses those of the modalities that it is built for."""

    audio: AudioKeys = field(default_factory=lambda: AudioKeys())
    image: ImageKeys = field(default_factory=lambda: ImageKeys())
    text: TextKeys = field(default_factory=lambda: TextKeys())


@dataclass
class Data2VecMultiConfig(FairseqDataclass):
    """Keys of upstream's data2vec_multi, and three of this plugin's at the end."""

    loss_beta: float = key(0, "beta of the smooth L1 loss; 0 is the squared error")
    loss_scale: Optional[float] = key(None, "factor on the loss; None is 1/sqrt(embed_dim)")
    depth: int = key(8, "layers that modalities share")
    start_drop_path_rate: float = key(0, "probability to drop a residual branch of the first of them")
    end_drop_path_rate: float = key(0, "the same for the last of them")
    num_heads: int = key(12, "attention heads")
    norm_eps: float = key(1e-6, "epsilon of layer norms")
    norm_affine: bool = key(True, "layer norms have learned scales and offsets")
    encoder_dropout: float = key(0.1, "dropout of the attention output")
    post_mlp_drop: float = key(0.1, "dropout of the feed-forward output")
    attention_dropout: float = key(0.1, "dropout of attention weights")
    activation_dropout: float = key(0.0, "dropout inside the feed-forward and of its result")
    dropout_input: float = key(0.0, "dropout of the input of the shared layers")
    layerdrop: float = key(0.0, "probability to skip a shared layer")
    embed_dim: int = key(768, "channels of the encoder")
    mlp_ratio: float = key(4, "channels inside the feed-forward, in multiples of embed_dim")
    layer_norm_first: bool = key(False, "pre-norm: norms before attention and feed-forward")
    average_top_k_layers: int = key(8, "K: how many of the teacher's top layers make the target")
    end_of_block_targets: bool = key(False, "targets are the outputs of layers; otherwise those of their feed-forward")
    clone_batch: int = key(1, "number of masks of each input, which share one pass of the teacher")
    layer_norm_target_layer: bool = key(False, "layer-normalise every target layer")
    batch_norm_target_layer: bool = key(False, "normalise every channel of every target layer over batch and time")
    instance_norm_target_layer: bool = key(False, "normalise every channel of every target layer over time")
    instance_norm_targets: bool = key(False, "normalise every channel of the average over time")
    layer_norm_targets: bool = key(False, "layer-normalise the average")
    ema_decay: float = key(0.999, "the teacher's decay at the start")
    ema_same_dtype: bool = key(True, "the teacher computes in the student's precision; otherwise in fp32")
    log_norms: bool = key(True, "accepted; the norms of all weights are not logged")
    ema_end_decay: float = key(0.9999, "the teacher's decay from ema_anneal_end_step on")
    ema_anneal_end_step: int = II("optimization.max_update")
    ema_encoder_only: bool = key(True, "the teacher copies the shared layers only")
    max_update: int = II("optimization.max_update")
    modalities: ModalitiesKeys = field(default_factory=lambda: ModalitiesKeys())
    shared_decoder: Optional[DecoderKeys] = key(None, "a decoder shared by modalities, in addition to their own")
    min_target_var: float = key(0.1, "standard deviation of the targets below which training counts as collapsed")
    min_pred_var: float = key(0.01, "standard deviation of the predictions below which training counts as collapsed")
    supported_modality: Optional[Modality] = key(None, "the only modality of the model")
    mae_init: bool = key(False, "initialise linear layers as in masked autoencoders")
    seed: int = II("common.seed")
    skip_ema: bool = key(False, "do not create a teacher")
    cls_loss: float = key(0, "weight of the last extra token's loss: it regresses the mean of the targets")
    recon_loss: float = key(0, "weight of the loss of masked pixels")
    d2v_loss: float = key(1, "weight of the regression of masked tokens")
    decoder_group: bool = key(False, "put decoders into their own parameter group, for a composite optimizer")

    target_signal: Optional[str] = key(
        None, "layer signal used as target: attention, ffn, ffn_residual or block; None: set by end_of_block_targets"
    )
    checkpoint_activations: bool = key(False, "recompute activations in the backward pass, to save memory")
    reference_compat: bool = key(
        False, "reproduce upstream's bugs: padding that leaks and counts, a class loss that is a sum, lost residuals"
    )
