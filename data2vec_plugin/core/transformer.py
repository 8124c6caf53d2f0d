"""The one Transformer encoder of every modality (section 3.1), on scaled-dot-product attention."""

from __future__ import annotations

from typing import Callable, Collection, Dict, List, Optional, Sequence, Type

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .attention import FusedSelfAttention, SelfAttention, attention_mask
from .config import TransformerConfig
from .kernels.products import project
from .kernels.recompute import gelu_linear
from .outputs import EncoderOutput, at_rows, if_whole

GELUS = {"gelu": "none", "gelu_accurate": "tanh", "gelu_fast": "tanh"}
"""Names of GELU variants, and the approximation that each uses."""


def activation(name: str) -> Callable[[Tensor], Tensor]:
    """The activation a configuration names."""
    functions: Dict[str, Callable[[Tensor], Tensor]] = {
        "gelu": F.gelu,
        "gelu_accurate": lambda x: F.gelu(x, approximate="tanh"),
        "gelu_fast": lambda x: F.gelu(x, approximate="tanh"),
        "relu": F.relu,
        "silu": F.silu,
        "swish": F.silu,
        "tanh": torch.tanh,
    }
    return functions[name]


class DropPath(nn.Module):
    """Stochastic depth: drop a residual branch for whole samples in training."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) -> (B, T, C)."""
        if self.rate == 0 or not self.training:
            return x
        keep = x.new_empty((x.size(0), 1, 1)).bernoulli_(1 - self.rate)
        return x * keep / (1 - self.rate)


class Block(nn.Module):
    """Attention and feed-forward, each with a residual; pre- or post-norm, layer scale, drop path."""

    def __init__(self, config: TransformerConfig, drop_path: float = 0.0) -> None:
        super().__init__()
        self.norm_first = config.norm_first
        self.activation = activation(config.activation)
        self.approximate = GELUS.get(config.activation)
        self.self_attn = (FusedSelfAttention if config.fused else SelfAttention)(config)
        self.self_attn_layer_norm = layer_norm(config)
        self.fc1 = nn.Linear(config.dim, config.ffn_dim)
        self.fc2 = nn.Linear(config.ffn_dim, config.dim)
        self.final_layer_norm = layer_norm(config)
        self.dropout = nn.Dropout(config.dropout)
        self.ffn_dropout = nn.Dropout(config.dropout if config.ffn_dropout is None else config.ffn_dropout)
        self.activation_dropout = nn.Dropout(config.activation_dropout)
        self.drop_path = DropPath(drop_path)
        if config.layer_scale > 0:
            self.gamma_1 = nn.Parameter(torch.full((config.dim,), config.layer_scale))
            self.gamma_2 = nn.Parameter(torch.full((config.dim,), config.layer_scale))
        else:
            self.gamma_1 = self.gamma_2 = None  # type: ignore[assignment]

    def forward(self, x: Tensor, mask: Optional[Tensor] = None, rows: Optional[Tensor] = None) -> Dict[str, Tensor]:
        """(B, T, C) -> the four signals a target may be made of, ``block`` being the output, each (B, T, C).

        ``attention`` and ``ffn`` are the outputs of a branch before dropout and drop path, with layer scale applied.
        With the flat positions ``rows`` (N,) of B·T all four are (N, C), and nothing else is computed once attention
        has read all of ``x``.
        """
        if self.norm_first:
            attention = scaled(self.self_attn(self.self_attn_layer_norm(x), mask, rows), self.gamma_1)
            x = at_rows(x, rows) + self.drop_path(self.dropout(attention))
            ffn = scaled(self.feed_forward(self.final_layer_norm(x)), self.gamma_2)
            x = summed = x + self.drop_path(self.ffn_dropout(ffn))
        else:
            attention = scaled(self.self_attn(x, mask, rows), self.gamma_1)
            x = self.self_attn_layer_norm(at_rows(x, rows) + self.drop_path(self.dropout(attention)))
            ffn = scaled(self.feed_forward(x), self.gamma_2)
            summed = x + self.drop_path(self.ffn_dropout(ffn))
            x = self.final_layer_norm(summed)
        return {"attention": attention, "ffn": ffn, "ffn_residual": summed, "block": x}

    def feed_forward(self, x: Tensor) -> Tensor:
        """The two-layer perceptron, without its final dropout: (B, T, C) -> (B, T, C)."""
        hidden = project(x, self.fc1)
        if self.approximate is not None and not (self.training and self.activation_dropout.p > 0):
            return gelu_linear(hidden, self.fc2, self.approximate)
        return project(self.activation_dropout(self.activation(hidden)), self.fc2)


