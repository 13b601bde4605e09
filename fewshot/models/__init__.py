"""Frozen language models with stacked adapters."""

import logging

# where torchao and bitsandbytes are installed, PEFT imports them, and they tell of every part of them that is
# missing or for other hardware; in 8 bits bitsandbytes tells at every product that it rounds its inputs
_BITSANDBYTES = ("bitsandbytes.backends.cpu.ops", "bitsandbytes.autograd._functions")
for _name in ("torchao", "torch.utils._pytree", *_BITSANDBYTES):
    logging.getLogger(_name).setLevel(logging.ERROR)
