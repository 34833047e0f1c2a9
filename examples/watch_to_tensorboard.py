"""A watch whose readings go to TensorBoard, beside your own scalars; look with `tensorboard --logdir runs`."""

import torch
from torch import nn
from torch.utils.tensorboard import SummaryWriter

import edgewise as ew
from edgewise.data import Digits
from edgewise.watch.sinks import TensorBoard

torch.manual_seed(0)
digits = Digits(n=512).load()
model = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 10))
optimizer = torch.optim.RMSprop(model.parameters(), lr=2e-3)
criterion = nn.CrossEntropyLoss()

writer = SummaryWriter()
watch = ew.Watch(
    model, optimizer, criterion, (digits.inputs, digits.targets), budget="30%", to=TensorBoard(writer)
)
for step in range(200):
    loss = criterion(model(digits.inputs), digits.targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    watch.step(loss)
    writer.add_scalar("loss", loss.item(), step)
writer.close()
print(watch.verdict())
