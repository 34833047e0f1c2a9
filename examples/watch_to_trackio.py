"""A watch whose readings go to Trackio, on this machine; look with `trackio show`."""

import torch
import trackio
from torch import nn

import edgewise as ew
from edgewise.data import Digits
from edgewise.watch.sinks import Trackio

torch.manual_seed(0)
digits = Digits(n=512).load()
model = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 10))
optimizer = torch.optim.RMSprop(model.parameters(), lr=2e-3)
criterion = nn.CrossEntropyLoss()

run = trackio.init(project="digits")
watch = ew.Watch(model, optimizer, criterion, (digits.inputs, digits.targets), budget="30%", to=Trackio(run))
for step in range(200):
    loss = criterion(model(digits.inputs), digits.targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    watch.step(loss)
    trackio.log({"loss": loss.item()}, step=step)
trackio.finish()
print(watch.verdict())
