"""A watch whose readings become a run of edgewise; look with `edgewise show latest`."""

import torch
from torch import nn

import edgewise as ew
from edgewise.data import Digits
from edgewise.watch.sinks import RunStore

torch.manual_seed(0)
digits = Digits(n=512).load()
model = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 10))
optimizer = torch.optim.RMSprop(model.parameters(), lr=2e-3)
criterion = nn.CrossEntropyLoss()

store = RunStore("runs", "digits")
watch = ew.Watch(model, optimizer, criterion, (digits.inputs, digits.targets), budget="30%", to=store)
for _ in range(200):
    loss = criterion(model(digits.inputs), digits.targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    watch.step(loss)
store.close(watch.verdict())
print(watch.verdict())
