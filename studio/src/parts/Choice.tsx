import { useId } from "react";
import { Icon } from "./Icon";

type Option<T> = { value: T; label: string; disabled?: boolean };

type ChoiceProps<T extends string | number> = {
  label: string;
  value: T;
  options: readonly Option<T>[];
  onChange: (value: T) => void;
  className?: string;
};

/** One of a few, all of them in sight. */
export function Segments<T extends string | number>({
  label,
  value,
  options,
  onChange,
  className = "",
}: ChoiceProps<T>) {
  const name = useId();
  return (
    <fieldset className={`flex min-w-0 gap-1 rounded-xl bg-card p-1 ${className || "flex-wrap"}`}>
      <legend className="sr-only">{label}</legend>
      {options.map((option) => (
        <label
          key={option.value}
          className="relative flex min-h-8 shrink-0 cursor-pointer items-center rounded-lg px-3 text-small text-soft transition-colors hover:text-ink has-checked:bg-lift has-checked:text-ink has-focus-visible:outline-2 has-focus-visible:outline-lamp has-disabled:cursor-not-allowed has-disabled:opacity-45"
        >
          <input
            type="radio"
            name={name}
            className="absolute inset-0 cursor-[inherit] opacity-0"
            checked={option.value === value}
            disabled={option.disabled}
            onChange={() => onChange(option.value)}
          />
          {option.label}
        </label>
      ))}
    </fieldset>
  );
}

/** One of many: the system's own list, which every keyboard and phone knows. */
export function Picker<T extends string>({
  label,
  value,
  options,
  onChange,
  className = "",
}: ChoiceProps<T>) {
  return (
    <span className={`relative inline-flex items-center ${className}`}>
      <select
        aria-label={label}
        value={value}
        onChange={(event) => onChange(event.target.value as T)}
        className="field min-h-9 w-full appearance-none truncate py-1 pr-8 text-small"
      >
        {options.map((option) => (
          <option key={option.value} value={option.value} disabled={option.disabled}>
            {option.label}
          </option>
        ))}
      </select>
      <Icon name="down" className="pointer-events-none absolute right-2 text-soft" />
    </span>
  );
}

type RangeProps = {
  label: string;
  shown: string;
  value: number;
  min: number;
  max: number;
  step: number;
  onChange: (value: number) => void;
};

export function Range({ label, shown, value, min, max, step, onChange }: RangeProps) {
  return (
    <label className="grid gap-1.5">
      <span className="flex justify-between gap-4 text-small text-soft">
        {label} <output className="timecode text-ink">{shown}</output>
      </span>
      <input
        type="range"
        className="w-full accent-(--lamp)"
        value={value}
        min={min}
        max={max}
        step={step}
        aria-valuetext={shown}
        onChange={(event) => onChange(event.target.valueAsNumber)}
      />
    </label>
  );
}
