import { Sheet } from "../parts/Sheet";
import type { Key } from "../words/en";
import { useWords } from "../words/words";

const KEYS: [Key, [string, Key][]][] = [
  [
    "keys.everywhere",
    [
      ["/", "search"],
      ["n", "keys.new"],
      ["g r", "nav.reel"],
      ["g b", "nav.storyboard"],
      ["g p", "nav.play"],
      ["g s", "nav.settings"],
      ["?", "help"],
    ],
  ],
  [
    "keys.composer",
    [
      ["Enter", "run"],
      ["Shift Enter", "keys.line"],
    ],
  ],
  [
    "keys.reel",
    [
      ["← → ↑ ↓", "keys.walk"],
      ["Enter", "keys.open"],
    ],
  ],
  [
    "keys.player",
    [
      ["Space", "player.play"],
      [", .", "keys.frames"],
      ["Home End", "keys.ends"],
      ["l", "player.loop"],
      ["- +", "player.speed"],
      ["f", "favourite"],
      ["p", "pick"],
      ["Esc", "back"],
    ],
  ],
  [
    "keys.board",
    [
      ["← →", "keys.shot"],
      ["Shift ← →", "keys.length"],
      ["Alt ← →", "keys.order"],
      ["s", "board.split"],
      ["Delete", "board.remove"],
    ],
  ],
  [
    "keys.play",
    [
      ["← → ↑ ↓ Space", "keys.camera"],
      ["1–9", "keys.scene"],
      ["c", "play.cut"],
    ],
  ],
];

/** All keys of the studio. */
export default function Help({ onClose }: { onClose: () => void }) {
  const t = useWords();
  return (
    <Sheet open onClose={onClose} title={t("help")} wide>
      <div className="gap-x-10 sm:columns-2">
        {KEYS.map(([title, pairs]) => (
          <section key={title} className="break-inside-avoid pb-6">
            <h3 className="pb-2 text-small font-semibold text-soft">{t(title)}</h3>
            <dl className="grid gap-1.5">
              {pairs.map(([keys, does]) => (
                <div key={keys} className="flex items-baseline justify-between gap-4">
                  <dt className="order-2 flex gap-1">
                    {keys.split(" ").map((key) => (
                      <kbd key={key}>{key}</kbd>
                    ))}
                  </dt>
                  <dd>{t(does)}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Sheet>
  );
}
