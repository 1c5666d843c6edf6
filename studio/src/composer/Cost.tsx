import type { useEstimate } from "../api/making";
import { problemOf } from "../api/making";
import { useExplain } from "../app/explain";
import { useNumbers, useWords } from "../words/words";

/** What the wish will cost: time, memory and its place in the queue. */
export function Cost({
  estimate,
  asked,
}: {
  estimate: ReturnType<typeof useEstimate>;
  asked: boolean;
}) {
  const t = useWords();
  const numbers = useNumbers();
  const explain = useExplain();
  const problem = problemOf(estimate.error);
  const cost = estimate.data;
  let said = "";
  // that the server is gone is said once, above everything
  if (asked && problem && !problem.gone) said = explain(problem);
  else if (asked && cost && !problem) {
    const parts = [
      t("cost.time", { span: numbers.span(cost.done_seconds) }),
      numbers.bytes(cost.memory_bytes),
      cost.queue_position <= 1 ? t("cost.now") : t("cost.place", { n: cost.queue_position }),
    ];
    said = cost.fits
      ? parts.join(" · ")
      : t("cost.unfit", {
          need: numbers.bytes(cost.memory_bytes),
          free: numbers.bytes(cost.memory_free_bytes),
        });
  }
  const bad = asked && (problem || (cost && !cost.fits));
  return (
    <output
      aria-label={t("cost")}
      className={`timecode ml-auto min-h-4 px-2 text-right ${bad ? "text-bad" : "text-faint"}`}
    >
      {said}
    </output>
  );
}
