import { useQueryClient } from "@tanstack/react-query";
import { lazy, Suspense, useCallback, useEffect, useState } from "react";
import { onAnswer } from "../api/client";
import { useEvents } from "../api/events";
import { writeLink } from "../api/link";
import { useSession, useSigning } from "../api/session";
import { Mark } from "../parts/Icon";
import Reel from "../reel/Reel";
import { useWords } from "../words/words";
import { onCommand } from "./commands";
import { DropZone } from "./DropZone";
import { Rail } from "./Rail";
import { useRoute } from "./route";
import { SignIn } from "./SignIn";
import { Standing } from "./Standing";
import { useShortcuts } from "./shortcuts";

const Viewer = lazy(() => import("../viewer/Viewer"));
const Compare = lazy(() => import("../compare/Compare"));
const Storyboard = lazy(() => import("../storyboard/Storyboard"));
const Play = lazy(() => import("../play/Play"));
const Settings = lazy(() => import("../settings/Settings"));
const Help = lazy(() => import("./Help"));

export function App() {
  const session = useSession();
  const { lost } = useSigning();
  const client = useQueryClient();
  const signedIn = Boolean(session.data);

  useEffect(
    () =>
      onAnswer((problem) => {
        writeLink(problem?.gone ? "gone" : "here");
        if (problem?.status === 401 && problem.code !== "admin_only") lost();
      }),
    [lost],
  );
  const onDone = useCallback(() => {
    client.invalidateQueries({ queryKey: ["server"] });
    client.invalidateQueries({ queryKey: ["lineage"] });
  }, [client]);
  useEvents(signedIn, onDone);

  if (session.isPending) return <Opening />;
  if (!session.data) return <SignIn />;
  return <Studio />;
}

function Studio() {
  const t = useWords();
  const route = useRoute();
  const [helping, help] = useState(false);
  useShortcuts();
  useEffect(() => onCommand("help", () => help(true)), []);
  return (
    <div className="flex h-full flex-col-reverse sm:flex-row">
      <button
        type="button"
        className="sr-only rounded-full bg-lamp px-4 py-2 text-on-lamp focus:not-sr-only focus:fixed focus:top-3 focus:left-3 focus:z-60"
        onClick={() => document.getElementById("main")?.focus()}
      >
        {t("skip")}
      </button>
      <Rail view={route.view} />
      <main id="main" tabIndex={-1} className="flex min-h-0 min-w-0 flex-1 flex-col outline-none">
        <Standing />
        <div className="min-h-0 flex-1">
          <Suspense fallback={<Opening />}>
            {route.view === "reel" && <Reel />}
            {route.view === "video" && <Viewer key={route.id} id={route.id} />}
            {route.view === "compare" && <Compare left={route.left} right={route.right} />}
            {route.view === "storyboard" && <Storyboard id={route.id} />}
            {route.view === "play" && <Play />}
            {route.view === "settings" && <Settings />}
          </Suspense>
        </div>
      </main>
      <DropZone />
      <Suspense>{helping && <Help onClose={() => help(false)} />}</Suspense>
    </div>
  );
}

function Opening() {
  const t = useWords();
  return (
    <div className="grid h-full place-items-center" role="status" aria-label={t("opening")}>
      <Mark className="size-10 animate-breathe" />
    </div>
  );
}
