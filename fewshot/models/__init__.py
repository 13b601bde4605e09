"""Frozen language models with stacked adapters."""

import logging

# where torchao and bitsandbytes are installed, PEFT imports them, and they tell of every part of them that is
# missing or for other hardware
for _name in ("torchao", "torch.utils._pytree", "bitsandbytes.backends.cpu.ops"):
    logging.getLogger(_name).setLevel(logging.ERROR)
