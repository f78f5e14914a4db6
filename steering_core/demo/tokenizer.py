"""The demo model's tokenizer: whole words of the language, byte pieces for everything else.

Any text can be encoded; only the special tokens' own spelling has a special meaning.
"""

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from steering_core.demo.lexicon import SPECIAL_TOKENS, vocabulary

MAX_POSITIONS = 1024
# Equal to language.render, which the tests check.
CHAT_TEMPLATE = (
    "<bos>{% for message in messages %}"
    "{% if message['role'] == 'system' %} <sys> {% elif message['role'] == 'user' %} <usr> "
    "{% else %} <ast> {% endif %}"
    "{{ message['content'] }} <end>{% endfor %}"
    "{% if add_generation_prompt %} <ast>{% endif %}"
)


_TOKEN_ROLES = {"pad_token": "<pad>", "bos_token": "<bos>", "eos_token": "<end>", "unk_token": "<unk>"}


def _token_ids() -> dict[str, int]:
    """Special tokens first, then words, then every byte at the start of a word and inside one."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [*SPECIAL_TOKENS, *vocabulary(), *alphabet, *(f"##{byte}" for byte in alphabet)]
    return {token: index for index, token in enumerate(dict.fromkeys(tokens))}


def build_tokenizer() -> PreTrainedTokenizerFast:
    """The tokenizer, ready for `save_pretrained`."""
    core = Tokenizer(
        models.WordPiece(vocab=_token_ids(), unk_token=SPECIAL_TOKENS[-1], max_input_chars_per_word=256)
    )
    core.normalizer = normalizers.Lowercase()
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.BertPreTokenizer(),
            # WordPiece looks at every prefix of a word, so long runs are cut; these are at most 192 bytes.
            pre_tokenizers.Split(Regex(r"[\s\S]{1,48}"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    # ByteLevel passes by a token with a plain space, so spaces become its own sign first.
    core.decoder = decoders.Sequence(
        [
            decoders.WordPiece(prefix="##", cleanup=False),
            decoders.Replace(" ", "Ġ"),
            decoders.ByteLevel(),
        ]
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=core,
        **_TOKEN_ROLES,
        additional_special_tokens=["<sys>", "<usr>", "<ast>"],
        chat_template=CHAT_TEMPLATE,
        model_max_length=MAX_POSITIONS,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )
