"""Where a watch's numbers go: each sink writes them through the usual door of one library.

A sink is called with the step and the numbers, `sink(120, {"edgewise/edge_ratio": 0.93})`; any function of
that form is one. Those here take the reader's own writer or run, or else open the library's usual default,
and close only what they opened.
"""

from edgewise.watch.sinks.csv import CSVFile
from edgewise.watch.sinks.mlflow import MLflow
from edgewise.watch.sinks.record import RunStore
from edgewise.watch.sinks.tensorboard import TensorBoard
from edgewise.watch.sinks.trackio import Trackio
from edgewise.watch.sinks.wandb import WeightsAndBiases

__all__ = [
    "CSVFile",
    "MLflow",
    "RunStore",
    "TensorBoard",
    "Trackio",
    "WeightsAndBiases",
]
