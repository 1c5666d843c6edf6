import type { Server } from "../api/types";
import { useCount, useNumbers, useWords } from "../words/words";

/** What lies on the disk, and how the server stands. */
export function Disk({ server }: { server: Server }) {
  const t = useWords();
  const count = useCount();
  const numbers = useNumbers();
  const { disk, memory, queue, limits, workers } = server;
  const others = Math.max(
    0,
    disk.total_bytes - disk.free_bytes - disk.videos_bytes - disk.own_uploads_bytes,
  );
  const parts = [
    { name: t("disk.videos"), bytes: disk.videos_bytes, look: "bg-lamp" },
    { name: t("disk.uploads"), bytes: disk.own_uploads_bytes, look: "loose" },
    { name: t("disk.others"), bytes: others, look: "bg-edge" },
    { name: t("disk.free"), bytes: disk.free_bytes, look: "free" },
  ];
  return (
    <div className="grid gap-4">
      <div
        aria-hidden="true"
        className="flex h-4 gap-px overflow-hidden rounded-full border border-line bg-card"
      >
        {parts.map((part) => (
          <span
            key={part.name}
            className={part.look}
            style={{ flexGrow: part.bytes, minWidth: part.bytes > 0 ? 4 : 0 }}
          />
        ))}
      </div>
      <dl className="flex flex-wrap gap-x-8 gap-y-2 text-small">
        {parts.map((part) => (
          <div key={part.name}>
            <dt className="flex items-center gap-2 text-soft">
              <span
                aria-hidden="true"
                className={`size-3 rounded-sm border border-line ${part.look}`}
              />{" "}
              {part.name}
            </dt>
            <dd className="timecode">{numbers.bytes(part.bytes)}</dd>
          </div>
        ))}
        {disk.quota_bytes !== null && (
          <div>
            <dt className="text-soft">{t("disk.quota")}</dt>
            <dd className="timecode">{numbers.bytes(disk.quota_bytes)}</dd>
          </div>
        )}
        <div>
          <dt className="text-soft">{t("server.memory")}</dt>
          <dd className="timecode">
            {t("server.of", {
              free: numbers.bytes(memory.free_bytes),
              total: numbers.bytes(memory.total_bytes),
            })}
          </dd>
        </div>
        <div>
          <dt className="text-soft">{t("server.queue")}</dt>
          <dd className="timecode">
            {t("server.waiting", { n: queue.waiting, max: queue.max })} ·{" "}
            {count("workers", workers)}
          </dd>
        </div>
      </dl>
      <p className="text-small text-faint">
        {t("disk.keep", { span: numbers.span(limits.keep_hours * 3600) })}
      </p>
    </div>
  );
}
