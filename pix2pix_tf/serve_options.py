"""The options of `--mode serve`."""

import dataclasses

from pix2pix_tf.options import option


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServeOptions:
    """What a server listens to and how much it takes; all are "(new)"."""

    host: str = option(
        "127.0.0.1",
        "(new) Address to listen on; 0.0.0.0 lets other machines in.",
        group="Serve",
        adopted="never",
    )
    port: int = option(
        8000,
        "(new) Port; 0 for any free one.",
        group="Serve",
        minimum=0,
        below=65536,
        adopted="never",
    )
    cors_origin: str | None = option(
        None,
        "(new) Origins whose pages may use the server, separated by commas; * for all.",
        group="Serve",
        adopted="never",
    )
    max_request_bytes: int = option(
        16 * 2**20, "(new) Longest request.", group="Serve", minimum=1, adopted="never"
    )
    max_pixels: int = option(
        2048 * 2048,
        "(new) Pixels of a request, all its pictures together, their sides rounded up to multiples "
        "of 256.",
        group="Serve",
        minimum=1,
        adopted="never",
    )
    max_queue: int = option(
        64,
        "(new) Requests at a time; those beyond are told to come back.",
        group="Serve",
        minimum=1,
        adopted="never",
    )
    max_batch: int = option(
        8,
        "(new) Pictures of one size that are translated together.",
        group="Serve",
        minimum=1,
        adopted="never",
    )
    timeout: float = option(
        60.0, "(new) Seconds that a request may take.", group="Serve", above=0, adopted="never"
    )
