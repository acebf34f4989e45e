// Line and bar charts by uPlot, in our colours, with units, told to screen readers in words.

import { clock, day } from "./format.js";
import { colours, onTheme } from "./theme.js";

const { uPlot } = globalThis;
const MINUTES = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440].map((minutes) => minutes * 60);
const DAYS = [1, 2, 7, 14, 28, 91].map((days) => days * 86_400);
const SERIES = ["c1", "c2", "c3", "c4", "c5", "c6"];

/**
 * Keeps one chart in an element until `end()`.
 *
 * `names` are the labels of the series, `format` shows a value, `bars` draws bars, `stacked` puts
 * series on top of one another, `sync` ties the cursors of charts together, `daily` counts days
 * of UTC.
 */
export class Chart {
  constructor(element, spec) {
    this.element = element;
    Object.assign(this, { bars: false, stacked: false, sync: "", daily: false, height: 160 });
    this.#take(spec);
    this.names = [];
    this.values = [];
    this.data = [[]];
    this.plot = null;
    this.stop = onTheme(() => this.#draw());
    this.watch = new ResizeObserver(() => this.#fit());
    this.watch.observe(element);
  }

  /** Show `times` and `series` (`{name, values}`, one value a time, null where there is none). */
  show(spec) {
    const { times, series } = spec;
    const names = series.map((one) => one.name);
    const isNew = names.join("\n") !== this.names.join("\n") || this.daily !== spec.daily || !this.plot;
    this.#take(spec);
    this.names = names;
    this.values = series.map((one) => one.values);
    this.data = [times, ...(this.stacked ? piled(this.values) : this.values)];
    if (isNew) this.#draw();
    else this.plot.setData(this.data);
    this.#tell();
  }

  end() {
    this.stop();
    this.watch.disconnect();
    this.plot?.destroy();
    this.plot = null;
  }

  #take({ format, bars, stacked, sync, daily, height }) {
    const given = { format, bars, stacked, sync, daily, height };
    for (const [name, value] of Object.entries(given)) if (value !== undefined) this[name] = value;
  }

  /** The legend has the values under the cursor, or the last ones. */
  #tell() {
    if (this.plot && this.plot.cursor.idx == null) {
      this.plot.setLegend({ idx: Math.max(0, this.data[0].length - 1) }, false);
    }
  }

  #fit() {
    const width = this.element.clientWidth;
    if (this.plot && width > 0 && width !== this.plot.width) {
      this.plot.setSize({ width, height: this.height });
    }
  }

  #draw() {
    this.plot?.destroy();
    this.plot = null;
    const width = this.element.clientWidth;
    if (!width || !this.names.length) return;
    this.plot = new uPlot(this.#options(width), this.data, this.element);
    this.#tell();
  }

  #options(width) {
    const [faint, line, ...tones] = colours("ink-faint", "line", ...SERIES);
    const font = `11px ${getComputedStyle(document.body).fontFamily}`;
    const axis = { stroke: faint, font, grid: { stroke: line, width: 1 }, ticks: { show: false } };
    const time = this.daily ? day : clock;
    return {
      width,
      height: this.height,
      padding: [10, 18, 0, 0],
      hooks: { setCursor: [() => this.#tell()] },
      cursor: {
        sync: this.sync ? { key: this.sync } : undefined,
        drag: { x: false, y: false },
        points: { size: 6 },
      },
      legend: { live: true },
      ...(this.daily && { tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "Etc/UTC") }),
      scales: { x: { range: (_, from, to) => this.#room(from, to) }, y: { range: fromZero } },
      axes: [
        this.#timeAxis({ ...axis, grid: { show: false } }),
        { ...axis, size: 62, space: 34, values: (_, all) => all.map((y) => this.format(y)) },
      ],
      series: [
        { value: (_, at) => (at == null ? "–" : time(at)), label: " " },
        ...this.names.map((label, index) => this.#series(label, index, tones[index % tones.length])),
      ],
    };
  }

  #timeAxis(axis) {
    const values = (_, times) => times.map((at) => this.#tick(at));
    return { ...axis, incrs: this.daily ? DAYS : MINUTES, size: 26, space: 48, values };
  }

  /** Bars stand over their beginning: half of one has to fit before the first and after the last. */
  #room(from, to) {
    const [first, second = first + 3600] = this.data[0];
    const half = this.bars ? (second - first) / 2 : 0;
    return [from - half, to + half];
  }

  #tick(at) {
    const date = new Date(at * 1000);
    const two = (value) => String(value).padStart(2, "0");
    if (this.daily) return `${two(date.getUTCMonth() + 1)}-${two(date.getUTCDate())}`;
    return `${two(date.getHours())}:${two(date.getMinutes())}`;
  }

  #series(label, index, stroke) {
    const paths = this.bars ? uPlot.paths.bars({ size: [0.75, 44] }) : uPlot.paths.linear();
    return {
      label,
      stroke,
      width: this.bars ? 0 : 1.75,
      fill: this.bars ? stroke : undefined,
      paths,
      points: { show: false },
      value: (_, drawn, __, at) => this.#said(this.stacked ? this.values[index][at] : drawn),
    };
  }

  #said(value) {
    return value == null ? "–" : this.format(value);
  }
}

function fromZero(_, low, high) {
  return [Math.min(0, low ?? 0), high > 0 ? high * 1.08 : 1];
}

/** Values on top of those after them, so that the first, drawn first, reaches highest. */
function piled(rows) {
  const sums = rows.map((row) => [...row]);
  for (let one = sums.length - 2; one >= 0; one -= 1) {
    sums[one] = sums[one].map((value, at) => value + sums[one + 1][at]);
  }
  return sums;
}
