import { useCallback, useMemo, useRef, useState } from "react";
import { useVideos } from "../api/videos";
import { useExplain } from "../app/explain";
import { useStored } from "../app/stored";
import { Composer } from "../composer/Composer";
import { Button } from "../parts/Button";
import { Notice } from "../parts/Notice";
import { useWords } from "../words/words";
import { Filters } from "./Filters";
import { SelectionBar } from "./SelectionBar";
import { filtersOf, NO_FILTERS, type Shown } from "./shown";
import { Wall } from "./Wall";
import { Welcome } from "./Welcome";

/** Everything that was made, and the prompt bar beneath it. */
export default function Reel() {
  const t = useWords();
  const explain = useExplain();
  const frame = useRef<HTMLDivElement>(null);
  const [shown, setShown] = useStored<Shown>("shown", NO_FILTERS);
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const videos = useVideos(filtersOf(shown));
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = videos;
  const data = useMemo(() => videos.data?.pages.flatMap((page) => page.data) ?? [], [videos.data]);
  const total = videos.data?.pages[0]?.total ?? data.length;

  const onNearEnd = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  const onSelect = useCallback((id: string) => {
    setSelected((before) => {
      const now = new Set(before);
      if (!now.delete(id)) now.add(id);
      return now;
    });
  }, []);

  const nothing = videos.isSuccess && data.length === 0;
  const filtered = JSON.stringify(shown) !== JSON.stringify(NO_FILTERS);
  return (
    <div className="relative h-full">
      <div
        ref={frame}
        className="h-full overflow-x-hidden overflow-y-auto px-3 pb-44 sm:px-5"
        tabIndex={-1}
      >
        <h1 className="sr-only">{t("nav.reel")}</h1>
        <Filters shown={shown} onChange={setShown} total={videos.isSuccess ? total : null} />
        {videos.isError && data.length === 0 && (
          <Notice
            icon="alert"
            title={t("reel.failed")}
            action={<Button onClick={() => videos.refetch()}>{t("retry")}</Button>}
          >
            {explain(videos.error)}
          </Notice>
        )}
        {nothing && filtered && (
          <Notice
            icon="search"
            title={t("reel.nothing")}
            action={<Button onClick={() => setShown(NO_FILTERS)}>{t("filter.clear")}</Button>}
          >
            {t("reel.nothing.do")}
          </Notice>
        )}
        {nothing && !filtered && <Welcome />}
        {data.length > 0 && (
          <Wall
            videos={data}
            total={total}
            selected={selected}
            onSelect={onSelect}
            frame={frame}
            onNearEnd={onNearEnd}
          />
        )}
      </div>
      <div className="pointer-events-none absolute inset-x-0 bottom-0 bg-linear-to-t from-room via-room/80 to-transparent px-3 pt-10 pb-3 sm:px-6 sm:pb-5">
        {selected.size > 0 ? (
          <SelectionBar videos={data} selected={selected} onClear={() => setSelected(new Set())} />
        ) : (
          <Composer />
        )}
      </div>
    </div>
  );
}