def scaled(x: Tensor, scale: Optional[Tensor]) -> Tensor:
    """Apply layer scale, if there is one: (B, T, C), (C,) -> (B, T, C)."""
    return x if scale is None else x * scale


def layer_norm(config: TransformerConfig) -> nn.LayerNorm:
    """A layer norm of the encoder."""
    return nn.LayerNorm(config.dim, eps=config.norm_eps, elementwise_affine=config.norm_affine)


class Transformer(nn.Module):
    """A stack of blocks of class ``kind``; the reference's differ."""

    def __init__(self, config: TransformerConfig, kind: Type[Block] = Block) -> None:
        super().__init__()
        self.config = config
        self.dropout = nn.Dropout(config.dropout if config.input_dropout is None else config.input_dropout)
        self.layers = nn.ModuleList(kind(config, rate) for rate in config.drop_paths())
        self.layer_norm = None if config.norm_at == "none" else layer_norm(config)
        self.apply(init_bert)
        self.compile_blocks()

    def forward(
        self,
        x: Tensor,
        padding_mask: Optional[Tensor] = None,
        biases: Sequence[Optional[Tensor]] = (None,),
        record: Collection[str] = (),
        first: int = 0,
        last: Optional[int] = None,
        rows: Optional[Tensor] = None,
    ) -> EncoderOutput:
        """Encode (B, T, C); ``padding_mask`` (B, T) True where padded, ``biases`` of all layers or each (B, H, T, T).

        The signals named in ``record`` are kept of layers ``first`` and up. With ``last`` the encoder stops
        after that layer (0-based) and leaves out a final norm. With the flat positions ``rows`` (N,) of B·T the
        output and the signals are (N, C), and the last layer computes no others.
        """
        x = entered = self.dropout(self.enter(x))
        masks = self.attention_masks(padding_mask, biases, x.dtype)
        layers: List[Dict[str, Tensor]] = []
        for index, (block, mask, kept) in enumerate(zip(self.layers, masks, self.kept_layers())):
            if kept:
                signals = self.run_block(block, x, mask, rows if index == len(self.layers) - 1 else None)
                x = signals["block"]
                if index >= first and record:
                    layers.append({name: if_whole(signals[name], rows) for name in record})
            if index == last:
                return EncoderOutput(if_whole(x, rows), padding_mask, layers, entered)
        x = if_whole(x, rows)
        if self.layer_norm is not None and self.config.norm_at == "output" and last is None:
            x = self.layer_norm(x)
        return EncoderOutput(x, padding_mask, layers, entered)

    def attention_masks(
        self, padding_mask: Optional[Tensor], biases: Sequence[Optional[Tensor]], dtype: torch.dtype
    ) -> Sequence[Optional[Tensor]]:
        """The attention mask of each layer: key padding and biases."""
        masks = [attention_mask(padding_mask, bias, dtype) for bias in biases]
        return masks * len(self.layers) if len(masks) == 1 else masks

    def enter(self, x: Tensor) -> Tensor:
        """Normalise before the first layer if configured."""
        return self.layer_norm(x) if self.layer_norm is not None and self.config.norm_at == "input" else x

    def kept_layers(self) -> List[bool]:
        """Layer drop, drawn for all layers on the host, with torch's CPU generator, so that it resumes with the run."""
        rate = self.config.layer_drop
        if not self.training or rate <= 0:
            return [True] * len(self.layers)
        return [bool(torch.rand(()).item() >= rate) for _ in self.layers]

    def compile_blocks(self) -> None:
        """Compile the blocks if configured; must be called again on a copy."""
        for block in self.layers if self.config.compiled else ():
            block.compile()

    def keep_layers(self, last: int) -> None:
        """Drop the layers above ``last`` (0-based)."""
        self.layers = nn.ModuleList(list(self.layers)[: last + 1])

    def run_block(
        self, block: nn.Module, x: Tensor, mask: Optional[Tensor], rows: Optional[Tensor]
    ) -> Dict[str, Tensor]:
        """One block, recomputed in the backward pass if activations are checkpointed.

        Drop path drops whole samples, so it needs the complete block.
        """
        if self.training and max(self.config.drop_path, self.config.drop_path_start) > 0:
            rows = None
        if self.config.checkpoint_activations and self.training:
            recomputed: Dict[str, Tensor] = checkpoint(block, x, mask, rows, use_reentrant=False)
            return recomputed
        signals: Dict[str, Tensor] = block(x, mask, rows)
        return signals


def init_bert(module: nn.Module) -> None:
    """Normal(0, 0.02) weights and zero biases, the initialisation of BERT."""
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
