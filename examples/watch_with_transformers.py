"""A watch in the Trainer of transformers: a tiny GPT-2 of random weights learns to count."""

import torch
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

from edgewise.watch.transformers import WatchCallback

torch.manual_seed(0)
starts = torch.randint(0, 64, (512, 1))
tokens = (starts + torch.arange(16)) % 64
dataset = [{"input_ids": row, "labels": row} for row in tokens]
model = GPT2LMHeadModel(
    GPT2Config(vocab_size=64, n_positions=16, n_embd=32, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=0)
)

arguments = TrainingArguments(
    "checkpoints",
    max_steps=100,
    per_device_train_batch_size=16,
    learning_rate=3e-3,
    logging_steps=20,
    report_to="tensorboard",
    use_cpu=True,
)
trainer = Trainer(model, arguments, train_dataset=dataset, callbacks=[WatchCallback(budget="30%")])
trainer.train()
