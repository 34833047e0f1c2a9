"""A watch whose readings go to Weights & Biases, in the rows of your own run; offline, so nothing is sent."""

import torch
import wandb
from torch import nn

import edgewise as ew
from edgewise.data import Digits
from edgewise.watch.sinks import WeightsAndBiases

torch.manual_seed(0)
digits = Digits(n=512).load()
model = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 10))
optimizer = torch.optim.RMSprop(model.parameters(), lr=2e-3)
criterion = nn.CrossEntropyLoss()

run = wandb.init(project="digits", mode="offline")
watch = ew.Watch(
    model, optimizer, criterion, (digits.inputs, digits.targets), budget="30%", to=WeightsAndBiases(run)
)
for _ in range(200):
    loss = criterion(model(digits.inputs), digits.targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    watch.step(loss)
    run.log({"loss": loss.item()})
print(watch.verdict())
run.finish()
