"""Is my learning rate too high? A watch over a plain PyTorch loop, with its readings in a table."""

import torch
from torch import nn

import edgewise as ew
from edgewise.data import Digits
from edgewise.watch.sinks import CSVFile

torch.manual_seed(0)
digits = Digits().load()
model = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
criterion = nn.CrossEntropyLoss()

probe_batch = digits.inputs[:256], digits.targets[:256]
watch = ew.Watch(model, optimizer, criterion, probe_batch, budget="30%", to=CSVFile("watch.csv"))
for _ in range(2000):
    rows = torch.randint(len(digits.inputs), (64,))
    inputs, targets = digits.inputs[rows], digits.targets[rows]
    loss = criterion(model(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    watch.step(loss, (inputs, targets))
print(watch.verdict())
