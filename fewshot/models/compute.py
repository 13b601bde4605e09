"""Where and in what the frozen backbone is computed."""

import os
import warnings
from dataclasses import dataclass
from typing import Literal, get_args

import torch

from fewshot.errors import InputError, require_at_least
from fewshot.models.products import Products, has_onednn
from fewshot.models.rates import bfloat16_gain, onednn_gain

WORTH = 1.5  # casting to and from float32 costs some of what bfloat16 gains
SOFTWARE = 0.5  # in software bfloat16 is several times as slow; on a busy machine it may look a little slower
FASTER = 1.2  # products by oneDNN over those by the BLAS, for them to be taken
Quantised = Literal["none", "8bit", "4bit", "int8"]


@dataclass(frozen=True)
class Compute:
    """Device, precision and attention of the backbone.

    Args:
        device: 'auto' takes a GPU where there is one.
        dtype: of the frozen weights; 'auto' takes bfloat16 where the device multiplies it faster.
            What is learned is float32 in any case.
        attention: 'auto' takes eager attention on a CPU and for second order, which needs it, else sdpa.
        products: the library of float32 products on a CPU: torch's 'blas', or 'onednn'; 'auto' takes oneDNN
            where it is 1.2 times as fast, by a measurement of some milliseconds.
        rows_at_once: rows of a batch that are computed at once, each part again in the backward pass, so
            that the activations of one part are in memory at a time; 0 for all. First order only.
        recompute: keep the input of each block of the backbone alone for the backward pass, and compute the
            rest again: a third more work for a fraction of the memory. First order only.
        emulate: take bfloat16 where the hardware has no arithmetic for it, to repeat what ran elsewhere: the
            weights are rounded to it and multiplied in float32.
        threads: of torch's operators on a CPU, for the whole process; 'auto' takes what torch has. The last
            bits of products depend on it. No more than the machine has CPUs, so that what ran on a larger
            machine runs here.
        quantised: keep the frozen weights in 8 or 4 bits: '8bit' (LLM.int8()) and '4bit' (NF4 of QLoRA) by
            bitsandbytes, 'int8' (weights alone, a factor for each row) by torchao; first order only. Dettmers
            et al., NeurIPS 2022, https://arxiv.org/abs/2208.07339, and NeurIPS 2023,
            https://arxiv.org/abs/2305.14314.
    """

    device: Literal["auto", "cpu", "cuda"] = "auto"
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    attention: Literal["auto", "eager", "sdpa"] = "auto"
    products: Literal["auto", "blas", "onednn"] = "auto"
    rows_at_once: int = 0
    recompute: bool = False
    emulate: bool = False
    threads: int | Literal["auto"] = "auto"
    quantised: Quantised = "none"

    def __post_init__(self) -> None:
        require_at_least("model.compute", self, rows_at_once=0)
        if self.quantised not in get_args(Quantised):
            raise InputError(
                "unknown setting",
                where="model.compute.quantised",
                got=repr(self.quantised),
                needed="'none', '8bit', '4bit' or 'int8'",
            )
        if self.quantised != "none" and (self.products == "onednn" or self.emulate):
            raise InputError(
                "quantised weights have products of their own",
                where="model.compute.quantised",
                got=f"{self.quantised} with products {self.products}, emulate {self.emulate}",
                needed="products 'auto' or 'blas', and no emulation",
            )
        if self.threads != "auto":
            require_at_least("model.compute", self, threads=1)

    def chosen_device(self) -> torch.device:
        """The device.

        Raises:
            InputError: cuda where there is none.
        """
        found = "cuda" if torch.cuda.is_available() else "cpu"
        if self.device == "cuda" != found:
            raise InputError(
                "there is no CUDA device", where="model.compute.device", fix="take 'auto' or 'cpu'"
            )
        return torch.device(found if self.device == "auto" else self.device)

    def set_threads(self) -> int:
        """Gives torch's operators their threads, on a CPU, and returns how many they have."""
        if self.chosen_device().type == "cpu":
            wanted = torch.get_num_threads() if self.threads == "auto" else self.threads
            # for "auto" too: a number that is set ends MKL's own choice, and who repeats the run sets one
            torch.set_num_threads(min(wanted, os.cpu_count() or wanted))
        return torch.get_num_threads()

    def chosen_dtype(self) -> torch.dtype:
        """The type; for 'auto' bfloat16 if it is 1.5 times as fast, by a measurement of some milliseconds.

        Raises:
            InputError: bfloat16 on hardware that multiplies it in software alone.
        """
        if self.dtype == "float32":
            return torch.float32
        gain = bfloat16_gain(self.chosen_device())
        if self.dtype == "bfloat16" and gain < SOFTWARE and not self.emulate:
            raise InputError(
                "this hardware has no bfloat16 arithmetic",
                where="model.compute.dtype",
                got=f"bfloat16 products at {gain:.2f} times the speed of float32",
                needed="a device with bfloat16 products of its own",
                fix="take 'auto' or 'float32', or model.compute.emulate true "
                "(bfloat16 weights, float32 products)",
            )
        return torch.bfloat16 if self.dtype == "bfloat16" or gain > WORTH else torch.float32

    def emulates(self) -> bool:
        """Whether bfloat16 weights are multiplied in float32."""
        return self.dtype == "bfloat16" and self.emulate and bfloat16_gain(self.chosen_device()) < SOFTWARE

    def set_determinism(self) -> None:
        """On a GPU, kernels that add in one order, as far as torch has them, for the whole process."""
        if self.chosen_device().type == "cuda":
            torch.use_deterministic_algorithms(True, warn_only=True)
            torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
            # the fused kernels add in no fixed order where texts are long and few
            warnings.filterwarnings("ignore", message=".*ttention defaults to a non-deterministic")

    def chosen_attention(self) -> Literal["eager", "sdpa"]:
        """The attention before the order of the algorithm is known."""
        if self.attention != "auto":
            return self.attention
        # packed short texts on two CPU cores: sdpa took 0.97 to 1.15 times as long as eager in float32
        return "sdpa" if self.chosen_device().type == "cuda" else "eager"

    def chosen_products(self) -> Products:
        """The library of float32 products; on a GPU there is no choice, whatever a CPU's run has recorded.

        Raises:
            InputError: oneDNN where torch was built without it.
        """
        if self.chosen_device().type != "cpu" or self.quantised != "none":
            return "blas"
        if self.products == "onednn" and not has_onednn():
            raise InputError(
                "this build of torch has no oneDNN",
                where="model.compute.products",
                got=f"torch {torch.__version__}",
                needed="a build with oneDNN (MKLDNN), or another library",
                fix="set model.compute.products to auto",
            )
        if self.products != "auto":
            return self.products
        return "onednn" if has_onednn() and onednn_gain() > FASTER else "blas"
