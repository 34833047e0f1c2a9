"""A watch in a loop of Accelerate, where two batches make one step of the optimiser."""

import torch
from accelerate import Accelerator
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from edgewise.data import Digits
from edgewise.watch.accelerate import watch_prepared

torch.manual_seed(0)
digits = Digits().load()
accelerator = Accelerator(cpu=True, gradient_accumulation_steps=2)
model = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 10))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
criterion = nn.CrossEntropyLoss()
loader = DataLoader(TensorDataset(digits.inputs, digits.targets), batch_size=32, shuffle=True)
model, optimizer, loader = accelerator.prepare(model, optimizer, loader)

probe_batch = digits.inputs[:256].to(accelerator.device), digits.targets[:256].to(accelerator.device)
watch = watch_prepared(accelerator, model, optimizer, criterion, probe_batch, budget="30%")
for _ in range(10):
    for inputs, targets in loader:
        with accelerator.accumulate(model):
            loss = criterion(model(inputs), targets)
            accelerator.backward(loss)
            optimizer.step()
            watch.step(loss, (inputs, targets))
            optimizer.zero_grad()
watch.close()
