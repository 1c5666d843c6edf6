# ruff: noqa: RUF001
"""Letters of other scripts that look like Latin ones, lower and upper case.

What Unicode's list of confusable characters (UTS 39) says of single letters, and some more by
eye. Compatible forms (full width, mathematical, circled letters) are folded by Unicode itself
before this table is used.
"""

_TABLE = {
    "a": "аɑαӑӓАΑᎪꓮɐÆæ⍺ᗅ𖽀𐊠",
    "b": "ЬьВΒβвЪъᏴƅɓƀ฿ßᏏƄᑲᖯꞴᗷꓐ𐊂𐊡𐌁",
    "c": "сϲСⅽϹᏟƈȼ¢ςꓚᴄⲥꮯ𐐽🝌𑣲𑣩Ⲥ𐊢𐌂𐐕𐔜",
    "d": "ԁɗđꓒᎠÐðժƌᏧᑯᗞᗪꓓ",
    "e": "еёєҽЕΕεԐԑɛℯᎬəǝ℮ҿэꬲ⋿ⴹꓰ𑢦𑢮𐊆",
    "f": "ƒϝғꓝſẝꬵꞙք𝈓ꞘϜ𝟊ᖴ𑣂𑢢𐊇𐊥𐔥",
    "g": "ɡցǥɢԌᏀǤᶃģƍᏳꓖ",
    "h": "һнΗНℎհᎻᏂħђћꜧⲎᕼꓧ𐋏",
    "i": "іıιɩІΙӏӀℹїⅰɪÍíΪǐ˛⍳ͺꙇꭵᎥ𑣃",
    "j": "јϳЈʝɉᎫյꞲͿᒍꓙ",
    "k": "кκКΚᏦƙҝқⲔᛕꓗ𐔘",
    "l": ("ⅼłɭʟᏞլŀƖℓ∣⏽￨۱𐌠𝟏𝟙𝟣𝟭𝟷🯱ＩⅠℐℑ𝐈𝐼𝑰𝓘𝕀𝕴𝖨𝗜𝘐𝙄𝙸ǀ𝚰𝛪𝜤𝝞𝞘Ⲓⵏᛁꓲ𖼨𐊊𐌉𝈪Ⳑᒪꓡ𖼖𑢣𑢲𐐛𐔦"),
    "m": "мМΜⅿᎷɱʍϺⲘᗰᛖꓟ𐊰𐌑",
    "n": "пոηɴΝƞɲŋԉռⲚꓠ𐔓",
    "o": ("оοσОΟөøӨØօ०໐๐ⲟ○◯ዐᴏంಂംං੦૦௦౦೦൦၀۵ᴑꬽჿഠဝ𐓪𑣈𑣗𐐬০୦〇𑓐𑣠𝟎𝟘𝟢𝟬𝟶🯰ⲞՕⵔଠ𐓂ꓳ𑢵𐊒𐊫𐐄𐔖"),
    "p": "рρРΡᏢƥþՔ⍴ⲣⲢᑭꓑ𐊕",
    "q": "ԛգզʠⵕ",
    "r": "гʀꭇɍᏒԻŗꭈᴦⲅꮁ𝈖ƦᎡ𐒴ᖇꓣ𖼵",
    "s": "ѕЅʂꜱᏚՏƽꮪ𑣁𐑈Ꮥꓢ𖼺𐊖𐐠",
    "t": "тτТΤᎢŧƭʈҭ⊤⟙🝨Ⲧꓔ𖼊𑢼𐊗𐊱𐌕",
    "u": "υцսʋՍᴜԱꞟꭎꭒ𐓶𑣘∪⋃ሀ𐓎ᑌꓴ𖽂𑢸",
    "v": "ѵνѴⅴᏙ∨⋁ᴠ𑜆ꮩ𑣀𝈍۷ⴸᐯꛟꓦ𖼈𑢠𐔝",
    "w": "ԝшωѡᎳɯщᴡա𑜊𑜎𑜏ꮃ𑣯𑣦ԜᏔꓪ",
    "x": "хχХΧҳӽⅹ᙮×⤫⤬⨯ᕁᕽ᙭╳𐌢𑣬ꞳⲬⵝᚷꓫ𐊐𐊴𐌗𐔧",
    "y": "уүγУΥҮʏўұყɣᶌỿꭚ𑣜ⲨᎩᎽꓬ𖽃𑢤𐊲",
    "z": "ᴢƶʐΖᏃȥꮓ𑣄𐋵𑣥ꓜ𑢩",
}

LOOK_ALIKE = {other: letter for letter, others in _TABLE.items() for other in others}
"""Each look-alike and the letter that it is read as."""
