"""Frozen language models with stacked adapters."""

import logging

# where torchao is installed, PEFT imports it, and it tells of every part of it that is for other hardware
for _name in ("torchao", "torch.utils._pytree"):
    logging.getLogger(_name).setLevel(logging.ERROR)
