"""Settings that the small models of this quickstart share, in addition to the recipes."""

IMAGE = (
    "+size/image=tiny",
    "task.input_size=32",
    "+task.flip_prob=0",
    "+task.color_jitter=0",
    "dataset.batch_size=64",
    "lr_scheduler.min_lr=0",
    "optimizer.adam_betas='(0.9,0.98)'",
    "model.embed_dim=64",
    "model.layer_scale_init_value=0",
    "model.attention_dropout=0",
    "model.average_top_k_layers=2",
    "+model.instance_norm_target_layer=true",
    "model.layer_norm_target_layer=false",
    "model.norm_eps=1e-05",
    "+model.shared_rel_pos_bias=false",
    "model.ema_decay=0.99",
    "model.ema_end_decay=0.999",
)
TEXT = (
    "+size/text=tiny",
    "task.bpe=none",
    "task.sample_break_mode=eos",
    "task.tokens_per_sample=32",
    "task.mask_prob=0.15",
    "task.mask_multiple_length=1",
    "dataset.max_tokens=1024",
    "optimization.lr=[0.002]",
    "lr_scheduler.warmup_updates=50",
    "model.transformer.encoder.layers=2",
    "model.transformer.encoder.embed_dim=64",
    "model.transformer.encoder.ffn_embed_dim=256",
    "model.average_top_k_layers=2",
    "model.transformer.dropout=0",
    "model.transformer.attention_dropout=0",
)
SELDOM = (
    *("dataset.validate_interval=1000", "dataset.validate_interval_updates=200"),
    *("checkpoint.save_interval=1000", "checkpoint.save_interval_updates=200"),
)
"""Validation and checkpoints of pre-training: not after every epoch, which takes seconds."""
