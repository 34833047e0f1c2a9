"""A watch whose readings go to MLflow, into a run of yours; where runs are kept says MLFLOW_TRACKING_URI.

`pip install 'edgewise[mlflow]'` brings MLflow's client, which keeps runs on a server or, as here, in files in the
folder mlruns. For the pages to look at them, and a database in the place of the files, type `pip install mlflow`;
then `MLFLOW_TRACKING_URI=sqlite:///mlflow.db python watch_to_mlflow.py` and `mlflow ui`.
"""

import os

import mlflow
import torch
from torch import nn

import edgewise as ew
from edgewise.data import Digits
from edgewise.watch.sinks import MLflow

os.environ.setdefault("MLFLOW_TRACKING_URI", "mlruns")
os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # MLflow asks whether files are meant

torch.manual_seed(0)
digits = Digits(n=512).load()
model = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 10))
optimizer = torch.optim.RMSprop(model.parameters(), lr=2e-3)
criterion = nn.CrossEntropyLoss()

run = mlflow.start_run()
watch = ew.Watch(model, optimizer, criterion, (digits.inputs, digits.targets), budget="30%", to=MLflow(run))
for step in range(200):
    loss = criterion(model(digits.inputs), digits.targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    watch.step(loss)
    mlflow.log_metric("loss", loss.item(), step=step)
mlflow.end_run()
print(watch.verdict())
