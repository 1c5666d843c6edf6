import { type FormEvent, useState } from "react";
import { useKeyActs, useKeys } from "../api/server";
import { useTell } from "../app/Notices";
import { Button, IconButton } from "../parts/Button";
import { useNumbers, useWords } from "../words/words";

/** The keys of the server: who may ask it for videos. */
export function Keys() {
  const t = useWords();
  const tell = useTell();
  const numbers = useNumbers();
  const { data: keys } = useKeys(true);
  const acts = useKeyActs();
  const [owner, setOwner] = useState("");
  const [secret, setSecret] = useState("");
  const make = (event: FormEvent) => {
    event.preventDefault();
    if (!owner.trim()) return;
    acts.make.mutate(
      { owner: owner.trim(), admin: false },
      {
        onSuccess: (made) => {
          setOwner("");
          setSecret(made.secret);
        },
        onError: tell.problem,
      },
    );
  };
  return (
    <div className="grid gap-3">
      <form onSubmit={make} className="flex flex-wrap gap-2">
        <input
          aria-label={t("keys.owner")}
          placeholder={t("keys.owner")}
          value={owner}
          maxLength={80}
          onChange={(event) => setOwner(event.target.value)}
          className="field min-w-40 flex-1"
        />
        <Button type="submit" icon="key" disabled={!owner.trim()}>
          {t("keys.make")}
        </Button>
      </form>
      {secret && (
        <div role="status" className="grid gap-1 rounded-2xl border border-lamp bg-glow p-3">
          <p className="text-small">{t("keys.once")}</p>
          <code className="font-code text-small break-all select-all">{secret}</code>
        </div>
      )}
      <ul className="grid gap-1">
        {keys?.map((key) => (
          <li key={key.id} className="flex items-center gap-3 rounded-xl px-2 py-1 hover:bg-wall">
            <span className={key.revoked_at ? "text-faint line-through" : ""}>{key.owner}</span>
            <code className="timecode text-faint">{key.hint}</code>
            {key.admin && <span className="text-small text-lamp-ink">{t("keys.admin")}</span>}
            <span className="timecode ml-auto text-faint max-sm:hidden">
              {numbers.when(key.created_at)}
            </span>
            {key.revoked_at ? (
              <span className="text-small text-faint">{t("keys.revoked")}</span>
            ) : (
              <IconButton
                icon="trash"
                label={t("keys.revoke", { owner: key.owner })}
                onClick={() => acts.revoke.mutate(key.id, { onError: tell.problem })}
              />
            )}
          </li>
        ))}
      </ul>
    </div>
  );
}
