"""A watch in Lightning: one callback, and the readings go to the trainer's logger."""

import torch
from lightning.pytorch import LightningModule, Trainer, seed_everything
from lightning.pytorch.loggers import CSVLogger
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from edgewise.data import Digits
from edgewise.watch.lightning import WatchCallback


class Classifier(LightningModule):
    """A small network for digits."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 10))

    def forward(self, images):
        """Scores of the ten digits."""
        return self.layers(images)

    def training_step(self, batch, batch_idx):
        """The loss of one batch."""
        images, labels = batch
        return nn.functional.cross_entropy(self(images), labels)

    def configure_optimizers(self):
        """Adam."""
        return torch.optim.Adam(self.parameters(), lr=1e-2)


seed_everything(0)
digits = Digits().load()
loader = DataLoader(TensorDataset(digits.inputs, digits.targets), batch_size=64, shuffle=True)
watching = WatchCallback(nn.functional.cross_entropy, budget="30%")
trainer = Trainer(max_epochs=10, accelerator="cpu", logger=CSVLogger("logs"), callbacks=[watching])
trainer.fit(Classifier(), loader)
