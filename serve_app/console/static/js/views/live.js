// The live view: what goes on now and in the last minutes, told by the gateway as it happens.

import { get } from "../api.js";
import { loading } from "../loading.js";
import { mix } from "../mix.js";
import { liveCharts } from "./live_charts.js";
import { askStates, status } from "../status.js";

const POLL_MS = 5000;
const STATES_MS = 2000;

export function livePart() {
  let source = null;
  let timer = 0;
  let states = 0;
  return mix(loading(fetching), liveCharts(), {
    windows: ["5m", "15m", "60m"],
    window: "5m",
    isPaused: false,
    isLost: false,
    live: null,

    init() {
      this.follow();
      states = setInterval(() => {
        if (!this.isPaused && !document.hidden) askStates();
      }, STATES_MS);
    },
    destroy() {
      clearInterval(states);
      stop();
    },

    choose(window) {
      this.window = window;
      this.isPaused = false;
      this.follow();
    },
    pause() {
      this.isPaused = !this.isPaused;
      if (this.isPaused) stop();
      else this.follow();
    },

    /** Listen; where the gateway cannot have us listen, ask again and again. */
    follow() {
      stop();
      this.load();
      source = new EventSource(`/console/api/live/events?window=${this.window}`);
      source.addEventListener("live", (event) => this.take(JSON.parse(event.data)));
      source.addEventListener("error", () => this.lost(source));
    },
    lost(from) {
      if (from !== source) return;
      this.isLost = true;
      if (from.readyState === EventSource.CLOSED) this.poll();
    },
    poll() {
      stop();
      timer = setInterval(() => this.load(), POLL_MS);
      this.load();
    },

    /** Frozen: Alpine then takes it as one value and does not watch its thousands of numbers. */
    take(live) {
      if (this.isPaused || live.window !== this.window) return;
      this.live = Object.freeze(live);
      this.phase = "shown";
      this.problem = "";
      this.isLost = false;
    },

    get isQuiet() {
      return this.live.totals.requests === 0;
    },
    get waiting() {
      return this.live.backends.filter((one) => one.local_queue);
    },
    /** A backend's lines with what this replica knows of the moment. */
    get backends() {
      const now = new Map(status.backends.map((one) => [`${one.backend}/${one.model}`, one]));
      return this.live.backends.map((one) => {
        const fresh = now.get(`${one.backend}/${one.model}`);
        return { ...one, state: fresh?.state ?? one.state, why: fresh?.why ?? "" };
      });
    },
    tone(state) {
      if (state === "ok") return "good";
      if (state === "away") return "warn";
      return state === "off" ? "" : "bad";
    },
    sum(by) {
      return Object.values(by ?? {}).reduce((all, one) => all + one, 0);
    },
    perSecond(totals) {
      const span = { "5m": 300, "15m": 900, "60m": 3600 }[this.window];
      return totals.requests / Math.min(span, this.live.times.length * this.live.step_s || span);
    },
  });

  async function fetching() {
    const live = await get("/console/api/live", { window: this.window });
    return () => this.take(live);
  }

  function stop() {
    clearInterval(timer);
    source?.close();
    source = null;
  }
}
