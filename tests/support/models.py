"""Tiny checkpoints in the real formats, made on the spot so that the real loading code runs.

`python -m tests.support.models <folder>` makes them all: in a process of its own, because torch is large.
"""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (30, 40, 220), "yellow": (230, 220, 30)}
SAYS = "The lighthouse is open."
WORDS = "a photo of the dog cat boat harbour storm sea ship plays sleeps sails near old new market fish"
SIDE = 32


@dataclass(frozen=True)
class Checkpoints:
    """Where each tiny model lies: what settings like WHISPER_MODEL or VISION_MODEL may name."""

    folder: Path

    @property
    def whisper(self) -> Path:
        """A whisper that hears SAYS, in English, in every window that is not silent."""
        return self.folder / "tiny-whisper.pt"

    @property
    def looping(self) -> Path:
        """A whisper that says the same words over and over, as real ones do when they lose track."""
        return self.folder / "looping-whisper.pt"

    @property
    def clip(self) -> Path:
        """A CLIP that has learned four colours, and brings them as its labels."""
        return self.folder / "tiny-clip"

    @property
    def siglip(self) -> Path:
        """The same as a SigLIP."""
        return self.folder / "tiny-siglip"

    @property
    def text(self) -> Path:
        """A randomly initialised BERT: texts that share words are near."""
        return self.folder / "tiny-text"


def made(folder: Path) -> Checkpoints:
    """Makes all of them in another process; takes about ten seconds."""
    root = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-m", "tests.support.models", str(folder)], cwd=root, check=True)
    return Checkpoints(folder)


def make_whisper(path: Path, says: str = SAYS) -> None:
    """A multilingual whisper whose decoder's position alone decides the next token: it says one phrase."""
    import torch
    from whisper.model import ModelDimensions, Whisper
    from whisper.tokenizer import get_tokenizer

    torch.manual_seed(1)
    dims = ModelDimensions(80, 1500, 64, 2, 1, 51865, 448, 64, 2, 1)
    model = Whisper(dims)
    tokenizer = get_tokenizer(multilingual=True)
    spoken = [tokenizer.timestamp_begin, *tokenizer.encode(f" {says}"), tokenizer.timestamp_begin + 100]
    english = tokenizer.encode("<|en|>", allowed_special="all")
    targets = [*english, tokenizer.transcribe, *spoken, *[tokenizer.eot] * 448][:448]
    with torch.no_grad():
        for part in (model.decoder.blocks[0].attn.out, model.decoder.blocks[0].cross_attn.out):
            part.weight.zero_()
            part.bias.zero_()
        model.decoder.blocks[0].mlp[2].weight.zero_()
        model.decoder.blocks[0].mlp[2].bias.zero_()
        table = torch.randn(51865, 64)
        table = torch.nn.functional.normalize(table - table.mean(dim=1, keepdim=True), dim=1)
        model.decoder.token_embedding.weight.copy_(table)
        model.decoder.positional_embedding.copy_(5 * table[torch.tensor(targets)])
        model.decoder.ln.weight.fill_(10.0)
        model.decoder.ln.bias.zero_()
    torch.save({"dims": vars(dims), "model_state_dict": model.state_dict()}, path)


def make_vision(folder: Path, family: str) -> None:
    """A CLIP or SigLIP of a few thousand weights that learns the colours in a second or two."""
    import torch
    from transformers import AutoModel

    torch.manual_seed(2)
    tokenizer = _tokenizer(["a", "photo", "of", *COLOURS], length=16)
    model = AutoModel.from_config(_vision_config(family, len(tokenizer)))
    if family == "siglip":
        # Zero is where SigLIP initialises both; training starts from these.
        model.logit_scale.data.fill_(2.3)
        model.logit_bias.data.fill_(-5.0)
    _teach_colours(model, tokenizer, family)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(
        '{"do_resize": true, "size": {"height": 32, "width": 32}, "image_mean": [0.5, 0.5, 0.5],'
        ' "image_std": [0.5, 0.5, 0.5]}'
        if family == "siglip"
        else '{"do_resize": true, "size": {"shortest_edge": 32}, "do_center_crop": true,'
        ' "crop_size": {"height": 32, "width": 32}, "image_mean": [0.5, 0.5, 0.5],'
        ' "image_std": [0.5, 0.5, 0.5]}'
    )
    (folder / "labels.txt").write_text("\n".join(["# version: colours", "# threshold: 0.5", *COLOURS]))


def make_text(folder: Path) -> None:
    """A BERT with one layer and a vocabulary of a few words."""
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(3)
    tokenizer = _tokenizer(WORDS.split(), length=64)
    model = BertModel(
        BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=64,
        )
    )
    # So that words weigh more than their places, which all texts share.
    model.embeddings.word_embeddings.weight.data.mul_(4.0)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _vision_config(family: str, words: int) -> Any:
    from transformers import CLIPConfig, SiglipConfig

    tower = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "projection_dim": 32,
    }
    text = {**tower, "vocab_size": words, "max_position_embeddings": 16}
    text |= {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}
    vision = {**tower, "image_size": SIDE, "patch_size": 8}
    config = CLIPConfig if family == "clip" else SiglipConfig
    return config(text_config=text, vision_config=vision, projection_dim=32)


def _teach_colours(model: Any, tokenizer: Any, family: str) -> None:
    import torch

    full = {"padding": "max_length", "max_length": 16} if family == "siglip" else {"padding": True}
    tokens = tokenizer([f"a photo of {name}" for name in COLOURS], return_tensors="pt", **full)
    paints = torch.tensor(list(COLOURS.values()))[:, :, None, None] / 127.5 - 1.0
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(80):
        pictures = paints + 0.2 * torch.randn(len(COLOURS), 3, SIDE, SIDE)
        logits = model(input_ids=tokens["input_ids"], pixel_values=pictures).logits_per_image
        truth = torch.eye(len(COLOURS))
        loss = (
            -torch.nn.functional.logsigmoid(logits * (2 * truth - 1)).mean()
            if family == "siglip"
            else torch.nn.functional.cross_entropy(logits, truth)
        )
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()


def _tokenizer(words: list[str], length: int) -> Any:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: number for number, word in enumerate(["<pad>", "<unk>", "<bos>", "<eos>", *words])}
    fast = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    fast.pre_tokenizer = Whitespace()
    fast.post_processor = TemplateProcessing(
        single="<bos> $A <eos>", special_tokens=[("<bos>", 2), ("<eos>", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=fast,
        pad_token="<pad>",
        unk_token="<unk>",
        bos_token="<bos>",
        eos_token="<eos>",
        model_max_length=length,
        model_input_names=["input_ids", "attention_mask"],
    )


def main() -> None:
    """Makes every checkpoint in the folder that is the first argument."""
    there = Checkpoints(Path(sys.argv[1]))
    there.folder.mkdir(parents=True, exist_ok=True)
    make_whisper(there.whisper)
    make_whisper(there.looping, "so it goes on and on, " * 20)
    make_vision(there.clip, "clip")
    make_vision(there.siglip, "siglip")
    make_text(there.text)


if __name__ == "__main__":
    main()
