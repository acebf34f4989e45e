// The frame: bar, navigation, and the view in the middle.

import { effect } from "./reaction.js";
import { LANGUAGES, choose, language, t, word } from "./i18n.js";
import { explain } from "./words.js";
import { has, isIn, leave, look, mayChange, overview, session } from "./session.js";
import { ask, status, unwell, watch } from "./status.js";
import { THEMES, theme, wear } from "./theme.js";
import { VIEWS, page, where } from "./views.js";

const NOW_MS = 5000;

export function shellPart() {
  return {
    session,
    overview,
    status,
    place: where(),
    views: VIEWS,
    themes: THEMES,
    theme: theme(),
    isMenuOpen: false,
    now: Date.now() / 1000,
    failed: "",
    shown: "",

    get isIn() {
      return isIn();
    },
    get may() {
      return mayChange();
    },
    get unwell() {
      return unwell();
    },
    get otherLanguage() {
      return language() === "en" ? "zh" : "en";
    },
    get otherLanguageName() {
      return LANGUAGES[this.otherLanguage];
    },
    get lamp() {
      if (!status.reached) return "bad";
      if (!status.asked) return "";
      return unwell().length ? "warn" : "good";
    },
    get lampSays() {
      if (!status.reached) return t("bar.unreachable");
      if (!status.asked) return t("bar.asking");
      const count = unwell().length;
      return count ? t("bar.unwell", { count }) : t("bar.well");
    },

    /** Which backends, for those who point at the lamp. */
    get lampTells() {
      const one = ({ backend, model, state }) => `${backend}/${model}: ${word(`backend.${state}`, state)}`;
      return unwell().map(one).join("\n");
    },

    init() {
      setInterval(() => {
        this.now = Date.now() / 1000;
      }, NOW_MS);
      watch();
      effect(() => this.show(isIn() ? where().view : ""));
      effect(() => {
        const view = where().view;
        document.title = `${t(isIn() ? `nav.${view}` : "login.title")} · serve-app`;
      });
    },

    /** Put a view's page in the middle. */
    async show(view) {
      if (view === this.shown) return;
      const before = this.shown;
      this.shown = view;
      this.isMenuOpen = false;
      this.$refs.middle.replaceChildren();
      if (!view) return;
      try {
        if (!before) await this.begin();
        const made = await page(view);
        if (this.shown !== view) return;
        this.failed = "";
        this.$refs.middle.replaceChildren(made);
        if (before) this.$refs.middle.querySelector("h1")?.focus();
      } catch (problem) {
        this.failed = explain(problem);
      }
    },

    /** What is asked once after a login. */
    async begin() {
      await look();
      ask();
    },

    again() {
      this.shown = "";
      this.show(where().view);
    },

    has,
    speakOther() {
      choose(this.otherLanguage);
    },
    nextTheme() {
      this.theme = THEMES[(THEMES.indexOf(this.theme) + 1) % THEMES.length];
      wear(this.theme);
    },
    async logOut() {
      await leave().catch(() => location.reload());
    },
    skip() {
      this.$refs.middle.focus();
    },
    toggleMenu() {
      this.isMenuOpen = !this.isMenuOpen;
    },
    closeMenu() {
      if (!this.isMenuOpen) return;
      this.isMenuOpen = false;
      this.$refs.menu.focus();
    },
  };
}
