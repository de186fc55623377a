"""What an agent and the keeper of one of its attempts have between them."""

from __future__ import annotations

import enum
import os
import socket
from dataclasses import dataclass
from typing import Final


class Order(enum.Enum):
    """One byte from the agent. GO: it knows of this keeper, which may begin."""

    GO = b"G"
    STOP = b"S"
    KILL = b"K"


#: One byte from the keeper: no process of its job lives, the GPUs are free, the result is on the disk. It ends by itself.
OVER: Final = b"O"


@dataclass(frozen=True, slots=True)
class Graces:
    """`stop_s`: from the request to stop until SIGTERM. `term_s`: from SIGTERM until SIGKILL. `exit_s`: from the job's last word to
    the end of its process."""

    stop_s: float = 10.0
    term_s: float = 5.0
    exit_s: float = 10.0


DEFAULT_GRACES: Final = Graces()


@dataclass(slots=True)
class Kept:
    """The agent's side of a keeper. `orders` also is its lifeline; `channel` leads to the job."""

    pid: int
    pidfd: int
    orders: socket.socket
    channel: socket.socket

    def order(self, order: Order) -> None:
        """A keeper that is gone is not an error: its pidfd tells. One that has long not listened loses its lifeline."""
        try:
            self.orders.send(order.value, socket.MSG_DONTWAIT)
        except BlockingIOError:
            self.orders.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    def is_over(self) -> bool:
        """To be called when `orders` is readable: whether the keeper has said `OVER`."""
        try:
            return OVER in self.orders.recv(64, socket.MSG_DONTWAIT)
        except OSError:
            return False

    def close(self) -> None:
        os.close(self.pidfd)
        self.orders.close()
        self.channel.close()
