import { useCallback } from "react";
import { Problem } from "../api/client";
import { useNumbers, useWords } from "../words/words";

/** Says in the language of the page what went wrong and what to do about it. */
export function useExplain(): (error: unknown) => string {
  const t = useWords();
  const { span } = useNumbers();
  return useCallback(
    (error) => {
      if (!(error instanceof Problem)) return t("problem.unknown");
      if (error.gone) return t("problem.gone");
      const wait =
        error.retryAfterS === null
          ? t("problem.later")
          : t("problem.after", { span: span(error.retryAfterS) });
      switch (error.code) {
        case "rate_limit_exceeded":
          return `${t("problem.queue")} ${wait}`;
        case "insufficient_quota":
          return t("problem.quota");
        case "plays_full":
          return t("problem.plays");
        case "disk_full":
          return t("problem.disk");
        case "database_unavailable":
          return `${t("problem.database")} ${wait}`;
        case "admin_only":
          return t("problem.admin");
        case "invalid_api_key":
        case "invalid_session":
        case "missing_api_key":
          return t("problem.key");
      }
      if (error.status === 429) return `${t("problem.queue")} ${wait}`;
      if (error.status === 413) return t("problem.large");
      if (error.status >= 500) return t("problem.server");
      // of a value that cannot be, the server knows more than the page
      return error.message;
    },
    [t, span],
  );
}

/** Why a video failed, and what to do about it. */
export function useExplainFailure(): (failure: { code: string; message: string }) => {
  what: string;
  remedy: string;
} {
  const t = useWords();
  return useCallback(
    ({ code, message }) => {
      if (code === "cancelled")
        return { what: t("failure.cancelled"), remedy: t("failure.cancelled.do") };
      if (code === "disk_full") return { what: t("problem.disk"), remedy: t("failure.again") };
      if (code.includes("memory"))
        return { what: t("failure.memory"), remedy: t("failure.memory.do") };
      return { what: message || t("problem.unknown"), remedy: t("failure.again") };
    },
    [t],
  );
}
