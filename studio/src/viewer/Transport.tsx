import { IconButton } from "../parts/Button";
import { Picker } from "../parts/Choice";
import { timecode, useWords } from "../words/words";
import { type Controls, SPEEDS } from "./usePlayer";

/** The controls beneath a picture: play, frame by frame, loop, speed, and where one is. */
export function Transport({
  controls,
  fps,
  onFull,
}: {
  controls: Controls;
  fps: number;
  onFull?: () => void;
}) {
  const t = useWords();
  const { frame, last, playing, loop, speed } = controls;
  return (
    <fieldset aria-label={t("player")} className="grid min-w-0 gap-1">
      <input
        type="range"
        aria-label={t("player.position")}
        aria-valuetext={t("player.frame", { n: frame + 1, of: last + 1 })}
        min={0}
        max={last}
        step={1}
        value={frame}
        onChange={(event) => controls.show(event.target.valueAsNumber)}
        className="h-6 w-full accent-(--lamp)"
      />
      <div className="flex flex-wrap items-center gap-1">
        <IconButton
          icon={playing ? "pause" : "play"}
          label={t(playing ? "player.pause" : "player.play")}
          keys="Space"
          onClick={controls.toggle}
        />
        <IconButton
          icon="frameBack"
          label={t("player.back")}
          keys=","
          onClick={() => controls.step(-1)}
        />
        <IconButton
          icon="frameOn"
          label={t("player.on")}
          keys="."
          onClick={() => controls.step(1)}
        />
        <IconButton
          icon="loop"
          label={t("player.loop")}
          keys="l"
          aria-pressed={loop}
          onClick={() => controls.setLoop(!loop)}
        />
        <Picker
          label={t("player.speed")}
          value={String(speed)}
          options={SPEEDS.map((value) => ({ value: String(value), label: `${value}×` }))}
          onChange={(value) => controls.setSpeed(Number(value))}
        />
        <output className="timecode ml-auto px-2 text-soft">
          {timecode(frame / fps)} · {t("player.frame", { n: frame + 1, of: last + 1 })}
        </output>
        {onFull && <IconButton icon="full" label={t("player.full")} onClick={onFull} />}
      </div>
    </fieldset>
  );
}
