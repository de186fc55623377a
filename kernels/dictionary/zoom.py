"""Zooms of the images in a dictionary."""

from __future__ import annotations

import monai.transforms as mt

from ..array.zoom import RandZoom, Zoom
from ..tracking import Inner, Traced


class Zoomd(mt.Zoomd):
    """`monai.transforms.Zoomd`."""

    zoomer = Inner(Zoom)


class RandZoomd(mt.RandZoomd, Traced):
    """`monai.transforms.RandZoomd` with the same draws: all keys share the factors."""

    rand_zoom = Inner(RandZoom)
