"""Encoding text with BERT and fine-tuning it."""

import logging

# transformers imports torchao where it is installed; what torchao lacks for GPUs is nothing to tell a student
for name in ("torchao", "torch.utils._pytree"):
    logging.getLogger(name).setLevel(logging.ERROR)
