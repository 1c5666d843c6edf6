import { type FormEvent, useState } from "react";
import { useSigning } from "../api/session";
import { Button } from "../parts/Button";
import { Mark } from "../parts/Icon";
import { useWords } from "../words/words";
import { useExplain } from "./explain";

/** Asks for the key once; the server then remembers this browser. */
export function SignIn() {
  const t = useWords();
  const explain = useExplain();
  const { enter } = useSigning();
  const [key, setKey] = useState("");
  const [wrong, setWrong] = useState("");
  const [asking, setAsking] = useState(false);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (!key.trim()) return;
    setAsking(true);
    setWrong("");
    try {
      await enter(key.trim());
    } catch (error) {
      setWrong(explain(error));
    } finally {
      setAsking(false);
    }
  };
  return (
    <main className="grid h-full place-items-center overflow-y-auto p-6">
      <form onSubmit={submit} className="grid w-full max-w-sm animate-enter gap-5">
        <Mark className="size-12" />
        <h1 className="script text-hero">{t("signin.title")}</h1>
        <p className="text-soft">{t("signin.text")}</p>
        <label className="grid gap-1.5 text-small text-soft">
          {t("signin.key")}
          <input
            type="password"
            autoComplete="current-password"
            value={key}
            onChange={(event) => setKey(event.target.value)}
            aria-invalid={wrong !== ""}
            aria-describedby="wrong"
            className="field min-h-11 text-ink"
          />
        </label>
        <p id="wrong" role="alert" className="text-small text-bad empty:hidden">
          {wrong}
        </p>
        <Button type="submit" look="lamp" disabled={asking || !key.trim()} className="min-h-11">
          {t("signin.enter")}
        </Button>
      </form>
    </main>
  );
}
