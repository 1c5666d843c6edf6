import { usePull } from "../api/server";
import type { Model } from "../api/types";
import { useTell } from "../app/Notices";
import { Button } from "../parts/Button";
import { Icon } from "../parts/Icon";
import { useNumbers, useWords } from "../words/words";

/** A model: what it makes, what it needs, whether it is here and whether this machine can run it. */
export function ModelRow({ model, admin }: { model: Model; admin: boolean }) {
  const t = useWords();
  const tell = useTell();
  const numbers = useNumbers();
  const facts = model.worldreel;
  const said = [
    t("model.size", { size: facts.size.default.join("×"), max: facts.size.max }),
    t("model.seconds", { span: numbers.span(facts.seconds.default) }),
    t("model.memory", { size: numbers.bytes(facts.memory_bytes) }),
    t("model.disk", { size: numbers.bytes(facts.disk_bytes) }),
    facts.license,
  ];
  return (
    <li className="grid gap-2 rounded-2xl border border-line bg-wall p-4">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <h3 className="script text-lead">{model.id}</h3>
        <span
          className={`flex items-center gap-1 text-small ${facts.installed ? "text-good" : "text-soft"}`}
        >
          <Icon name={facts.installed ? "check" : "download"} />
          {t(facts.installed ? "model.here" : "model.away")}
        </span>
        <span
          className={`flex items-center gap-1 text-small ${facts.fits ? "text-good" : "text-warn"}`}
        >
          <Icon name={facts.fits ? "check" : "alert"} />
          {t(facts.fits ? "model.fits" : "model.unfit")}
        </span>
        {facts.is_default && <span className="text-small text-lamp-ink">{t("model.default")}</span>}
        {!facts.installed && facts.downloadable && admin && (
          <PullButton model={model.id} onProblem={tell.problem} />
        )}
      </div>
      <p lang="en" className="text-small text-soft">
        {facts.summary}
      </p>
      <p className="timecode text-faint">{said.join(" · ")}</p>
    </li>
  );
}

function PullButton({ model, onProblem }: { model: string; onProblem: (error: unknown) => void }) {
  const t = useWords();
  const { bytes } = useNumbers();
  const { state, begin, stop } = usePull(model);
  const pull = state.data;
  if (pull?.status === "running") {
    const done = { done: bytes(pull.done_bytes), total: bytes(pull.total_bytes) };
    return (
      <span className="ml-auto flex flex-wrap items-center gap-2 text-small" role="status">
        <progress
          value={pull.done_bytes}
          max={pull.total_bytes || 1}
          aria-label={t("model.pulling")}
        />
        {pull.total_bytes ? t("model.pulled", done) : t("model.pulling")}
        <Button look="quiet" onClick={() => stop.mutate(undefined, { onError: onProblem })}>
          {t("cancel")}
        </Button>
      </span>
    );
  }
  return (
    <span className="ml-auto flex flex-wrap items-center gap-2">
      {pull?.status === "failed" && (
        <span className="text-small text-bad" role="status">
          {t("model.pull.failed")} {pull.error && <span lang="en">{pull.error}</span>}
        </span>
      )}
      <Button icon="download" onClick={() => begin.mutate(undefined, { onError: onProblem })}>
        {t("model.pull")}
      </Button>
    </span>
  );
}
